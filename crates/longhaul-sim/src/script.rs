//! The script of a life: what people ask and what breaks, each at its moment. It is data, so that a
//! failing one can be made smaller, and it prints in the form that tests of core are written in.

use crate::wishes::{OWNERS, PROJECTS, SINKS, Wish};
use longhaul_core::command::Submission;
use longhaul_core::id::JobId;
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::time::Millis;
use std::collections::BTreeMap;
use std::fmt;

/// A job as scripts call it: `a`, `b`, …, `z`, `a1`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(pub u32);

/// Something that happens by itself, and when (milliseconds after the life began).
#[derive(Clone, Debug)]
pub struct Timed {
    /// When.
    pub at: u64,
    /// At which host, by its index.
    pub host: usize,
    /// What.
    pub what: Op,
}

/// What a script can say.
#[derive(Clone, Debug)]
pub enum Op {
    /// Somebody submits these, in one command.
    Submit(Vec<Ask>),
    /// Somebody cancels.
    Cancel {
        /// Which job.
        job: Label,
        /// Without its grace.
        by_force: bool,
        /// Its descendants too.
        tree: bool,
    },
    /// Somebody removes a job.
    Purge(Label),
    /// Somebody changes a pool.
    SetPool {
        /// Which.
        pool: String,
        /// Its slots, if they change.
        slots: Option<u32>,
        /// Whether it is paused, if that changes.
        paused: Option<bool>,
    },
    /// The current attempt reports about itself; one that is over, if `stale`.
    Emit {
        /// Which job.
        job: Label,
        /// Whether the attempt before is named.
        stale: bool,
    },
    /// Somebody wants something of notices.
    Wish(Wish),
    /// The daemon looks whether too much is kept.
    Retain,
    /// The daemon is gone; comes back after `down` with its clock stepped by `clock` milliseconds.
    Crash {
        /// For how long it is gone.
        down: u64,
        /// How far the clock steps meanwhile.
        clock: i64,
        /// Not now, but between the next commit and what follows from it.
        after_commit: bool,
    },
    /// The machine restarts: no process survives.
    Reboot {
        /// For how long it is gone.
        down: u64,
    },
    /// The machine sleeps; nothing but the clock goes on.
    Sleep {
        /// For how long.
        span: u64,
    },
    /// The next commits fail.
    FailCommits {
        /// How many.
        count: u32,
        /// How.
        how: CommitFault,
    },
}

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Somebody else wrote.
    Conflict,
    /// No space is left.
    Full,
    /// Anything else.
    Failed,
}

/// A job as it is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which.
    pub job: Label,
    /// What it is to be, but for the jobs that it waits for.
    pub spec: JobSpec,
    /// Jobs that must have succeeded.
    pub after: Vec<Label>,
    /// Jobs that must have ended.
    pub after_any: Vec<Label>,
    /// Idempotency key.
    pub key: Option<String>,
    /// From which job it is submitted.
    pub parent: Option<Label>,
    /// Which job it repeats.
    pub retry_of: Option<Label>,
    /// Whose it is.
    pub owner: Option<usize>,
    /// To which project it belongs.
    pub project: Option<usize>,
    /// Which sinks are told of its end.
    pub notify: Vec<usize>,
    /// What its processes do, by attempt; the last goes on.
    pub children: Vec<Child>,
}

/// What one attempt's process does.
#[derive(Clone, Debug)]
pub struct Child {
    /// How long the launch takes; `None`: the shim dies before it holds anything.
    pub launch: Option<u64>,
    /// How long the shim holds the lock before the process runs.
    pub spawn: u64,
    /// How long it runs; `None` for ever.
    pub runs: Option<u64>,
    /// How it ends by itself.
    pub ends: Ends,
    /// How long it takes to obey when asked to end; `None` if it does not.
    pub obeys: Option<u64>,
    /// Milliseconds after its begin from when it shows no sign of life.
    pub quiet_from: Option<u64>,
    /// How long its shim takes to end what it leaves running.
    pub leftovers: u64,
    /// When its shim is killed, after its begin.
    pub shim_dies: Option<u64>,
    /// How often cleaning up after it fails first.
    pub unclean: u32,
}

/// How a process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// For want of memory.
    Oom,
    /// Because it wrote too much.
    OutputLimit,
    /// It never becomes a process: there is no such program.
    NoProgram,
}

impl Label {
    /// The id that this job has. Ids do not sort as labels do, as ids of several makers would not.
    pub fn id(self) -> JobId {
        let scrambled = crate::random::roll(7, &[u64::from(self.0)]) % 1_000_000;
        JobId::parse(&format!("job_{scrambled:020}{:06}", self.0)).expect("digits, and 26 of them")
    }

