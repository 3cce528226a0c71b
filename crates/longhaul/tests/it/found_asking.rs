//! Asks that were once misunderstood, or given up too early.

use crate::harness::{Home, eventually, ran, signal};
use rustix::process::Signal;

#[test]
fn a_waiter_outlives_any_number_of_daemons() {
    let home = Home::new();
    let id = home.submit(&["--", "sh", "-c", "until [ -e go ]; do sleep 0.05; done; exit 9"]);
    let waiter = home.spawn(&["--json", "wait", &id]);
    for _ in 0..8 {
        let pid = home.daemon_pid();
        signal(pid, Signal::KILL);
        eventually("another daemon answers", || {
            let status = home.run(&["--json", "daemon", "status"]);
            status.code == 0 && !status.text().contains(&format!("\"pid\":{pid},"))
        });
    }
    home.write("go", "");
    let waited = ran(waiter.wait_with_output().unwrap());
    assert_eq!(waited.code, 9, "{waited:?}");
    let jobs: serde_json::Value = serde_json::from_slice(&waited.stdout).unwrap();
    assert_eq!(jobs[0]["id"], id.as_str());
}

#[test]
fn a_daemon_that_followers_start_again_at_once_has_stopped_all_the_same() {
    let home = Home::new();
    let id = home.submit(&["--", "sh", "-c", "until [ -e go ]; do sleep 0.05; done"]);
    let followers: Vec<_> = (0..3).map(|_| home.spawn(&["logs", "-f", &id])).collect();
    for _ in 0..3 {
        let pid = home.json(&["daemon", "start"])["pid"].clone();
        home.run(&["daemon", "stop"]).ok();
        assert_ne!(home.json(&["daemon", "start"])["pid"], pid);
    }
    home.write("go", "");
    for follower in followers {
        ran(follower.wait_with_output().unwrap()).ok();
    }
}

#[test]
fn a_job_that_is_cancelled_at_once_does_not_sit_out_its_grace() {
    let home = Home::new();
    for _ in 0..40 {
        let id = home.submit(&["--grace", "5s", "--", "sleep", "3600"]);
        assert_eq!(home.run(&["cancel", "--wait", &id]).code, 0);
        assert_ne!(home.show(&id)["outcome"]["signal"], 9);
    }
}

#[test]
fn what_cannot_all_be_meant_is_refused() {
    let home = Home::new();
    let batch = "{\"command\":[\"true\"]}\n";
    home.write("batch", batch);
    home.run(&["submit", "--batch", "batch", "--timeout", "1m"]).fails(2, "no options of a job");
    home.run(&["submit", "--delay", "1h", "--at", "2030-01-01T00:00:00Z", "--", "true"])
        .fails(2, "cannot be used with");
    home.run(&["submit", "--retry-on", "300", "--", "true"]).fails(2, "300");
    home.run(&["submit", "--retry-on", "0", "--", "true"]).fails(2, "0");
    home.run(&["list", "--limit", "0"]).fails(2, "0");
    assert_eq!(home.json(&["list"])["jobs"], serde_json::json!([]));
}

#[test]
fn a_job_without_a_name_is_not_every_job() {
    let home = Home::new();
    for command in ["notices", "events", "show", "retry"] {
        home.run(&[command, ""]).fails(2, "JOB");
    }
}

#[test]
fn a_cursor_beyond_all_places_is_no_trouble_of_the_store() {
    let home = Home::new();
    let beyond = "18446744073709551615.dlv_01JD0000000000000000000000";
    home.run(&["notices", "--cursor", beyond]).fails(2, "not one that was given");
    let job = home.submit(&["--", "true"]);
    assert_eq!(home.json(&["list", "--cursor", "18446744073709551615"])["jobs"][0]["id"], job);
}

#[test]
fn a_bad_line_of_a_batch_has_one_number() {
    let home = Home::new();
    let lines = b"{\"command\":[\"true\"]}\n\n{\"command\":[]}\n";
    let ran = home.run_with_stdin(&["submit", "--batch", "-"], lines);
    ran.fails(2, "line 3: `command` is empty");
}

#[test]
fn no_command_at_all_is_said_so() {
    let home = Home::new();
    home.run(&[]).fails(2, "no command was given");
    home.run(&["pool"]).fails(2, "no command was given");
    assert!(!home.path().exists(), "nothing was started for it");
}
