//! One life: what happens, by time. Hosts come and go over one store; children go on without them.

use super::child::{Child, Key};
use super::laws::Laws;
use super::plan::{CALM_FROM, Op, Plan, Timed};
use super::rows::Rows;
use super::spy::{Commit, Spy};
use crate::system::System;
use longhaul_core::command::{Command, Place, Refused, Reply, Retention, Want};
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::HostId;
use longhaul_core::port::StoreError;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// When everything must have ended.
const OVER_AT: u64 = CALM_FROM + 4 * 3_600_000;
/// From when on nothing is found by looking everything over.
const UNAIDED_FROM: u64 = CALM_FROM + 60_000;
/// A life that takes more steps than this goes round in circles.
const STEPS_MAX: u64 = 12_000;
/// When all lives begin.
const YEAR_2026: i64 = 1_767_225_600_000;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which, in words.
    pub law: &'static str,
    /// What happened.
    pub what: String,
}

/// How often each thing happened, by its name.
pub type Tally = BTreeMap<&'static str, u64>;

pub(super) type Law = Result<(), Broken>;

/// Who wants to know what came of a command.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// A person, who asks again where nobody answered.
    Person,
    /// A child, with that act.
    Child(Key),
    /// Whoever follows a child's output; up to that line.
    Follower(Key, usize),
    /// Whoever reports that a child is over.
    Witness(Key),
    /// Nobody: it is reported again if it still matters.
    Nobody,
}

#[derive(Clone, Debug)]
pub(super) enum Next {
    Do(Op),
    Ask(Box<Command>),
    Flush(usize, u64),
    Want(Want, usize, u64),
    Launch(Key, usize),
    Act(Key),
    Dies(Key),
    Look(Key, usize, u64),
    Up(usize),
    Calm,
    AnswerAll,
}

/// How far the output of one child is followed, by one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Follow {
    /// Lines that are known to be taken; nothing is known yet if `None`.
    pub(super) upto: Option<usize>,
    pub(super) is_closed: bool,
    /// A report is on its way.
    pub(super) is_busy: bool,
    /// It was said that the child is quiet.
    pub(super) is_quiet: bool,
}

/// One host, up or not.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) engine: Engine,
    pub(super) place: Place,
    pub(super) is_up: bool,
    /// Which process has it.
    pub(super) process: u64,
    pub(super) offset: i64,
    reconcile_at: u64,
    pub(super) due: Option<Timestamp>,
    pub(super) inbox: Vec<(Command, Asker)>,
    pub(super) follows: BTreeMap<Key, Follow>,
    pub(super) boots: u32,
}

/// A life that is being lived.
pub struct Life {
    pub(super) plan: Plan,
    pub(super) spy: Spy,
    pub(super) hosts: Vec<Host>,
    pub(super) at: u64,
    queue: BTreeMap<(u64, u64), Next>,
    numbered: u64,
    pub(super) steps: u64,
    pub(super) rows: Rows,
    pub(super) children: BTreeMap<Key, Child>,
    /// Launches that are on their way, and those that were called off for good.
    pub(super) launching: BTreeSet<Key>,
    pub(super) barred: BTreeSet<Key>,
    /// When each child last showed a sign of life.
    pub(super) active_at: BTreeMap<Key, u64>,
    /// Messages that children sent.
    pub(super) sent: u64,
    pub(super) laws: Laws,
    pub(super) tally: Tally,
    /// What was due when the last step was over.
    pub(super) due_before: super::rows::Due,
    /// The story, if anybody wants it.
    pub(super) story: Option<Vec<String>>,
}

impl Life {
    /// Lives this plan.
    ///
    /// # Errors
    /// The first law that was broken.
    pub fn play(plan: &Plan, system: &mut dyn System) -> Result<Tally, Broken> {
        let mut life = Self::new(plan, false);
        life.live(system)?;
        Ok(life.tally)
    }

