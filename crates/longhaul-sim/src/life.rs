//! A life: the script, the daemons and the outside world on one line of time. Two phases: faults on,
//! with every law held after every step; then faults off, and everything must come to rest.

use crate::checkers::{self, Broken, Checkers};
use crate::daemon::{Daemon, YEAR_2026, unreadable};
use crate::drivers::Moment;
use crate::outside::{Happening, Outside};
use crate::plan::{POOLS, Plan};
use crate::random::roll;
use crate::script::{Ask, Child, CommitFault, Label, Op};
use crate::snapshot::Snapshot;
use crate::system::System;
use crate::tally::{Tally, Trace};
use crate::visitors::{Step as VisitorStep, Visitor};
use crate::wishes::Wish;
use longhaul_core::command::{Command, Deliver, Want};
use longhaul_core::id::DeliveryId;
use longhaul_core::port::{Position, Reader, Store, StoreError};
use longhaul_core::time::Millis;
use longhaul_store::Faulty;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Steps of one life, at most: more means that it never comes to rest.
pub(crate) const STEPS_MAX: u64 = 60_000;
/// How long everything has to come to rest once faults are off, in milliseconds.
const REST_MS_MAX: u64 = 12 * 3_600 * 1_000;

/// Commits that are to fail, in order.
pub(crate) type CommitFaults = Arc<Mutex<VecDeque<StoreError>>>;

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    Script(usize),
    Ask(usize, Command),
    Report(usize, Command),
    Want(usize, Want),
    Deliver(usize, Deliver),
    Knock(usize, Deliver),
    Answer(usize, Deliver, Command),
    Taken(String, DeliveryId),
    Visit(u32, VisitorStep),
    Outside(Happening),
    Up(usize, i64),
}

/// A life while it is lived.
pub(crate) struct Life<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) system: &'a mut dyn System,
    pub(crate) store: Box<dyn Store>,
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) commit_faults: CommitFaults,
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) outside: Outside,
    pub(crate) visitors: BTreeMap<u32, Visitor>,
    pub(crate) queue: BTreeMap<(u64, u64), Next>,
    order: u64,
    /// Milliseconds since it began.
    pub(crate) at: u64,
    pub(crate) is_calm: bool,
    rolls: BTreeMap<u64, u64>,
    pub(crate) checkers: Checkers,
    pub(crate) rows: Snapshot,
    pub(crate) head: Position,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
}

/// How a life went.
#[derive(Debug)]
pub struct Ended {
    /// The law that was broken, if one was.
    pub broken: Option<Broken>,
    /// What happened, in numbers.
    pub tally: Tally,
    /// What happened, in order.
    pub trace: Trace,
}

/// Lives this life over this store.
pub fn live<S: Store + 'static>(
    plan: &Plan,
    store: S,
    system: &mut dyn System,
    keeps_lines: bool,
) -> Ended {
    let faults = CommitFaults::default();
    let scheduled = Arc::clone(&faults);
    let next_fault = move |_| scheduled.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let store = Box::new(Faulty::new(store, next_fault));
    let reader = store.reader().expect("a new store can be read");
    let daemons = (0..plan.hosts).map(|host| Daemon::new(host, plan)).collect();
    let mut life = Life {
        plan,
        system,
        store,
        reader,
        commit_faults: faults,
        daemons,
        outside: Outside { boots: vec![0; plan.hosts], ..Outside::default() },
        visitors: BTreeMap::new(),
        queue: BTreeMap::new(),
        order: 0,
        at: 0,
        is_calm: false,
        rolls: BTreeMap::new(),
        checkers: Checkers::default(),
        rows: Snapshot::default(),
        head: Position(0),
        tally: Tally { lives: 1, ..Tally::default() },
        trace: Trace::new(keeps_lines),
    };
    let broken = life.run().err();
    life.tally.jobs = life.checkers.accepted;
    life.tally.processes = life.outside.begun;
    if let Some(broken) = &broken {
        life.trace.say(format_args!("BROKEN: {}: {}", broken.law, broken.story));
    }
    Ended { broken, tally: life.tally, trace: life.trace }
}

