//! What happens in a job, by kind. The protocol reserves ten kinds; others are passed on as they are.

use super::job::{Constraints, LeaseMap};
use super::{filled, filled_option, or_default};
use crate::error::Code;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// Something that happened in a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Of which kind.
    #[serde(deserialize_with = "filled")]
    pub kind: String,
    /// When.
    #[serde(deserialize_with = "filled")]
    pub ts: String,
    /// What; its shape goes by the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
}

/// `log`: a message for whoever reads along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// How much it matters.
    pub level: Level,
    /// The message.
    pub message: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks very closely.
    Trace,
    /// For whoever looks into a fault.
    Debug,
    /// Ordinary.
    Info,
    /// Worth a look.
    Warn,
    /// Something went wrong.
    Error,
    /// Nothing goes on.
    Critical,
}

/// `thought`: what a model thought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thought {
    /// The thought.
    pub text: String,
}

/// `tool_call`: a tool is called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolCall {
    /// Which.
    #[serde(deserialize_with = "filled")]
    pub tool: String,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// Ties the call to its result.
    #[serde(deserialize_with = "filled")]
    pub call_id: String,
}

/// `tool_result`: a call is over. It has a result or an error, never both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolResult {
    /// Which call.
    #[serde(deserialize_with = "filled")]
    pub call_id: String,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ToolError>,
}

/// What went wrong with a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolError {
    /// What.
    pub code: Code,
    /// The same in words.
    pub message: String,
    /// Whether the same can be tried again.
    #[serde(default, deserialize_with = "or_default")]
    pub retryable: bool,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
}

/// `status`: the job entered a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    #[serde(deserialize_with = "filled")]
    pub phase: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `metric`: a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Of what.
    #[serde(deserialize_with = "filled")]
    pub name: String,
    /// How much.
    pub value: Number,
    /// In what unit.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What tells it from others of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<BTreeMap<String, String>>,
    /// The same, as some write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dims: Option<BTreeMap<String, String>>,
}

/// `artifact_ref`: something was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// Where it is.
    #[serde(deserialize_with = "filled")]
    pub uri: String,
    /// Of which media type it is.
    #[serde(deserialize_with = "filled")]
    pub content_type: String,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<u64>,
    /// Its hash, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// `delegate`: another agent is asked to work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delegate {
    /// What the job calls that work.
    #[serde(deserialize_with = "filled")]
    pub delegate_id: String,
    /// The agent.
    #[serde(deserialize_with = "filled")]
    pub agent: String,
    /// What it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    /// What it shall be allowed to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_request: Option<LeaseMap>,
    /// What bounds that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_constraints: Option<Constraints>,
}

/// `progress`: how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done.
    pub current: Number,
    /// What there is to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Number>,
    /// What is counted.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `result_chunk`: a piece of a large result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultChunk {
    /// The result.
    #[serde(deserialize_with = "filled")]
    pub result_id: String,
    /// Which piece, from zero.
    pub chunk_seq: u64,
    /// The piece.
    pub data: String,
    /// How it is written.
    pub encoding: Encoding,
    /// Whether more follow.
    pub more: bool,
}

/// How a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it is.
    Utf8,
    /// As bytes.
    Base64,
}
