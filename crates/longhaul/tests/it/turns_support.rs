//! An agent of a daemon in this process, whose CLI does as a test tells it.

use crate::agents_support::FakeAgents;
use crate::daemon_support::{Place, submission, until};
use longhaul::daemon::{Daemon, Ports};
use longhaul_agents::Event;
use longhaul_core::agent::{Agent, AgentSpec};
use longhaul_core::command::{Command, Known, Reply, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Position, Record, Table};
use longhaul_core::spec::{Environment, EnvironmentOrigin, JobSpec};
use longhaul_core::turn::Turn;
use std::collections::BTreeMap;

/// A home, the agent CLIs on its path, and where they work.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) fake: FakeAgents,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let fake = FakeAgents::within(&place.root.path().join("agents"));
        std::fs::create_dir(place.root.path().join("work")).unwrap();
        Self { place, fake }
    }

    pub(crate) fn start(&self) -> Daemon {
        self.place.start()
    }

    pub(crate) fn cwd(&self) -> String {
        self.place.root.path().join("work").to_str().unwrap().to_owned()
    }

    /// An agent of this kind, called after it.
    pub(crate) fn agent(&self, kind: &str) -> AgentSpec {
        let extra = if matches!(kind, "acp" | "ndjson" | "plain") {
            vec![self.fake.program(if kind == "plain" { "aider" } else { kind })]
        } else {
            vec![]
        };
        let (name, kind, cwd) = (kind.to_owned(), kind.to_owned(), self.cwd());
        AgentSpec { name, kind, cwd, extra, ..AgentSpec::default() }
    }

    /// What the agent's owner has in its environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let path = self.fake.path().into_string().unwrap();
        let home = self.place.root.path().to_str().unwrap().to_owned();
        [("PATH".to_owned(), path), ("HOME".to_owned(), home)].into()
    }

    pub(crate) async fn add(&self, ports: &Ports, spec: AgentSpec) {
        let environment = Environment(self.environment());
        let add = Command::AddAgent { spec: Box::new(spec), environment, replace: false };
        assert_eq!(ports.engine.ask(add).await.unwrap(), Reply::Done);
    }

    /// A turn of the agent of this kind.
    pub(crate) fn turn(&self, kind: &str, prompt: &str) -> Submission {
        let (agent, prompt) = (kind.to_owned(), prompt.to_owned());
        let environment = EnvironmentOrigin { inherited: false, set: vec![], names: vec![] };
        let spec = JobSpec {
            lane: Some(Agent::lane(&agent)),
            turn: Some(Turn { agent, prompt, ..Turn::default() }),
            environment,
            ..JobSpec::new(vec![kind.to_owned()], self.cwd())
        };
        Submission { environment: Environment(BTreeMap::new()), ..submission(spec) }
    }
}

pub(crate) async fn submit(ports: &Ports, submission: Submission) -> JobId {
    let id = submission.id.clone();
    let reply = ports.engine.ask(Command::Submit(vec![submission])).await.unwrap();
    assert_eq!(reply, Reply::Submitted(vec![(id.clone(), Known::Not)]));
    id
}

pub(crate) async fn ended(ports: &Ports, id: &JobId) -> Job {
    until(ports, id, |job| job.outcome().is_some()).await
}

/// What a turn said, as far as it is in the journal.
pub(crate) async fn said(ports: &Ports, id: &JobId) -> Vec<Event> {
    let job = id.as_str().to_owned();
    let read = ports.readers.read(move |reader| reader.events(Some(&job), Position(0), 1_000_000));
    let entries = read.await.unwrap();
    entries.iter().filter_map(|entry| serde_json::from_str(&entry.body).ok()).collect()
}

/// The text of all that the agent said.
pub(crate) async fn messages(ports: &Ports, id: &JobId) -> Vec<String> {
    let said = said(ports, id).await;
    let texts = said.into_iter().filter_map(|event| match event {
        Event::Log { message, .. } => Some(message),
        _ => None,
    });
    texts.collect()
}

pub(crate) async fn agent(ports: &Ports, name: &str) -> Agent {
    let name = name.to_owned();
    let read = ports.readers.read(move |reader| {
        let row = reader.load(Table::Agent, &name)?;
        Ok(row.as_ref().map(Agent::from_row).transpose()?)
    });
    read.await.unwrap().unwrap()
}
