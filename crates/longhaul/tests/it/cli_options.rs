//! What a job can be asked to be.

use crate::harness::{Home, eventually};
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn the_environment_is_the_callers_less_our_own() {
    let home = Home::new();
    let run = |options: &[&str]| {
        let script =
            "echo ${MINE-none} ${LONGHAUL_TOKEN-none} ${LONGHAUL_HOME-none} ${SET-none} $HOME";
        let arguments = [&["-q", "run"], options, &["--", "sh", "-c", script]].concat();
        let mut command = home.command(&arguments);
        command.env("MINE", "yes").env("LONGHAUL_TOKEN", "secret");
        let ran = crate::harness::ran(command.output().unwrap());
        ran.ok().trim().split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(run(&[])[..2], ["yes", "none"]);
    assert_eq!(run(&["--inherit-env"])[0], "yes");
    let clean = run(&["--clean-env", "--env", "SET=x=y"]);
    assert_eq!((clean[0].as_str(), clean[3].as_str()), ("none", "x=y"));
    assert!(clean[4].starts_with('/'), "HOME is kept: {clean:?}");
    home.write("env", "# comment\nexport SET='from file'\n");
    assert_eq!(run(&["--env-file", "env"])[3], "from");
    assert_eq!(run(&["--env-file", "env", "--env", "SET=option"])[3], "option");
}

#[test]
fn values_of_the_environment_are_never_shown() {
    let home = Home::new();
    let id = home.submit(&["--env", "TOKEN=hunter2", "--", "sleep", "60"]);
    for arguments in [vec!["show", &id], vec!["--json", "show", &id], vec!["--json", "events", &id]]
    {
        let ran = home.run(&arguments);
        assert!(!ran.ok().contains("hunter2"), "{arguments:?} tells a secret");
    }
    assert!(home.run(&["show", &id]).ok().contains("TOKEN"));
}

#[test]
fn a_bad_environment_file_is_named_with_its_line() {
    let home = Home::new();
    home.write("env", "A=1\nnot a pair\n");
    home.run(&["submit", "--env-file", "env", "--", "true"]).fails(2, "line 2 of `env`");
    home.run(&["submit", "--env-file", "none", "--", "true"]).fails(2, "none");
    home.run(&["submit", "--env", "NOVALUE", "--", "true"]).fails(2, "NAME=VALUE");
    home.run(&["submit", "--inherit-env", "--clean-env", "--", "true"]).fails(2, "cannot be used");
    let path = home.write("closed", "A=1\n");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_err() {
        home.run(&["submit", "--env-file", "closed", "--", "true"]).fails(2, "closed");
    }
}

#[test]
fn the_working_directory_can_be_chosen() {
    let home = Home::new();
    home.write("sub/file", "here");
    assert_eq!(home.run(&["-q", "run", "--cwd", "sub", "--", "cat", "file"]).ok(), "here");
    home.run(&["run", "--cwd", "none", "--", "true"]).fails(2, "`none`");
    home.run(&["run", "--cwd", "sub/file", "--", "true"]).fails(2, "not a directory");
}

#[test]
fn the_same_key_gives_the_same_job() {
    let home = Home::new();
    let first = home.submit(&["--key", "k", "--", "true"]);
    assert_eq!(home.submit(&["--key", "k", "--", "true"]), first);
    home.run(&["submit", "--key", "k", "--", "false"]).fails(3, "`k`");
}

#[test]
fn a_lane_runs_one_at_a_time() {
    let home = Home::new();
    let first =
        home.submit(&["--lane", "l", "--", "sh", "-c", "while ! [ -e go ]; do sleep 0.02; done"]);
    let second = home.submit(&["--lane", "l", "--", "true"]);
    home.until(&first, "running");
    assert_eq!(home.show(&second)["state"], "queued");
    home.write("go", "");
    assert_eq!(home.run(&["wait", &first, &second]).code, 0);
}

#[test]
fn dependencies_are_waited_for() {
    let home = Home::new();
    let gate = home.submit(&[
        "--name",
        "gate",
        "--",
        "sh",
        "-c",
        "while ! [ -e go ]; do sleep 0.02; done; exit 1",
    ]);
    let needs = home.submit(&["--after", "gate", "--", "true"]);
    let follows = home.submit(&["--after-any", &gate, "--", "true"]);
    assert_eq!(home.show(&needs)["state"], "queued");
    home.write("go", "");
    assert_eq!(home.run(&["wait", &follows]).code, 0);
    let ran = home.run(&["wait", &needs]);
    assert_eq!(ran.code, 125, "{ran:?}");
    assert_eq!(home.show(&needs)["outcome"]["reason"], "dependency");
    home.run(&["submit", "--after", "nobody", "--", "true"]).fails(3, "nobody");
}

#[test]
fn delay_and_at_hold_a_job_back() {
    let home = Home::new();
    let delayed = home.submit(&["--delay", "1h", "--", "true"]);
    let dated = home.submit(&["--at", "2999-01-01T00:00:00Z", "--", "true"]);
    let soon = home.submit(&["--delay", "50ms", "--", "true"]);
    assert_eq!(home.run(&["wait", &soon]).code, 0);
    assert_eq!(home.show(&delayed)["state"], "queued");
    assert_eq!(home.show(&dated)["state"], "queued");
    home.run(&["submit", "--at", "tomorrow", "--", "true"]).fails(2, "not a time");
    assert_eq!(home.run(&["cancel", &delayed]).code, 0);
    assert_eq!(home.run(&["wait", &delayed]).code, 130);
}

#[test]
fn priority_and_pools_decide_who_goes_first() {
    let home = Home::new();
    assert_eq!(home.run(&["pool", "set", "one", "--slots", "1"]).code, 0);
    assert_eq!(home.run(&["pool", "pause", "one"]).code, 0);
    let low =
        home.submit(&["--pool", "one", "--priority", "1", "--", "sh", "-c", "echo low >> order"]);
    let high =
        home.submit(&["--pool", "one", "--priority", "8", "--", "sh", "-c", "echo high >> order"]);
    let pools = home.json(&["pool", "list"]);
    let one = pools["pools"].as_array().unwrap().iter().find(|pool| pool["name"] == "one").unwrap();
    assert_eq!((&one["paused"], &one["ready"]), (&true.into(), &2.into()));
    assert_eq!(home.run(&["pool", "resume", "one"]).code, 0);
    assert_eq!(home.run(&["wait", &low, &high]).code, 0);
    assert_eq!(std::fs::read_to_string(home.work().join("order")).unwrap(), "high\nlow\n");
    home.run(&["submit", "--pool", "nowhere", "--", "true"]).fails(3, "nowhere");
    home.run(&["submit", "--priority", "10", "--", "true"]).fails(2, "priority");
}

#[test]
fn retries_stop_at_codes_that_are_not_worth_one() {
    let home = Home::new();
    let options = ["--retry", "5", "--retry-delay", "10ms", "--retry-on", "3,4"];
    let id = home
        .submit(&[&options[..], &["--", "sh", "-c", "exit $((LONGHAUL_ATTEMPT + 2))"]].concat());
    assert_eq!(home.run(&["wait", &id]).code, 5);
    assert_eq!(home.show(&id)["attempt"], 3);
}

#[test]
fn attachments_go_with_the_job_and_nothing_else_does() {
    let home = Home::new();
    home.write("data/a", "a");
    home.write("data/b", "b");
    let id = home.submit(&["--attach", "data", "--", "true"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    symlink("/etc/passwd", home.work().join("out")).unwrap();
    symlink("/etc", home.work().join("etc")).unwrap();
    for (path, words) in [
        ("out", "leads out"),
        ("etc/passwd", "leads out"),
        ("../x", "goes up"),
        ("/etc/passwd", "outside"),
        ("none", "no such file"),
        (" ", "blank"),
    ] {
        home.run(&["submit", "--attach", path, "--", "true"]).fails(2, words);
    }
    assert_eq!(home.json(&["list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn too_much_output_ends_the_job() {
    let home = Home::new();
    let id = home.submit(&["--max-output", "64K", "--", "yes"]);
    let ran = home.run(&["wait", &id]);
    assert_ne!(ran.code, 0);
    assert_eq!(home.show(&id)["outcome"]["reason"], "output_limit");
}

#[test]
fn a_job_reports_about_itself() {
    let home = Home::new();
    let binary = env!("CARGO_BIN_EXE_longhaul");
    let script = format!(
        "'{binary}' emit progress --current 2 --total 4 --units files && '{binary}' emit log hello \
         && '{binary}' emit metric cost 0.5 --unit USD && '{binary}' emit result '{{\"ok\":true}}'"
    );
    let id = home.submit(&["--", "sh", "-c", &script]);
    let waited = home.run(&["wait", &id]);
    assert_eq!(waited.code, 0, "{waited:?} {}", home.run(&["logs", &id]).stderr);
    let events = home.run(&["--json", "events", &id]);
    assert_eq!(events.ok().matches("\"kind\":\"emitted\"").count(), 4, "{events:?}");
    home.run(&["emit", "status", "x"]).fails(2, "not inside a job");
}

#[test]
fn a_stalled_job_is_stopped() {
    let home = Home::new();
    let id = home.submit(&["--stall", "1s", "--", "sleep", "60"]);
    assert_eq!(home.run(&["wait", &id]).code, 124);
    assert_eq!(home.show(&id)["outcome"]["reason"], "stall");
}

#[test]
fn a_terminal_of_its_own() {
    let home = Home::new();
    let ran = home.run(&["-q", "run", "--pty", "--", "sh", "-c", "test -t 1 && echo tty"]);
    assert_eq!(ran.ok(), "tty\r\n");
    eventually("nothing is left", || {
        home.json(&["list", "--state", "running"])["jobs"] == serde_json::json!([])
    });
}
