//! What lives of sessions and of hosted jobs have in common: one line of time, hosts that come and go
//! over one store, and the steps of their engines. Their clocks agree; that clocks need not is what
//! lives of jobs and of agents are about.

use crate::random::{Random, roll};
use crate::system::System;
use longhaul_core::command::{Command, Place, Retention};
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::HostId;
use longhaul_core::port::Store;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;

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

/// A process of a host. What it was about to do it does as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Here {
    pub(crate) host: usize,
    process: u64,
}

/// What is to happen.
#[derive(Clone, Debug)]
enum Next<E> {
    /// Whoever is up.
    Anyway(E),
    /// If this process lives; as soon as it is awake.
    Of(Here, E),
    Crash(usize),
    Up(usize),
    Sleep(usize, u64),
    Wake(Here, u64),
}

/// What happens now.
pub(crate) enum Turn<E> {
    Anyway(E),
    Of(Here, E),
    /// This host's process dies.
    Crash(usize),
    /// Another one of this host begins.
    Up(usize),
    /// This host has slept for so long.
    Woke(usize, u64),
    /// Time alone changes something at this host.
    Due(usize),
    /// This host looks everything over.
    Look(usize),
    Nothing,
}

struct Host {
    id: HostId,
    engine: Engine,
    process: u64,
    is_up: bool,
    is_asleep: bool,
    look_at: u64,
    due_at: Option<u64>,
}

impl Host {
    const fn is_there(&self) -> bool {
        self.is_up && !self.is_asleep
    }
}

/// One line of time.
pub(crate) struct Course<E> {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    store: Box<dyn Store>,
    hosts: Vec<Host>,
    pub(crate) at: u64,
    calm_from: u64,
    queue: BTreeMap<(u64, u64), Next<E>>,
    pub(crate) numbered: u64,
    pub(crate) crashes: u64,
    pub(crate) failed_commits: u64,
}

impl<E> Course<E> {
    /// The course of this seed: every other life has two hosts.
    pub(crate) fn new(
        seed: u64,
        store: Box<dyn Store>,
        calm_from: u64,
        engine: impl Fn(HostId) -> Engine,
    ) -> Self {
        let count = if seed % 4 < 2 { 1 } else { 2 };
        let mut random = Random::new(seed);
        let mut queue = BTreeMap::new();
        let mut numbered = 0;
        let mut push = |at, next| {
            numbered += 1;
            queue.insert((at, numbered), next);
        };
        for host in 0..count {
            push(0, Next::Up(host));
            for _ in 0..random.below(4) {
                push(random.between(1, calm_from), Next::Crash(host));
            }
            for _ in 0..random.below(3) {
                let (at, span) = (random.between(1, calm_from), random.below(20_000));
                push(at, Next::Sleep(host, 1 + span));
            }
        }
        let host = |number: usize| {
            let id = HostId::parse(&format!("host_{:026}", number + 1)).expect("26 digits");
            let engine = engine(id.clone());
            let (process, look_at) = (0, 0);
            Host { id, engine, process, is_up: false, is_asleep: false, look_at, due_at: None }
        };
        let hosts = (0..count).map(host).collect();
        Self {
            seed,
            random,
            store,
            hosts,
            at: 0,
            calm_from,
            queue,
            numbered,
            crashes: 0,
            failed_commits: 0,
        }
    }

    /// A place with so many slots, in which rows of jobs that have ended are kept for so long.
    pub(crate) fn place(host: HostId, default_slots: u32, keep: Millis) -> Place {
        let retention = Retention { keep, keep_failed: keep, jobs_max: 1_000, bytes_max: 1 << 40 };
        Place { host, boot: "boot".to_owned(), default_slots, retention, adopt_after: None }
    }

    fn push(&mut self, at: u64, next: Next<E>) {
        self.numbered += 1;
        self.queue.insert((at, self.numbered), next);
    }

    /// Has this happen, whoever is up by then.
    pub(crate) fn at(&mut self, at: u64, what: E) {
        self.push(at, Next::Anyway(what));
    }

    /// The same in so many milliseconds.
    pub(crate) fn after(&mut self, span: u64, what: E) {
        self.push(self.at + span, Next::Anyway(what));
    }

    /// Has a process do this, if it lives by then.
    pub(crate) fn later(&mut self, here: Here, span: u64, what: E) {
        self.push(self.at + span, Next::Of(here, what));
    }

    /// Whether faults have ended.
    pub(crate) const fn is_calm(&self) -> bool {
        self.at >= self.calm_from
    }

