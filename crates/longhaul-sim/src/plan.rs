//! A life before it is lived: its script and how badly its drivers behave, all from one seed.

use crate::random::{Random, roll};
use crate::script::{Ask, Child, CommitFault, Ends, Label, Op, Timed};
use crate::wishes::{OWNERS, SINKS, Visit, Wish};
use longhaul_core::delivery::Settled;
use longhaul_core::spec::{JobSpec, Retry};
use longhaul_core::time::Millis;

/// Everything that one life is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it came from; also fixes what is rolled while it is lived.
    pub seed: u64,
    /// How many hosts share the store.
    pub hosts: usize,
    /// How badly drivers and messages behave while faults are on.
    pub faults: Faults,
    /// Whether every daemon restarts once faults are off.
    pub restart_at_end: bool,
    /// Jobs kept beyond their own time, at most.
    pub jobs_max: u64,
    /// How long an owner is away before others step in, in milliseconds; they never do if `None`.
    pub adopt_after: Option<u64>,
    /// How the receivers of the sinks are.
    pub tempers: [Temper; SINKS.len()],
    /// What happens, by time.
    pub script: Vec<Timed>,
}

/// How a receiver is, while faults are on; one that is broken stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Mostly takes and answers.
    Sound,
    /// Mostly fails, in all the ways there are.
    Flaky,
    /// Mostly does not answer.
    Hangs,
    /// Refuses everything, for ever.
    Broken,
}

/// Of a hundred, how many are lost, come twice or come late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Wants that no driver hears.
    pub wants_lost: u64,
    /// Wants that a driver hears twice.
    pub wants_twice: u64,
    /// Wants that a driver hears up to three seconds later.
    pub wants_late: u64,
    /// Reports that never arrive.
    pub reports_lost: u64,
    /// Reports that arrive again, up to twenty seconds later.
    pub reports_twice: u64,
    /// Reports that arrive up to two seconds later, perhaps after younger ones.
    pub reports_late: u64,
    /// Answers that the asker never hears, so that it asks again.
    pub replies_lost: u64,
}

/// The pools of all lives: one is the default one.
pub const POOLS: [&str; 3] = ["default", "small", "wide"];

impl Plan {
    /// The life of this seed at one host, or at two that share a store.
    pub fn new(seed: u64, hosts: usize) -> Self {
        let mut random = Random::new(seed);
        let faults = if random.chance(15) { Faults::default() } else { faults(&mut random) };
        let restart_at_end = random.chance(50);
        let jobs_max = if random.chance(30) { random.between(2, 8) } else { 10_000 };
        let mut extra = Random::new(roll(seed, &[61]));
        let adopt_after =
            *extra.pick(&[None, Some(3_000), Some(8_000), Some(20_000), Some(120_000)]);
        let tempers = [(); SINKS.len()].map(|()| match extra.below(20) {
            0..=9 => Temper::Sound,
            10..=16 => Temper::Flaky,
            17 | 18 => Temper::Hangs,
            _ => Temper::Broken,
        });
        let script = Writer { seed, random, extra, hosts, jobs: 0, script: Vec::new() }.write();
        Self { seed, hosts, faults, restart_at_end, jobs_max, adopt_after, tempers, script }
    }

    /// When the script has been played and faults end.
    pub fn calm_from(&self) -> u64 {
        self.script.iter().map(|timed| timed.at).max().unwrap_or(0) + 2_000
    }
}

fn faults(random: &mut Random) -> Faults {
    Faults {
        wants_lost: random.below(25),
        wants_twice: random.below(25),
        wants_late: random.below(30),
        reports_lost: random.below(25),
        reports_twice: random.below(30),
        reports_late: random.below(30),
        replies_lost: random.below(20),
    }
}

struct Writer {
    seed: u64,
    random: Random,
    /// What is about notices is fixed by a stream of its own.
    extra: Random,
    hosts: usize,
    jobs: u32,
    script: Vec<Timed>,
}

