//! A home of the version before there were notices: it opens, and what ends from now on is told.

use crate::bad_notices_support::{answers, configure, owed, until};
use crate::harness::Home;
use crate::inbox::waiting;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// A database as that version left it when it was stopped, in small pages: of the jobs of `me`, `done`
/// and `undone` have ended, `going` runs, and `waiting` is queued in the paused pool `later`.
const DATABASE: &[u8] = include_bytes!("../fixtures/first-version.db");
/// What lay beside it.
const STORE_ID: &str = "bd1022895878b8c721c4abfd0570b600\n";
const HOST_ID: &str = "host_01M7Z7DKMN8H3A02249WJYJHPC";
/// The fixture's jobs must not grow too old to be kept.
const KEEP: &str = "[retention]\nkeep_days = 36500\nkeep_failed_days = 36500\n";

fn put(home: &Home, name: &str, content: &[u8]) {
    let path = home.path().join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn jobs_from_before_there_were_notices_are_told_when_they_end_from_now_on() {
    let home = Home::new();
    configure(&home, KEEP);
    put(&home, "longhaul.db", DATABASE);
    put(&home, "longhaul.db.born", STORE_ID.as_bytes());
    put(&home, "host", HOST_ID.as_bytes());
    for (name, outcome) in [("done", "succeeded"), ("undone", "failed")] {
        assert_eq!(home.show(name)["outcome"]["kind"], outcome);
        assert_eq!(home.json(&["notices", name])["notices"], json!([]), "that is old news");
    }
    // Of the machine that it ran on nothing is left, so it is lost, and that is news.
    let going = home.until("going", "ended");
    assert_eq!(going["outcome"]["kind"], "lost", "{going}");
    let id = |name: &str| home.show(name)["id"].as_str().unwrap().to_owned();
    assert_eq!(waiting(&home, "me"), [id("going")]);
    home.run(&["pool", "resume", "later"]).ok();
    home.until("waiting", "ended");
    assert_eq!(waiting(&home, "me"), [id("going"), id("waiting")]);
    // What is settled is so for good.
    home.run(&["inbox", "--owner", "me", "--ack-all"]).ok();
    let acked = until(&home, "waiting", "inbox", "acked");
    assert_eq!((acked["acked_how"].as_str(), answers(&acked).len()), (Some("acked"), 0));
    // An old job that is asked for again tells sinks that there were none of before.
    home.run(&["sink", "add", "file", "exec", "--", "cat"]).ok();
    let new = home.submit(&["--owner", "me", "--notify", "file", "--", "true"]);
    until(&home, &new, "sink:file", "acked");
    let again = home.json(&["retry", "undone"])["id"].as_str().unwrap().to_owned();
    home.until(&again, "ended");
    assert_eq!(owed(&home, &again, "inbox")["state"], "pending");
    let doctor = home.run(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert!(home.path().join("longhaul.db.before-v4").exists(), "no copy of it was kept");
}
