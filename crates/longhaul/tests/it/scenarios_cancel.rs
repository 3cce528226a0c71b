//! Jobs that ignore being asked to end: they keep nobody else waiting, and they do end.

use crate::harness::{Home, eventually, signal};
use rustix::process::Signal;
use serde_json::Value;

/// Shell text that ignores TERM for ever and says that it is ready to.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 0.1; done";

fn submit_stubborn(home: &Home, grace: &str) -> String {
    let id = home.submit(&["--grace", grace, "--", "sh", "-c", STUBBORN]);
    eventually("the job ignores TERM", || home.run(&["logs", &id]).stdout == b"ready\n");
    id
}

/// The whole journal, as (position, job, kind).
fn journal(home: &Home) -> Vec<(u64, String, String)> {
    let ran = home.run(&["--json", "events"]);
    let entry = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        (event["position"].as_u64().unwrap(), text("job"), text("kind"))
    };
    ran.ok().lines().map(entry).collect()
}

#[test]
fn cancelling_a_stubborn_job_keeps_no_submit_waiting() {
    let home = Home::new();
    let stubborn = submit_stubborn(&home, "3s");
    home.run(&["cancel", &stubborn]).ok();
    let other = home.submit(&["--", "true"]);
    assert_eq!(home.run(&["wait", &other]).code, 0);
    assert_eq!(home.run(&["wait", &stubborn]).code, 130);
    let journal = journal(&home);
    let position = |job: &str, kind: &str| {
        let found = journal.iter().find(|(_, of, what)| of == job && what == kind);
        found.unwrap_or_else(|| panic!("no {kind} of {job} in {journal:?}")).0
    };
    assert!(position(&stubborn, "cancel_requested") < position(&other, "created"));
    assert!(position(&other, "ended") < position(&stubborn, "ended"), "{journal:?}");
}

#[test]
fn twenty_stubborn_jobs_are_ended_side_by_side() {
    let home = Home::new();
    home.run(&["pool", "set", "default", "--slots", "20"]).ok();
    let line = serde_json::json!({"command": ["sh", "-c", STUBBORN], "grace": "2s"}).to_string();
    let batch = format!("{line}\n").repeat(20);
    let ran = home.run_with_stdin(&["submit", "--batch", "-"], batch.as_bytes());
    let ids: Vec<&str> = ran.ok().lines().collect();
    for id in &ids {
        eventually("the job ignores TERM", || home.run(&["logs", id]).stdout == b"ready\n");
    }
    let asked = [&["cancel", "--reason", "all of you"][..], &ids].concat();
    home.run(&asked).ok();
    for id in &ids {
        let job = home.until(id, "ended");
        assert_eq!(job["outcome"]["kind"], "cancelled", "{job}");
        assert_eq!(job["outcome"]["signal"], 9, "{job}");
    }
    // Were they ended one by one, the last would be asked only after the first had ended.
    let journal = journal(&home);
    let of = |kind: &str| -> Vec<u64> {
        let entries = journal.iter().filter(|(_, job, what)| what == kind && ids.contains(&&**job));
        entries.map(|(position, ..)| *position).collect()
    };
    let (asked, ended) = (of("cancel_requested"), of("ended"));
    assert_eq!((asked.len(), ended.len()), (20, 20));
    assert!(asked.last() < ended.first(), "{journal:?}");
}

#[test]
fn a_cancel_that_was_recorded_outlives_the_daemon_with_its_reason() {
    let home = Home::new();
    let id = submit_stubborn(&home, "500ms");
    home.run(&["cancel", "--reason", "wrong branch", &id]).ok();
    signal(home.daemon_pid(), Signal::KILL);
    let job = home.until(&id, "ended");
    assert_eq!(job["outcome"]["kind"], "cancelled", "{job}");
    assert_eq!(job["outcome"]["message"], "wrong branch", "{job}");
    assert_eq!((&job["outcome"]["signal"], &job["attempt"]), (&9.into(), &1.into()), "{job}");
}

#[test]
fn a_cancel_of_nobody_or_of_the_dead_changes_nothing() {
    let home = Home::new();
    let id = home.submit(&["--", "true"]);
    home.until(&id, "ended");
    eventually("it is cleaned up", || home.show(&id)["cleanup"]["state"] == "done");
    let before = (journal(&home), home.show(&id));
    assert_eq!(home.run(&["cancel"]).code, 2);
    home.run(&["cancel", "job_01JD0000000000000000000000"]).fails(3, "no job");
    home.run(&["cancel", "--now", &id]).fails(3, "has already ended");
    assert_eq!((journal(&home), home.show(&id)), before);
}
