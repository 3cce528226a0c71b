//! Bodies of requests. A field nobody knows is refused by name: a misspelt option that silently does
//! nothing is worse than an error.

use super::spec::{Spec, Variables};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Many jobs, accepted all or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The environment that each job's `env` is added to, unless the job brings its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_env: Option<Variables>,
    /// The jobs, in order.
    pub jobs: Vec<Spec>,
}

/// How a job is to be ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelAsk {
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// Without waiting for its grace.
    #[serde(default)]
    pub now: bool,
    /// Its descendants too.
    #[serde(default)]
    pub tree: bool,
}

/// How an ended job is to be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryAsk {
    /// The new job's id; the client makes one if there is none, so that asking twice is harmless.
    #[serde(default)]
    pub id: Option<String>,
    /// The environment that `env` is added to.
    #[serde(default)]
    pub base_env: Option<Variables>,
    /// Variables set on purpose; needed where the old values are gone.
    #[serde(default)]
    pub env: Variables,
}

/// Which ended jobs are to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneAsk {
    /// Those that ended at least this many milliseconds ago; those past their keeping if `null`.
    #[serde(default)]
    pub older_than_ms: Option<u64>,
    /// These and no others, whenever they ended.
    #[serde(default)]
    pub jobs: Vec<String>,
    /// Only say which.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is to change about a pool; what is `null` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolAsk {
    /// Jobs that may run at once.
    #[serde(default)]
    pub slots: Option<u32>,
    /// Whether it starts nothing.
    #[serde(default)]
    pub paused: Option<bool>,
}

/// A report of a job about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmitAsk {
    /// From which attempt: `LONGHAUL_ATTEMPT`.
    pub attempt: u32,
    /// What kind of report: `progress`, `log`, `status`, `metric`, ….
    pub report: String,
    /// The report.
    #[serde(default)]
    pub body: Value,
}
