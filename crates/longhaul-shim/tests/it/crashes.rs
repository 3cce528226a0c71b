//! Shims that die, shims that come late, and shims that are one too many.

use std::process::Command;
use std::time::Duration;

use longhaul_shim::evidence::{self, Buried, Evidence, Tombstone};
use longhaul_shim::files::{How, Process, TOKEN_VARIABLE};
use longhaul_shim::orphans;

use crate::harness::{Attempt, eventually, sh};

fn kill(pid: i32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn tombstone(lost: Option<&str>) -> Tombstone {
    Tombstone { job: "job_1".to_owned(), attempt: 1, lost: lost.map(str::to_owned) }
}

/// Waits until no shim of the folder is left, nor a child that has not become its program. A process
/// that ends loses its command line a moment before its lock, so that the lock is looked at once there
/// are no command lines: looked at before, it may be one that was not taken yet.
fn until_nobody(attempt: &Attempt) {
    eventually("everybody to leave", || attempt.shims().is_empty().then_some(()));
    eventually("the lock to be free", || {
        (!matches!(evidence::look(&attempt.folder), Evidence::Alive(_))).then_some(())
    });
}

#[test]
fn a_shim_that_dies_before_pid_json_takes_its_child_with_it() {
    let attempt = sh("touch ran");
    attempt.launch_with("shim.after_spawn=abort");
    until_nobody(&attempt);
    assert_eq!(evidence::look(&attempt.folder), Evidence::NeverBegun);
    assert!(attempt.path("exit.tmp").exists(), "it had come as far as the fork");
    assert!(!attempt.cwd().join("ran").exists());
    // And the attempt may be started again, as if nothing had been.
    assert_eq!(attempt.run().how, How::Exited(0));
    assert!(attempt.cwd().join("ran").exists());
}

#[test]
fn a_shim_killed_while_its_child_waits_at_the_gate_is_no_different() {
    let attempt = sh("touch ran");
    attempt.launch_with("shim.after_spawn=pause");
    let pair =
        eventually("shim and child", || Some(attempt.shims()).filter(|pids| pids.len() == 2));
    assert_eq!(evidence::look(&attempt.folder), Evidence::Alive(None));
    kill(pair[0].min(pair[1]));
    until_nobody(&attempt);
    assert_eq!(evidence::look(&attempt.folder), Evidence::NeverBegun);
    assert!(!attempt.cwd().join("ran").exists());
}

#[test]
fn what_a_dead_shim_left_is_ended_by_its_token_and_nothing_else_is() {
    let attempt = sh("env -i sleep 60 & echo $!; setsid -f sleep 60; echo ready; exec sleep 60");
    attempt.launch().until_says("ready");
    let record = attempt.until_begun();
    // It has no token any more, but is in the session of one that has.
    let bare = Process::of(attempt.out().lines().next().unwrap().parse().unwrap()).unwrap();
    // One that carries a longer token, one a shorter.
    let stranger =
        |token: &str| Command::new("sleep").arg("60").env(TOKEN_VARIABLE, token).spawn().unwrap();
    let mut strangers = [stranger(&format!("{}x", attempt.token)), stranger(&attempt.token[..5])];
    kill(record.shim.pid);
    eventually("the lock to be free", || {
        (evidence::look(&attempt.folder) == Evidence::ShimDied(record.clone())).then_some(())
    });
    assert!(record.child.is_alive(), "the child lives on");

    let ended = orphans::end_by_token(&attempt.token, Duration::from_secs(20)).unwrap();
    assert_eq!(ended.left, []);
    assert_eq!(ended.ended, 3);
    assert!(!record.child.is_alive() && !bare.is_alive());
    assert_eq!(attempt.processes(), [0; 0]);
    for stranger in &mut strangers {
        assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    assert_eq!(
        evidence::bury(&attempt.folder, tombstone(None)).unwrap(),
        Buried::Found(Evidence::ShimDied(record.clone())),
        "what began cannot be declared never started"
    );
    let Buried::Written(grave) =
        evidence::bury(&attempt.folder, tombstone(Some("the shim died"))).unwrap()
    else {
        panic!("nobody else wrote an outcome");
    };
    assert_eq!(grave.how, How::Lost { message: "the shim died".to_owned() });
    assert_eq!(grave.started_boot_ms, record.started_boot_ms);
    assert_eq!(evidence::look(&attempt.folder), Evidence::Over(grave));
}

#[test]
fn an_empty_token_ends_nothing() {
    assert!(orphans::end_by_token("", Duration::ZERO).is_err());
}

#[test]
fn a_shim_that_dies_before_its_outcome_is_written_is_known_to_have_died() {
    let attempt = sh("exit 9");
    attempt.launch_with("shim.before_exit_json=abort");
    let record = attempt.until_begun();
    until_nobody(&attempt);
    assert_eq!(evidence::look(&attempt.folder), Evidence::ShimDied(record));
    let ended = orphans::end_by_token(&attempt.token, Duration::from_secs(20)).unwrap();
    assert_eq!((ended.ended, ended.left), (0, vec![]));
}

#[test]
fn a_second_shim_leaves_without_touching_anything() {
    let attempt = sh("echo once; sleep 60");
    attempt.launch().until_says("once");
    let record = attempt.until_begun();
    attempt.launch();
    eventually("the second to leave", || (attempt.shims() == [record.shim.pid]).then_some(()));
    assert_eq!(attempt.until_begun(), record);
    assert_eq!(attempt.out(), "once\n");
}

#[test]
fn of_two_shims_that_race_one_runs_the_child() {
    for _ in 0..10 {
        let attempt = sh("echo once");
        attempt.launch().launch().launch();
        attempt.until_over();
        until_nobody(&attempt);
        assert_eq!(attempt.out(), "once\n");
    }
}

#[test]
fn a_tombstone_bars_a_late_shim() {
    let attempt = sh("touch ran");
    let Buried::Written(grave) = evidence::bury(&attempt.folder, tombstone(None)).unwrap() else {
        panic!("nobody was there before");
    };
    assert_eq!((&grave.how, grave.started_wall_ms), (&How::NeverStarted, 0));
    attempt.launch();
    until_nobody(&attempt);
    assert_eq!(evidence::look(&attempt.folder), Evidence::Over(grave.clone()));
    assert!(!attempt.cwd().join("ran").exists() && !attempt.path("pid.json").exists());
    // Burying again finds the first one.
    assert_eq!(
        evidence::bury(&attempt.folder, tombstone(Some("again"))).unwrap(),
        Buried::Found(Evidence::Over(grave))
    );
}

#[test]
fn nothing_is_buried_while_a_shim_holds_the_lock() {
    let attempt = sh("true");
    attempt.launch_with("shim.after_lock=pause");
    eventually("the lock to be held", || {
        (evidence::look(&attempt.folder) == Evidence::Alive(None)).then_some(())
    });
    assert_eq!(
        evidence::bury(&attempt.folder, tombstone(None)).unwrap(),
        Buried::Found(Evidence::Alive(None))
    );
    kill(attempt.shims()[0]);
    until_nobody(&attempt);
    assert_eq!(attempt.run().how, How::Exited(0));
}

#[test]
fn readers_that_look_all_the_time_keep_no_shim_from_its_lock() {
    let attempts: Vec<Attempt> = (0..10).map(|_| sh("true")).collect();
    for attempt in &attempts {
        attempt.launch();
    }
    for attempt in &attempts {
        // Looks without a pause, unlike `until`.
        while !matches!(evidence::look(&attempt.folder), Evidence::Over(_)) {
            assert!(
                !attempt.shims().is_empty() || attempt.path("exit.json").exists(),
                "the shim left without an outcome"
            );
        }
    }
}

#[test]
fn a_process_with_another_start_time_is_not_the_recorded_one() {
    let attempt = sh("sleep 60");
    attempt.launch();
    let mut record = attempt.until_begun();
    record.shim.start_ticks += 1;
    let asked = longhaul_shim::identity::ask_shim(
        &attempt.folder,
        &record,
        longhaul_shim::identity::Ask::EndByForce,
    );
    assert!(!asked.unwrap());
    assert!(!Process { start_ticks: record.child.start_ticks + 1, ..record.child }.is_alive());
    assert!(record.child.is_alive());
}
