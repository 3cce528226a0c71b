//! What is said about a job, but for what happens in it.

use super::{filled, filled_option, known_or_internal, or_default, whether};
use crate::error::Code;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// Capabilities, and for what each is granted.
pub type LeaseMap = BTreeMap<String, Vec<String>>;

/// What may be spent, by currency: a number, or a text for those who read it so.
pub type Budget = BTreeMap<String, Box<RawValue>>;

/// Asks for a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submit {
    /// The agent, with a version or without.
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
    /// What makes asking twice the same as asking once.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Seconds after which it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runtime_sec: Option<NonZeroU64>,
}

/// What bounds a lease besides what it grants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// The job is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// The job.
    pub job_id: String,
    /// What it may do.
    #[serde(default, deserialize_with = "or_default")]
    pub lease: LeaseMap,
    /// When it was accepted.
    pub accepted_at: String,
    /// Its agent, with the version that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What bounds what it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_constraints: Option<Constraints>,
    /// What it may spend, if that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Credentials of its own.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<Credential>>,
    /// The job that delegated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_job_id: Option<String>,
    /// What that job calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate_id: Option<String>,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The message that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A credential that belongs to one job.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credential {
    /// Its id, which is no secret.
    pub id: String,
    /// Of which sort; `bearer` is the only one.
    pub scheme: String,
    /// The secret.
    pub value: String,
    /// Where it is good for something.
    pub endpoint: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Map<String, Value>>,
}

/// The one scheme of credentials that there is.
const BEARER: &str = "bearer";

/// [arcp §9.8] Those of a scheme that nobody knows are passed over, whatever shape they have.
fn known<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Vec<Credential>>, D::Error> {
    let Some(all) = Option::<Vec<Value>>::deserialize(reader)? else { return Ok(None) };
    let known = all.into_iter().filter(|one| one["scheme"] == BEARER);
    let read = known.map(|one| serde_json::from_value(one).map_err(D::Error::custom));
    read.collect::<Result<_, _>>().map(Some)
}

/// Secrets are not for logs.
impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Credential");
        out.field("id", &self.id).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Asks for a job to end. Most clients name the job on the envelope, some here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The job.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
}

/// The job was told to end. It has not ended yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why, as it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// How a job ended that did not fail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// `success`; some clients are told of other ends here too.
    pub final_status: String,
    /// About the result, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The result, unless it came in pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// The result once more, for those who look for it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// The pieces that are the result.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub result_id: Option<String>,
    /// Bytes of all pieces together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_size: Option<u64>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
}

/// How a job ended that failed, or why something about one was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobError {
    /// `error`, `cancelled` or `timed_out`.
    pub final_status: String,
    /// What went wrong.
    #[serde(deserialize_with = "known_or_internal")]
    pub code: Code,
    /// The same in words.
    pub message: String,
    /// Whether the same can be tried again.
    #[serde(default, deserialize_with = "or_default")]
    pub retryable: bool,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The message that it answers, if it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Asks to follow a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// Which.
    #[serde(deserialize_with = "filled")]
    pub job_id: String,
    /// From where, in the numbers of the session that asked for the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_event_seq: Option<u64>,
    /// Whether what happened so far is told too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
}

/// A job is followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscribed {
    /// Which.
    pub job_id: String,
    /// Its state.
    pub current_status: String,
    /// Its agent, with its version.
    pub agent: String,
    /// What it may do.
    #[serde(default, deserialize_with = "or_default")]
    pub lease: LeaseMap,
    /// The newest number of this session so far.
    #[serde(default, deserialize_with = "or_default")]
    pub subscribed_from: u64,
    /// Whether what happened so far follows.
    #[serde(default, deserialize_with = "whether")]
    pub replayed: bool,
    /// What bounds what it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_constraints: Option<Constraints>,
    /// What it has left to spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Its credentials, for those who asked for it.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<Credential>>,
    /// The job that delegated it; `null` if none did.
    #[serde(default)]
    pub parent_job_id: Option<String>,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The message that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Asks to follow a job no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribe {
    /// Which.
    #[serde(deserialize_with = "filled")]
    pub job_id: String,
}
