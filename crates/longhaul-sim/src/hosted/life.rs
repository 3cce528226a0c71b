//! One life: what happens, by time, and each step of the engine.

use super::bodies::Body;
use super::family::Family;
use super::issuer::Issuer;
use super::rows::Rows;
use super::tally::Tally;
use super::vault::Vault;
use crate::course::{Broken, Course, Here, Turn};
use crate::system::System;
use longhaul_core::command::{Command, Want};
use longhaul_core::credential::Issue;
use longhaul_core::engine::{Engine, Step};
use longhaul_core::id::{ConnectionId, JobId, SessionId};
use longhaul_core::port::Store;
use longhaul_core::time::Millis;
use std::collections::BTreeMap;

/// When faults end.
const CALM_FROM: u64 = 70_000;
/// When all jobs have ended.
const SETTLED_AT: u64 = CALM_FROM + 70_000;
/// When everything must be over, where issuers do as they are asked.
const OVER_AT: u64 = SETTLED_AT + 100_000;
/// When a person looks after credentials that could not be revoked, and when all lives are over.
const MORNING: u64 = 39 * 3_600_000;
/// The kind of all bodies.
pub(super) const KIND: &str = "work";
/// What the one session has agreed on, and the other has not.
const FEATURES: [&str; 2] = ["provisioned_credentials", "result_chunk"];
/// How long the rows of jobs that have ended are kept.
pub(super) const KEEP: u64 = 30_000;

/// What is to happen.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Somebody asks for a job, or for the end of one.
    Person,
    Want(Want),
    Issue(Issue),
    /// What was asked of an issuer comes to something.
    Takes(Issue, u64),
    /// How that went is heard.
    Tried(Issue, Box<Command>),
    /// It is said once more.
    Late(Box<Command>),
    /// What could not be revoked is tried once more.
    Morning,
    Acts(JobId, u32),
    Returns(JobId, u32),
    /// All jobs are to end.
    Cancel,
    /// All jobs have ended.
    Settled,
}

