//! What a child leaves running.

use longhaul_shim::files::{How, LeftoversPolicy};

use crate::harness::{attempt, sh};

const LEAVES_ONE: &str = "setsid -f sh -c 'trap \"\" TERM HUP; echo ready; while :; do sleep 0.01; done'; \
     while [ ! -s a/out ]; do sleep 0.01; done";

#[test]
fn a_daemon_that_ignores_signals_is_found_ended_and_named() {
    let attempt = sh(LEAVES_ONE);
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Exited(0), None));
    assert!(record.leftovers.found >= 1 && record.leftovers.ended);
    assert!(
        record.leftovers.names.iter().any(|name| name.starts_with("sh(")),
        "{:?}",
        record.leftovers.names
    );
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn under_report_it_is_named_and_left_alone() {
    let attempt = attempt(&["sh", "-c", LEAVES_ONE], |spec| {
        spec.leftovers = LeftoversPolicy::Report;
    });
    let record = attempt.run();
    assert!(record.leftovers.found >= 1 && !record.leftovers.ended);
    assert!(!attempt.processes().is_empty());
}

#[test]
fn what_ends_by_itself_in_a_moment_is_not_a_leftover() {
    let record = sh("sleep 0.01 & exit 0").run();
    assert_eq!((record.leftovers.found, record.leftovers.ended), (0, true));
}

#[test]
fn a_hundred_leftovers_fit_in_the_record() {
    let attempt = sh("for i in $(seq 100); do sleep 60 & done");
    let record = attempt.run();
    assert_eq!(record.leftovers.found, 100);
    assert_eq!(record.leftovers.names.len(), 16);
    assert!(std::fs::metadata(attempt.path("exit.json")).unwrap().len() <= 4096);
    assert_eq!(attempt.processes(), [0; 0]);
}
