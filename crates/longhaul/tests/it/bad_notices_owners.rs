//! Owners on a bad day: killed, there twice, or with a name that would harm whoever reads it.

use crate::bad_notices_support::{Receiver, add_webhook, answers, owed, says, until};
use crate::harness::{Home, eventually, ran, signal};
use crate::inbox::{Follower, waiting};
use crate::serve_support::Server;
use axum::http::StatusCode;
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;

/// Names that would move a cursor, end a line, forge a column or hide what stands beside them.
const HOSTILE: [&str; 6] = ["a\u{1b}[2Jb", "a\nb", "a\rb", "a\u{0}b", "a\u{9b}31mb", "a\u{7f}b"];

#[test]
fn of_an_owner_that_is_there_twice_one_is_killed_and_the_other_is_told_the_rest() {
    let home = Home::new();
    let mut one = Follower::start(&home, "one", &["--owner", "me"]);
    let two = Follower::start(&home, "two", &["--owner", "me"]);
    let jobs: BTreeSet<String> =
        (0..10).map(|_| home.submit(&["--owner", "me", "--", "true"])).collect();
    let all = || one.jobs().into_iter().chain(two.jobs()).collect::<BTreeSet<_>>();
    eventually("each is handed to one of them", || all() == jobs);
    assert_eq!(one.jobs().len() + two.jobs().len(), jobs.len(), "none is handed to both");
    one.kill();
    let had: BTreeSet<String> = one.notices().iter().map(|n| n["id"].to_string()).collect();
    eventually("the other has all of them", || {
        two.jobs().into_iter().collect::<BTreeSet<_>>() == jobs
    });
    // What both had came under one id; what only the other had came once.
    assert_eq!(two.notices().len(), jobs.len());
    let again: BTreeSet<String> = two
        .notices()
        .iter()
        .filter(|notice| notice["try"].as_u64() > Some(1))
        .map(|notice| notice["id"].to_string())
        .collect();
    assert_eq!(again, had);
}

#[test]
fn an_owner_that_stands_still_keeps_what_it_holds_and_its_twin_gets_what_is_new() {
    let home = Home::new();
    let still = Follower::start(&home, "still", &["--owner", "me", "--ack-all"]);
    let first = home.submit(&["--owner", "me", "--", "true"]);
    eventually("it follows", || still.jobs() == [first.clone()]);
    eventually("it acknowledges", || waiting(&home, "me").is_empty());
    signal(crate::harness::pid_of(&still.child), Signal::STOP);
    let next = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&next, "ended");
    // Killed while it holds a notice that it neither read nor acknowledged.
    eventually("the next is claimed for it", || owed(&home, &next, "inbox")["try"] == 1);
    let twin = Follower::start(&home, "twin", &["--owner", "me", "--ack-all"]);
    let newest = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&newest, "ended");
    signal(crate::harness::pid_of(&still.child), Signal::KILL);
    eventually("the twin is told both", || {
        twin.jobs().into_iter().collect::<BTreeSet<_>>() == [next.clone(), newest.clone()].into()
    });
    eventually("all is acknowledged", || waiting(&home, "me").is_empty());
    assert_eq!(owed(&home, &next, "inbox")["acked_how"], "acked");
}

#[test]
fn a_name_that_would_harm_its_reader_is_nobodys_wherever_it_is_given() {
    let home = Home::new();
    for bad in HOSTILE.into_iter().filter(|name| !name.contains('\0')) {
        for arguments in [
            vec!["submit", "--owner", bad, "--", "true"],
            vec!["inbox", "--owner", bad],
            vec!["inbox", "--follow", "--owner", bad],
            vec!["inbox", "--wait", "--owner", bad],
            vec!["inbox", "--ack-all", "--owner", bad],
        ] {
            let refused = home.run(&arguments);
            assert!([2, 3].contains(&refused.code), "{arguments:?}: {refused:?}");
            let said = refused.stderr.trim_end_matches('\n').replace("\n\nhint: ", " ");
            assert!(!said.replace('\n', " ").chars().any(char::is_control), "{said:?}");
        }
        let mut submit = home.command(&["submit", "--", "true"]);
        let refused = ran(submit.env("LONGHAUL_OWNER", bad).output().unwrap());
        assert_eq!(refused.code, 2, "{refused:?}");
    }
    assert_eq!(home.json(&["list"])["jobs"], json!([]));
    let log = std::fs::read_to_string(home.path().join("daemon.log")).unwrap_or_default();
    assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_would_harm_its_reader_is_refused_over_http() {
    let server = Server::start();
    for bad in HOSTILE {
        let spec = json!({"owner": bad});
        let refused = server.post("/v1/jobs", server.spec("true", spec)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad:?}: {refused:?}");
        let ack = server.post("/v1/inbox/ack", json!({"owner": bad, "all": true})).await;
        assert_eq!(ack.status, StatusCode::BAD_REQUEST, "{bad:?}: {ack:?}");
        let coded: String = bad.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in ["/v1/inbox", "/v1/inbox/follow"] {
            let answer = server.get(&format!("{path}?owner={coded}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {bad:?}: {answer:?}");
        }
    }
}

#[test]
fn a_name_that_hides_what_stands_beside_it_is_shown_spelled_out() {
    let home = Home::new();
    let receiver = Receiver::start(|_, _| says("200 OK"));
    add_webhook(&home, "ci", &receiver);
    // Not a control character, and yet it turns the rest of the line round.
    let owner = "me\u{202e}gpj.exe";
    let job = home.submit(&["--owner", owner, "--notify", "ci", "--", "true"]);
    let told = until(&home, &job, "sink:ci", "acked");
    assert_eq!(answers(&told).len(), 1);
    assert_eq!(receiver.notices()[0]["owner"], owner, "programs get it as it is");
    for arguments in [
        vec!["inbox", "--owner", owner],
        vec!["notices"],
        vec!["list"],
        vec!["show", &job],
        vec!["why", &job],
    ] {
        let shown = home.run(&arguments);
        assert!(!shown.ok().contains('\u{202e}'), "{arguments:?}: {shown:?}");
    }
    assert_eq!(waiting(&home, owner), [job]);
}
