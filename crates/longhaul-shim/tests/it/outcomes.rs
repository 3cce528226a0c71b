//! How a child ends when nobody interferes, and what it gets to begin with.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use longhaul_shim::files::{How, Leftovers};

use crate::harness::{attempt, eventually, program, sh};

fn spawn_failure(argv: &[&str]) -> (i32, String) {
    let record = attempt(argv, |_| {}).run();
    match record.how {
        How::SpawnFailed { errno, message } => (errno, message),
        how => panic!("it should not have started: {how:?}"),
    }
}

#[test]
fn an_exit_code_is_recorded_with_times_and_sizes() {
    let attempt = sh("printf out; printf error >&2; exit 3");
    let record = attempt.run();
    assert_eq!((record.how, record.stopped), (How::Exited(3), None));
    assert_eq!((record.stdout_bytes, record.stderr_bytes), (3, 5));
    assert_eq!((record.job.as_str(), record.attempt), ("job_1", 1));
    assert_eq!(record.leftovers, Leftovers::none());
    assert!(record.rss_bytes_max > 0);
    let pid = attempt.until_begun();
    assert_eq!(record.started_boot_ms, pid.started_boot_ms);
    assert!(record.ended_boot_ms >= record.started_boot_ms);
    assert!(record.ended_wall_ms >= record.started_wall_ms && record.started_wall_ms > 0);
}

#[test]
fn a_signal_is_recorded_as_one() {
    let record = sh("kill -SEGV $$").run();
    assert_eq!((record.how, record.stopped), (How::Signaled(11), None));
}

#[test]
fn processor_time_of_descendants_counts() {
    let record = sh("sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'").run();
    assert!(record.cpu_ms > 10, "a busy grandchild took {} ms", record.cpu_ms);
}

#[test]
fn every_byte_goes_in_and_comes_out() {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_001).collect();
    let attempt = attempt(&["cat"], |spec| spec.stdin = true);
    let record = attempt.feed(&bytes).run();
    assert_eq!(record.how, How::Exited(0));
    assert!(std::fs::read(attempt.path("out")).unwrap() == bytes, "the bytes differ");
    assert_eq!(record.stdout_bytes, 300_001);
}

#[test]
fn without_input_standard_input_is_empty() {
    assert_eq!(attempt(&["cat"], |_| {}).run().how, How::Exited(0));
}

#[test]
fn a_program_that_does_not_exist_says_so() {
    let (errno, message) = spawn_failure(&["no-such-program"]);
    assert_eq!(errno, 2);
    assert_eq!(message, "could not run `no-such-program`: not found in PATH");
    let (_, message) = spawn_failure(&["./no-such-program"]);
    assert_eq!(message, "could not run `./no-such-program`: it does not exist");
}

#[test]
fn a_program_that_may_not_be_run_says_so() {
    let (errno, message) = spawn_failure(&["/etc/passwd"]);
    assert_eq!(errno, 13);
    assert!(message.contains("permission denied"), "{message}");
    let (errno, _) = spawn_failure(&["/etc"]);
    assert_eq!(errno, 13);
}

#[test]
fn a_script_without_its_first_line_and_one_without_its_interpreter_differ() {
    let attempt = attempt(&["./script"], |_| {});
    let script = attempt.cwd().join("script");
    let make = |text: &str| {
        std::fs::write(&script, text).unwrap();
        Command::new("chmod").arg("+x").arg(&script).status().unwrap();
    };
    make("echo no first line\n");
    let How::SpawnFailed { errno: 8, message } = attempt.run().how else { panic!("it ran") };
    assert!(message.contains("#!"), "{message}");
    let other =
        crate::harness::attempt(&["./script"], |spec| attempt.cwd().clone_into(&mut spec.cwd));
    make("#!/no/such/interpreter\n");
    let How::SpawnFailed { errno: 2, message } = other.run().how else { panic!("it ran") };
    assert!(message.contains("interpreter"), "{message}");
}

#[test]
fn a_missing_working_directory_is_named() {
    let record = attempt(&["true"], |spec| spec.cwd = "/no/such/place".into()).run();
    let How::SpawnFailed { errno, message } = record.how else { panic!("it ran") };
    assert_eq!(errno, 2);
    assert_eq!(
        message,
        "could not enter the working directory `/no/such/place`: it does not exist"
    );
}

#[test]
fn what_the_kernel_cannot_take_never_gets_a_process() {
    let empty = attempt(&[], |_| {});
    let How::SpawnFailed { errno: 22, .. } = empty.run().how else { panic!("it ran") };
    assert_eq!(empty.folder.read_pid().unwrap(), None);
    let nul = attempt(&["echo", "a\0b"], |_| {});
    let How::SpawnFailed { message, .. } = nul.run().how else { panic!("it ran") };
    assert_eq!(message, "the argument holds a NUL character");
}

#[test]
fn a_relative_path_entry_is_looked_up_from_the_childs_directory() {
    let attempt = attempt(&["mine"], |spec| spec.env[0].1 = "/nowhere:bin".to_owned());
    let bin = attempt.cwd().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/echo", bin.join("mine")).unwrap();
    assert_eq!(attempt.run().how, How::Exited(0));
    assert_eq!(attempt.out(), "\n");
}

#[test]
fn the_child_gets_its_environment_its_limits_and_no_file_of_ours() {
    let script = "env | sort; umask; ulimit -n; ulimit -Hn; ls /proc/self/fd";
    let attempt = attempt(&["sh", "-c", script], |spec| {
        spec.env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        spec.nofile = Some((64, 128));
        spec.umask = Some(0o027);
    });
    assert_eq!(attempt.run().how, How::Exited(0));
    let pwd = format!("PWD={}", attempt.cwd().display());
    let expected =
        ["PATH=/usr/bin:/bin", &pwd, "0027", "64", "128", "0", "1", "2", "3"].join("\n") + "\n";
    // Some shells add `_` and SHLVL by themselves; 3 is the folder that `ls` reads.
    let said: String = attempt
        .out()
        .lines()
        .filter(|line| !line.starts_with("_=") && !line.starts_with("SHLVL="))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn ignored_signals_of_whoever_launched_us_do_not_reach_the_child() {
    let attempt = sh("grep -E 'Sig(Blk|Ign)' /proc/self/status");
    let script = "trap '' INT TERM PIPE USR1; exec \"$0\" \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script])
        .arg(program("shim"))
        .arg(attempt.path(""))
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(attempt.until_over().how, How::Exited(0));
    for line in attempt.out().lines() {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    assert_eq!(attempt.out().lines().count(), 2);
}

#[test]
fn a_hint_comes_at_the_start_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hints");
    let socket = UnixDatagram::bind(&path).unwrap();
    let attempt = attempt(&["true"], |spec| spec.hint_socket = Some(path));
    attempt.run();
    socket.set_nonblocking(true).unwrap();
    for _ in 0..2 {
        let mut bytes = [0; 32];
        let got = eventually("a hint", || socket.recv(&mut bytes).ok());
        assert_eq!(&bytes[..got], b"job_1.1");
    }
}

#[test]
fn the_shim_leaves_when_the_attempt_is_over() {
    let attempt = sh("true");
    attempt.run();
    eventually("the shim to leave", || attempt.shims().is_empty().then_some(()));
    assert!(!attempt.path("exit.tmp").exists());
}
