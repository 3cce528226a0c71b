//! What a job asks for under its lease: to do something, or to have another agent do it.

use super::units::Span;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// May this be done? Asked by a job, proven by the token of its attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationAsk {
    /// In which attempt: `LONGHAUL_ATTEMPT`.
    pub attempt: u32,
    /// The capability: `fs.read`, `tool.call`, ….
    pub capability: String,
    /// What it is about: a path, a URL or a name.
    pub target: String,
    /// The tool call that it is part of; whoever follows the job is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallAsk>,
}

/// A tool call that a job makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAsk {
    /// The call's own name.
    pub call_id: String,
    /// The tool.
    pub tool: String,
    /// What it is called with.
    #[serde(default)]
    pub args: Value,
}

/// What a lease says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationAnswer {
    /// Whether it may be.
    pub is_allowed: bool,
    /// Which no: `permission_denied`, `lease_expired` or `budget_exhausted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why not, for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Have another agent work for this job. Asked by a job, proven by the token of its attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegateAsk {
    /// In which attempt: `LONGHAUL_ATTEMPT`.
    pub attempt: u32,
    /// The job's own name for it: the same name again is the same job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The agent: `name` or `name@version`.
    pub agent: String,
    /// What the agent is asked.
    #[serde(default)]
    pub input: Value,
    /// What it shall be allowed to do, and spend: capability to patterns or amounts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lease: BTreeMap<String, Vec<String>>,
    /// Until when, such as `2026-01-31T12:00:00Z`; as long as the parent's own lease if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The same as a span from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Span>,
    /// The longest that it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegateAnswer {
    /// Whether there is such a job.
    pub is_allowed: bool,
    /// The job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The asking job's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it was not there before.
    #[serde(default)]
    pub is_new: bool,
    /// Which no, if it may not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why not, for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
