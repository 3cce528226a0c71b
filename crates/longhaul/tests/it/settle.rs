//! Who has fetched a result is not told of it as well; who only looked is.

use crate::harness::{Home, ran};
use crate::serve_support::Server;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// How the notice of a job to its owner stands, and how it came to that.
fn how(home: &Home, job: &str) -> (Value, Value) {
    let notice = home.json(&["notices", job])["notices"][0].clone();
    (notice["state"].clone(), notice["acked_how"].clone())
}

#[test]
fn run_and_wait_settle_the_waiters_own_notice() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "--name", "ran", "--", "true"]).code, 0);
    assert_eq!(how(&home, "ran"), (json!("acked"), json!("waited")));
    let job = home.submit(&["--", "true"]);
    assert_eq!(home.run(&["wait", &job]).code, 0);
    assert_eq!(how(&home, &job), (json!("acked"), json!("waited")));
    assert_eq!(home.json(&["inbox"])["notices"], json!([]));
}

#[test]
fn waiting_for_anothers_job_settles_nothing() {
    let home = Home::new();
    let job = home.submit(&["--owner", "you", "--", "true"]);
    assert_eq!(home.run(&["wait", &job]).code, 0);
    let shown = home.run(&["show", "--settle", &job]);
    assert!(shown.code == 0 && shown.stderr.contains("you's to settle"), "{shown:?}");
    assert_eq!(how(&home, &job).0, "pending");
    let mut wait = home.command(&["wait", &job]);
    let waited = ran(wait.env("LONGHAUL_OWNER", "you").output().unwrap());
    assert_eq!(waited.code, 0);
    assert_eq!(how(&home, &job), (json!("acked"), json!("waited")));
}

#[test]
fn show_settles_only_when_asked_to() {
    let home = Home::new();
    let job = home.submit(&["--", "true"]);
    home.until(&job, "ended");
    for arguments in [vec!["show", &job], vec!["logs", &job], vec!["events", "-f", &job]] {
        assert_eq!(home.run(&arguments).code, 0);
    }
    assert_eq!(how(&home, &job).0, "pending");
    assert_eq!(home.json(&["show", "--settle", &job])["id"], job.as_str());
    assert_eq!(how(&home, &job), (json!("acked"), json!("shown")));
}

#[test]
fn of_a_job_that_goes_on_nothing_is_settled() {
    let home = Home::new();
    let job = home.submit(&["--", "sleep", "60"]);
    let shown = home.run(&["show", "--settle", &job]);
    assert!(shown.code == 0 && shown.stderr.contains("nothing was settled"), "{shown:?}");
    home.run(&["wait", "--timeout", "50ms", &job]).fails(5, "has not ended");
    assert_eq!(home.json(&["notices", &job])["notices"], json!([]));
    assert_eq!(home.run(&["cancel", "--wait", &job]).code, 0);
    assert_eq!(how(&home, &job).0, "pending");
}

#[test]
fn a_retry_makes_the_old_news_needless() {
    let home = Home::new();
    let old = home.submit(&["--", "false"]);
    home.until(&old, "ended");
    let new = home.json(&["retry", &old])["id"].as_str().unwrap().to_owned();
    assert_eq!(how(&home, &old), (json!("acked"), json!("retried")));
    home.until(&new, "ended");
    assert_eq!(how(&home, &new).0, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_is_for_the_owner_and_for_ended_jobs() {
    let server = Server::start();
    let job = server.submit("true", json!({"owner": "me"})).await;
    server.ended(&job).await;
    let path = format!("/v1/jobs/{job}/settle");
    let ask = |owner: &str| json!({"owner": owner, "how": "streamed"});
    let refused = server.post(&path, ask("you")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(server.post(&path, ask("me")).await.json(), json!({"settled": 1}));
    assert_eq!(server.post(&path, ask("me")).await.json(), json!({"settled": 0}));
    let odd = server.post(&path, json!({"owner": "me", "how": "guessed"})).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let open = server.submit("sleep 60", json!({"owner": "me"})).await;
    let early = server.post(&format!("/v1/jobs/{open}/settle"), ask("me")).await;
    assert_eq!(early.code(), "not_ended");
    server.post(&format!("/v1/jobs/{open}/cancel"), json!({"now": true})).await;
    server.ended(&open).await;
}