impl Writer {
    fn write(mut self) -> Vec<Timed> {
        for (pool, slots) in [(1, self.random.between(1, 3)), (2, self.random.between(3, 9))] {
            let slots = u32::try_from(slots).ok();
            let pool = POOLS[pool].to_owned();
            let what = Op::SetPool { pool, slots, paused: Some(false) };
            self.script.push(Timed { at: 0, host: 0, what });
        }
        let count = self.random.between(15, 70);
        let span = self.random.between(5_000, 90_000);
        let breaks = self.random.chance(80);
        let mut times: Vec<u64> = (0..count).map(|_| 1 + self.random.below(span)).collect();
        times.sort_unstable();
        for at in times {
            let host = usize::try_from(self.random.below(self.hosts as u64)).expect("1 or 2");
            let what = if breaks && self.random.chance(18) { self.fault() } else { self.ask() };
            let again = matches!(what, Op::Submit(_)) && self.random.chance(12);
            if again {
                let at = at + self.random.below(8_000);
                self.script.push(Timed { at, host, what: what.clone() });
            }
            self.script.push(Timed { at, host, what });
        }
        self.notices(span);
        self.script.sort_by_key(|timed| timed.at);
        self.script
    }

    /// Sinks that are there from the start, and what people want of notices meanwhile.
    fn notices(&mut self, span: u64) {
        for sink in 0..SINKS.len() {
            if self.extra.chance(85) {
                let what = Op::Wish(Wish::AddSink { sink, version: 1, replace: false });
                self.script.push(Timed { at: 0, host: 0, what });
            }
        }
        let count = self.extra.between(4, 24);
        for visitor in 0..count {
            let at = 1 + self.extra.below(span);
            let host = usize::try_from(self.extra.below(self.hosts as u64)).expect("1 or 2");
            let visitor = u32::try_from(visitor).expect("small");
            let what = Op::Wish(self.wish(visitor));
            self.script.push(Timed { at, host, what });
        }
        if self.hosts == 1 && self.extra.chance(8) {
            // The machine was off for days, or its clock was wrong by an hour.
            let hours = *self.extra.pick(&[-1, 1, 30, 100, 190]);
            let (down, clock) = (500, hours * 3_600_000);
            let what = Op::Crash { down, clock, after_commit: false };
            self.script.push(Timed { at: 1 + self.extra.below(span), host: 0, what });
        }
    }

    fn wish(&mut self, visitor: u32) -> Wish {
        let index = |random: &mut Random, of: usize| {
            usize::try_from(random.below(of as u64)).expect("less than a length")
        };
        let owner = index(&mut self.extra, OWNERS.len());
        let sink = index(&mut self.extra, SINKS.len());
        let back = self.extra.below(u64::from(self.jobs.max(1)));
        let job = Label(u32::try_from(back).expect("small"));
        match self.extra.below(20) {
            0..=8 => Wish::Come(Visit {
                visitor,
                owner,
                project: self.extra.chance(85).then(|| usize::from(self.extra.chance(25))),
                stays: self.extra.chance(75).then(|| self.extra.below(30_000)),
                acks: *self.extra.pick(&[0, 30, 70, 100]),
                takes: u32::try_from(self.extra.between(1, 9)).expect("small"),
            }),
            9 | 10 => {
                let version = 1 + u32::from(self.extra.chance(50));
                Wish::AddSink { sink, version, replace: self.extra.chance(60) }
            }
            11 | 12 => Wish::RemoveSink(sink),
            13 => Wish::Acknowledge { owner, jobs: vec![job, Label(job.0 / 2)] },
            14 => Wish::AcknowledgeAll(owner),
            15 | 16 => {
                let how = *self.extra.pick(&[Settled::Waited, Settled::Shown, Settled::Streamed]);
                Wish::Settle { job, owner, how }
            }
            _ => Wish::Redeliver { job, to: self.extra.chance(80).then_some(sink) },
        }
    }

