//! One life: what happens, by time, and what the process that runs bodies makes of it.

use crate::random::Random;
use crate::system::System;
use longhaul_core::command::{Command, Exit, How, Place, Retention, StoppedBy, Submission, Want};
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::{HostId, JobId};
use longhaul_core::job::Job;
use longhaul_core::port::{Record, Store, Table};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::task::{Task, TaskResult};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_store::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

/// When faults end.
const CALM_FROM: u64 = 60_000;
/// When everything must have ended.
const OVER_AT: u64 = CALM_FROM + 240_000;
/// The kinds of all lives; the last is not always known.
pub(super) const KINDS: [&str; 3] = ["once", "again", "rare"];

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which, in words.
    pub law: &'static str,
    /// What happened.
    pub what: String,
    /// The life it happened in.
    pub seed: u64,
}

/// What happened in a life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bodies that began.
    pub begun: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Bodies that died with them.
    pub lost: u64,
    /// Attempts that followed a lost one.
    pub reruns: u64,
    /// Tasks that waited for somebody to run their kind.
    pub aside: u64,
    /// Bodies that were told to stop.
    pub stopped: u64,
    /// Jobs that ended.
    pub ended: u64,
}

/// How a body behaves.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) is_stopped: bool,
    /// How long after it was told it returns; never if it does not listen.
    obeys: Option<u64>,
    is_good: bool,
}

/// How far an attempt of this process is.
#[derive(Clone, Debug)]
enum Stage {
    Runs,
    Over(Box<Exit>),
}

#[derive(Clone, Debug)]
enum Next {
    Ask(Box<Command>),
    Want(Want, u64),
    Returns(JobId, u32, u64),
    Crash,
    Up,
    KindUp(&'static str, u64),
}

/// A life that is being lived.
#[derive(Debug)]
pub struct Life {
    pub(super) seed: u64,
    random: Random,
    store: MemoryStore,
    pub(super) engine: Engine,
    host: HostId,
    at: u64,
    /// Which process has the home; none while the last one is dead.
    process: u64,
    is_up: bool,
    reconcile_at: u64,
    due_at: Option<u64>,
    queue: BTreeMap<(u64, u64), Next>,
    numbered: u64,
    entries: BTreeMap<JobId, (u32, Stage)>,
    /// Bodies that are alive, in the process that is.
    pub(super) bodies: BTreeMap<(JobId, u32), Body>,
    /// How often the body of each attempt began, and what it returned.
    pub(super) begun: BTreeMap<(JobId, u32), u32>,
    pub(super) returned: BTreeMap<(JobId, u32), bool>,
    /// Jobs as they were after the last step.
    pub(super) jobs: BTreeMap<JobId, Job>,
    /// Kinds that this process said it runs.
    pub(super) kinds: BTreeSet<String>,
    pub(super) tally: Tally,
}

impl Life {
    /// Lives the life of this seed.
    ///
    /// # Errors
    /// The first law that was broken.
    pub fn play(seed: u64, system: &mut dyn System) -> Result<Tally, Broken> {
        let mut life = Self::new(seed);
        life.write();
        while let Some(at) = life.next_at().filter(|at| *at <= OVER_AT) {
            life.at = life.at.max(at);
            life.turn(system)?;
        }
        life.at_rest()?;
        Ok(life.tally)
    }

