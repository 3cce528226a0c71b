//! A disk that fills up under an agent: its journal has a gap of time and none of content. Only where
//! the gate says that mounting is possible.

use crate::agents_support::FakeAgents;
use crate::full_disk::SmallHome;
use crate::harness::{Home, Ran, eventually, ran};
use serde_json::Value;
use std::path::PathBuf;

/// A small home with an agent.
struct Stage {
    small: SmallHome,
    fake: FakeAgents,
}

impl Stage {
    fn new() -> Self {
        let small = SmallHome::new();
        let fake = FakeAgents::new(&small.home);
        let stage = Self { small, fake };
        stage.run(&["agent", "add", "worker", "--kind", "claude"]).ok();
        stage
    }

    fn home(&self) -> &Home {
        &self.small.home
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.home().command(arguments).env("PATH", self.fake.path()).output().unwrap())
    }

    fn turn(&self) -> String {
        self.run(&["turn", "worker", "Go"]).ok().trim().to_owned()
    }

    fn events(&self, job: &str) -> Vec<Value> {
        let told = self.run(&["--json", "events", job]);
        told.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn said(&self, job: &str) -> Vec<String> {
        let mine = self.events(job).into_iter();
        let mine = mine.filter(|event| event["kind"] == "log" && event["from"] == "agent");
        mine.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// It has ended once, and its entries are numbered without a gap.
    fn assert_whole(&self, job: &str) {
        let events = self.events(job);
        assert_eq!(events.iter().filter(|event| event["kind"] == "ended").count(), 1);
        let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    }
}

#[test]
fn what_an_agent_says_and_how_it_ends_on_a_full_disk_is_recorded_once_there_is_room() {
    let stage = Stage::new();
    let gone = stage.home().work().join("gone");
    stage.fake.script(
        "claude",
        &format!("say before\nawait ../go\nsay after\ntouch {}\ndone all", gone.display()),
    );
    let daemon = stage.home().daemon_pid();
    let job = stage.turn();
    eventually("it has spoken", || stage.said(&job) == ["before"]);
    stage.small.fill();
    stage.home().write("../go", "");
    eventually("it has gone on", || gone.exists());
    let refused = stage.run(&["turn", "worker", "More"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(stage.home().daemon_pid(), daemon, "the daemon died of a full disk");
    stage.small.make_room();
    let ended = stage.home().until(&job, "ended");
    assert_eq!((&ended["outcome"]["kind"], &ended["attempt"]), (&"succeeded".into(), &1.into()));
    assert_eq!(stage.said(&job), ["before", "after", "all"]);
    stage.assert_whole(&job);
    let next = stage.turn();
    assert_eq!(stage.home().until(&next, "ended")["outcome"]["kind"], "succeeded");
    assert_eq!(stage.fake.calls("claude").len(), 2);
    assert_eq!(stage.home().daemon_pid(), daemon);
}

#[test]
fn an_agent_that_fills_the_disk_itself_ends_once_and_what_it_wrote_is_there_once() {
    let stage = Stage::new();
    // Room for the daemon to come back to; what is left is the agent's to fill.
    let ballast = stage.home().path().join("ballast");
    std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    stage.fake.script("claude", "await ../go\nevents 60000 200\ndone all");
    let job = stage.turn();
    let pid = stage.home().until(&job, "running")["pid"].as_i64().unwrap();
    stage.home().write("../go", "");
    let process = PathBuf::from(format!("/proc/{pid}"));
    eventually("the agent has given up", || !process.exists());
    std::fs::remove_file(&ballast).unwrap();
    let ended = stage.home().until(&job, "ended");
    assert_ne!(ended["outcome"]["kind"], "succeeded", "{ended}");
    stage.assert_whole(&job);
    let said = stage.said(&job);
    let mut once = said.clone();
    once.dedup();
    assert_eq!(once.len(), said.len());
}
