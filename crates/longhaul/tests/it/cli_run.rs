//! `longhaul run`: the job's bytes and exit code are ours, whatever happens in between.

use crate::harness::{Home, eventually, has_content, pid_of, ran, signal};
use rustix::process::Signal;
use std::io::Read;

#[test]
fn run_gives_the_exit_code_of_the_job() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "--", "true"]).code, 0);
    assert_eq!(home.run(&["run", "--", "sh", "-c", "exit 37"]).code, 37);
    assert_eq!(home.run(&["run", "--", "sh", "-c", "kill -TERM $$"]).code, 128 + 15);
    let ran = home.run(&["run", "--timeout", "300ms", "--", "sleep", "60"]);
    assert_eq!(ran.code, 124, "{ran:?}");
}

#[test]
fn a_program_that_is_not_there_gives_125_and_says_so() {
    let home = Home::new();
    home.run(&["-q", "run", "--", "no-such-program"]).fails(125, "could not be started");
}

#[test]
fn both_streams_arrive_byte_for_byte() {
    let home = Home::new();
    let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).chain(*b"\r\n\0 no newline").collect();
    home.write("bytes", &bytes);
    let ran = home.run(&["--quiet", "run", "--", "sh", "-c", "cat bytes; cat bytes bytes >&2"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stdout, bytes);
    let output = home
        .command(&["--quiet", "run", "--", "sh", "-c", "cat bytes bytes >&2"])
        .output()
        .unwrap();
    assert_eq!(output.stderr, [&bytes[..], &bytes[..]].concat());
    assert_eq!(output.stdout, b"");
}

#[test]
fn much_output_arrives_whole() {
    let home = Home::new();
    let ran = home.run(&["-q", "run", "--", "sh", "-c", "seq 1 300000"]);
    let expected: String = (1..=300_000).map(|number| format!("{number}\n")).collect();
    assert!(ran.stdout == expected.as_bytes(), "{} bytes", ran.stdout.len());
}

#[test]
fn stdin_is_closed_unless_it_is_given() {
    let home = Home::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let ran = home.run_with_stdin(&["run", "--", "cat"], b"not for the job");
    assert_eq!((ran.code, ran.stdout), (0, vec![]));
    let ran = home.run_with_stdin(&["run", "--stdin", "-", "--", "cat"], &bytes);
    assert_eq!((ran.code, ran.stdout), (0, bytes.clone()));
    home.write("input", &bytes);
    let ran = home.run(&["run", "--stdin", "input", "--", "cat"]);
    assert_eq!((ran.code, ran.stdout), (0, bytes));
    home.run(&["run", "--stdin", "none", "--", "cat"]).fails(2, "none");
}

#[test]
fn without_a_terminal_stderr_is_the_jobs_alone() {
    let home = Home::new();
    let ran = home.run(&["run", "--", "sh", "-c", "echo hello; echo there >&2"]);
    assert_eq!((ran.ok(), ran.stderr.as_str()), ("hello\n", "there\n"));
}

#[test]
fn with_json_stdout_is_the_ended_job_and_nothing_else() {
    let home = Home::new();
    let ran = home.run(&["run", "--json", "--", "sh", "-c", "echo hi; echo ho >&2; exit 3"]);
    assert_eq!(ran.code, 3);
    let job: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(job["state"], "ended");
    assert_eq!(job["outcome"]["exit_code"], 3);
    assert_eq!(job["stdout_bytes"], 3);
    assert!(!ran.stderr.contains("ho\n"), "{ran:?}");
}

#[test]
fn one_interrupt_detaches_and_says_how_to_go_on() {
    let home = Home::new();
    let child = home.spawn(&["run", "--name", "long", "--", "sh", "-c", "echo > up; sleep 60"]);
    eventually("the job runs", || home.work().join("up").exists());
    signal(pid_of(&child), Signal::INT);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.contains("longhaul logs -f job_"), "{ran:?}");
    assert!(ran.stderr.contains("longhaul cancel job_"), "{ran:?}");
    assert_eq!(home.show("long")["state"], "running");
}

#[test]
fn two_interrupts_cancel() {
    let home = Home::new();
    let mut child = home.spawn(&["run", "--name", "long", "--", "sh", "-c", "echo > up; sleep 60"]);
    eventually("the job runs", || home.work().join("up").exists());
    signal(pid_of(&child), Signal::INT);
    let mut stderr = child.stderr.take().unwrap();
    let mut said = String::new();
    while !said.contains("cancel") {
        let mut bytes = [0; 256];
        let read = stderr.read(&mut bytes).unwrap();
        assert_ne!(read, 0, "it left after one interrupt: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    signal(pid_of(&child), Signal::INT);
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 130);
    let job = home.show("long");
    assert_eq!(job["outcome"]["kind"], "cancelled");
}

#[test]
fn a_closing_terminal_detaches() {
    let home = Home::new();
    let child = home.spawn(&["run", "--name", "long", "--", "sh", "-c", "echo > up; sleep 60"]);
    eventually("the job runs", || home.work().join("up").exists());
    signal(pid_of(&child), Signal::HUP);
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 129);
    // The job may have written before the daemon has heard that it runs.
    home.until("long", "running");
}

#[test]
fn a_killed_daemon_goes_unnoticed() {
    let home = Home::new();
    let script = "echo one; touch up; while ! [ -e go ]; do sleep 0.02; done; echo two; exit 5";
    let child = home.spawn(&["-q", "run", "--", "sh", "-c", script]);
    eventually("the job runs", || home.work().join("up").exists());
    signal(home.daemon_pid(), Signal::KILL);
    home.write("go", "");
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.text()), (5, "one\ntwo\n"), "{ran:?}");
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_reader_that_leaves_ends_us_quietly() {
    let home = Home::new();
    let mut child = home.spawn(&["-q", "run", "--name", "yes", "--", "yes"]);
    let mut some = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (128 + 13, ""));
    home.until("yes", "running");
}

#[test]
fn a_cancelled_job_gives_130() {
    let home = Home::new();
    let child =
        home.spawn(&["-q", "run", "--name", "long", "--", "sh", "-c", "echo > up; sleep 60"]);
    eventually("the job runs", || has_content(&home.work().join("up")));
    assert_eq!(home.run(&["cancel", "long"]).code, 0);
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 130);
}

#[test]
fn output_of_all_attempts_is_followed() {
    let home = Home::new();
    let script = "echo try $LONGHAUL_ATTEMPT; [ $LONGHAUL_ATTEMPT = 2 ]";
    let options = ["-q", "run", "--retry", "3", "--retry-delay", "10ms", "--", "sh", "-c", script];
    assert_eq!(home.run(&options).ok(), "try 1\ntry 2\n");
}

#[test]
fn inside_a_job_the_parent_is_remembered() {
    let home = Home::new();
    let binary = env!("CARGO_BIN_EXE_longhaul");
    let folder = home.path();
    let script =
        format!("LONGHAUL_HOME='{}' '{binary}' submit --name inner -- true", folder.display());
    let outer = home.submit(&["--", "sh", "-c", &script]);
    assert_eq!(home.run(&["wait", &outer]).code, 0);
    assert_eq!(home.show("inner")["parent"], outer.as_str());
}
