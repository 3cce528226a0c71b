//! The daemon dies at each of its fault points while notices are under way. Every notice arrives, and
//! what arrives twice has the same id.

use crate::bad_notices_support::{Answer, Receiver, says};
use crate::daemon_crash::Site;
use crate::daemon_support::eventually;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Places where the daemon, and after those where a shim dies.
const POINTS: [&str; 8] = [
    "engine.after_commit",
    "engine.before_reply",
    "courier.after_send",
    "launch.after_spec",
    "launch.after_fork",
    "shim.after_lock",
    "shim.after_spawn",
    "shim.before_exit_json",
];
/// Jobs whose notices are under way at each crash.
const JOBS: usize = 4;
/// Crashes at each point.
const CRASHES: usize = 2;

/// All notices of a job by place, once each is as `is_so` wants it.
fn notices(site: &mut Site, job: &str, is_so: impl Fn(&Value) -> bool) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    eventually("the notices of a job are so", || {
        if site.is_gone() {
            site.start(None);
        }
        let told = site.cli(&["notices", job, "--json"]);
        let page: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
        let listed = page["notices"].as_array().cloned().unwrap_or_default();
        found = listed.into_iter().map(|n| (n["to"].as_str().unwrap().to_owned(), n)).collect();
        found.len() == 3 && found.values().all(&is_so)
    });
    found
}

fn submit(site: &mut Site, key: &str) -> String {
    site.submit_with(&["--key", key, "--notify", "hook", "--notify", "file", "--", "true"])
}

#[test]
fn a_crash_at_any_point_loses_no_notice_and_doubles_have_the_same_id() {
    // Most of it is waiting for the next try, which the points can do side by side.
    std::thread::scope(|scope| {
        for point in POINTS {
            scope.spawn(move || crash_at(point));
        }
    });
}

fn crash_at(point: &str) {
    let mut site = Site::new();
    // Each notice needs two tries at least, so that some are always between two.
    let receiver = Receiver::start(|_, notice| match notice["try"].as_u64() {
        Some(1) => Answer::Dies,
        _ => says("200 OK"),
    });
    site.start(None);
    let script = "echo $LONGHAUL_NOTICE_ID >>told";
    for sink in [
        vec!["sink", "add", "hook", "webhook", &receiver.url],
        vec!["sink", "add", "file", "exec", "--", "sh", "-c", script],
    ] {
        let added = site.cli(&sink);
        assert!(added.status.success(), "{added:?}");
    }
    let mut jobs: Vec<String> = (0..JOBS).map(|n| submit(&mut site, &format!("k{n}"))).collect();
    for crash in 0..CRASHES {
        site.kill();
        site.start(Some(&format!("{point}=abort")));
        // The shims' points end shims; the daemon that launches them is killed with its notices.
        let key = format!("c{crash}");
        let last = ["submit", "--key", &key, "--notify", "hook", "--notify", "file", "--", "true"];
        site.cli(&last);
        if !point.starts_with("shim.") {
            eventually("the daemon meets its point", || site.is_gone());
        }
        site.kill();
        jobs.push(submit(&mut site, &key));
    }
    assert_each_is_told(&mut site, &receiver, &jobs);
}

/// Every job has its three notices, both sinks took theirs, and no id was told that is not owed.
fn assert_each_is_told(site: &mut Site, receiver: &Receiver, jobs: &[String]) {
    let (mut by_hook, mut by_file) = (BTreeSet::new(), BTreeSet::new());
    for job in jobs {
        let mine = notices(site, job, |n| n["to"] == "inbox" || n["state"] == "acked");
        assert_eq!(mine["inbox"]["state"], "pending", "{mine:?}");
        let id = |to: &str| mine[to]["id"].as_str().unwrap().to_owned();
        assert!(by_hook.insert(id("sink:hook")) && by_file.insert(id("sink:file")));
    }
    let told = std::fs::read_to_string(site.root.path().join("told")).unwrap();
    assert_eq!(told.lines().map(str::to_owned).collect::<BTreeSet<_>>(), by_file);
    assert_eq!(receiver.ids().into_iter().collect::<BTreeSet<_>>(), by_hook);
    let all = site.cli(&["inbox", "--ack-all", "--json"]);
    let acked: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(acked, json!({"acked": jobs.len()}), "each is in the inbox once");
}
