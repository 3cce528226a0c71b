//! Limits the shim keeps by itself.

use longhaul_shim::files::{How, Stopped};

use crate::harness::{attempt, program_text};

const MIB: u64 = 1 << 20;

#[test]
fn a_child_that_writes_too_much_is_stopped_and_nothing_it_wrote_is_lost() {
    let attempt = attempt(&["sh", "-c", "yes"], |spec| spec.output_bytes_max = Some(MIB));
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Signaled(15), Some(Stopped::OutputLimit)));
    assert!(record.stdout_bytes > MIB);
    assert_eq!(record.stdout_bytes, std::fs::metadata(attempt.path("out")).unwrap().len());
}

#[test]
fn standard_error_counts_and_force_follows_for_one_that_ignores_term() {
    let script = "trap '' TERM; exec >&2; yes | head -c 2000000; while :; do sleep 0.01; done";
    let attempt = attempt(&["sh", "-c", script], |spec| spec.output_bytes_max = Some(MIB));
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Signaled(9), Some(Stopped::OutputLimit)));
    assert_eq!(record.stderr_bytes, 2_000_000);
    assert!(record.ended_boot_ms - record.started_boot_ms >= 2000, "it had its grace");
}

#[test]
fn output_below_the_limit_is_nobodys_business() {
    let child = program_text("child");
    let argv = [child.as_str(), "write", "1000000"];
    let record = attempt(&argv, |spec| spec.output_bytes_max = Some(MIB)).run();
    assert_eq!((record.how, record.stopped), (How::Exited(0), None));
    assert_eq!(record.stdout_bytes, 1_000_000);
}

#[test]
fn a_tree_that_takes_too_much_memory_is_ended() {
    let child = program_text("child");
    // A grandchild, so that the whole tree must be looked at.
    let script = format!("{child} allocate 268435456; exit 1");
    let attempt = attempt(&["sh", "-c", &script], |spec| spec.memory_bytes_max = Some(64 * MIB));
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Signaled(9), Some(Stopped::Oom)));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_tree_within_its_memory_is_left_alone() {
    let child = program_text("child");
    let script = format!("timeout -s KILL 0.5 {child} allocate 16777216; exit 5");
    let attempt = attempt(&["sh", "-c", &script], |spec| spec.memory_bytes_max = Some(64 * MIB));
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Exited(5), None));
}