    fn new(seed: u64) -> Self {
        let host = HostId::parse("host_00000000000000000000000001").expect("26 digits");
        let keep = Millis::from_secs(24 * 3_600);
        let place = Place {
            host: host.clone(),
            boot: "boot".to_owned(),
            default_slots: 1 + u32::try_from(seed % 3).expect("small"),
            retention: Retention { keep, keep_failed: keep, jobs_max: 1_000, bytes_max: 1 << 40 },
            adopt_after: None,
        };
        Self {
            seed,
            random: Random::new(seed),
            store: MemoryStore::new(),
            engine: Engine::new(place),
            host,
            at: 0,
            process: 0,
            is_up: false,
            reconcile_at: 0,
            due_at: None,
            queue: BTreeMap::new(),
            numbered: 0,
            entries: BTreeMap::new(),
            bodies: BTreeMap::new(),
            begun: BTreeMap::new(),
            returned: BTreeMap::new(),
            jobs: BTreeMap::new(),
            kinds: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Writes what people do and when the process dies.
    fn write(&mut self) {
        self.push(0, Next::Up);
        let count = self.random.between(4, 20);
        for number in 0..count {
            let id = JobId::parse(&format!("job_{number:026}")).expect("26 digits");
            let at = self.random.between(1, CALM_FROM / 2);
            let submission = self.submission(id.clone());
            self.push(at, Next::Ask(Box::new(Command::Submit(vec![submission]))));
            let ask = Command::Cancel { job: id, reason: None, by_force: false, tree: false };
            if self.random.chance(25) {
                let early = self.random.below(20_000);
                self.push(at + early, Next::Ask(Box::new(ask.clone())));
            }
            // At the end everybody is cancelled, for some bodies would run for ever.
            self.push(at + 2 * CALM_FROM, Next::Ask(Box::new(ask)));
        }
        for _ in 0..self.random.below(5) {
            let at = self.random.between(1, CALM_FROM);
            self.push(at, Next::Crash);
        }
    }

    fn submission(&mut self, id: JobId) -> Submission {
        let kind = *self.random.pick(&KINDS);
        let reruns_max = if kind == "again" { 2 } else { 0 };
        let input = "{}".to_owned();
        let mut spec = JobSpec::of_task(Task { kind: kind.to_owned(), input, reruns_max });
        spec.retry.max = u32::from(self.random.chance(30));
        spec.retry.delay = Millis::new(self.random.below(500));
        spec.lane = self.random.chance(30).then(|| "lane".to_owned());
        spec.timeout = self.random.chance(20).then(|| Millis::new(1 + self.random.below(5_000)));
        spec.grace = Millis::new(self.random.below(3_000));
        let environment = Environment(BTreeMap::new());
        let (key, owner, project, parent) = (None, None, None, None);
        let (retry_of, session) = (None, None);
        Submission { id, spec, environment, key, owner, project, parent, retry_of, session }
    }

    fn push(&mut self, at: u64, next: Next) {
        self.numbered += 1;
        self.queue.insert((at, self.numbered), next);
    }

    const fn is_calm(&self) -> bool {
        self.at >= CALM_FROM
    }

    fn next_at(&self) -> Option<u64> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let own = self.is_up.then_some(self.reconcile_at.min(self.due_at.unwrap_or(u64::MAX)));
        queued.into_iter().chain(own).min()
    }

    fn now(&self) -> Timestamp {
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
        let every = if self.is_calm() { 20_000 } else { RECONCILE_EVERY.get() };
        self.reconcile_at = self.at + every;
        let now = self.now();
        let step = system.reconcile(&self.engine, &mut self.store, now).expect("memory is sound");
        self.committed(&[], &step)
    }

    fn happens(&mut self, next: Next, system: &mut dyn System) -> Result<(), Broken> {
        match next {
            // Nobody is there to ask: it is asked again when somebody is.
            Next::Ask(command) if !self.is_up => self.push(self.at + 1_000, Next::Ask(command)),
            Next::Ask(command) => return self.step(vec![*command], system).map(|_| ()),
            Next::Want(want, process) if self.is_up && process == self.process => {
                return self.drive(want, system);
            }
            Next::Returns(job, attempt, process) if self.is_up && process == self.process => {
                return self.returns(&job, attempt, system);
            }
            Next::KindUp(kind, process) if self.is_up && process == self.process => {
                let command = Command::KindUp { kind: kind.to_owned() };
                return self.step(vec![command], system).map(|_| ());
            }
            Next::Want(..) | Next::Returns(..) | Next::KindUp(..) => {}
            Next::Crash => self.crash(),
            Next::Up => return self.up(system),
        }
        Ok(())
    }

    fn crash(&mut self) {
        if !self.is_up {
            return;
        }
        self.tally.crashes += 1;
        self.tally.lost += self.bodies.len() as u64;
        self.is_up = false;
        for (job, (attempt, stage)) in std::mem::take(&mut self.entries) {
            if let Stage::Over(_) = stage {
                // What was not committed died with the process: nobody can know of it.
                self.returned.remove(&(job, attempt));
            }
        }
        self.bodies.clear();
        let down = self.random.between(1, 4_000);
        self.push(self.at + down, Next::Up);
    }

    fn up(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        (self.is_up, self.reconcile_at) = (true, self.at);
        self.process += 1;
        self.step(vec![Command::HostUp { name: "here".to_owned() }], system)?;
        for kind in KINDS {
            // A program may say late what it runs, or, until the end, not at all.
            let never = kind == "rare" && self.random.chance(50);
            let late = if never { CALM_FROM } else { self.random.below(3_000) };
            self.push(self.at + late, Next::KindUp(kind, self.process));
        }
        Ok(())
    }

    /// One step; nothing of it if its commit fails, as some do.
    fn step(
        &mut self,
        batch: Vec<Command>,
        system: &mut dyn System,
    ) -> Result<Option<Step>, Broken> {
        let is_ours = batch.iter().any(|command| matches!(command, Command::HostUp { .. }));
        if !self.is_calm() && !is_ours && self.random.chance(5) {
            for command in batch {
                // Whoever asked asks again; what drivers report is derived again.
                if let Command::Submit(_) | Command::Cancel { .. } | Command::KindUp { .. } =
                    command
                {
                    self.push(self.at + 700, Next::Ask(Box::new(command)));
                }
            }
            self.due_at = self.due_at.map(|due| due.max(self.at + 100));
            return Ok(None);
        }
        let now = self.now();
        let told = batch.clone();
        let step = system.step(&self.engine, &mut self.store, batch, now).expect("memory is sound");
        self.committed(&told, &step)?;
        Ok(Some(step))
    }

    fn committed(&mut self, batch: &[Command], step: &Step) -> Result<(), Broken> {
        let due = step.next_due.map(|due| u64::try_from(due.as_millis()).unwrap_or(0));
        self.due_at = due;
        let mut before = BTreeMap::new();
        let mut reader = self.store.reader().expect("memory is sound");
        // What a step changes it says; whoever follows a job is told by nothing else.
        for id in &step.changed {
            before.extend(self.jobs.remove(id).map(|job| (id.clone(), job)));
            let row = reader.load(Table::Job, id.as_str()).expect("memory is sound");
            let job = row.map(|row| Job::from_row(&row).expect("the engine wrote it"));
            self.jobs.extend(job.map(|job| (id.clone(), job)));
        }
        drop(reader);
        self.check(&before, batch, step)?;
        let is_calm = self.is_calm();
        for want in &step.tasks {
            if !is_calm && self.random.chance(12) {
                continue;
            }
            let late =
                if !is_calm && self.random.chance(15) { self.random.below(3_000) } else { 0 };
            self.push(self.at + late, Next::Want(want.clone(), self.process));
            if !is_calm && self.random.chance(12) {
                let again = self.random.below(9_000);
                self.push(self.at + again, Next::Want(want.clone(), self.process));
            }
        }
        Ok(())
    }

    /// What the driver of tasks does about a want.
    fn drive(&mut self, want: Want, system: &mut dyn System) -> Result<(), Broken> {
        let entry = |life: &Self, job: &JobId, attempt: u32| {
            let entry = life.entries.get(job).filter(|(number, _)| *number == attempt);
            entry.map(|(_, stage)| stage.clone())
        };
        let report = match want {
            Want::Start(job, attempt) => match entry(self, &job, attempt) {
                Some(_) => return Ok(()),
                None => return self.start(job, attempt, system),
            },
            Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
                match entry(self, &job, attempt) {
                    Some(Stage::Over(_)) => return self.conclude(&job, attempt, system),
                    Some(Stage::Runs) => return Ok(()),
                    None => self.exited(job, attempt, How::Lost("gone".into()), None),
                }
            }
            Want::CallOff(job, attempt) => match entry(self, &job, attempt) {
                Some(Stage::Over(_)) => return self.conclude(&job, attempt, system),
                Some(Stage::Runs) => return Ok(()),
                None => self.exited(job, attempt, How::NeverStarted(None), None),
            },
            Want::Stop { job, attempt, .. } => match entry(self, &job, attempt) {
                Some(Stage::Over(_)) => return self.conclude(&job, attempt, system),
                Some(Stage::Runs) => {
                    self.stop(job, attempt);
                    return Ok(());
                }
                None => {
                    let row = self.jobs.get(&job).and_then(Job::current);
                    let has_begun = row.is_some_and(|attempt| attempt.started_at.is_some());
                    let lost = How::Lost("gone".into());
                    let how = if has_begun { lost } else { How::NeverStarted(None) };
                    self.exited(job, attempt, how, None)
                }
            },
            Want::Clean(job, _) => Command::Cleaned { job, failure: None },
            Want::Purge(job, _) => Command::Purged { job, failure: None },
        };
        self.step(vec![report], system).map(|_| ())
    }

