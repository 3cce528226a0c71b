//! One life: what happens, by time, and each step of the engine.

use super::bodies::Body;
use super::clients::Client;
use super::ghosts::Ghosts;
use super::rows::{Rows, Stood};
use super::tally::Tally;
use crate::random::Random;
use crate::system::System;
use longhaul_core::command::{Command, Place, Reply, Retention, Want};
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::{HostId, JobId, SessionId};
use longhaul_core::limits;
use longhaul_core::port::Store;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// When faults end.
const CALM_FROM: u64 = 60_000;
/// When all jobs have ended, and everybody who is there was told.
const SETTLED_AT: u64 = CALM_FROM + 70_000;
/// When everything must be over.
const OVER_AT: u64 = SETTLED_AT + 90_000;
/// The kind of all bodies.
pub(super) const KIND: &str = "work";

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which, in words.
    pub law: &'static str,
    /// What happened.
    pub what: String,
    /// The life it happened in.
    pub seed: u64,
    /// When.
    pub at: u64,
}

/// What is to happen.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// A client does something.
    Client(usize),
    /// A report that was late, of this process.
    Report(Box<Command>, u64),
    Want(Want, u64),
    Tells(JobId, u32, u64),
    Delegates(JobId, u32, u64),
    Returns(JobId, u32, u64),
    Crash,
    Up,
    Sleep(u64),
    /// All jobs are to end.
    Cancel,
    /// All jobs have ended.
    Settled,
}

/// A life that is being lived.
pub struct Life {
    pub(super) seed: u64,
    pub(super) random: Random,
    store: Box<dyn Store>,
    engine: Engine,
    pub(super) at: u64,
    /// Which process has the home.
    pub(super) process: u64,
    pub(super) is_up: bool,
    reconcile_at: u64,
    due_at: Option<u64>,
    queue: BTreeMap<(u64, u64), Next>,
    pub(super) numbered: u64,
    pub(super) clients: Vec<Client>,
    pub(super) bodies: BTreeMap<(JobId, u32), Body>,
    pub(super) rows: Rows,
    pub(super) ghosts: Ghosts,
    /// What each number of each session ever stood for.
    pub(super) stood: BTreeMap<SessionId, BTreeMap<u64, Stood>>,
    /// Whoever followed a job when it ended.
    pub(super) told_to_end: BTreeSet<(SessionId, JobId)>,
    /// Whoever left a job.
    pub(super) left: BTreeSet<(SessionId, JobId)>,
    pub(super) trimmed: BTreeSet<SessionId>,
    pub(super) old_tokens: BTreeSet<String>,
    pub(super) runs_max: u32,
    pub(super) tally: Tally,
    is_settled: bool,
}

impl Life {
    /// Lives the life of this seed over a store.
    ///
    /// # Errors
    /// The first law that was broken.
    pub fn play(
        seed: u64,
        store: Box<dyn Store>,
        system: &mut dyn System,
    ) -> Result<Tally, Broken> {
        let mut life = Self::new(seed, store);
        life.write();
        while let Some(at) = life.next_at().filter(|at| *at <= OVER_AT) {
            life.at = life.at.max(at);
            life.turn(system)?;
        }
        life.check_kept()?;
        life.check_stories()?;
        life.at_rest()?;
        Ok(life.tally)
    }

