//! Children on a terminal.

use longhaul_shim::files::{How, Pty, Stopped};
use longhaul_shim::identity::Ask;

use crate::harness::{Attempt, attempt};

fn on_terminal(script: &str, input: Option<&[u8]>) -> Attempt {
    let attempt = attempt(&["sh", "-c", script], |spec| {
        spec.pty = Some(Pty { rows: 24, cols: 80 });
        spec.stdin = input.is_some();
    });
    if let Some(input) = input {
        attempt.feed(input);
    }
    attempt
}

#[test]
fn the_child_sees_a_terminal_of_its_size_and_its_input() {
    let script = "test -t 0 && test -t 1 && test -t 2 && echo tty; stty size; cat; exit 6";
    let attempt = on_terminal(script, Some(b"one\ntwo\n"));
    assert_eq!(attempt.run().how, How::Exited(6));
    assert_eq!(attempt.out(), "tty\r\n24 80\r\none\r\ntwo\r\n");
}

#[test]
fn input_that_ends_in_the_middle_of_a_line_still_ends() {
    let attempt = on_terminal("cat", Some(b"no newline"));
    assert_eq!(attempt.run().how, How::Exited(0));
    assert_eq!(attempt.out(), "no newline");
}

#[test]
fn without_input_it_ends_at_once() {
    let attempt = on_terminal("cat; echo over >&2", None);
    let record = attempt.run();
    assert_eq!(attempt.out(), "over\r\n");
    assert_eq!((record.stdout_bytes, record.stderr_bytes), (6, 0));
}

#[test]
fn long_input_and_long_output_come_through_whole() {
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let attempt = on_terminal("cat", Some(lines.as_bytes()));
    assert_eq!(attempt.run().how, How::Exited(0));
    assert!(attempt.out() == lines.replace('\n', "\r\n"), "the lines differ");
}

#[test]
fn it_can_be_stopped() {
    let attempt = on_terminal("echo ready; sleep 60", None);
    attempt.launch().until_says("ready");
    assert!(attempt.ask(Ask::End));
    let record = attempt.until_over();
    assert_eq!((record.how, record.stopped), (How::Signaled(15), Some(Stopped::Asked)));
}
