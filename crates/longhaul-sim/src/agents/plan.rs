//! What people do to agents, and what breaks, as a script that a seed writes. What happens while it is
//! played is rolled by name, so that leaving one thing out changes little else.

use crate::random::{Random, roll};

/// When faults end.
pub(super) const CALM_FROM: u64 = 120_000;
/// The agents of all lives, each with the one that it works for.
pub(super) const AGENTS: [(&str, Option<&str>); 5] = [
    ("lead", None),
    ("ann", Some("lead")),
    ("bob", Some("lead")),
    ("cid", Some("ann")),
    ("dot", None),
];
/// The person of all lives.
pub(super) const PERSON: &str = "sue";
/// To whom mail goes.
pub(super) const BOXES: [&str; 10] =
    ["lead", "ann", "bob", "cid", "dot", "@all", "@builders", "@sue", "nobody", "@children"];

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// An agent is added, or changed, or begun anew.
    Add {
        /// Which.
        agent: usize,
        /// What it is like.
        shape: u64,
        /// Whether it may change one that is there.
        replace: bool,
    },
    /// An agent is to be forgotten.
    Remove(usize),
    /// An agent is to end.
    Stop {
        /// Which.
        agent: usize,
        /// Without grace.
        by_force: bool,
    },
    /// A turn is asked for.
    Turn {
        /// Its number among all.
        number: u64,
        /// Of which agent.
        agent: usize,
        /// What it is like.
        shape: u64,
    },
    /// A person sends mail.
    Mail {
        /// Its number among all.
        number: u64,
        /// To which of the boxes.
        to: usize,
        /// What it is like.
        shape: u64,
    },
    /// A person takes its mail.
    Read(u64),
    /// Some job is cancelled.
    Cancel {
        /// Which of those that are there.
        pick: u64,
        /// Without grace.
        by_force: bool,
    },
    /// Some question is answered, perhaps again.
    Answer {
        /// Which of those that are there.
        pick: u64,
        /// With yes.
        is_allowed: bool,
    },
    /// A daemon dies.
    Crash(usize),
    /// A machine restarts.
    Reboot(usize),
    /// Some shim and its child are killed.
    LoseShim(u64),
    /// A clock is set.
    Clock {
        /// Of which host.
        host: usize,
        /// By how many milliseconds.
        by: i64,
    },
    /// A machine sleeps.
    Sleep {
        /// Which.
        host: usize,
        /// For how many milliseconds.
        span: u64,
    },
    /// The pool is given so many slots.
    Slots(u32),
}

/// Something and its hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Milliseconds after the life began.
    pub at: u64,
    /// What happens.
    pub what: Op,
}

/// A life before it is lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What rolls go by.
    pub seed: u64,
    /// How many hosts share the store.
    pub hosts: usize,
    /// Whether messages between the engine and its drivers get lost, doubled and late, and commits fail.
    pub is_faulty: bool,
    /// What happens.
    pub script: Vec<Timed>,
}

impl Plan {
    /// The life of this seed.
    pub fn new(seed: u64, hosts: usize) -> Self {
        let mut random = Random::new(seed ^ 0xa6e7);
        let mut script = Vec::new();
        for agent in 0..AGENTS.len() {
            let at = 1 + agent as u64;
            let shape = random.next();
            script.push(Timed { at, what: Op::Add { agent, shape, replace: false } });
        }
        let count = random.between(15, 60);
        for number in 0..count {
            let at = random.between(10, CALM_FROM * 3 / 4);
            let what = happening(&mut random, number, hosts);
            script.push(Timed { at, what });
        }
        script.sort_by_key(|timed| timed.at);
        Self { seed, hosts, is_faulty: !seed.is_multiple_of(8), script }
    }

    /// A number that depends on the seed and on `parts` alone.
    pub(super) fn roll(&self, parts: &[u64]) -> u64 {
        roll(self.seed, parts)
    }
}

fn happening(random: &mut Random, number: u64, hosts: usize) -> Op {
    let pick = |random: &mut Random, end: usize| {
        usize::try_from(random.below(end as u64)).expect("less than a length")
    };
    let shape = random.next();
    let agent = pick(random, AGENTS.len());
    let by_force = random.chance(20);
    let host = pick(random, hosts);
    match random.below(100) {
        0..26 => Op::Turn { number, agent, shape },
        26..48 => Op::Mail { number, to: pick(random, BOXES.len()), shape },
        48..53 => Op::Read(shape),
        53..61 => Op::Cancel { pick: shape, by_force },
        61..74 => Op::Answer { pick: shape, is_allowed: random.chance(60) },
        74..79 => Op::Add { agent, shape, replace: random.chance(60) },
        79..81 => Op::Remove(agent),
        81..85 => Op::Stop { agent, by_force },
        85..89 => Op::Crash(host),
        89..91 => Op::Reboot(host),
        91..93 => Op::LoseShim(shape),
        93..95 => Op::Clock { host, by: step(random) },
        95..97 => Op::Sleep { host, span: random.between(1, 40_000) },
        _ => Op::Slots(u32::try_from(random.between(1, 5)).expect("small")),
    }
}

fn step(random: &mut Random) -> i64 {
    i64::try_from(random.below(20_000)).expect("small") - 8_000
}
