//! Stops that are asked for, and children that do not want to.

use longhaul_shim::files::{How, Stopped};
use longhaul_shim::identity::Ask;

use crate::harness::{eventually, sh};

#[test]
fn a_child_that_listens_ends_in_its_own_way() {
    let attempt = sh("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    attempt.launch().until_says("ready");
    assert!(attempt.ask(Ask::End));
    let record = attempt.until_over();
    assert_eq!((record.how, record.stopped), (How::Exited(7), Some(Stopped::Asked)));
    assert_eq!(attempt.out(), "ready\nbye\n");
}

#[test]
fn the_whole_group_is_asked() {
    let attempt = sh("sleep 60 | sleep 60 & echo ready; wait");
    attempt.launch().until_says("ready");
    assert!(attempt.ask(Ask::End));
    let record = attempt.until_over();
    assert_eq!((record.how, record.stopped), (How::Signaled(15), Some(Stopped::Asked)));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_stopped_child_is_continued_to_hear_it() {
    let attempt = sh("echo ready; kill -STOP $$; sleep 60");
    attempt.launch().until_says("ready");
    let child = attempt.until_begun().child;
    eventually("the child to stand still", || {
        let line = std::fs::read_to_string(format!("/proc/{}/stat", child.pid)).ok()?;
        line.contains(") T ").then_some(())
    });
    assert!(attempt.ask(Ask::End));
    assert_eq!(attempt.until_over().how, How::Signaled(15));
}

#[test]
fn a_child_that_ignores_it_runs_on_until_force() {
    let attempt = sh("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    attempt.launch().until_says("ready");
    assert!(attempt.ask(Ask::End));
    assert!(attempt.until_begun().child.is_alive());
    assert!(attempt.ask(Ask::EndByForce));
    let record = attempt.until_over();
    assert_eq!((record.how, record.stopped), (How::Signaled(9), Some(Stopped::Asked)));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_storm_of_daemons_that_ignore_everything_is_ended_by_force() {
    let attempt = sh("for i in 1 2 3 4 5 6 7 8 9 10; do \
           setsid -f sh -c 'trap \"\" TERM HUP INT; echo x; while :; do sleep 0.01; done'; \
         done; while [ $(wc -l < a/out) -lt 10 ]; do sleep 0.01; done; echo ready; sleep 60");
    attempt.launch().until_says("ready");
    assert!(attempt.processes().len() > 10);
    assert!(attempt.ask(Ask::EndByForce));
    let record = attempt.until_over();
    assert_eq!(record.stopped, Some(Stopped::Asked));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_child_that_ended_by_itself_keeps_its_outcome() {
    let attempt = sh("setsid -f sleep 60; exit 4");
    attempt.launch();
    let child = attempt.until_begun().child;
    eventually("the child to end", || (!child.is_alive()).then_some(()));
    // The leftover may hold the shim a moment longer; whether or not the ask still reaches it.
    attempt.ask(Ask::End);
    let record = attempt.until_over();
    assert_eq!((record.how, record.stopped), (How::Exited(4), None));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn an_ask_after_the_end_reaches_nobody() {
    let attempt = sh("true");
    attempt.run();
    eventually("the shim to leave", || attempt.shims().is_empty().then_some(()));
    // It may be a moment between having given up its command line and being gone.
    eventually("an ask to reach nobody", || (!attempt.ask(Ask::End)).then_some(()));
}