    fn new(seed: u64, store: Box<dyn Store>) -> Self {
        let host = HostId::parse("host_00000000000000000000000001").expect("26 digits");
        let keep = Millis::from_secs(24 * 3_600);
        let retention = Retention { keep, keep_failed: keep, jobs_max: 1_000, bytes_max: 1 << 40 };
        let boot = "boot".to_owned();
        let place = Place { host, boot, default_slots: 6, retention, adopt_after: None };
        // Few enough that feeds are cut in some lives.
        let runs_max = if seed.is_multiple_of(3) { 4 } else { limits::FEED_RUNS_MAX };
        Self {
            seed,
            random: Random::new(seed),
            store,
            engine: Engine::new(place).keeping_runs(runs_max),
            at: 0,
            process: 0,
            is_up: false,
            reconcile_at: 0,
            due_at: None,
            queue: BTreeMap::new(),
            numbered: 0,
            clients: Vec::new(),
            bodies: BTreeMap::new(),
            rows: Rows::default(),
            ghosts: Ghosts::default(),
            stood: BTreeMap::new(),
            told_to_end: BTreeSet::new(),
            left: BTreeSet::new(),
            trimmed: BTreeSet::new(),
            old_tokens: BTreeSet::new(),
            runs_max,
            tally: Tally::default(),
            is_settled: false,
        }
    }

    /// Writes who there is and what breaks.
    fn write(&mut self) {
        self.push(0, Next::Up);
        for number in 0..self.random.between(3, 6) {
            let client = Client::new(number, &mut self.random);
            self.push(10 + number, Next::Client(self.clients.len()));
            self.clients.push(client);
        }
        for _ in 0..self.random.below(4) {
            let at = self.random.between(1, CALM_FROM);
            self.push(at, Next::Crash);
        }
        for _ in 0..self.random.below(3) {
            let (at, span) = (self.random.between(1, CALM_FROM), self.random.below(20_000));
            self.push(at, Next::Sleep(1 + span));
        }
        self.push(CALM_FROM + 25_000, Next::Cancel);
        self.push(SETTLED_AT, Next::Settled);
    }

    pub(super) fn push(&mut self, at: u64, next: Next) {
        self.numbered += 1;
        self.queue.insert((at, self.numbered), next);
    }

    pub(super) fn push_in(&mut self, span: u64, next: Next) {
        self.push(self.at + span, next);
    }

    pub(super) const fn is_calm(&self) -> bool {
        self.at >= CALM_FROM
    }

    /// Whether clients are to leave.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether a fault of this percentage happens.
    pub(super) fn fails(&mut self, percent: u64) -> bool {
        !self.is_calm() && self.random.chance(percent)
    }

