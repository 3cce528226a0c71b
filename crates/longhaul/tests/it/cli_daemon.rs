//! The daemon's coming and going, and the doctor.

use crate::harness::{Home, eventually, keys, pid_of, signal};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;

#[test]
fn status_start_stop_and_restart() {
    let home = Home::new();
    let ran = home.run(&["--json", "daemon", "status"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let status: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(status["running"], false);
    let names = ["home", "jobs", "pid", "running", "socket", "version"];
    assert_eq!(keys(&status), names);
    assert_eq!(home.run(&["daemon", "start"]).code, 0);
    let status = home.json(&["daemon", "status"]);
    assert_eq!(status["running"], true);
    assert_eq!(status["home"], home.path().to_str().unwrap());
    for name in names {
        assert!(status.get(name).is_some(), "no {name} in {status}");
    }
    let first = home.daemon_pid();
    assert_eq!(home.run(&["daemon", "restart"]).code, 0);
    assert_ne!(home.daemon_pid(), first);
    assert_eq!(home.run(&["daemon", "stop"]).code, 0);
    assert_eq!(home.run(&["daemon", "status"]).code, 4);
    assert_eq!(home.run(&["daemon", "stop"]).code, 0, "stopping twice is no error");
}

#[test]
fn a_daemon_goes_on_when_its_terminal_takes_nothing() {
    let home = Home::new();
    // As a terminal that was closed, or a pipe that nobody reads any more.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = home.command(&["daemon", "run"]);
    let mut daemon = command.stdout(full.try_clone().unwrap()).stderr(full).spawn().unwrap();
    eventually("it is up, or has ended", || {
        assert_eq!(daemon.try_wait().unwrap(), None, "the daemon died of its log");
        home.run(&["--json", "daemon", "status"]).code == 0
    });
    assert_eq!(home.daemon_pid(), pid_of(&daemon));
    assert_eq!(home.run(&["daemon", "stop"]).code, 0);
    daemon.wait().unwrap();
}

#[test]
fn a_daemon_that_is_suspended_is_named() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    let daemon = home.daemon_pid();
    signal(daemon, Signal::STOP);
    let doctor = home.spawn(&["doctor"]);
    home.run(&["daemon", "status"]).fails(4, &format!("the daemon (pid {daemon}) is there"));
    let doctor = crate::harness::ran(doctor.wait_with_output().unwrap());
    signal(daemon, Signal::CONT);
    assert_eq!(doctor.code, 3, "{doctor:?}");
    assert!(doctor.text().contains("has not answered"), "{doctor:?}");
    assert_eq!(home.run(&["daemon", "status"]).code, 0);
}

#[test]
fn a_relative_home_of_the_user_is_the_same_for_client_and_daemon() {
    let home = Home::new();
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        crate::harness::ran(command.env_remove("LONGHAUL_HOME").env("HOME", ".").output().unwrap())
    };
    let ran = run(&["--json", "daemon", "start"]);
    let status = run(&["--json", "daemon", "status"]);
    run(&["daemon", "stop"]).ok();
    assert_eq!(ran.code, 0, "{ran:?}");
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let named = std::path::PathBuf::from(status["home"].as_str().unwrap());
    assert!(named.is_absolute() && named.ends_with(".local/state/longhaul"), "{status}");
}

#[test]
fn without_autostart_there_is_no_daemon() {
    let home = Home::new();
    let mut command = home.command(&["--json", "list"]);
    let ran = crate::harness::ran(command.env("LONGHAUL_AUTOSTART", "0").output().unwrap());
    assert_eq!(ran.code, 4, "{ran:?}");
    let error: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(error["error"]["code"], "not_running");
    assert_eq!(keys(&error["error"]), ["code", "hint", "message"]);
    assert!(!home.path().join("socket").exists());
}

#[test]
fn stopping_the_daemon_stops_no_job() {
    let home = Home::new();
    let script = "touch up; while ! [ -e go ]; do sleep 0.02; done; echo done";
    let id = home.submit(&["--", "sh", "-c", script]);
    eventually("the job runs", || home.work().join("up").exists());
    assert_eq!(home.run(&["daemon", "stop"]).code, 0);
    home.write("go", "");
    assert_eq!(home.run(&["wait", &id]).code, 0);
    assert_eq!(home.run(&["logs", &id]).ok(), "done\n");
}

#[test]
fn a_killed_daemon_comes_back_and_knows_everything() {
    let home = Home::new();
    let id = home.submit(&["--", "sh", "-c", "echo hi"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    signal(home.daemon_pid(), Signal::KILL);
    assert_eq!(home.show(&id)["outcome"]["kind"], "succeeded");
    assert_eq!(home.run(&["logs", &id]).ok(), "hi\n");
}

#[test]
fn a_home_that_others_may_write_to_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path()).unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    home.run(&["list"]).fails(3, "others may write");
    let ran = home.run(&["doctor"]);
    assert_eq!(ran.code, 3);
    assert!(ran.text().contains("others may write"), "{ran:?}");
}

#[test]
fn a_new_home_is_sound() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "-q", "--", "true"]).code, 0);
    let doctor = home.json(&["doctor"]);
    assert_eq!(doctor["sound"], true, "{doctor}");
    for finding in doctor["findings"].as_array().unwrap() {
        assert_eq!(keys(finding), ["hint", "level", "message", "what"]);
    }
}

#[test]
fn a_damaged_store_is_told_and_put_aside_on_request() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "-q", "--", "true"]).code, 0);
    assert_eq!(home.run(&["daemon", "stop"]).code, 0);
    std::fs::write(home.path().join("longhaul.db"), "this is no database at all ".repeat(500))
        .unwrap();
    home.run(&["list"]).fails(4, "store");
    let ran = home.run(&["doctor"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let ran = home.run(&["doctor", "--fix"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(home.run(&["list"]).code, 0);
}