    /// The body begins only once its start is committed.
    fn start(&mut self, job: JobId, attempt: u32, system: &mut dyn System) -> Result<(), Broken> {
        let kind = self.jobs.get(&job).map(|row| row.spec.command[0].clone()).unwrap_or_default();
        if !self.kinds.contains(&kind) {
            let never = self.exited(job, attempt, How::NeverStarted(None), None);
            return self.step(vec![never], system).map(|_| ());
        }
        let started = Command::Started { job: job.clone(), attempt, at: self.now(), pid: 1 };
        let Some(step) = self.step(vec![started], system)? else { return Ok(()) };
        if !self.is_calm() && self.random.chance(4) {
            // It dies between the commit and the answer.
            self.crash();
            return Ok(());
        }
        if step.replies[0].is_err() {
            return Ok(());
        }
        self.tally.begun += 1;
        *self.begun.entry((job.clone(), attempt)).or_default() += 1;
        self.entries.insert(job.clone(), (attempt, Stage::Runs));
        let obeys = self.random.chance(70).then(|| self.random.below(2_000));
        let body = Body { is_stopped: false, obeys, is_good: self.random.chance(70) };
        // Those that do not listen return some day; without it nobody could see that they keep slots.
        let ends = if obeys.is_some() && self.random.chance(20) { None } else { Some(20_000) };
        if let Some(most) = ends {
            let after = self.random.below(most);
            self.push(self.at + after, Next::Returns(job.clone(), attempt, self.process));
        }
        self.bodies.insert((job, attempt), body);
        self.bodies_hold()
    }

