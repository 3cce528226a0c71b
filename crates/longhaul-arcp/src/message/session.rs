//! What is said about a session.

use super::job::LeaseMap;
use super::{filled, filled_option, known_or_internal, or_default};
use crate::error::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::num::NonZeroU64;

/// Asks for a session, or for an old one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Who speaks, for people.
    pub client: Client,
    /// Who it is, as it can prove.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What it can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// The session to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeRequest>,
    /// The token of the session to go on with, as some clients write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// How far such a client has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event_seq: Option<u64>,
    /// The session, where such a client names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// Who a client says that it is. Proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its name.
    #[serde(deserialize_with = "filled")]
    pub name: String,
    /// Its version.
    #[serde(deserialize_with = "filled")]
    pub version: String,
    /// What tells it from others of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whom it believes to speak for. The token decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

/// A proof.
#[derive(Clone, Serialize, Deserialize)]
pub struct Auth {
    /// Of which sort; `bearer` is the only one.
    #[serde(default, deserialize_with = "or_default")]
    pub scheme: String,
    /// The proof.
    #[serde(default, deserialize_with = "or_default")]
    pub token: String,
}

/// Tokens are not for logs.
impl std::fmt::Debug for Auth {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Auth").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// What an end of a connection can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// How it can write messages; `json` is the only way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encodings: Option<Vec<String>>,
    /// Its features, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The agents that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<AgentList>,
}

/// Agents, named or described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AgentList {
    /// Only their names.
    Names(Vec<String>),
    /// With their versions.
    Entries(Vec<AgentEntry>),
}

/// An agent that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEntry {
    /// Its name.
    pub name: String,
    /// Its versions; none if it has no versions.
    #[serde(default, deserialize_with = "or_default")]
    pub versions: Vec<String>,
    /// The version that its name alone means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Which session to go on with, and from where.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResumeRequest {
    /// The session. Some clients let the token say it.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The newest token that the client was given.
    #[serde(alias = "token", deserialize_with = "filled")]
    pub resume_token: String,
    /// The newest number that it has.
    pub last_event_seq: u64,
}

/// Tokens are not for logs.
impl std::fmt::Debug for ResumeRequest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("ResumeRequest");
        out.field("session_id", &self.session_id).field("last_event_seq", &self.last_event_seq);
        out.finish_non_exhaustive()
    }
}

/// Asks for an old session in a message of its own. What a hello says besides may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// Which session, and from where.
    #[serde(flatten)]
    pub request: ResumeRequest,
    /// Who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Who it is, as it can prove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

/// A session is there.
#[derive(Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// What answers.
    pub runtime: Runtime,
    /// The session, which some clients look for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What goes on with it another time.
    pub resume_token: String,
    /// Seconds for which that works once the connection is gone.
    pub resume_window_sec: u64,
    /// Seconds between signs of life, if they were agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval_sec: Option<NonZeroU64>,
    /// What was agreed on, and the agents that can be asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub capabilities: Capabilities,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
}

/// Tokens are not for logs.
impl std::fmt::Debug for Welcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Welcome");
        out.field("session_id", &self.session_id).field("capabilities", &self.capabilities);
        out.finish_non_exhaustive()
    }
}

/// What answers at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What tells it from others of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Something went wrong with the session as a whole: known clients give up everything that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Error {
    /// What.
    #[serde(deserialize_with = "known_or_internal")]
    pub code: Code,
    /// What, in words.
    pub message: String,
    /// Whether the same can be tried again.
    pub retryable: bool,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
    /// The message that it answers, if it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A client leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Is anybody there?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// What the answer has to repeat.
    #[serde(deserialize_with = "filled")]
    pub nonce: String,
    /// When it was asked.
    #[serde(deserialize_with = "filled")]
    pub sent_at: String,
}

/// Somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// What the question said.
    #[serde(deserialize_with = "filled")]
    pub ping_nonce: String,
    /// When it was heard.
    #[serde(deserialize_with = "filled")]
    pub received_at: String,
}

/// How far a client has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The newest number that it is done with.
    pub last_processed_seq: u64,
}

/// Asks which jobs there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListJobs {
    /// Which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// How many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU64>,
    /// After which, as the last answer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which jobs are asked for: those that all of it is true of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// In one of these states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Vec<String>>,
    /// Of this agent, in any version if none is named.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Made after this moment.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub created_after: Option<String>,
    /// Made before this moment.
    #[serde(default, deserialize_with = "filled_option", skip_serializing_if = "Option::is_none")]
    pub created_before: Option<String>,
}

/// Which jobs there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Jobs {
    /// The message that asked.
    pub request_id: String,
    /// One page of them.
    pub jobs: Vec<JobEntry>,
    /// What to ask with for the next page; `null` if this is the last.
    pub next_cursor: Option<String>,
}

/// A job in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobEntry {
    /// Which.
    pub job_id: String,
    /// Its agent, with its version.
    pub agent: String,
    /// Its state.
    pub status: String,
    /// What it may do.
    #[serde(default, deserialize_with = "or_default")]
    pub lease: LeaseMap,
    /// The job that it was delegated by; `null` if it was by none.
    #[serde(default)]
    pub parent_job_id: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// The same, where some clients look for it.
    #[serde(default, deserialize_with = "or_default")]
    pub submitted_at: String,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The newest number of it, in the session that asked for it.
    #[serde(default, deserialize_with = "or_default")]
    pub last_event_seq: u64,
}
