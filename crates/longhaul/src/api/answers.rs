//! Bodies of answers, and the one form of all errors.

use super::job::{JobView, State};
use super::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Always true in an answer.
    pub running: bool,
    /// The daemon's process id.
    pub pid: u32,
    /// The daemon's version.
    pub version: String,
    /// Where everything of this user lives.
    pub home: String,
    /// The socket it listens on.
    pub socket: String,
    /// The machine's id.
    pub host: String,
    /// When this daemon began.
    pub started_at: Time,
    /// The journal's head.
    pub head: u64,
    /// How many jobs are in each state.
    pub jobs: BTreeMap<String, u64>,
}

/// A job that is durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The job.
    pub job: JobView,
    /// Whether this request made it; false if it was known by its key or id.
    pub created: bool,
}

/// Jobs that are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// Their ids, in the order of the batch.
    pub ids: Vec<String>,
}

/// Some jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<JobView>,
    /// Ask with this as `cursor` for those after; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Why a job is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Its id.
    pub job: String,
    /// Where it is in its life.
    pub state: State,
    /// Sentences, each from facts.
    pub why: Vec<String>,
}

/// What a cancel came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The job, as it is after it.
    pub job: JobView,
    /// How many jobs are being ended, or have ended, by it.
    pub changed: u32,
}

/// What a prune came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Ids of jobs that are gone; of those that would go, for a dry run.
    pub removed: Vec<String>,
    /// Jobs that were meant and are still there.
    pub kept: Vec<Kept>,
}

/// A job that was not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Why it is still there.
    pub why: String,
}

/// All pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools {
    /// By name.
    pub pools: Vec<PoolView>,
}

/// A limit shared by many jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub name: String,
    /// Jobs that may be active at once.
    pub slots: u32,
    /// Whether it starts nothing for now.
    pub paused: bool,
    /// Jobs that hold a slot.
    pub active: u32,
    /// Jobs that wait for nothing but a slot.
    pub ready: u64,
}

/// What a job left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// By name.
    pub artifacts: Vec<ArtifactView>,
}

/// A file that a job left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactView {
    /// Its path, relative to the job's working directory.
    pub name: String,
    /// Its length in bytes when the job ended.
    pub size: u64,
    /// SHA-256 of its content then.
    pub sha256: String,
    /// Where it lay then.
    pub path: String,
    /// Whether it still is what it was; `null` if nobody looked.
    pub verified: Option<bool>,
}

/// The daemon's health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Whether there is no problem.
    pub sound: bool,
    /// What was looked at, each with what was found.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Warning,
    /// Not sound.
    Problem,
}

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorView,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// What programs branch on; each has a section in `docs/errors.md`.
    pub code: String,
    /// What people read; its words may change.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Which job of a batch, from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The ids that an ambiguous name or prefix may mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<String>>,
}