    /// The label of an id that [`Label::id`] made.
    pub fn of(id: &JobId) -> Self {
        let digits = id.as_str().get(24..).and_then(|digits| digits.parse().ok());
        Self(digits.expect("lives have no other ids"))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = char::from(b'a' + u8::try_from(self.0 % 26).expect("less than 26"));
        match self.0 / 26 {
            0 => write!(out, "{letter}"),
            round => write!(out, "{letter}{round}"),
        }
    }
}

impl Ask {
    /// What is handed to the engine.
    pub fn submission(&self) -> Submission {
        let ids = |labels: &[Label]| labels.iter().map(|label| label.id()).collect();
        let mut spec = self.spec.clone();
        spec.after = ids(&self.after);
        spec.after_any = ids(&self.after_any);
        spec.notify = self.notify.iter().map(|sink| SINKS[*sink].to_owned()).collect();
        Submission {
            id: self.job.id(),
            spec,
            environment: Environment(BTreeMap::from([("TOKEN".to_owned(), "secret".to_owned())])),
            key: self.key.clone(),
            owner: self.owner.map(|owner| OWNERS[owner].to_owned()),
            project: self.project.map(|project| PROJECTS[project].to_owned()),
            parent: self.parent.map(Label::id),
            retry_of: self.retry_of.map(Label::id),
            session: None,
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.spec;
        write!(out, "{} pool={} grace={}", self.job, spec.pool, spec.grace.get())?;
        if spec.priority != longhaul_core::limits::PRIORITY_DEFAULT {
            write!(out, " priority={}", spec.priority)?;
        }
        for (name, word) in [("lane", &spec.lane), ("key", &self.key)] {
            if let Some(word) = word {
                write!(out, " {name}={word}")?;
            }
        }
        for (name, labels) in [("after", &self.after), ("after-any", &self.after_any)] {
            for label in labels {
                write!(out, " {name}={label}")?;
            }
        }
        for (name, label) in [("parent", self.parent), ("retry-of", self.retry_of)] {
            if let Some(label) = label {
                write!(out, " {name}={label}")?;
            }
        }
        if let Some(owner) = self.owner {
            let project = self.project.map_or("", |project| PROJECTS[project]);
            write!(out, " owner={}@{project}", OWNERS[owner])?;
        }
        for sink in &self.notify {
            write!(out, " notify={}", SINKS[*sink])?;
        }
        let spans = [
            ("delay", Some(spec.delay).filter(|delay| *delay > Millis::ZERO)),
            ("timeout", spec.timeout),
            ("stall", spec.stall),
            ("keep", spec.keep),
        ];
        for (name, span) in spans {
            if let Some(span) = span {
                write!(out, " {name}={}ms", span.get())?;
            }
        }
        if spec.retry.max > 0 {
            write!(out, " retry={} on={:?}", spec.retry.max, spec.retry.on)?;
        }
        for child in &self.children {
            write!(out, "\n             | {child:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:>7}ms #{} ", self.at, self.host)?;
        match &self.what {
            Op::Submit(asks) => asks.iter().enumerate().try_for_each(|(index, ask)| {
                let and = if index == 0 { "submit" } else { "\n             and" };
                write!(out, "{and} {ask}")
            }),
            Op::Cancel { job, by_force, tree } => {
                let force = if *by_force { " now" } else { "" };
                let tree = if *tree { " tree" } else { "" };
                write!(out, "cancel {job}{force}{tree}")
            }
            Op::Purge(job) => write!(out, "purge {job}"),
            Op::SetPool { pool, slots, paused } => {
                write!(out, "pool {pool} slots={slots:?} paused={paused:?}")
            }
            Op::Emit { job, stale } => write!(out, "emit {job} stale={stale}"),
            Op::Wish(wish) => write!(out, "{wish}"),
            Op::Retain => write!(out, "retain"),
            Op::Crash { down, clock, after_commit } => {
                let when = if *after_commit { " after the next commit" } else { "" };
                write!(out, "crash{when}, back after {down}ms, clock {clock:+}ms")
            }
            Op::Reboot { down } => write!(out, "reboot, back after {down}ms"),
            Op::Sleep { span } => write!(out, "sleep {span}ms"),
            Op::FailCommits { count, how } => write!(out, "{count} commit(s) fail: {how:?}"),
        }
    }
}

impl Child {
    /// A process that never comes to be.
    pub const fn absent() -> Self {
        Self {
            launch: None,
            spawn: 0,
            runs: None,
            ends: Ends::NoProgram,
            obeys: None,
            quiet_from: None,
            leftovers: 0,
            shim_dies: None,
            unclean: 0,
        }
    }
}