    /// Who is told of this job, and which one it repeats.
    fn tell(&mut self, ask: &mut Ask) {
        let extra = &mut self.extra;
        let index = |random: &mut Random, of: usize| {
            usize::try_from(random.below(of as u64)).expect("less than a length")
        };
        ask.owner = extra.chance(75).then(|| index(extra, OWNERS.len()));
        ask.project = extra.chance(85).then(|| usize::from(extra.chance(25)));
        if extra.chance(55) {
            ask.notify = (0..=extra.below(2)).map(|_| index(extra, SINKS.len())).collect();
        }
        if self.jobs > 0 && extra.chance(15) {
            let back = extra.below(u64::from(self.jobs.min(8)));
            ask.retry_of = Some(Label(self.jobs - 1 - u32::try_from(back).expect("small")));
        }
    }

    fn fault(&mut self) -> Op {
        let down = self.random.between(1, 9_000);
        match self.random.below(if self.hosts == 1 { 10 } else { 7 }) {
            0..=2 => Op::Crash { down, clock: 0, after_commit: true },
            3 => Op::Crash { down, clock: 0, after_commit: false },
            4 => Op::Reboot { down },
            5 | 6 => {
                let all = [CommitFault::Conflict, CommitFault::Full, CommitFault::Failed];
                let how = *self.random.pick(&all);
                let count = u32::try_from(self.random.between(1, 5)).expect("small");
                Op::FailCommits { count, how }
            }
            7 => {
                let span = 40_000;
                let clock = i64::try_from(self.random.below(span)).expect("small") - 20_000;
                Op::Crash { down, clock, after_commit: false }
            }
            8 => Op::Sleep { span: self.random.between(1_000, 600_000) },
            _ => Op::Reboot { down: 1 },
        }
    }

    fn ask(&mut self) -> Op {
        if self.jobs == 0 || self.random.chance(50) {
            let most = if self.random.chance(15) { 6 } else { 1 };
            return Op::Submit((0..most).map(|_| self.job()).collect());
        }
        let job = self.known();
        match self.random.below(12) {
            0..=3 => {
                let (by_force, tree) = (self.random.chance(25), self.random.chance(25));
                Op::Cancel { job, by_force, tree }
            }
            4 | 5 => Op::Purge(job),
            6 | 7 => Op::Emit { job, stale: self.random.chance(25) },
            8 | 9 => Op::Retain,
            _ => {
                let pool = (*self.random.pick(&POOLS)).to_owned();
                let slots = self.random.chance(60).then(|| self.random.below(4));
                let slots = slots.map(|slots| u32::try_from(slots).expect("small"));
                let paused = self.random.chance(50).then(|| self.random.chance(35));
                Op::SetPool { pool, slots, paused }
            }
        }
    }

    /// A job that was written before, mostly a young one.
    fn known(&mut self) -> Label {
        let back = self.random.below(u64::from(self.jobs.min(6)));
        Label(self.jobs - 1 - u32::try_from(back).expect("small"))
    }