/// A life that is being lived.
pub struct Life {
    pub(super) course: Course<Next>,
    /// How long machines have slept, in all.
    pub(super) slept: u64,
    /// The sessions that jobs are asked for through.
    pub(super) sessions: Vec<SessionId>,
    pub(super) bodies: BTreeMap<(JobId, u32), Body>,
    pub(super) rows: Rows,
    pub(super) family: Family,
    pub(super) issuer: Issuer,
    pub(super) vault: Vault,
    pub(super) tally: Tally,
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
        let over_at = if life.stubborn_until() == 0 { OVER_AT } else { MORNING + 100_000 };
        while life.course.goes_on(over_at) {
            life.turn(system)?;
        }
        life.at_rest()?;
        life.nothing_is_good()?;
        life.tally.crashes = life.course.crashes;
        life.tally.failed_commits = life.course.failed_commits;
        Ok(life.tally)
    }

    fn new(seed: u64, store: Box<dyn Store>) -> Self {
        let engine = |host| Engine::new(Course::<Next>::place(host, 200, Millis::new(KEEP)));
        let session = |number: u64| SessionId::parse(&format!("sess_{number:026}"));
        let sessions = (1..3).map(|number| session(number).expect("26 digits")).collect();
        Self {
            course: Course::new(seed, store, CALM_FROM, engine),
            slept: 0,
            sessions,
            bodies: BTreeMap::new(),
            rows: Rows::default(),
            family: Family::default(),
            issuer: Issuer::default(),
            vault: Vault::default(),
            tally: Tally::default(),
        }
    }

    /// Writes who there is.
    fn write(&mut self) {
        self.course.at(10, Next::Person);
        self.course.at(CALM_FROM + 25_000, Next::Cancel);
        self.course.at(SETTLED_AT, Next::Settled);
        if self.stubborn_until() < MORNING {
            self.course.at(MORNING, Next::Morning);
        }
    }

    /// Whether this is a life in which bodies delegate as much as they may.
    pub(super) const fn is_broad(&self) -> bool {
        self.course.seed % 40 == 3
    }

    /// Whether this is a life in which each delegates to the next, as far as that goes.
    pub(super) const fn is_deep(&self) -> bool {
        self.course.seed % 40 == 13
    }

    fn turn(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        // The night is long, and little is lost in it.
        let every = match self.course.at {
            OVER_AT.. => 720,
            _ if self.course.is_calm() => 4,
            _ => 1,
        };
        match self.course.turn(every) {
            Turn::Anyway(next) => self.happens(next, system),
            Turn::Of(here, next) => self.does(here, next, system),
            Turn::Crash(host) => {
                self.crash(host);
                Ok(())
            }
            Turn::Up(host) => self.up(host, system),
            Turn::Woke(host, span) => {
                self.slept += span;
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
            Next::Person => self.person(system),
            Next::Takes(wanted, value) => {
                self.takes(&wanted, value);
                Ok(())
            }
            Next::Morning => self.asks(Command::RetryRevoking, system),
            Next::Cancel => self.cancel_all(system),
            Next::Settled => {
                let open = self.rows.open().next();
                self.holds("all jobs end", open.is_none(), || format!("{open:?}"))
            }
            other => unreachable!("{other:?} is of a process"),
        }
    }

    /// A process does what it was about to do.
    fn does(&mut self, here: Here, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        match next {
            Next::Want(want) => self.drive(here, want, system),
            Next::Acts(job, attempt) => self.acts(here, &job, attempt, system),
            Next::Returns(job, attempt) => self.returns(here, &job, attempt, system),
            Next::Issue(wanted) => {
                self.issue(here, wanted);
                Ok(())
            }
            Next::Tried(wanted, report) => self.tried(here, &wanted, *report, system),
            Next::Late(report) => self.step(here.host, vec![*report], system).map(drop),
            other => unreachable!("{other:?} is of no process"),
        }
    }

    /// The process of a host dies, and with it all its bodies; nobody hears of it.
    fn crash(&mut self, host: usize) {
        self.course.crash(host);
        self.bodies.retain(|_, body| body.here.host != host);
        self.issuer.forget(host);
    }

    fn up(&mut self, host: usize, system: &mut dyn System) -> Result<(), Broken> {
        let up = Command::HostUp { name: "here".to_owned() };
        self.step(host, vec![up], system)?;
        let mut batch = Vec::new();
        if host == 0 && self.course.processes(0) == 1 {
            for (session, features) in self.sessions.clone().into_iter().zip([&FEATURES[..], &[]]) {
                let open = self.open(session, features);
                batch.push(open);
            }
        }
        batch.push(Command::KindUp { kind: KIND.to_owned() });
        self.step(host, batch, system).map(drop)
    }

    fn open(&mut self, session: SessionId, features: &[&str]) -> Command {
        self.course.numbered += 1;
        let connection = ConnectionId::parse(&format!("conn_{:026}", self.course.numbered));
        Command::OpenSession {
            token_sha256: session.as_str().to_owned(),
            session,
            principal: "alice".to_owned(),
            is_operator: false,
            client: "simulated".to_owned(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
            window: Millis::from_secs(1_000_000),
            connection: connection.expect("26 digits"),
        }
    }

    fn cancel_all(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let open: Vec<JobId> = self.rows.open().map(|job| job.id.clone()).collect();
        for job in open {
            let ask = Command::Cancel { job, reason: None, by_force: false, tree: true };
            self.asks(ask, system)?;
        }
        Ok(())
    }

    /// Somebody asks whichever host would answer.
    pub(super) fn asks(&mut self, ask: Command, system: &mut dyn System) -> Result<(), Broken> {
        let Some(host) = self.course.some_host() else { return Ok(()) };
        self.step(host, vec![ask], system).map(drop)
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
        let before = self.rows.clone();
        let mut reader = self.course.store().reader().expect("the store is sound");
        let written = self.rows.read(&mut *reader, &step.changed);
        drop(reader);
        self.check((&before, host), batch, step, &written)?;
        let here = self.course.here(host);
        let wants = step.tasks.iter().map(|want| Next::Want(want.clone()));
        let issues = step.issue.iter().map(|issue| Next::Issue(issue.clone()));
        for next in wants.chain(issues) {
            if !self.course.fails(12) {
                let late = if self.course.fails(15) { self.course.random.below(3_000) } else { 0 };
                self.course.later(here, late, next);
            }
        }
        Ok(())
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
