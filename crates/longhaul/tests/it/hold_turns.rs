//! Turns of agents that speak the Agent Client Protocol, from the command line to the agent and back:
//! what becomes of them when the daemon dies, and when a person is asked.

use crate::agents_support::FakeAgents;
use crate::harness::{Home, Ran, eventually, signal};
use rustix::process::Signal;
use serde_json::Value;

struct Stage {
    home: Home,
    fake: FakeAgents,
}

impl Stage {
    /// A home with an agent `a` that is started as `acp`, and has this policy.
    fn new(policy: &[&str]) -> Self {
        let home = Home::new();
        let fake = FakeAgents::new(&home);
        let stage = Self { home, fake };
        let program = stage.fake.program("acp");
        let add = [&["agent", "add", "a", "--kind", "acp"], policy, &["--", &program]].concat();
        stage.home.run(&add).ok();
        stage
    }

    fn turn(&self, prompt: &str) -> String {
        let ran: Ran = self.home.run(&["turn", "a", prompt]);
        ran.ok().trim().to_owned()
    }

    /// The job, once it has ended well.
    fn succeeds(&self, job: &str) -> Value {
        let ended = self.home.until(job, "ended");
        assert_eq!(ended["outcome"]["kind"], "succeeded", "{ended:#}");
        ended
    }

    /// What the agent said in that turn, in order.
    fn said(&self, job: &str) -> String {
        let events = self.home.run(&["--json", "events", job]);
        let lines = events.ok().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let logs = lines.filter(|event| event["kind"] == "log" && event["from"] == "agent");
        logs.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_conversation_is_loaded_by_the_next_turn() {
    let stage = Stage::new(&[]);
    let first = stage.succeeds(&stage.turn("Begin. [[say one]]"));
    let second = stage.succeeds(&stage.turn("Go on. [[say two]]"));
    let conversation = &first["turn"]["conversation"];
    assert!(conversation.is_string());
    assert_eq!(&second["turn"]["conversation"], conversation);
    assert_eq!(stage.said(second["id"].as_str().unwrap()), "two");
    let calls = stage.fake.calls("acp");
    assert_eq!(&calls[1]["conversation"]["resume"], conversation);
}

#[test]
fn a_turn_outlives_the_daemon_and_nothing_of_it_is_lost_or_told_twice() {
    let stage = Stage::new(&[]);
    let job = stage.turn("[[say before]] [[touch busy]] [[await go]] [[say after]]");
    eventually("the agent is busy", || stage.home.work().join("busy").exists());
    signal(stage.home.daemon_pid(), Signal::KILL);
    stage.home.write("go", "");
    stage.succeeds(&job);
    assert_eq!(stage.said(&job), "beforeafter");
}

#[test]
fn a_person_is_asked_and_the_agent_waits() {
    let stage = Stage::new(&["--ask-tool", "execute"]);
    let job = stage.turn("[[bash touch made]] [[say went on]]");
    let mut approvals = Value::Null;
    eventually("a person is asked", || {
        approvals = stage.home.json(&["approvals"])["approvals"].clone();
        approvals.as_array().is_some_and(|all| !all.is_empty())
    });
    assert_eq!(approvals[0]["tool"], "execute");
    assert!(!stage.home.work().join("made").exists());
    // Whoever asked waits on through a daemon that dies.
    signal(stage.home.daemon_pid(), Signal::KILL);
    stage.home.run(&["approvals", "--allow", approvals[0]["id"].as_str().unwrap()]).ok();
    stage.succeeds(&job);
    assert!(stage.home.work().join("made").exists());
    assert_eq!(stage.said(&job), "went on");
}

#[test]
fn what_the_policy_denies_does_not_run() {
    let stage = Stage::new(&["--write-under", "src"]);
    stage.home.write("src/there", "");
    let job = stage.turn("[[write src/in yes]] [[write out no]] [[say went on]]");
    stage.succeeds(&job);
    assert!(stage.home.work().join("src/in").exists());
    assert!(!stage.home.work().join("out").exists());
}

#[test]
fn a_turn_that_is_called_off_ends_as_the_agent_says() {
    let stage = Stage::new(&[]);
    let job = stage.turn("[[say half]] [[touch busy]] [[sleep 60000]]");
    eventually("the agent is busy", || stage.home.work().join("busy").exists());
    stage.home.run(&["cancel", "--wait", &job]).ok();
    let ended = stage.home.until(&job, "ended");
    assert_eq!(ended["outcome"]["kind"], "cancelled", "{ended:#}");
    let text = stage.home.run(&["logs", &job]);
    assert!(text.ok().contains("\"stopReason\":\"cancelled\""));
}