    fn job(&mut self) -> Ask {
        let job = Label(self.jobs);
        let mut ask = Ask {
            job,
            spec: JobSpec::new(vec!["work".into(), job.to_string()], "/".into()),
            after: Vec::new(),
            after_any: Vec::new(),
            key: None,
            parent: None,
            retry_of: None,
            owner: None,
            project: None,
            notify: Vec::new(),
            children: Vec::new(),
        };
        self.tell(&mut ask);
        if self.jobs > 0 {
            for _ in 0..self.random.below(4).saturating_sub(1) {
                let on = self.known();
                if self.random.chance(70) { ask.after.push(on) } else { ask.after_any.push(on) }
            }
            ask.parent = self.random.chance(25).then(|| self.known());
            // Parents are only names: they may be the job itself, or one that comes later.
            let odd = roll(self.seed, &[u64::from(self.jobs)]) % 50;
            if odd < 2 {
                ask.parent = Some(Label(self.jobs + u32::from(odd == 1)));
            }
        }
        if self.random.chance(20) {
            let key = self.random.below(3);
            ask.key = Some(format!("key{key}"));
            // Equal asks under one key are one job; most others are refused.
            if self.random.chance(60) {
                ask.spec.command = vec!["work".into(), format!("for key{key}")];
                (ask.after, ask.after_any) = (Vec::new(), Vec::new());
                ask.notify.clear();
                ask.spec.timeout = Some(Millis::from_secs(9));
                ask.children = vec![self.child()];
                self.jobs += 1;
                return ask;
            }
        }
        self.dress(&mut ask.spec);
        let count = if ask.spec.retry.max > 0 { self.random.between(1, 4) } else { 1 };
        ask.children = (0..count).map(|_| self.child()).collect();
        if ask.children.iter().any(|child| child.runs.is_none()) {
            let timeout = Millis::new(self.random.between(200, 20_000));
            ask.spec.timeout = ask.spec.timeout.or(Some(timeout));
        }
        self.jobs += 1;
        ask
    }

    fn dress(&mut self, spec: &mut JobSpec) {
        let random = &mut self.random;
        spec.pool = (*random.pick(&POOLS)).to_owned();
        if random.chance(2) {
            "nowhere".clone_into(&mut spec.pool);
        }
        spec.lane = random.chance(35).then(|| format!("lane{}", random.below(2)));
        if random.chance(40) {
            spec.priority = u8::try_from(random.below(10)).expect("less than ten");
        }
        let span = |random: &mut Random, most: u64| Millis::new(random.below(most));
        if random.chance(20) {
            spec.delay = span(random, 10_000);
        }
        if random.chance(25) {
            let least = u64::from(random.chance(90));
            spec.timeout = Some(Millis::new(if least == 0 { 0 } else { random.between(1, 8_000) }));
        }
        if random.chance(20) {
            spec.stall = Some(Millis::new(random.between(1_000, 6_000)));
        }
        spec.grace = if random.chance(15) { Millis::ZERO } else { span(random, 6_000) };
        if random.chance(40) {
            let on = if random.chance(30) { vec![1, 3] } else { Vec::new() };
            let max = u32::try_from(random.between(1, 4)).expect("small");
            spec.retry = Retry { max, delay: span(random, 3_000), on };
        }
        // Kept long enough that late copies of old reports have run out.
        spec.keep = Some(Millis::new(random.between(30_000, 200_000)));
        if random.chance(10) {
            spec.keep = Some(Millis::from_secs(7 * 24 * 3_600));
        }
    }

    fn child(&mut self) -> Child {
        let random = &mut self.random;
        let ends = match random.below(20) {
            0..=9 => Ends::Code(0),
            10..=12 => Ends::Code(1),
            13 | 14 => Ends::Code(3),
            15 => Ends::Signal(11),
            16 => Ends::Oom,
            17 => Ends::OutputLimit,
            18 => Ends::NoProgram,
            _ => Ends::Code(17),
        };
        let runs = if random.chance(15) { None } else { Some(random.below(6_000)) };
        let slow = if random.chance(5) { 60_000 } else { 300 };
        Child {
            launch: if random.chance(8) { None } else { Some(1 + random.below(slow)) },
            spawn: if random.chance(10) { random.below(2_000) } else { random.below(20) },
            runs: if ends == Ends::NoProgram { Some(0) } else { runs },
            ends,
            obeys: if random.chance(30) { None } else { Some(random.below(800)) },
            quiet_from: random.chance(25).then(|| random.below(2_000)),
            leftovers: if random.chance(20) { random.below(2_000) } else { 0 },
            shim_dies: random.chance(6).then(|| random.below(4_000)),
            unclean: match random.below(20) {
                0 => 100,
                1 | 2 => u32::try_from(random.between(1, 4)).expect("small"),
                _ => 0,
            },
        }
    }
}