    /// Lives this plan and tells its story.
    pub fn tell(plan: &Plan, system: &mut dyn System) -> (Vec<String>, Result<Tally, Broken>) {
        let mut life = Self::new(plan, true);
        let lived = life.live(system);
        (life.story.take().unwrap_or_default(), lived.map(|()| life.tally))
    }

    fn new(plan: &Plan, is_told: bool) -> Self {
        let hosts = (0..plan.hosts).map(host).collect();
        let mut life = Self {
            plan: plan.clone(),
            spy: Spy::default(),
            hosts,
            at: 0,
            queue: BTreeMap::new(),
            numbered: 0,
            steps: 0,
            rows: Rows::default(),
            children: BTreeMap::new(),
            launching: BTreeSet::new(),
            barred: BTreeSet::new(),
            active_at: BTreeMap::new(),
            sent: 0,
            laws: Laws::default(),
            tally: Tally::new(),
            due_before: super::rows::Due::new(),
            story: is_told.then(Vec::new),
        };
        for host in 0..plan.hosts {
            life.push(0, Next::Up(host));
        }
        for Timed { at, what } in &plan.script {
            life.push(*at, Next::Do(*what));
        }
        life.push(CALM_FROM, Next::Calm);
        life
    }

    fn live(&mut self, system: &mut dyn System) -> Law {
        while let Some(at) = self.next_at().filter(|at| *at <= OVER_AT) {
            self.at = self.at.max(at);
            self.turn(system)?;
            self.holds("a life comes to rest", self.steps < STEPS_MAX, || "it does not".into())?;
        }
        self.at_rest()
    }

    pub(super) fn push(&mut self, at: u64, next: Next) {
        self.numbered += 1;
        self.queue.insert((at, self.numbered), next);
    }

    pub(super) const fn is_calm(&self) -> bool {
        self.at >= CALM_FROM
    }

    /// Whether the drivers' messages fail now in so many of a hundred cases.
    pub(super) fn fails(&self, what: u64, percent: u64) -> bool {
        let rolled = self.plan.roll(&[what, self.steps, self.numbered]) % 100;
        self.plan.is_faulty && !self.is_calm() && rolled < percent
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let at = self.at;
        if let Some(story) = &mut self.story {
            story.push(format!("{at:>8} {}", line()));
        }
    }

    /// What the clock of a host says.
    pub(super) fn wall(&self, host: usize) -> Timestamp {
        let at = i64::try_from(self.at).expect("a life is short");
        Timestamp::from_millis(YEAR_2026 + at + self.hosts[host].offset)
    }

