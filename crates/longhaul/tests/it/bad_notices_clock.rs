//! Notices while the clock is set and while the machine sleeps. A test cannot set the machine's clock;
//! it sets what the daemon takes its time from when it starts: the anchor of the last one.

use crate::bad_notices_support::{
    Answer, Receiver, add_webhook, configure, ends, kill_daemon, owed, says, until, until_so,
};
use crate::harness::{Home, eventually};
use crate::inbox::{Follower, waiting};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Others stand in for an owner after half of the hour by which the clock is set.
const ADOPTION: &str = "[owners]\nadopt_after = \"30m\"\n";

/// Ends the daemon and changes what the next one takes its time from.
fn set_clock(home: &Home, change: impl FnOnce(&mut Value)) {
    kill_daemon(home);
    let path = home.path().join("clock.json");
    let mut anchor: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut anchor);
    std::fs::write(&path, anchor.to_string()).unwrap();
}

fn add(anchor: &mut Value, field: &str, ms: i64) {
    anchor[field] = json!(anchor[field].as_i64().unwrap() + ms);
}

/// The daemon's time goes by `ms`, as when it starts after the clock was set.
fn step(home: &Home, ms: i64) {
    set_clock(home, |anchor| add(anchor, "engine_ms", ms));
}

/// The machine sleeps for `ms`: time passes, and nobody could do anything meanwhile.
fn suspend(home: &Home, ms: i64) {
    set_clock(home, |anchor| {
        add(anchor, "engine_ms", ms);
        add(anchor, "mono_ms", ms);
    });
}

/// The first notice is never answered, the others are.
fn deaf_at_first() -> Receiver {
    Receiver::start(|before, _| if before == 0 { Answer::Never } else { says("200 OK") })
}

#[test]
fn a_clock_that_goes_ahead_by_an_hour_hurries_what_waits_and_loses_nothing() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    configure(&home, ADOPTION);
    let later = Receiver::start(|before, _| {
        says(if before == 0 { "503 Later\r\nretry-after: 1800" } else { "200 OK" })
    });
    let deaf = deaf_at_first();
    add_webhook(&home, "later", &later);
    add_webhook(&home, "deaf", &deaf);
    let job = ends(&home, &["later", "deaf"]);
    until_so(&home, &job, "sink:later", |notice| notice["failures"] == 1);
    eventually("the other is being told", || deaf.times(&job) == 1);
    let away = home.submit(&["--owner", "away", "--", "true"]);
    home.until(&away, "ended");
    step(&home, HOUR);
    until(&home, &job, "sink:later", "acked");
    until(&home, &job, "sink:deaf", "acked");
    for receiver in [&later, &deaf] {
        let ids = receiver.ids();
        assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
    }
    let other = Follower::start(&home, "other", &["--owner", "there"]);
    eventually("an hour is long enough to stand in", || other.jobs().contains(&away));
}

#[test]
fn a_clock_that_goes_back_by_an_hour_leaves_no_claim_behind() {
    let home = Home::new();
    home.run(&["list"]).ok();
    step(&home, HOUR);
    let deaf = deaf_at_first();
    add_webhook(&home, "deaf", &deaf);
    let mut before = Follower::start(&home, "before", &["--owner", "me"]);
    let job = home.submit(&["--owner", "me", "--notify", "deaf", "--", "true"]);
    eventually("it is being told", || deaf.times(&job) == 1);
    eventually("it was handed over", || before.jobs() == [job.clone()]);
    until(&home, &job, "inbox", "sent");
    assert_eq!(owed(&home, &job, "sink:deaf")["state"], "claimed");
    // As after a restart of the machine with the clock put right: nothing is left of the time before.
    before.kill();
    set_clock(&home, |anchor| anchor["boot_id"] = json!("another"));
    let told = until(&home, &job, "sink:deaf", "acked");
    assert_eq!(deaf.ids(), [told["id"].as_str().unwrap(); 2]);
    let after = Follower::start(&home, "after", &["--owner", "me", "--ack-all"]);
    eventually("it is handed over again", || after.jobs() == [job.clone()]);
    eventually("and acknowledged", || waiting(&home, "me").is_empty());
    // What ends now is told now, although it ended before what was told first.
    let next = ends(&home, &["deaf"]);
    until(&home, &next, "sink:deaf", "acked");
}

#[test]
fn a_day_of_sleep_is_nobodys_absence_and_ends_no_notice() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    configure(&home, ADOPTION);
    let deaf = deaf_at_first();
    add_webhook(&home, "deaf", &deaf);
    let job = home.submit(&["--owner", "away", "--notify", "deaf", "--", "true"]);
    eventually("it is being told", || deaf.times(&job) == 1);
    suspend(&home, DAY);
    let told = until(&home, &job, "sink:deaf", "acked");
    assert_eq!(deaf.ids(), [told["id"].as_str().unwrap(); 2]);
    assert_eq!(told["failures"], 0, "nothing that failed is to be counted: {told}");
    // A day has passed, and yet the owner had no time to come.
    let other = Follower::start(&home, "other", &["--owner", "there"]);
    let own = home.submit(&["--owner", "there", "--", "true"]);
    eventually("the other is told of its own job", || other.jobs() == [own.clone()]);
    assert_eq!(owed(&home, &job, "inbox")["state"], "pending");
    let origin = Follower::start(&home, "origin", &["--owner", "away", "--ack-all"]);
    eventually("the owner is told when it comes", || origin.jobs() == [job.clone()]);
    assert_eq!(other.jobs(), [own]);
}

#[test]
fn after_days_of_sleep_a_network_that_is_not_up_yet_costs_no_notice() {
    let home = Home::new();
    let up_in_a_moment = Receiver::start(|before, _| match before {
        0 => Answer::Never,
        1 | 2 => Answer::Dies,
        _ => says("200 OK"),
    });
    add_webhook(&home, "ci", &up_in_a_moment);
    let job = ends(&home, &["ci"]);
    eventually("it is being told", || up_in_a_moment.times(&job) == 1);
    suspend(&home, 5 * DAY);
    let told = until(&home, &job, "sink:ci", "acked");
    assert_eq!(told["failures"], 2);
    assert_eq!(owed(&home, &job, "inbox")["state"], "pending");
}
