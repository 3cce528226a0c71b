//! The daemon is killed many times a second while jobs are submitted and run. Only `kill -9`, and
//! nothing that was said to be accepted may be lost, doubled or wrong.

use crate::daemon_support::eventually;
use crate::harness::Home;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Jobs that are submitted meanwhile.
const JOBS: usize = 20;
/// Between two kills.
const KILL_EVERY: Duration = Duration::from_millis(50);
/// The longest that a daemon is let live that acknowledges nothing.
const KILL_LATEST: Duration = Duration::from_secs(5);
/// Fewer kills are no soak.
const KILLS_MIN: u32 = 10;
/// Lines that each job writes.
const LINES: usize = 5;

/// How long the killing goes on.
fn soak() -> Duration {
    let named = std::env::var("LONGHAUL_SOAK_SECS").ok().and_then(|secs| secs.parse().ok());
    let is_slow = std::env::var("LONGHAUL_TEST_SLOW").is_ok_and(|slow| slow == "1");
    Duration::from_secs(named.unwrap_or(if is_slow { 20 } else { 2 }))
}

/// Starts daemons and kills each after a moment, or right after it has acknowledged something.
#[expect(clippy::disallowed_methods, reason = "the test is about real time")]
fn kill_again_and_again(home: &Home, acknowledged: &Receiver<()>) -> u32 {
    let (mut kills, mut patience, mut has_acknowledged) = (0, KILL_EVERY, false);
    let end = std::time::Instant::now() + soak();
    while std::time::Instant::now() < end || kills <= KILLS_MIN {
        let mut daemon = daemon(home);
        // Nothing acknowledged in that time is as good a moment; but until there was anything each
        // daemon lives longer than the one before, or on a slow machine none would ever acknowledge.
        has_acknowledged |= acknowledged.recv_timeout(patience).is_ok();
        patience = if has_acknowledged { KILL_EVERY } else { (2 * patience).min(KILL_LATEST) };
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        kills += 1;
    }
    kills
}

fn daemon(home: &Home) -> Child {
    let mut command = home.command(&["daemon", "run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Submits job `number` until that is acknowledged; asking again is safe, for it has a key.
fn submit(home: &Home, number: usize, is_over: &AtomicBool) -> Option<String> {
    let script = format!(
        "echo ran-{number} >> ran; for i in $(seq {LINES}); do echo {number}-$i; sleep 0.05; done; exit {}",
        number % 7
    );
    let key = format!("k{number}");
    loop {
        let mut command = home.command(&["submit", "--key", &key, "--", "sh", "-c", &script]);
        let told = command.env("LONGHAUL_AUTOSTART", "0").output().unwrap();
        if told.status.success() {
            return Some(String::from_utf8(told.stdout).unwrap().trim().to_owned());
        }
        // With the killing over somebody else submits what is left.
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
    }
}

/// Processes that carry the home in their environment, but for daemons and clients.
fn processes_of(home: &Home) -> Vec<String> {
    let mark = format!("LONGHAUL_HOME={}", home.path().display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        // A process that ended meanwhile is none that is left.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let is_job = String::from_utf8_lossy(&environment).contains("LONGHAUL_JOB_ID=");
        if is_job && environment.windows(mark.len()).any(|at| at == mark.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

fn assert_right(home: &Home, number: usize, id: &str) {
    let mut job = Value::Null;
    eventually("every job ends", || {
        job = home.show(id);
        job["state"] == "ended"
    });
    assert_eq!(job["outcome"]["exit_code"], number % 7, "{job}");
    // Another attempt is right only where evidence says that the one before never began.
    let attempts = job["attempts"].as_array().unwrap();
    let ran = attempts.iter().filter(|attempt| !attempt["started_at"].is_null()).count();
    assert_eq!(ran, 1, "{job}");
    let ends = job["history"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "ended");
    assert_eq!(ends.count(), 1, "{job}");
    let lines: String = (1..=LINES).map(|line| format!("{number}-{line}\n")).collect();
    assert_eq!(home.run(&["logs", id]).ok(), lines);
}

#[test]
fn a_daemon_killed_all_the_time_loses_and_doubles_nothing() {
    let home = Home::new();
    let (ids, is_over) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    let (acknowledge, acknowledged) = channel();
    let kills = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..JOBS {
                let id = submit(&home, number, &is_over);
                ids.lock().unwrap().extend(id.map(|id| (number, id)));
                acknowledge.send(()).unwrap();
            }
        });
        let kills = kill_again_and_again(&home, &acknowledged);
        is_over.store(true, Ordering::Relaxed);
        kills
    });
    assert!(kills > KILLS_MIN, "{kills} kills are no soak");
    let mut last = daemon(&home);
    let mut ids = ids.into_inner().unwrap();
    eventually("the last daemon answers", || home.run(&["list"]).code == 0);
    assert!(!ids.is_empty(), "nothing was accepted between {kills} kills");
    for number in 0..JOBS {
        let again = submit(&home, number, &AtomicBool::new(false)).unwrap();
        // An acknowledged submit is the same job for ever.
        assert_eq!(*ids.entry(number).or_insert_with(|| again.clone()), again);
    }
    for (number, id) in &ids {
        assert_right(&home, *number, id);
    }
    let listed = home.json(&["list", "--limit", "1000"]);
    assert_eq!(listed["jobs"].as_array().unwrap().len(), JOBS);
    let mut ran: Vec<String> = std::fs::read_to_string(home.work().join("ran"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    ran.sort();
    let mut wanted: Vec<String> = (0..JOBS).map(|number| format!("ran-{number}")).collect();
    wanted.sort();
    assert_eq!(ran, wanted);
    eventually("no process is left", || processes_of(&home).is_empty());
    assert_eq!(home.run(&["doctor"]).code, 0);
    home.run(&["daemon", "stop"]).ok();
    last.wait().unwrap();
}
