//! What happens to a home while notices are under way: it is mended, a sink goes, jobs are asked for
//! again or are to be removed, and very many end at once.

use crate::bad_notices_support::{
    Answer, Receiver, SHORT_TRIES, add_script, add_webhook, configure, ends, kill_daemon, owed,
    says, until, until_so,
};
use crate::harness::{Home, eventually};
use crate::inbox::{Follower, waiting};
use crate::mending::damage;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Jobs that end at once where many do.
const MANY: usize = 200;
const HOUR_MS: i64 = 3_600_000;

/// A receiver that refuses everything until it is told to be well.
fn until_well() -> (Receiver, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_well);
    let script = move |_, _: &Value| {
        says(if asked.load(Ordering::SeqCst) { "200 OK" } else { "500 Trouble" })
    };
    (Receiver::start(script), is_well)
}

#[test]
fn open_notices_are_put_back_with_their_jobs_when_a_home_is_mended() {
    let home = Home::new();
    let (receiver, is_well) = until_well();
    add_webhook(&home, "ci", &receiver);
    home.run(&["pool", "set", "parked", "--slots", "3"]).ok();
    home.run(&["pool", "pause", "parked"]).ok();
    let job = home.submit(&["--owner", "me", "--notify", "ci", "--", "true"]);
    until_so(&home, &job, "sink:ci", |notice| notice["failures"].as_u64() >= Some(1));
    let before = [owed(&home, &job, "inbox"), owed(&home, &job, "sink:ci")];
    let lines: String = (0..200)
        .map(|n| format!("{}\n", json!({"command": ["true", n.to_string()], "pool": "parked"})))
        .collect();
    home.write("jobs", lines);
    let parked = home.run(&["submit", "--batch", "jobs"]);
    let parked: Vec<&str> = parked.ok().lines().collect();
    // A sound home is left as it is.
    home.run(&["doctor", "--fix"]).ok();
    assert_eq!(owed(&home, &job, "inbox"), before[0]);
    home.run(&["daemon", "stop"]).ok();
    damage(&home, parked[100], &job);
    let fixed = home.run(&["doctor", "--fix"]);
    assert!(fixed.text().contains("put back "), "{fixed:?}");
    assert_eq!(waiting(&home, "me"), [job.as_str()]);
    assert_eq!(owed(&home, &job, "inbox")["id"], before[0]["id"]);
    is_well.store(true, Ordering::SeqCst);
    let told = until(&home, &job, "sink:ci", "acked");
    assert_eq!(told["id"], before[1]["id"]);
    assert_eq!(receiver.ids().into_iter().collect::<BTreeSet<_>>().len(), 1);
    let acked = home.json(&["inbox", "--owner", "me", "--ack-all"]);
    assert_eq!(acked, json!({"acked": 1}));
}

#[test]
fn a_sink_that_is_removed_while_it_is_told_is_told_no_more() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    let silent = Receiver::start(|_, _| Answer::Never);
    add_webhook(&home, "ci", &silent);
    let jobs: Vec<String> = (0..12).map(|_| ends(&home, &["ci"])).collect();
    eventually("some are under way", || !silent.ids().is_empty());
    home.run(&["sink", "remove", "ci"]).ok();
    for job in &jobs {
        let dead = until(&home, job, "sink:ci", "dead");
        assert!(dead["dead_because"].as_str().unwrap().contains("removed"), "{dead}");
    }
    // What was owed to the old one is not told to a new one of that name, unless by hand.
    let sound = Receiver::start(|_, _| says("200 OK"));
    add_webhook(&home, "ci", &sound);
    let next = ends(&home, &["ci"]);
    until(&home, &next, "sink:ci", "acked");
    assert_eq!(sound.ids().len(), 1);
    let id = owed(&home, &jobs[0], "sink:ci")["id"].as_str().unwrap().to_owned();
    home.run(&["notices", "--redeliver", &id]).ok();
    until(&home, &jobs[0], "sink:ci", "acked");
    assert_eq!(sound.ids()[1], id);
}

