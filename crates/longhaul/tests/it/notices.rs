//! Receipts: how each notice stands, why a job says so, and what holds a job up that is to go.

use crate::harness::{Home, eventually, keys};
use crate::serve_support::Server;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn first(home: &Home, arguments: &[&str]) -> Value {
    home.json(&[&["notices"], arguments].concat())["notices"][0].clone()
}

#[test]
fn a_notice_is_listed_with_all_that_is_known_of_it() {
    let home = Home::new();
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    let page = home.json(&["notices", &job]);
    assert_eq!(keys(&page), ["next_cursor", "notices"]);
    let notice = &page["notices"][0];
    let fields = [
        "acked_by",
        "acked_how",
        "claimed_by",
        "created_at",
        "dead_because",
        "ended_at",
        "failures",
        "id",
        "job",
        "not_before",
        "owner",
        "receipts",
        "state",
        "to",
        "try",
    ];
    assert_eq!(keys(notice), fields);
    assert_eq!((&notice["state"], &notice["to"]), (&json!("pending"), &json!("inbox")));
    home.run(&["inbox", "--owner", "me", "--wait", "--ack-all"]).ok();
    let acked = first(&home, &[&job]);
    assert_eq!((&acked["state"], &acked["acked_by"]), (&json!("acked"), &json!("me")));
    assert_eq!((&acked["acked_how"], &acked["try"]), (&json!("acked"), &json!(1)));
    assert_eq!(home.json(&["notices", "--state", "pending,sent"])["notices"], json!([]));
    let table = home.run(&["notices"]);
    assert!(table.ok().contains("inbox of me") && table.ok().contains("acked by me"), "{table:?}");
    home.run(&["notices", "--state", "lost"]).fails(2, "lost");
    home.run(&["notices", "nobody"]).fails(3, "nobody");
}

#[test]
fn notices_come_in_pages() {
    let home = Home::new();
    let jobs: Vec<String> = (0..3).map(|_| home.submit(&["--owner", "me", "--", "true"])).collect();
    jobs.iter().for_each(|job| drop(home.until(job, "ended")));
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = vec!["notices", "--owner", "me", "--limit", "1"];
        arguments.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor]));
        let page = home.json(&arguments);
        let notices = page["notices"].as_array().unwrap();
        found.extend(notices.iter().map(|notice| notice["job"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    found.sort();
    assert_eq!(found, jobs);
}

#[test]
fn why_says_who_was_told_and_who_acknowledged() {
    let home = Home::new();
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    let why = home.json(&["why", &job])["why"].to_string();
    assert!(why.contains("Its owner, me, is told as soon as it is present"), "{why}");
    home.run(&["inbox", "--owner", "me", "--wait", "--ack-all"]).ok();
    let why = home.json(&["why", &job])["why"].to_string();
    assert!(why.contains("me acknowledged it at"), "{why}");
    assert!(why.contains("Try 1 of dlv_"), "{why}");
}

#[test]
fn a_job_that_somebody_is_to_be_told_of_is_not_removed() {
    let home = Home::new();
    let job = home.submit(&["--", "true"]);
    eventually("it is cleaned up", || home.show(&job)["cleanup"]["state"] == "done");
    let id = first(&home, &[&job])["id"].as_str().unwrap().to_owned();
    for arguments in [vec!["prune", &job], vec!["prune", "--dry-run", &job]] {
        let refused = home.run(&arguments);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(&id), "names the notice: {refused:?}");
        assert!(refused.stderr.contains("until 20"), "says until when: {refused:?}");
    }
    home.run(&["show", "--settle", &job]).ok();
    assert_eq!(home.run(&["prune", &job]).ok(), format!("{job}\n"));
}

#[test]
fn the_doctor_counts_what_could_not_be_told() {
    let home = Home::new();
    let findings = home.json(&["doctor"])["findings"].clone();
    for what in ["notices", "sinks", "inboxes"] {
        let is_fine = |finding: &Value| finding["what"] == what && finding["level"] == "ok";
        assert!(findings.as_array().unwrap().iter().any(is_fine), "{what}: {findings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_dead_notice_is_owed_again() {
    let server = Server::start();
    let job = server.submit("true", json!({"owner": "me"})).await;
    server.ended(&job).await;
    let page = server.get(&format!("/v1/notices?job={job}")).await.json();
    let id = page["notices"][0]["id"].as_str().unwrap().to_owned();
    let live = server.post(&format!("/v1/notices/{id}/redeliver"), json!({})).await;
    assert_eq!((live.status, live.code().as_str()), (StatusCode::CONFLICT, "not_dead"));
    for none in ["dlv_00000000000000000000000000", "dlv_0000", "x"] {
        let answer = server.post(&format!("/v1/notices/{none}/redeliver"), json!({})).await;
        assert_eq!(answer.code(), "no_notice", "{none}");
    }
    for bad in ["?state=lost", "?cursor=x", "?limit=x", "?colour=red"] {
        let answer = server.get(&format!("/v1/notices{bad}")).await;
        assert_eq!(answer.code(), "bad_request", "{bad}");
    }
}
