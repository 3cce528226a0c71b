//! A home with sessions, for tests that go through the engine: commands in, and what each session was
//! told out, read back as a server reads it.

use longhaul_core::command::{
    Command, Entry, Exit, How, Place, Refused, Reply, Retention, Submission,
};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::event::Fact;
use longhaul_core::feed::{FeedRow, Told};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::{ConnectionId, HostId, JobId, SessionId};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Position, Record, Store, Table};
use longhaul_core::restore::{Remains, restore};
use longhaul_core::session::{Resume, Session};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_store::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn job(number: u32) -> JobId {
    JobId::parse(&format!("job_{number:026}")).expect("26 digits")
}

pub(crate) fn session(number: u32) -> SessionId {
    SessionId::parse(&format!("sess_{number:026}")).expect("26 digits")
}

pub(crate) fn connection(number: u32) -> ConnectionId {
    ConnectionId::parse(&format!("conn_{number:026}")).expect("26 digits")
}

/// How long sessions can be resumed here.
pub(crate) const WINDOW: Millis = limits::SESSION_WINDOW_DEFAULT;

/// A home, and its clock.
pub(crate) struct Home {
    engine: Engine,
    /// That of another host.
    other: Engine,
    store: MemoryStore,
    pub(crate) now: Timestamp,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::keeping_runs(limits::FEED_RUNS_MAX)
    }

    /// One that keeps so many runs of a session in rows.
    pub(crate) fn keeping_runs(most: u32) -> Self {
        let keep = Millis::from_secs(1 << 30);
        let retention =
            Retention { keep, keep_failed: keep, jobs_max: 1 << 40, bytes_max: 1 << 40 };
        let engine = |number: u32| {
            let host = HostId::parse(&format!("host_{number:026}")).expect("26 digits");
            let (boot, adopt_after, retention) = ("boot".to_owned(), None, retention.clone());
            let place = Place { host, boot, default_slots: 1_000, retention, adopt_after };
            Engine::new(place).keeping_runs(most)
        };
        let now = Timestamp::from_millis(1_000_000);
        let (engine, other) = (engine(1), engine(2));
        let mut home = Self { engine, other, store: MemoryStore::new(), now };
        home.up();
        home
    }

    /// The same at another host, over the same store.
    pub(crate) fn ask_other(&mut self, command: Command) -> Result<Reply, Refused> {
        let step = self.other.step(&mut self.store, vec![command], self.now);
        step.expect("memory is sound").replies.remove(0)
    }

    /// The daemon comes up.
    pub(crate) fn up(&mut self) {
        self.ask(Command::HostUp { name: "here".into() }).expect("that is never refused");
    }

    /// What the journal has for those who look afterwards.
    pub(crate) fn audit(&self) -> Vec<Fact> {
        let mut reader = self.store.reader().expect("memory");
        let events = reader.events(None, Position(0), 99_999).expect("memory");
        let facts = events.iter().map(|event| serde_json::from_str::<Fact>(&event.body));
        facts.map(|fact| fact.expect("it is a fact")).filter(Fact::is_audit).collect()
    }

    /// Changes the row of a job as many commands would.
    pub(crate) fn change(&mut self, number: u32, change: impl FnOnce(&mut Job)) {
        let mut changed = self.job(number);
        change(&mut changed);
        let mut tx = self.store.begin().expect("memory");
        tx.save(Table::Job, &changed.to_row(), false).expect("memory");
        tx.commit().expect("memory");
    }

    pub(crate) fn batch(&mut self, batch: Vec<Command>) -> Step {
        self.engine.step(&mut self.store, batch, self.now).expect("memory is sound")
    }

    pub(crate) fn reconcile(&mut self) -> Step {
        self.engine.reconcile(&mut self.store, self.now).expect("memory is sound")
    }

    pub(crate) fn ask(&mut self, command: Command) -> Result<Reply, Refused> {
        self.batch(vec![command]).replies.remove(0)
    }

    pub(crate) fn wait(&mut self, span: Millis) {
        self.now = self.now.plus(span);
        self.batch(Vec::new());
    }

    /// Opens session `number` of a principal on the connection of the same number.
    pub(crate) fn open(&mut self, number: u32, principal: &str) {
        self.open_with(number, principal, &["ack", "provisioned_credentials", "result_chunk"]);
    }

    pub(crate) fn open_with(&mut self, number: u32, principal: &str, features: &[&str]) {
        let opened = self.ask(Command::OpenSession {
            session: session(number),
            principal: principal.into(),
            is_operator: principal == "root",
            client: "test".into(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
            token_sha256: format!("token {number}"),
            window: WINDOW,
            connection: connection(number),
        });
        assert_eq!(opened, Ok(Reply::Attached { newest: 0, displaced: None }));
    }

    pub(crate) fn resume(
        &mut self,
        number: u32,
        token: &str,
        after: u64,
    ) -> Result<Reply, Refused> {
        self.ask(Command::ResumeSession(Box::new(Resume {
            session: session(number),
            principal: "alice".into(),
            is_operator: false,
            token_sha256: token.into(),
            next_sha256: format!("{token} next"),
            after,
            features: BTreeSet::new(),
            connection: connection(number + 100),
        })))
    }

    pub(crate) fn submission(number: u32, by: Option<u32>, owner: &str) -> Submission {
        let hosted = Hosted { agent: "echo".into(), input: "1".into(), ..Hosted::default() };
        let spec = JobSpec::new(vec!["true".into()], "/".into());
        Submission {
            id: job(number),
            spec: JobSpec { hosted: Some(Box::new(hosted)), ..spec },
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: Some(owner.into()),
            project: None,
            parent: None,
            retry_of: None,
            session: by.map(session),
        }
    }

    /// A session's principal asks for a job, and it runs.
    pub(crate) fn run(&mut self, number: u32, by: u32) {
        let asked = Self::submission(number, Some(by), "alice");
        self.ask(Command::Submit(vec![asked])).expect("it is accepted");
        let at = self.now;
        self.ask(Command::Started { job: job(number), attempt: 1, at, pid: 1 }).expect("it runs");
    }

    pub(crate) fn tell(number: u32, words: &[&str]) -> Command {
        let entry = |word: &&str| Entry {
            text: format!(r#"{{"kind":"told","name":"log","body":{{"message":"{word}"}}}}"#),
            charge: None,
            piece: None,
        };
        let entries = words.iter().map(entry).collect();
        Command::Tell { job: job(number), attempt: 1, entries }
    }

    pub(crate) fn exited(&self, number: u32) -> Command {
        let exit = Exit::bare(How::Exited(0), None, self.now);
        Command::Exited { job: job(number), attempt: 1, exit }
    }

    pub(crate) fn follow(
        &mut self,
        by: u32,
        number: u32,
        after: Option<u64>,
    ) -> Result<Reply, Refused> {
        self.ask(Command::Follow { session: session(by), job: job(number), after })
    }

    pub(crate) fn row<R: Record>(&self, id: &str) -> Option<R> {
        let row = self.store.reader().expect("memory").load(R::TABLE, id).expect("memory");
        row.map(|row| R::from_row(&row).expect("the engine wrote it"))
    }

    /// How many runs of a session lie in rows.
    pub(crate) fn feed_rows(&self, number: u32) -> usize {
        let mut reader = self.store.reader().expect("memory");
        let id = session(number);
        reader.rows(Table::Feed, Some(id.as_str()), "", 99_999).expect("memory").len()
    }

    pub(crate) fn session(&self, number: u32) -> Option<Session> {
        self.row(session(number).as_str())
    }

    pub(crate) fn job(&self, number: u32) -> Job {
        self.row(job(number).as_str()).expect("it is there")
    }

    /// Puts everything but the rows of these jobs into a new store, as after damage.
    pub(crate) fn mend(&mut self, gone: &[u32]) {
        let gone: Vec<JobId> = gone.iter().map(|number| job(*number)).collect();
        let mut remains = Remains::default();
        let mut reader = self.store.reader().expect("memory");
        for table in Table::ALL {
            for id in reader.ids(table, "", 9_999).expect("memory") {
                let row = reader.load(table, &id).expect("memory").expect("it was listed");
                if table != Table::Job || !gone.iter().any(|job| job.as_str() == id) {
                    remains.rows.push((table, row));
                }
            }
        }
        remains.events = reader.events(None, Position(0), 9_999).expect("memory");
        let restored = restore(remains);
        self.store = MemoryStore::new();
        let mut tx = self.store.begin().expect("memory");
        for (table, row) in &restored.rows {
            tx.save(*table, row, true).expect("what is restored obeys the rules");
        }
        tx.commit().expect("memory");
    }

    /// What the journal says of a job.
    pub(crate) fn journal(&self, number: u32) -> Vec<serde_json::Value> {
        let mut reader = self.store.reader().expect("memory");
        let found = reader.entries(job(number).as_str(), 1, 99_999).expect("memory");
        found.iter().map(|event| serde_json::from_str(&event.body).expect("it is JSON")).collect()
    }

    /// All that a session was told and can be told again: `number job what`.
    pub(crate) fn told(&self, number: u32) -> Vec<String> {
        let mut reader = self.store.reader().expect("memory");
        let id = session(number);
        let rows = reader.rows(Table::Feed, Some(id.as_str()), "", 99_999).expect("memory");
        let kept = rows.iter().map(|row| FeedRow::from_row(row).expect("the engine wrote it").run);
        let tail = self.session(number).and_then(|session| session.tail);
        let mut told = Vec::new();
        for run in kept.chain(tail) {
            for place in 0..run.count {
                told.push(match &run.what {
                    Told::Job { job, seq } => {
                        let found = reader.entries(job.as_str(), seq + place, 1).expect("memory");
                        let body: serde_json::Value =
                            serde_json::from_str(&found[0].body).expect("it is JSON");
                        let what =
                            body["body"]["message"].as_str().or_else(|| body["kind"].as_str());
                        let job = job.as_str().trim_start_matches("job_").trim_start_matches('0');
                        format!("{} {job} {}", run.first + place, what.unwrap_or_default())
                    }
                    Told::Lagging { .. } => format!("{} lagging", run.first),
                });
            }
        }
        told
    }
}