#[test]
fn two_hundred_that_end_at_once_are_told_once_everywhere() {
    let home = Home::new();
    let receiver = Receiver::start(|_, _| says("200 OK"));
    add_webhook(&home, "hook", &receiver);
    add_script(&home, "file", "echo $LONGHAUL_NOTICE_ID >>told");
    let follower = Follower::start(&home, "follower", &["--owner", "me", "--ack-all"]);
    let spec = json!({"command": ["true"], "owner": "me", "notify": ["hook", "file"]});
    let lines = format!("{spec}\n").repeat(MANY);
    home.run(&["pool", "set", "default", "--slots", "32"]).ok();
    let submitted = home.run_with_stdin(&["submit", "--batch", "-"], lines.as_bytes());
    let jobs: BTreeSet<String> = submitted.ok().lines().map(str::to_owned).collect();
    assert_eq!(jobs.len(), MANY);
    let told = || std::fs::read_to_string(home.work().join("told")).unwrap_or_default();
    eventually("the webhook has them", || receiver.ids().len() >= MANY);
    eventually("the program has them", || told().lines().count() >= MANY);
    eventually("the owner has them", || follower.jobs().len() >= MANY);
    eventually("nothing is owed any more", || {
        let open = home.json(&["notices", "--state", "pending,claimed,sent"]);
        open["notices"] == json!([])
    });
    let of = |notice: &Value| notice["job"]["id"].as_str().unwrap().to_owned();
    assert_eq!(receiver.notices().iter().map(of).collect::<BTreeSet<_>>(), jobs);
    assert_eq!(follower.jobs().into_iter().collect::<BTreeSet<_>>(), jobs);
    assert_eq!(told().lines().collect::<BTreeSet<_>>().len(), MANY);
    let times = (receiver.ids().len(), told().lines().count(), follower.jobs().len());
    assert_eq!(times, (MANY, MANY, MANY), "each is told once");
}

#[test]
fn a_job_that_was_asked_for_again_is_not_told_any_more() {
    let home = Home::new();
    let (receiver, is_well) = until_well();
    add_webhook(&home, "ci", &receiver);
    let old = home.submit(&["--notify", "ci", "--", "false"]);
    until_so(&home, &old, "sink:ci", |notice| notice["failures"].as_u64() >= Some(1));
    let new = home.json(&["retry", &old])["id"].as_str().unwrap().to_owned();
    for place in ["inbox", "sink:ci"] {
        let settled = owed(&home, &old, place);
        assert_eq!(
            (&settled["state"], &settled["acked_how"]),
            (&json!("acked"), &json!("retried"))
        );
    }
    let times = receiver.times(&old);
    is_well.store(true, Ordering::SeqCst);
    // Whatever was still owed for the old one would have been due before this.
    until(&home, &new, "sink:ci", "acked");
    assert_eq!(receiver.times(&old), times, "old news was told");
    assert!(receiver.times(&new) >= 1);
}

#[test]
fn a_job_asked_for_again_while_it_is_being_told_stays_as_it_was_settled() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    let receiver = Receiver::start(|before, _| match before {
        0 => Answer::Never,
        _ => says("200 OK"),
    });
    add_webhook(&home, "ci", &receiver);
    let old = home.submit(&["--notify", "ci", "--", "false"]);
    eventually("it is being told", || receiver.times(&old) == 1);
    let new = home.json(&["retry", &old])["id"].as_str().unwrap().to_owned();
    until(&home, &new, "sink:ci", "acked");
    let third = ends(&home, &["ci"]);
    until(&home, &third, "sink:ci", "acked");
    let settled = owed(&home, &old, "sink:ci");
    assert_eq!((&settled["acked_how"], &settled["try"]), (&json!("retried"), &json!(1)));
    assert_eq!(receiver.times(&old), 1);
}

#[test]
fn a_job_that_is_kept_for_no_time_at_all_is_told_before_it_goes() {
    let home = Home::new();
    configure(&home, "[retention]\nkeep_days = 0\nkeep_failed_days = 0\njobs_max = 0\n");
    add_script(&home, "slow", "test -e go && echo $LONGHAUL_NOTICE_ID >>told");
    let job = home.submit(&["--owner", "me", "--notify", "slow", "--", "true"]);
    until_so(&home, &job, "sink:slow", |notice| notice["failures"].as_u64() >= Some(2));
    let refused = home.run(&["prune", &job]);
    assert!(refused.code == 3 && refused.stderr.contains("until 20"), "{refused:?}");
    assert_eq!(waiting(&home, "me"), [job.as_str()]);
    home.run(&["inbox", "--owner", "me", "--ack-all"]).ok();
    home.write("go", "");
    let told = until(&home, &job, "sink:slow", "acked");
    let file = std::fs::read_to_string(home.work().join("told")).unwrap();
    assert_eq!(file.trim(), told["id"].as_str().unwrap());
    // The sink may look at it for a while; then nothing keeps it.
    assert_eq!(home.show(&job)["state"], "ended");
    kill_daemon(&home);
    let path = home.path().join("clock.json");
    let mut anchor: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    anchor["engine_ms"] = json!(anchor["engine_ms"].as_i64().unwrap() + HOUR_MS);
    std::fs::write(&path, anchor.to_string()).unwrap();
    eventually("it is removed", || home.run(&["show", &job]).code == 3);
    home.run(&["notices", &job]).fails(3, "no job");
}