    fn next_at(&self) -> Option<u64> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let own = self.is_up.then_some(self.reconcile_at.min(self.due_at.unwrap_or(u64::MAX)));
        queued.into_iter().chain(own).min()
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.at).expect("a life is short"))
    }

    fn turn(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let first = self.queue.first_key_value().map(|(key, _)| *key);
        if let Some(key) = first.filter(|(at, _)| *at <= self.at) {
            let next = self.queue.remove(&key).expect("it was just seen");
            return self.happens(next, system);
        }
        if self.due_at.is_some_and(|due| due <= self.at) {
            return self.step(Vec::new(), system).map(|_| ());
        }
        self.reconcile_at = self.at + RECONCILE_EVERY.get() * if self.is_calm() { 4 } else { 1 };
        let now = self.now();
        let step =
            system.reconcile(&self.engine, &mut *self.store, now).expect("the store is sound");
        self.committed(&[], &step)
    }

    fn happens(&mut self, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        let is_now = |process: u64| self.is_up && process == self.process;
        match next {
            Next::Client(index) => return self.client(index, system),
            Next::Report(report, process) if is_now(process) => {
                // Whoever saw a connection end says so until it is taken.
                if self.step(vec![(*report).clone()], system)?.is_none() {
                    self.push_in(500, Next::Report(report, process));
                }
            }
            Next::Want(want, process) if is_now(process) => return self.drive(want, system),
            Next::Tells(job, attempt, process) if is_now(process) => {
                return self.tells(&job, attempt, system);
            }
            Next::Delegates(job, attempt, process) if is_now(process) => {
                return self.delegates(&job, attempt, system);
            }
            Next::Returns(job, attempt, process) if is_now(process) => {
                return self.returns(&job, attempt, system);
            }
            Next::Report(..)
            | Next::Want(..)
            | Next::Tells(..)
            | Next::Delegates(..)
            | Next::Returns(..) => {}
            Next::Crash => self.crash(),
            Next::Up => return self.up(system),
            Next::Sleep(span) if self.is_up => return self.sleep(span, system),
            Next::Sleep(_) => {}
            Next::Cancel => return self.cancel_all(system),
            Next::Settled => {
                let open = self.rows.jobs.values().find(|job| job.outcome().is_none());
                self.holds("all jobs end", open.is_none(), || format!("{open:?}"))?;
                self.is_settled = true;
            }
        }
        Ok(())
    }

    /// The process dies: whoever was connected is not, and nobody hears of it.
    pub(super) fn crash(&mut self) {
        if !self.is_up {
            return;
        }
        self.tally.crashes += 1;
        self.is_up = false;
        self.bodies.clear();
        self.clients.iter_mut().for_each(Client::lose);
        let down = self.random.between(1, 8_000);
        self.push_in(down, Next::Up);
    }

    fn up(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        (self.is_up, self.reconcile_at) = (true, self.at);
        self.process += 1;
        let up = Command::HostUp { name: "here".to_owned() };
        self.step(vec![up], system)?;
        self.step(vec![Command::KindUp { kind: KIND.to_owned() }], system).map(|_| ())
    }

    /// The lid is closed for so long. That comes before anything else is heard.
    fn sleep(&mut self, span: u64, system: &mut dyn System) -> Result<(), Broken> {
        self.at += span;
        let is_away = |ghost: &super::ghosts::Ghost| !ghost.is_over && ghost.until.is_some();
        self.tally.slept += u64::from(self.ghosts.sessions.values().any(is_away));
        self.step(vec![Command::Woke { slept: Millis::new(span) }], system).map(|_| ())
    }

    fn cancel_all(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let open = self.rows.jobs.values().filter(|job| job.outcome().is_none());
        let open: Vec<JobId> = open.map(|job| job.id.clone()).collect();
        for job in open {
            let ask = Command::Cancel { job, reason: None, by_force: false, tree: true };
            self.step(vec![ask], system)?;
        }
        Ok(())
    }

    /// One step; nothing of it if its commit fails, as some do.
    pub(super) fn step(
        &mut self,
        batch: Vec<Command>,
        system: &mut dyn System,
    ) -> Result<Option<Step>, Broken> {
        let is_sure = |command: &Command| {
            matches!(
                command,
                Command::HostUp { .. } | Command::KindUp { .. } | Command::Woke { .. }
            )
        };
        if !batch.iter().any(is_sure) && self.fails(5) {
            self.tally.failed_commits += 1;
            self.due_at = self.due_at.map(|due| due.max(self.at + 100));
            return Ok(None);
        }
        let now = self.now();
        let told = batch.clone();
        let step =
            system.step(&self.engine, &mut *self.store, batch, now).expect("the store is sound");
        self.committed(&told, &step)?;
        Ok(Some(step))
    }

    fn committed(&mut self, batch: &[Command], step: &Step) -> Result<(), Broken> {
        self.due_at = step.next_due.map(|due| u64::try_from(due.as_millis()).unwrap_or(0));
        let before = self.rows.remember();
        let mut reader = self.store.reader().expect("the store is sound");
        self.rows.read(&mut *reader, &step.changed, step.head.0.is_multiple_of(8));
        drop(reader);
        self.check(&before, batch, step)?;
        for want in &step.tasks {
            if !self.fails(12) {
                let late = if self.fails(15) { self.random.below(3_000) } else { 0 };
                self.push_in(late, Next::Want(want.clone(), self.process));
            }
        }
        Ok(())
    }

    /// Whether the first answer of a step is this one.
    pub(super) fn is_attached(step: &Step) -> bool {
        matches!(step.replies[0], Ok(Reply::Attached { .. }))
    }
}
