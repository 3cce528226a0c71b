//! Another daemon, of another program file, takes over while turns run and wait.

use crate::agents_support::Team;
use crate::harness::{eventually, ran, signal};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A copy of the program in a folder of its own.
fn copy(team: &Team, folder: &str) -> PathBuf {
    let program = team.home.work().join("..").canonicalize().unwrap().join(folder).join("longhaul");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_longhaul"), &program).unwrap();
    program
}

/// Has this program start the daemon, which is of this program then.
fn start(team: &Team, program: &Path) -> i32 {
    let mut command = team.home.command(&["list"]);
    let mut other = std::process::Command::new(program);
    other.args(command.get_args()).current_dir(team.home.work()).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    ran(other.env("PATH", team.fake.path()).stdin(std::process::Stdio::null()).output().unwrap())
        .ok();
    command.env("LONGHAUL_AUTOSTART", "0");
    let daemon = team.home.daemon_pid();
    let of = std::fs::read_link(format!("/proc/{daemon}/exe")).unwrap();
    assert_eq!(of, program);
    daemon
}

/// The texts that the agent said in a turn, in the journal's order.
fn said(team: &Team, job: &str) -> Vec<String> {
    let told = team.run(&["--json", "events", job]);
    let events = told.ok().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mine = events.filter(|event| event["kind"] == "log" && event["from"] == "agent");
    mine.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_daemon_of_another_program_goes_on_with_what_runs_and_what_waits() {
    let team = Team::new();
    let (old, new) = (copy(&team, "old"), copy(&team, "new"));
    let daemon = start(&team, &old);
    team.add("worker", &[]);
    let acp = team.fake.program("acp");
    team.run(&["agent", "add", "held", "--kind", "acp", "--", &acp]).ok();
    team.fake.script("claude.1", "say before\nawait ../go\nsay after\ndone first");
    team.fake.script("claude.2", "say later\ndone second");
    team.fake.script("acp", "say before\nawait ../go\nsay after");
    let jobs = [("worker", "One"), ("worker", "Two"), ("held", "Three")]
        .map(|(agent, prompt)| team.turn(agent, prompt, &[]));
    eventually("one has spoken", || said(&team, &jobs[0]) == ["before"]);
    // What comes in pieces is told when it is whole.
    eventually("the other is at work", || team.fake.calls("acp").len() == 1);
    team.home.until(&jobs[2], "running");
    signal(daemon, Signal::KILL);
    eventually("the daemon is gone", || !Path::new(&format!("/proc/{daemon}/exe")).exists());
    std::fs::remove_file(&old).unwrap();
    let other = start(&team, &new);
    assert_ne!(other, daemon);
    assert_eq!(team.home.until(&jobs[0], "running")["attempt"], 1);
    assert_eq!(team.json(&["show", &jobs[1]])["state"], "queued");
    team.home.write("../go", "");
    for job in &jobs {
        let ended = team.home.until(job, "ended");
        assert_eq!(
            (&ended["outcome"]["kind"], &ended["attempt"]),
            (&"succeeded".into(), &1.into())
        );
    }
    assert_eq!(said(&team, &jobs[0]), ["before", "after", "first"]);
    assert_eq!(said(&team, &jobs[1]), ["later", "second"]);
    assert_eq!(said(&team, &jobs[2]).concat(), "beforeafter");
    assert_eq!((team.fake.calls("claude").len(), team.fake.calls("acp").len()), (2, 1));
    assert_eq!(team.agent("worker")["turns"], 2);
}