    fn stop(&mut self, job: JobId, attempt: u32) {
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return };
        if !std::mem::replace(&mut body.is_stopped, true) {
            self.tally.stopped += 1;
            if let Some(after) = body.obeys {
                self.push(self.at + after, Next::Returns(job, attempt, self.process));
            }
        }
    }

    fn returns(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let Some(body) = self.bodies.remove(&(job.clone(), attempt)) else { return Ok(()) };
        self.returned.insert((job.clone(), attempt), body.is_good);
        let error = (!body.is_good).then(|| "no".to_owned());
        let result = Some(TaskResult { text: attempt.to_string(), ..TaskResult::default() });
        let how = How::Returned { error, result };
        let stopped = body.is_stopped.then_some(StoppedBy::Asked);
        let Command::Exited { exit, .. } = self.exited(job.clone(), attempt, how, stopped) else {
            unreachable!("that is what it makes")
        };
        self.entries.insert(job.clone(), (attempt, Stage::Over(Box::new(exit))));
        self.conclude(job, attempt, system)
    }

    fn conclude(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let Some((_, Stage::Over(exit))) = self.entries.get(job) else { return Ok(()) };
        let exit = (**exit).clone();
        let command = Command::Exited { job: job.clone(), attempt, exit };
        if self.step(vec![command], system)?.is_some() {
            self.entries.remove(job);
        }
        Ok(())
    }

    fn exited(&self, job: JobId, attempt: u32, how: How, stopped: Option<StoppedBy>) -> Command {
        let exit = Exit::bare(how, stopped, self.now());
        Command::Exited { job, attempt, exit }
    }

    /// Which host this is, for the laws.
    pub(super) const fn host(&self) -> &HostId {
        &self.host
    }
}