    fn next_at(&self) -> Option<u64> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let own = self.hosts.iter().filter(|host| host.is_up).map(|host| {
            let due = host.due.map(|due| due.as_millis() - YEAR_2026 - host.offset);
            let due = due.map_or(u64::MAX, |due| u64::try_from(due).unwrap_or(0));
            due.min(host.reconcile_at)
        });
        own.chain(queued).min().filter(|at| *at < u64::MAX)
    }

    fn turn(&mut self, system: &mut dyn System) -> Law {
        let first = self.queue.first_key_value().map(|(key, _)| *key);
        if let Some(key) = first.filter(|(at, _)| *at <= self.at) {
            let next = self.queue.remove(&key).expect("it was just seen");
            return self.happens(next, system);
        }
        for host in 0..self.hosts.len() {
            let wall = self.wall(host);
            let is_due = self.hosts[host].due.is_some_and(|due| due <= wall);
            if self.hosts[host].is_up && is_due {
                return self.step(host, Vec::new(), system);
            }
        }
        let late = |host: &Host| host.is_up && host.reconcile_at <= self.at;
        let host = self.hosts.iter().position(late).expect("something was next");
        self.reconcile(host, system)
    }

    fn happens(&mut self, next: Next, system: &mut dyn System) -> Law {
        match next {
            Next::Do(op) => self.people(op),
            Next::Ask(command) => self.ask(*command),
            Next::Flush(host, process) if self.is_same(host, process) => {
                let batch = std::mem::take(&mut self.hosts[host].inbox);
                return self.step(host, batch, system);
            }
            Next::Want(want, host, process) if self.is_same(host, process) => {
                return self.meet(&want, host);
            }
            Next::Look(key, host, process) if self.is_same(host, process) => self.look(&key, host),
            Next::Flush(..) | Next::Want(..) | Next::Look(..) => {}
            Next::Launch(key, host) => return self.launch(&key, host),
            Next::Act(key) => self.act(&key),
            Next::Dies(key) => self.obey(&key),
            Next::Up(host) => return self.up(host, system),
            Next::Calm => self.calm(),
            Next::AnswerAll => self.answer_all(),
        }
        Ok(())
    }

    pub(super) fn is_same(&self, host: usize, process: u64) -> bool {
        self.hosts[host].is_up && self.hosts[host].process == process
    }

    fn up(&mut self, host: usize, system: &mut dyn System) -> Law {
        if self.hosts[host].is_up {
            return Ok(());
        }
        let at = self.at;
        let one = &mut self.hosts[host];
        (one.is_up, one.reconcile_at, one.due) = (true, at, None);
        one.process += 1;
        let command = Command::HostUp { name: "here".to_owned() };
        self.step(host, vec![(command, Asker::Nobody)], system)
    }

    pub(super) fn crash(&mut self, host: usize) {
        if !self.hosts[host].is_up {
            return;
        }
        self.count("crashes");
        self.note(|| format!("host {host} crashes"));
        let one = &mut self.hosts[host];
        one.is_up = false;
        one.follows.clear();
        for (command, asker) in std::mem::take(&mut one.inbox) {
            self.unanswered(command, &asker);
        }
        let down = self.plan.roll(&[10, self.at, host as u64]) % 8_000;
        self.push(self.at + 1 + down, Next::Up(host));
    }

    /// Hands a command to a host, which takes it up with others in a moment.
    pub(super) fn tell_host(&mut self, host: usize, command: Command, asker: Asker) {
        let process = self.hosts[host].process;
        if self.hosts[host].inbox.is_empty() {
            let soon = if self.fails(11, 30) { 25 } else { 0 };
            self.push(self.at + soon, Next::Flush(host, process));
        }
        self.hosts[host].inbox.push((command, asker));
    }

    fn reconcile(&mut self, host: usize, system: &mut dyn System) -> Law {
        let every = if self.is_calm() { 20_000 } else { RECONCILE_EVERY.get() };
        let is_unaided = self.at >= UNAIDED_FROM && self.hosts.len() == 1;
        self.hosts[host].reconcile_at = if is_unaided { u64::MAX } else { self.at + every };
        let now = self.wall(host);
        let done = system.reconcile(&self.hosts[host].engine, &mut self.spy, now);
        let step = done.map_err(|error| confused(&error))?;
        self.committed(host, &[], &step)
    }

    /// One step; nothing of it if its commit fails, as some do.
    pub(super) fn step(
        &mut self,
        host: usize,
        batch: Vec<(Command, Asker)>,
        system: &mut dyn System,
    ) -> Law {
        self.steps += 1;
        let is_up = matches!(batch.first(), Some((Command::HostUp { .. }, _)));
        self.spy.fails = !is_up && self.fails(12, 4);
        let fails = self.spy.fails;
        let now = self.wall(host);
        let commands = batch.iter().map(|(command, _)| command.clone()).collect();
        let done = system.step(&self.hosts[host].engine, &mut self.spy, commands, now);
        self.spy.fails = false;
        let step = match done {
            Ok(step) => step,
            Err(StoreError::Failed(_)) if fails => {
                self.count("failed commits");
                for (command, asker) in batch {
                    self.unanswered(command, &asker);
                }
                let again = now.plus(Millis::new(100));
                let one = &mut self.hosts[host];
                one.due = one.due.map(|due| due.max(again));
                return Ok(());
            }
            Err(error) => return Err(confused(&error)),
        };
        self.committed(host, &batch, &step)?;
        if self.fails(13, 1) {
            // It dies between the commit and all that follows from it.
            self.count("deaths after a commit");
            for (command, asker) in batch {
                self.unanswered(command, &asker);
            }
            self.crash(host);
            return Ok(());
        }
        self.wants(host, &step);
        for ((command, asker), reply) in batch.into_iter().zip(step.replies) {
            self.answered(host, &command, &asker, &reply);
        }
        Ok(())
    }

    fn committed(&mut self, host: usize, batch: &[(Command, Asker)], step: &Step) -> Law {
        self.hosts[host].due = step.next_due;
        let commit: Commit = self.spy.last.take().unwrap_or_default();
        let changes = self.rows.take(&commit).map_err(|corrupt| {
            let what = corrupt.to_string();
            Broken { law: "what is stored can be read", what }
        })?;
        for ((command, _), reply) in batch.iter().zip(&step.replies) {
            self.note(|| format!("host {host}: {command:?} → {reply:?}"));
        }
        self.note_changes(&changes);
        self.check(host, batch, step, &commit, &changes)?;
        if batch.is_empty() {
            self.wants(host, step);
        }
        Ok(())
    }

    fn wants(&mut self, host: usize, step: &Step) {
        let process = self.hosts[host].process;
        for (number, want) in step.wants.iter().enumerate() {
            let which = number as u64 * 8;
            if self.fails(20 + which, 10) {
                continue;
            }
            let late = if self.fails(21 + which, 12) {
                self.plan.roll(&[14, self.steps]) % 4_000
            } else {
                0
            };
            self.push(self.at + late, Next::Want(want.clone(), host, process));
            if self.fails(22 + which, 10) {
                let again = self.plan.roll(&[15, self.steps]) % 9_000;
                self.push(self.at + again, Next::Want(want.clone(), host, process));
            }
        }
    }

    pub(super) fn holds(
        &self,
        law: &'static str,
        is_so: bool,
        what: impl FnOnce() -> String,
    ) -> Law {
        if is_so { Ok(()) } else { Err(Broken { law, what: what() }) }
    }

    fn answered(
        &mut self,
        host: usize,
        command: &Command,
        asker: &Asker,
        reply: &Result<Reply, Refused>,
    ) {
        if let Err(refused) = reply {
            self.count(refused.code());
        }
        match asker {
            Asker::Person | Asker::Nobody => {}
            Asker::Child(key) => self.child_answered(key, reply),
            Asker::Follower(key, upto) => self.follower_answered(host, key, *upto, command, reply),
            Asker::Witness(key) => self.witness_answered(host, key, reply),
        }
    }

    /// Nobody will ever say what came of it.
    fn unanswered(&mut self, command: Command, asker: &Asker) {
        match asker {
            Asker::Person => self.push(self.at + 700, Next::Ask(Box::new(command))),
            Asker::Child(key) => self.push(self.at + 500, Next::Act(key.clone())),
            Asker::Follower(key, _) | Asker::Witness(key) => {
                for host in 0..self.hosts.len() {
                    let process = self.hosts[host].process;
                    if let Some(follow) = self.hosts[host].follows.get_mut(key) {
                        follow.is_busy = false;
                        self.push(self.at + 300, Next::Look(key.clone(), host, process));
                    }
                }
            }
            Asker::Nobody => {}
        }
    }
}

fn confused(error: &StoreError) -> Broken {
    Broken { law: "the engine and its store understand each other", what: error.to_string() }
}

fn host(number: usize) -> Host {
    let id = HostId::parse(&format!("host_{number:026}")).expect("26 digits");
    let keep = Millis::from_secs(24 * 3_600);
    let place = Place {
        host: id,
        boot: "boot0".to_owned(),
        default_slots: 3,
        retention: Retention { keep, keep_failed: keep, jobs_max: 1_000, bytes_max: 1 << 40 },
        adopt_after: None,
    };
    Host {
        engine: Engine::new(place.clone()),
        place,
        is_up: false,
        process: 0,
        offset: 0,
        reconcile_at: 0,
        due: None,
        inbox: Vec::new(),
        follows: BTreeMap::new(),
        boots: 0,
    }
}
