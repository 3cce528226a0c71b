//! What many lives came to, in numbers; and a trace, as lines or as one number.

use longhaul_core::command::{Refused, Reply};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// How much happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lives.
    pub lives: u64,
    /// Steps that were committed.
    pub steps: u64,
    /// Daemons that were killed, machines that restarted.
    pub crashes: u64,
    /// Commits that failed.
    pub commits_failed: u64,
    /// Reports that were sent once more.
    pub reports_twice: u64,
    /// Reports that were lost.
    pub reports_lost: u64,
    /// Wants that no driver heard.
    pub wants_lost: u64,
    /// Jobs that were accepted.
    pub jobs: u64,
    /// Processes that ran.
    pub processes: u64,
    /// Refusals by their code.
    pub refusals: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds another life or many.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.commits_failed += other.commits_failed;
        self.reports_twice += other.reports_twice;
        self.reports_lost += other.reports_lost;
        self.wants_lost += other.wants_lost;
        self.jobs += other.jobs;
        self.processes += other.processes;
        for (code, count) in &other.refusals {
            *self.refusals.entry(code).or_default() += count;
        }
    }

    pub(crate) fn reply(&mut self, reply: &Result<Reply, Refused>) {
        if let Err(refused) = reply {
            *self.refusals.entry(refused.code()).or_default() += 1;
        }
    }
}

/// What happened, in order: always as one number, on request as lines.
#[derive(Debug)]
pub struct Trace {
    /// The lines, if they are kept.
    pub lines: Option<Vec<String>>,
    sum: u64,
}

impl Trace {
    /// A trace that keeps its lines, or only their sum.
    pub const fn new(keeps_lines: bool) -> Self {
        Self {
            lines: if keeps_lines { Some(Vec::new()) } else { None },
            sum: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Adds a line.
    pub fn say(&mut self, line: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_string());
        }
        self.write_fmt(line).expect("a sum takes any text");
    }

    /// One number for all of it.
    pub const fn sum(&self) -> u64 {
        self.sum
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.sum = (self.sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