    /// Whether a fault of this percentage happens.
    pub(crate) fn fails(&mut self, percent: u64) -> bool {
        !self.is_calm() && self.random.chance(percent)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.at).expect("a life is short"))
    }

    /// What rows call a host.
    pub(crate) fn id(&self, host: usize) -> &HostId {
        &self.hosts[host].id
    }

    /// Which host rows call so.
    pub(crate) fn number(&self, id: &HostId) -> usize {
        let place = self.hosts.iter().position(|host| host.id == *id);
        place.expect("rows name hosts of this life")
    }

    /// The process of a host.
    pub(crate) fn here(&self, host: usize) -> Here {
        Here { host, process: self.hosts[host].process }
    }

    /// How many processes a host has had.
    pub(crate) fn processes(&self, host: usize) -> u64 {
        self.hosts[host].process
    }

    /// Whether a process lives.
    pub(crate) fn lives(&self, here: Here) -> bool {
        self.hosts[here.host].is_up && self.here(here.host) == here
    }

    /// Whether somebody at this host would answer.
    pub(crate) fn is_there(&self, host: usize) -> bool {
        self.hosts[host].is_there()
    }

    /// Some host that would answer.
    pub(crate) fn some_host(&mut self) -> Option<usize> {
        let there = self.hosts.iter().enumerate().filter(|(_, host)| host.is_there());
        let there: Vec<usize> = there.map(|(number, _)| number).collect();
        match &there[..] {
            [] => None,
            [one] => Some(*one),
            _ => Some(*self.random.pick(&there)),
        }
    }

    /// Goes on to what is next, unless that is after `until`. Gives whether it did.
    pub(crate) fn goes_on(&mut self, until: u64) -> bool {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let there = self.hosts.iter().filter(|host| host.is_there());
        let own = there.map(|host| host.look_at.min(host.due_at.unwrap_or(u64::MAX)));
        let next = own.chain(queued).min().filter(|at| *at <= until);
        self.at = self.at.max(next.unwrap_or(0));
        next.is_some()
    }

    /// What happens now. `every` is how many times the usual passes until it is looked over again.
    pub(crate) fn turn(&mut self, every: u64) -> Turn<E> {
        let first = self.queue.first_key_value().map(|(key, _)| *key);
        if let Some(key) = first.filter(|(at, _)| *at <= self.at) {
            let next = self.queue.remove(&key).expect("it was just seen");
            return self.happens(next);
        }
        let at = self.at;
        let is_due = |host: &Host| host.is_there() && host.due_at.is_some_and(|due| due <= at);
        if let Some(host) = self.hosts.iter().position(is_due) {
            return Turn::Due(host);
        }
        let is_late = |host: &Host| host.is_there() && host.look_at <= at;
        let host = self.hosts.iter().position(is_late).expect("something was next");
        self.hosts[host].look_at = at + RECONCILE_EVERY.get() * every;
        Turn::Look(host)
    }

    fn happens(&mut self, next: Next<E>) -> Turn<E> {
        match next {
            Next::Anyway(what) => Turn::Anyway(what),
            Next::Of(here, _) if !self.lives(here) => Turn::Nothing,
            Next::Of(here, what) if self.is_there(here.host) => Turn::Of(here, what),
            Next::Of(here, what) => {
                let woken = self.queue.iter().find_map(|((at, _), next)| match next {
                    Next::Wake(sleeper, _) if *sleeper == here => Some(*at),
                    _ => None,
                });
                self.push(woken.expect("whoever sleeps wakes"), Next::Of(here, what));
                Turn::Nothing
            }
            Next::Crash(host) if self.hosts[host].is_up => Turn::Crash(host),
            Next::Sleep(host, span) if self.is_there(host) => {
                self.hosts[host].is_asleep = true;
                let wake = Next::Wake(self.here(host), span);
                self.push(self.at + span, wake);
                Turn::Nothing
            }
            Next::Wake(here, span) if self.lives(here) => {
                self.hosts[here.host].is_asleep = false;
                Turn::Woke(here.host, span)
            }
            Next::Crash(_) | Next::Sleep(..) | Next::Wake(..) => Turn::Nothing,
            Next::Up(host) => {
                let at = self.at;
                let one = &mut self.hosts[host];
                (one.is_up, one.is_asleep, one.look_at, one.due_at) = (true, false, at, None);
                one.process += 1;
                Turn::Up(host)
            }
        }
    }

    /// The process of a host dies, and another one comes.
    pub(crate) fn crash(&mut self, host: usize) {
        self.crashes += 1;
        self.hosts[host].is_up = false;
        let down = self.random.between(1, 8_000);
        self.push(self.at + down, Next::Up(host));
    }

    /// One step at a host; none where nobody would answer, or if its commit fails, as some do.
    pub(crate) fn step(
        &mut self,
        host: usize,
        batch: Vec<Command>,
        system: &mut dyn System,
    ) -> Option<Step> {
        if !self.is_there(host) {
            return None;
        }
        if !batch.iter().any(is_sure) && self.fails(5) {
            self.failed_commits += 1;
            let again_at = self.at + 100;
            let one = &mut self.hosts[host];
            one.due_at = one.due_at.map(|due| due.max(again_at));
            return None;
        }
        let now = self.now();
        let step = system.step(&self.hosts[host].engine, &mut *self.store, batch, now);
        Some(self.took(host, step.expect("the store is sound")))
    }

    /// A host looks everything over.
    pub(crate) fn look(&mut self, host: usize, system: &mut dyn System) -> Step {
        let now = self.now();
        let step = system.reconcile(&self.hosts[host].engine, &mut *self.store, now);
        self.took(host, step.expect("the store is sound"))
    }

    fn took(&mut self, host: usize, step: Step) -> Step {
        let due_at = step.next_due.map(|due| u64::try_from(due.as_millis()).unwrap_or(0));
        self.hosts[host].due_at = due_at;
        step
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether it dies after a commit, before anything is done or told.
    pub(crate) fn dies(&mut self) -> bool {
        !self.is_calm() && roll(self.seed, &[9, self.at, self.numbered]).is_multiple_of(300)
    }

    pub(crate) fn holds(
        &self,
        law: &'static str,
        is_so: bool,
        what: impl FnOnce() -> String,
    ) -> Result<(), Broken> {
        if is_so { Ok(()) } else { Err(Broken { law, what: what(), seed: self.seed, at: self.at }) }
    }
}

/// What a host says when it comes up, or wakes: it says that until it is taken.
pub(crate) const fn is_sure(command: &Command) -> bool {
    matches!(command, Command::HostUp { .. } | Command::KindUp { .. } | Command::Woke { .. })
}