impl Life<'_> {
    fn run(&mut self) -> Result<(), Broken> {
        for host in 0..self.plan.hosts {
            self.push(0, Next::Up(host, 0));
        }
        for (index, timed) in self.plan.script.iter().enumerate() {
            self.push(timed.at, Next::Script(index));
        }
        let calm_from = self.plan.calm_from();
        loop {
            let next = self.next_moment();
            if !self.is_calm && next.is_none_or(|at| at >= calm_from) {
                self.at = calm_from;
                self.calm_down();
                continue;
            }
            let Some(next) = next else { break };
            self.at = self.at.max(next);
            self.play_moment();
            for host in 0..self.plan.hosts {
                self.run_daemon(host)?;
            }
            if self.tally.steps > STEPS_MAX || self.at > calm_from + REST_MS_MAX {
                break;
            }
            if self.is_calm && self.is_at_rest() {
                let entries = self.reader.events(None, Position(0), u32::MAX);
                let entries = entries.map_err(unreadable)?;
                return checkers::at_rest(&self.checkers, &self.rows, &self.outside, &entries);
            }
        }
        let now = self.daemons[0].wall(self.at);
        let restless = checkers::restless(&self.rows, now).map(|job| format!("{job:?}"));
        let story = format!("at {}ms: {}", self.at, restless.unwrap_or_default());
        Err(Broken { law: "everything comes to rest", story })
    }

    fn is_at_rest(&self) -> bool {
        let is_idle = |daemon: &Daemon| daemon.is_up && daemon.inbox_is_empty();
        let now = self.daemons.iter().map(|daemon| daemon.wall(self.at)).max();
        let now = now.unwrap_or(YEAR_2026);
        // Processes may come to their own late ends in the queue; they have no job any more.
        let is_left = |next: &Next| matches!(next, Next::Outside(_) | Next::Taken(..));
        let is_quiet = self.queue.values().all(is_left);
        is_quiet
            && self.daemons.iter().all(is_idle)
            && checkers::restless(&self.rows, now).is_none()
    }

    pub(crate) fn push(&mut self, at: u64, next: Next) {
        self.order += 1;
        self.queue.insert((at.max(self.at), self.order), next);
    }

    fn next_moment(&self) -> Option<u64> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let daemons = self.daemons.iter().filter_map(Daemon::next_at);
        queued.into_iter().chain(daemons).min()
    }

    fn play_moment(&mut self) {
        while let Some((&(at, order), _)) = self.queue.iter().next() {
            if at > self.at {
                return;
            }
            let next = self.queue.remove(&(at, order)).expect("it was found above");
            self.play(next);
        }
    }

    pub(crate) fn play(&mut self, next: Next) {
        match next {
            Next::Script(index) => self.script(index),
            Next::Ask(host, command) => {
                if self.daemons[host].is_up {
                    self.daemons[host].asks.push(command);
                } else {
                    self.push(self.at + 2_000, Next::Ask(host, command));
                }
            }
            Next::Report(host, command) => {
                if self.daemons[host].is_up {
                    self.daemons[host].reports.push(command);
                }
            }
            Next::Want(host, want) => self.drive(host, &want),
            Next::Deliver(host, deliver) => self.deliver(host, &deliver),
            Next::Knock(host, deliver) => self.knock(host, deliver),
            Next::Answer(host, deliver, report) => self.answered(host, deliver, report),
            Next::Taken(sink, delivery) => {
                self.outside.taken.insert((sink, delivery));
            }
            Next::Visit(number, step) => self.visit(number, step),
            Next::Outside(Happening::Hint { key }) => {
                let Some(host) = self.outside.folders.get(&key).map(|folder| folder.host) else {
                    return;
                };
                if self.daemons[host].is_up {
                    let moment = self.moment(host);
                    let answer = self.daemons[host].drivers.look(&key, moment, &mut self.outside);
                    self.take_answer(host, answer);
                }
            }
            Next::Outside(what) => {
                let later = self.outside.happen(what, self.at);
                self.take_later(later);
            }
            Next::Up(host, clock) => self.come_up(host, clock),
        }
    }

    fn script(&mut self, index: usize) {
        let timed = &self.plan.script[index];
        let host = timed.host;
        self.trace.say(format_args!("{timed}"));
        match &timed.what {
            Op::Crash { down, clock, after_commit: true } => {
                self.daemons[host].crash_after_commit = Some((*down, *clock));
            }
            Op::Crash { down, clock, after_commit: false } => self.crash(host, *down, *clock),
            Op::Reboot { down } => {
                self.crash(host, *down, 0);
                self.outside.reboot(host);
                self.daemons[host].reboot(self.outside.boots[host]);
            }
            Op::Sleep { span } => {
                self.daemons[host].sleep(Millis::new(*span));
            }
            Op::FailCommits { count, how } => {
                let fault = match how {
                    CommitFault::Conflict => StoreError::Conflict,
                    CommitFault::Full => StoreError::Full("no space".into()),
                    CommitFault::Failed => StoreError::Failed("the disk said no".into()),
                };
                let mut faults = self.commit_faults.lock().unwrap_or_else(PoisonError::into_inner);
                faults.extend((0..*count).map(|_| fault.clone()));
            }
            Op::Retain => self.daemons[host].retains = true,
            Op::Wish(Wish::Come(visit)) => self.come(host, visit),
            Op::Wish(wish) => {
                let command = wish.command().expect("only visits are more than a command");
                self.play(Next::Ask(host, command));
            }
            Op::Emit { .. }
            | Op::Submit(_)
            | Op::Cancel { .. }
            | Op::Purge(_)
            | Op::SetPool { .. } => {
                let command = self.command(&timed.what);
                self.play(Next::Ask(host, command));
            }
        }
    }

    fn command(&self, op: &Op) -> Command {
        match op {
            Op::Submit(asks) => Command::Submit(asks.iter().map(Ask::submission).collect()),
            Op::Cancel { job, by_force, tree } => {
                let reason = Some("asked".to_owned());
                Command::Cancel { job: job.id(), reason, by_force: *by_force, tree: *tree }
            }
            Op::Purge(job) => Command::Purge(job.id()),
            Op::SetPool { pool, slots, paused } => {
                Command::SetPool { pool: pool.clone(), slots: *slots, paused: *paused }
            }
            Op::Emit { job, stale } => {
                let attempt = self.rows.job(&job.id()).map_or(1, |job| job.attempt);
                let attempt = if *stale { attempt.saturating_sub(1) } else { attempt };
                let (report, body) = ("progress".to_owned(), "{}".to_owned());
                Command::Emit { job: job.id(), attempt, report, body }
            }
            Op::Wish(_) | Op::Retain | Op::Crash { .. } | Op::Reboot { .. } | Op::Sleep { .. } => {
                unreachable!("only asks become commands")
            }
            Op::FailCommits { .. } => unreachable!("only asks become commands"),
        }
    }

    pub(crate) fn crash(&mut self, host: usize, down: u64, clock: i64) {
        self.trace.say(format_args!("{:>7}ms #{host} is gone", self.at));
        self.tally.crashes += 1;
        self.daemons[host].crash();
        let is_mine = |next: &Next| match next {
            Next::Want(of, _) | Next::Report(of, _) | Next::Up(of, _) => *of == host,
            Next::Deliver(of, _) | Next::Knock(of, _) | Next::Answer(of, ..) => *of == host,
            Next::Script(_) | Next::Ask(..) | Next::Outside(_) => false,
            Next::Taken(..) | Next::Visit(..) => false,
        };
        self.queue.retain(|_, next| !is_mine(next));
        self.cut(host);
        self.push(self.at + down, Next::Up(host, clock));
    }

    fn come_up(&mut self, host: usize, clock: i64) {
        self.trace.say(format_args!("{:>7}ms #{host} is up", self.at));
        self.daemons[host].come_up(self.at, clock);
        self.daemons[host].reports.push(Command::HostUp { name: format!("host{host}") });
    }

    /// Faults end: what was broken is mended, and every pool has room.
    fn calm_down(&mut self) {
        self.trace.say(format_args!("{:>7}ms faults are off", self.at));
        self.is_calm = true;
        self.commit_faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for host in 0..self.plan.hosts {
            self.daemons[host].crash_after_commit = None;
            if self.plan.restart_at_end {
                self.crash(host, 1, 0);
            }
        }
        self.queue.retain(|_, next| !matches!(next, Next::Ask(_, Command::SetPool { .. })));
        for pool in POOLS {
            let (pool, paused) = (pool.to_owned(), Some(false));
            self.push(self.at, Next::Ask(0, Command::SetPool { pool, slots: Some(4), paused }));
        }
    }

    pub(crate) fn moment(&self, host: usize) -> Moment {
        Moment { host, at: self.at, wall: self.daemons[host].wall(self.at) }
    }

    /// Whether a fault of this kind happens now, in `percent` of a hundred cases.
    pub(crate) fn is_struck(&mut self, kind: u64, job: Label, percent: u64) -> bool {
        !self.is_calm && self.rolled(kind, job) % 100 < percent
    }

    /// A number that depends on the kind, the job and how often that was asked, and on nothing else.
    pub(crate) fn rolled(&mut self, kind: u64, job: Label) -> u64 {
        let name = roll(kind, &[u64::from(job.0)]);
        let count = self.rolls.entry(name).or_default();
        *count += 1;
        roll(self.plan.seed, &[name, *count])
    }

    pub(crate) fn child(plan: &Plan, job: Label, attempt: u32) -> Child {
        let submits = plan.script.iter().filter_map(|timed| match &timed.what {
            Op::Submit(asks) => asks.iter().find(|ask| ask.job == job),
            _ => None,
        });
        let children = submits.map(|ask| &ask.children).next();
        let index = (attempt as usize).saturating_sub(1);
        let child = children.and_then(|children| children.get(index).or_else(|| children.last()));
        let mut child = child.expect("only asked jobs are started").clone();
        // A launch that never comes is bad luck, not a law: other attempts are luckier.
        if attempt.is_multiple_of(3) {
            child.launch = child.launch.or(Some(20));
        }
        child
    }
}
