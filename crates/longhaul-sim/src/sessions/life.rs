//! One life: what happens, by time, and each step of the engine.

use super::bodies::Body;
use super::clients::Client;
use super::edge::Asked;
use super::ghosts::{Ghost, Ghosts};
use super::rows::{Rows, Stood};
use super::tally::Tally;
use crate::course::{Broken, Course, Here, Turn};
use crate::system::System;
use longhaul_core::command::{Command, Reply, Want};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::limits;
use longhaul_core::port::Store;
use longhaul_core::time::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// When faults end.
const CALM_FROM: u64 = 60_000;
/// When all jobs have ended, and everybody who is there was told.
const SETTLED_AT: u64 = CALM_FROM + 70_000;
/// When everything must be over.
const OVER_AT: u64 = SETTLED_AT + 90_000;
/// The kind of all bodies.
pub(super) const KIND: &str = "work";

/// What is to happen.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// A client does something.
    Client(usize),
    /// A report that was late.
    Report(Box<Command>),
    Want(Want),
    Tells(JobId, u32),
    Delegates(JobId, u32),
    Returns(JobId, u32),
    /// The edge looks what an ask came to.
    Looks(usize),
    /// All jobs are to end.
    Cancel,
    /// All jobs have ended.
    Settled,
}

/// A life that is being lived.
pub struct Life {
    pub(super) course: Course<Next>,
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
    /// Asks for jobs that were answered.
    pub(super) asked: Vec<Asked>,
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
        while life.course.goes_on(OVER_AT) {
            life.turn(system)?;
        }
        life.check_kept()?;
        life.check_stories()?;
        life.at_rest()?;
        life.tally.crashes = life.course.crashes;
        life.tally.failed_commits = life.course.failed_commits;
        Ok(life.tally)
    }

    fn new(seed: u64, store: Box<dyn Store>) -> Self {
        // Few enough that feeds are cut in some lives.
        let runs_max = if seed.is_multiple_of(3) { 4 } else { limits::FEED_RUNS_MAX };
        // Whoever is away for long comes back to what was removed.
        let keep = Millis::from_secs(if seed % 8 < 4 { 24 * 3_600 } else { 15 });
        let engine = |host| {
            let place = Course::<Next>::place(host, 6, keep);
            Engine::new(place).keeping_runs(runs_max)
        };
        Self {
            course: Course::new(seed, store, CALM_FROM, engine),
            clients: Vec::new(),
            bodies: BTreeMap::new(),
            rows: Rows::default(),
            ghosts: Ghosts::default(),
            stood: BTreeMap::new(),
            told_to_end: BTreeSet::new(),
            left: BTreeSet::new(),
            trimmed: BTreeSet::new(),
            old_tokens: BTreeSet::new(),
            asked: Vec::new(),
            runs_max,
            tally: Tally::default(),
            is_settled: false,
        }
    }

    /// Writes who there is.
    fn write(&mut self) {
        for number in 0..self.course.random.between(3, 6) {
            let client = Client::new(number, &mut self.course.random);
            self.course.at(10 + number, Next::Client(self.clients.len()));
            self.clients.push(client);
        }
        self.course.at(CALM_FROM + 25_000, Next::Cancel);
        self.course.at(SETTLED_AT, Next::Settled);
    }

    /// Whether clients are to leave.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_settled
    }

    fn turn(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        match self.course.turn(if self.course.is_calm() { 4 } else { 1 }) {
            Turn::Anyway(next) => self.happens(next, system),
            Turn::Of(here, next) => self.does(here, next, system),
            Turn::Crash(host) => {
                self.crash(host);
                Ok(())
            }
            Turn::Up(host) => self.up(host, system),
            Turn::Woke(host, span) => {
                let is_away = |ghost: &Ghost| !ghost.is_over && ghost.until.is_some();
                self.tally.slept += u64::from(self.ghosts.sessions.values().any(is_away));
                let woke = Command::Woke { slept: Millis::new(span) };
                self.step(host, vec![woke], system).map(drop)
            }
            Turn::Due(host) => self.step(host, Vec::new(), system).map(drop),
            Turn::Look(host) => {
                let step = self.course.look(host, system);
                self.committed(host, &[], &step)
            }
            Turn::Nothing => Ok(()),
        }
    }

    fn happens(&mut self, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        match next {
            Next::Client(index) => self.client(index, system),
            Next::Cancel => self.cancel_all(system),
            Next::Settled => {
                let open = self.rows.jobs.values().find(|job| job.outcome().is_none());
                self.holds("all jobs end", open.is_none(), || format!("{open:?}"))?;
                self.is_settled = true;
                Ok(())
            }
            other => unreachable!("{other:?} is of a process"),
        }
    }

    /// A process does what it was about to do.
    fn does(&mut self, here: Here, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        match next {
            Next::Report(report) => {
                // Whoever saw a connection end says so until it is taken.
                if self.step(here.host, vec![(*report).clone()], system)?.is_none() {
                    self.course.later(here, 500, Next::Report(report));
                }
                Ok(())
            }
            Next::Want(want) => self.drive(here, want, system),
            Next::Tells(job, attempt) => self.tells(here, &job, attempt, system),
            Next::Delegates(job, attempt) => self.delegates(here, &job, attempt, system),
            Next::Returns(job, attempt) => self.returns(here, &job, attempt, system),
            Next::Looks(number) => self.looks(here, number, system),
            other => unreachable!("{other:?} is of no process"),
        }
    }

    /// The process of a host dies: whoever was connected to it is not, and nobody hears of it.
    pub(super) fn crash(&mut self, host: usize) {
        self.course.crash(host);
        self.bodies.retain(|_, body| body.here.host != host);
        self.clients.iter_mut().filter(|client| client.host == host).for_each(Client::lose);
    }

    fn up(&mut self, host: usize, system: &mut dyn System) -> Result<(), Broken> {
        let up = Command::HostUp { name: "here".to_owned() };
        self.step(host, vec![up], system)?;
        let kind = Command::KindUp { kind: KIND.to_owned() };
        self.step(host, vec![kind], system).map(drop)
    }

    fn cancel_all(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let open = self.rows.jobs.values().filter(|job| job.outcome().is_none());
        let open: Vec<JobId> = open.map(|job| job.id.clone()).collect();
        for job in open {
            let ask = Command::Cancel { job, reason: None, by_force: false, tree: true };
            let host = self.course.some_host().expect("faults have ended");
            self.step(host, vec![ask], system)?;
        }
        Ok(())
    }

    /// One step; nothing of it where nobody is there or its commit fails. The process may die of it,
    /// so that nobody hears what was committed.
    pub(super) fn step(
        &mut self,
        host: usize,
        batch: Vec<Command>,
        system: &mut dyn System,
    ) -> Result<Option<Step>, Broken> {
        let told = batch.clone();
        let Some(step) = self.course.step(host, batch, system) else { return Ok(None) };
        self.committed(host, &told, &step)?;
        if self.course.dies() {
            self.tally.died_of_it += 1;
            self.crash(host);
            return Ok(None);
        }
        Ok(Some(step))
    }

    fn committed(&mut self, host: usize, batch: &[Command], step: &Step) -> Result<(), Broken> {
        let before = self.rows.remember();
        let mut reader = self.course.store().reader().expect("the store is sound");
        self.rows.read(&mut *reader, &step.changed, step.head.0.is_multiple_of(8));
        drop(reader);
        self.check(&before, (host, batch), step)?;
        let here = self.course.here(host);
        for want in &step.tasks {
            if !self.course.fails(12) {
                let late = if self.course.fails(15) { self.course.random.below(3_000) } else { 0 };
                self.course.later(here, late, Next::Want(want.clone()));
            }
        }
        Ok(())
    }

    /// Whether the first answer of a step is this one.
    pub(super) fn is_attached(step: &Step) -> bool {
        matches!(step.replies[0], Ok(Reply::Attached { .. }))
    }

    pub(super) fn holds(
        &self,
        law: &'static str,
        is_so: bool,
        what: impl FnOnce() -> String,
    ) -> Result<(), Broken> {
        self.course.holds(law, is_so, what)
    }
}
