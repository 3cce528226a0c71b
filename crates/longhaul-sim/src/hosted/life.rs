//! One life: what happens, by time, and each step of the engine.

use super::bodies::Body;
use super::family::Family;
use super::issuer::Issuer;
use super::rows::Rows;
use super::tally::Tally;
use super::vault::Vault;
use crate::random::Random;
use crate::sessions::Broken;
use crate::system::System;
use longhaul_core::command::{Command, Place, Retention, Want};
use longhaul_core::credential::Issue;
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::{ConnectionId, HostId, JobId, SessionId};
use longhaul_core::port::Store;
use longhaul_core::time::{Millis, Timestamp};
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
    Want(Want, u64),
    Issue(Issue, u64),
    /// What was asked of an issuer comes to something.
    Takes(Issue, u64),
    /// How that went is heard.
    Tried(Issue, Box<Command>, u64),
    /// It is said once more.
    Late(Box<Command>, u64),
    /// What could not be revoked is tried once more.
    Morning,
    Acts(JobId, u32, u64),
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
    /// How long the machine has slept, in all.
    pub(super) slept: u64,
    reconcile_at: u64,
    due_at: Option<u64>,
    queue: BTreeMap<(u64, u64), Next>,
    pub(super) numbered: u64,
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
        while let Some(at) = life.next_at().filter(|at| *at <= over_at) {
            life.at = life.at.max(at);
            life.turn(system)?;
        }
        life.at_rest()?;
        life.nothing_is_good()?;
        Ok(life.tally)
    }

    fn new(seed: u64, store: Box<dyn Store>) -> Self {
        let host = HostId::parse("host_00000000000000000000000001").expect("26 digits");
        let keep = Millis::new(KEEP);
        let retention = Retention { keep, keep_failed: keep, jobs_max: 1_000, bytes_max: 1 << 40 };
        let boot = "boot".to_owned();
        let place = Place { host, boot, default_slots: 200, retention, adopt_after: None };
        let session = |number: u64| SessionId::parse(&format!("sess_{number:026}"));
        let sessions = (1..3).map(|number| session(number).expect("26 digits")).collect();
        Self {
            seed,
            random: Random::new(seed),
            store,
            engine: Engine::new(place),
            at: 0,
            process: 0,
            is_up: false,
            slept: 0,
            reconcile_at: 0,
            due_at: None,
            queue: BTreeMap::new(),
            numbered: 0,
            sessions,
            bodies: BTreeMap::new(),
            rows: Rows::default(),
            family: Family::default(),
            issuer: Issuer::default(),
            vault: Vault::default(),
            tally: Tally::default(),
        }
    }

    /// Writes who there is and what breaks.
    fn write(&mut self) {
        self.push(0, Next::Up);
        self.push(10, Next::Person);
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
        if self.stubborn_until() < MORNING {
            self.push(MORNING, Next::Morning);
        }
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

    /// Whether a fault of this percentage happens.
    pub(super) fn fails(&mut self, percent: u64) -> bool {
        !self.is_calm() && self.random.chance(percent)
    }

    /// Whether this is a life in which bodies delegate as much as they may.
    pub(super) const fn is_broad(&self) -> bool {
        self.seed % 40 == 3
    }

    /// Whether this is a life in which each delegates to the next, as far as that goes.
    pub(super) const fn is_deep(&self) -> bool {
        self.seed % 40 == 13
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
        // The night is long, and little is lost in it.
        let seldom = if self.at > OVER_AT { 720 } else { 4 };
        self.reconcile_at =
            self.at + RECONCILE_EVERY.get() * if self.is_calm() { seldom } else { 1 };
        let now = self.now();
        let step =
            system.reconcile(&self.engine, &mut *self.store, now).expect("the store is sound");
        self.committed(&[], &step)
    }

    fn happens(&mut self, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        let is_now = |process: u64| self.is_up && process == self.process;
        match next {
            Next::Person => return self.person(system),
            Next::Want(want, process) if is_now(process) => return self.drive(want, system),
            Next::Acts(job, attempt, process) if is_now(process) => {
                return self.acts(&job, attempt, system);
            }
            Next::Returns(job, attempt, process) if is_now(process) => {
                return self.returns(&job, attempt, system);
            }
            Next::Issue(wanted, process) if is_now(process) => self.issue(wanted),
            Next::Takes(wanted, value) => self.takes(&wanted, value),
            Next::Tried(wanted, report, process) if is_now(process) => {
                return self.tried(&wanted, *report, system);
            }
            Next::Late(report, process) if is_now(process) => {
                return self.step(vec![*report], system).map(drop);
            }
            Next::Morning => return self.step(vec![Command::RetryRevoking], system).map(drop),
            Next::Want(..)
            | Next::Issue(..)
            | Next::Tried(..)
            | Next::Late(..)
            | Next::Acts(..)
            | Next::Returns(..) => {}
            Next::Crash => self.crash(),
            Next::Up => return self.up(system),
            Next::Sleep(span) if self.is_up => {
                (self.at, self.slept) = (self.at + span, self.slept + span);
                let woke = Command::Woke { slept: Millis::new(span) };
                return self.step(vec![woke], system).map(|_| ());
            }
            Next::Sleep(_) => {}
            Next::Cancel => return self.cancel_all(system),
            Next::Settled => {
                let open = self.rows.open().next();
                self.holds("all jobs end", open.is_none(), || format!("{open:?}"))?;
            }
        }
        Ok(())
    }

    /// The process dies, and with it all bodies; nobody hears of it.
    pub(super) fn crash(&mut self) {
        if !self.is_up {
            return;
        }
        self.tally.crashes += 1;
        self.is_up = false;
        self.bodies.clear();
        self.issuer.forget();
        let down = self.random.between(1, 8_000);
        self.push_in(down, Next::Up);
    }

    fn up(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        (self.is_up, self.reconcile_at) = (true, self.at);
        self.process += 1;
        let up = Command::HostUp { name: "here".to_owned() };
        self.step(vec![up], system)?;
        if self.process == 1 {
            for (session, features) in self.sessions.clone().into_iter().zip([&FEATURES[..], &[]]) {
                let open = self.open(session, features);
                self.step(vec![open], system)?;
            }
        }
        self.step(vec![Command::KindUp { kind: KIND.to_owned() }], system).map(|_| ())
    }

    fn open(&mut self, session: SessionId, features: &[&str]) -> Command {
        self.numbered += 1;
        let connection = ConnectionId::parse(&format!("conn_{:026}", self.numbered));
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
                Command::HostUp { .. }
                    | Command::KindUp { .. }
                    | Command::Woke { .. }
                    | Command::OpenSession { .. }
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
        let before = self.rows.clone();
        let mut reader = self.store.reader().expect("the store is sound");
        let written = self.rows.read(&mut *reader, &step.changed);
        drop(reader);
        self.check(&before, batch, step, &written)?;
        for want in &step.tasks {
            if !self.fails(12) {
                let late = if self.fails(15) { self.random.below(3_000) } else { 0 };
                self.push_in(late, Next::Want(want.clone(), self.process));
            }
        }
        for wanted in &step.issue {
            if !self.fails(12) {
                let late = if self.fails(15) { self.random.below(3_000) } else { 0 };
                self.push_in(late, Next::Issue(wanted.clone(), self.process));
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
        if is_so { Ok(()) } else { Err(Broken { law, what: what(), seed: self.seed, at: self.at }) }
    }
}
