//! Scenarios of notices that are about several processes: who is told, who settled, and what a stop
//! in the middle leaves behind.

use crate::bad_notices_support::{
    Answer, Receiver, add_script, add_webhook, configure, ends, owed, says, until,
};
use crate::harness::{Home, eventually, ran};
use crate::inbox::{Follower, waiting};
use serde_json::{Value, json};
use std::path::Path;

fn acked(notice: &Value) -> (&str, &str) {
    (notice["acked_by"].as_str().unwrap(), notice["acked_how"].as_str().unwrap())
}

#[test]
fn who_settled_a_notice_first_stays_on_record() {
    let home = Home::new();
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    let mine = |arguments: &[&str]| {
        let output = home.command(arguments).env("LONGHAUL_OWNER", "me").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    mine(&["show", "--settle", &job]);
    let first = owed(&home, &job, "inbox");
    assert_eq!(acked(&first), ("me", "shown"));
    mine(&["wait", &job]);
    mine(&["inbox", "--ack", first["id"].as_str().unwrap()]);
    mine(&["inbox", "--ack-all"]);
    assert_eq!(owed(&home, &job, "inbox"), first);
}

#[test]
fn what_was_settled_before_anybody_came_is_not_handed_over() {
    let home = Home::new();
    let settled = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&settled, "ended");
    let show = home.command(&["show", "--settle", &settled]).env("LONGHAUL_OWNER", "me").output();
    assert!(show.unwrap().status.success());
    let follower = Follower::start(&home, "follower", &["--owner", "me"]);
    let next = home.submit(&["--owner", "me", "--", "true"]);
    eventually("the next is told", || follower.jobs().contains(&next));
    assert_eq!(follower.jobs(), [next]);
    assert_eq!(owed(&home, &settled, "inbox")["try"], 0);
}

#[test]
fn all_that_is_there_is_one_wake() {
    let home = Home::new();
    let jobs: Vec<String> = (0..5).map(|_| home.submit(&["--owner", "me", "--", "true"])).collect();
    jobs.iter().for_each(|job| drop(home.until(job, "ended")));
    let woken = home.json(&["inbox", "--owner", "me", "--wait", "--ack-all"]);
    assert_eq!(woken["notices"].as_array().unwrap().len(), jobs.len(), "{woken}");
    assert_eq!(waiting(&home, "me"), [""; 0]);
}

#[test]
fn what_could_not_be_printed_is_not_acknowledged() {
    let home = Home::new();
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    for mode in ["--wait", "--follow"] {
        for json in [&["--json"][..], &[]] {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            let arguments = [json, &["inbox", "--owner", "me", mode, "--ack-all"]].concat();
            let failed = ran(home.command(&arguments).stdout(full).output().unwrap());
            failed.fails(4, "could not be written");
            assert_eq!(waiting(&home, "me"), [job.as_str()]);
        }
    }
    eventually("it is nobody's again", || owed(&home, &job, "inbox")["state"] == "pending");
}

#[test]
fn an_owner_that_restarts_is_waited_for_although_another_is_there() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    let other = Follower::start(&home, "other", &["--owner", "there", "--ack-all"]);
    let mut before = Follower::start(&home, "before", &["--owner", "me", "--ack-all"]);
    let first = home.submit(&["--owner", "me", "--", "true"]);
    eventually("the owner is there", || before.jobs() == [first.clone()]);
    before.kill();
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    let own = home.submit(&["--owner", "there", "--", "true"]);
    eventually("the other is told of its own", || other.jobs() == [own.clone()]);
    let after = Follower::start(&home, "after", &["--owner", "me", "--ack-all"]);
    eventually("the owner is told", || after.jobs().contains(&job));
    until(&home, &job, "inbox", "acked");
    assert_eq!(other.jobs(), [own]);
}

#[test]
fn an_owner_that_returns_is_told_what_another_was_told_for_it() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    configure(&home, "[owners]\nadopt_after = \"10ms\"\n");
    let other = Follower::start(&home, "other", &["--owner", "there"]);
    let job = home.submit(&["--owner", "me", "--", "true"]);
    eventually("another stands in", || other.jobs() == [job.clone()]);
    let id = other.notices()[0]["id"].clone();
    let origin = Follower::start(&home, "origin", &["--owner", "me", "--ack-all"]);
    eventually("the owner is told as well", || origin.jobs() == [job.clone()]);
    assert_eq!(origin.notices()[0]["id"], id);
    let acked_by = until(&home, &job, "inbox", "acked");
    assert_eq!(acked(&acked_by), ("me", "acked"));
    // Whoever stood in cannot take it from its owner any more.
    home.run(&["inbox", "--owner", "there", "--ack", id.as_str().unwrap()]).fails(3, "no notice");
}

#[test]
fn never_is_a_grace_too() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    configure(&home, "[owners]\nadopt_after = \"never\"\n");
    let job = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    let other = Follower::start(&home, "other", &["--owner", "there"]);
    let own = home.submit(&["--owner", "there", "--", "true"]);
    eventually("the other is told of its own", || other.jobs() == [own.clone()]);
    assert_eq!(owed(&home, &job, "inbox")["try"], 0);
}

#[test]
fn a_stop_in_the_middle_of_telling_counts_nothing_and_leaves_nothing_running() {
    let home = Home::new();
    let receiver = Receiver::start(|before, _| match before {
        0 => Answer::Never,
        _ => says("200 OK"),
    });
    add_webhook(&home, "hook", &receiver);
    add_script(&home, "file", "echo $$ >pid; test -e go || exec sleep 3600");
    let job = ends(&home, &["hook", "file"]);
    eventually("one is being told", || receiver.times(&job) == 1);
    let pid = || std::fs::read_to_string(home.work().join("pid")).unwrap_or_default();
    eventually("the other is being told", || pid().ends_with('\n'));
    home.run(&["daemon", "stop"]).ok();
    let stat = Path::new("/proc").join(pid().trim()).join("cmdline");
    eventually("the program is gone", || {
        std::fs::read(&stat).map_or(true, |command| command.is_empty())
    });
    assert_eq!(receiver.times(&job), 1);
    home.write("go", "");
    for place in ["sink:hook", "sink:file"] {
        let told = until(&home, &job, place, "acked");
        assert_eq!((&told["failures"], told["receipts"].as_array().unwrap().len()), (&json!(0), 1));
    }
    assert_eq!(receiver.ids(), [owed(&home, &job, "sink:hook")["id"].as_str().unwrap(); 2]);
}
