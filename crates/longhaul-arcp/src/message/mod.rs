//! Messages exactly as they stand on the wire, by noun. Whoever reads ignores what it does not know;
//! whoever writes leaves out what there is not, instead of writing `null`.

mod event;
mod job;
mod session;

pub use event::{
    ArtifactRef, Delegate, Encoding, Event, Level, Log, Metric, Progress, ResultChunk, Status,
    Thought, ToolCall, ToolError, ToolResult,
};
pub use job::{
    Accepted, Budget, Cancel, Cancelled, Constraints, Credential, JobError, LeaseMap, Outcome,
    Submit, Subscribe, Subscribed, Unsubscribe,
};
pub use session::{
    Ack, AgentEntry, AgentList, Auth, Bye, Capabilities, Client, Error, Filter, Hello, JobEntry,
    Jobs, ListJobs, Ping, Pong, Resume, ResumeRequest, Runtime, Welcome,
};

use crate::error::Code;
use crate::trace::Trace;
use serde_json::{Map, Value};

/// The one version there is.
pub const VERSION: &str = "1.1";

/// One message with what stands around it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Its sender's id for it.
    pub id: String,
    /// The session. Only a hello has none.
    pub session_id: Option<String>,
    /// The job it is about, if it is about one.
    pub job_id: Option<String>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
    /// Its number in the session, if it is one of those that are numbered. What a client writes here
    /// means nothing.
    pub event_seq: Option<u64>,
    /// What others than the protocol have to say.
    pub extensions: Option<Map<String, Value>>,
    /// The message.
    pub message: Message,
}

impl Envelope {
    /// A message of a session that says nothing further.
    pub fn new(id: String, session_id: &str, message: Message) -> Self {
        Self {
            id,
            session_id: Some(session_id.to_owned()),
            job_id: None,
            trace: None,
            event_seq: None,
            extensions: None,
            message,
        }
    }
}

/// Everything that either end can say.
#[derive(Clone, Debug)]
pub enum Message {
    /// A client asks for a session, or for its old one.
    Hello(Box<Hello>),
    /// A client asks for its old session in a message of its own.
    Resume(Box<Resume>),
    /// A session is there.
    Welcome(Box<Welcome>),
    /// Something went wrong with the session as a whole.
    Error(Error),
    /// The client leaves.
    Bye(Bye),
    /// The client leaves and wants to hear that it was understood.
    Close(Bye),
    /// It was.
    Closed,
    /// Is anybody there?
    Ping(Ping),
    /// Yes.
    Pong(Pong),
    /// The client has come so far.
    Ack(Ack),
    /// Which jobs are there?
    ListJobs(ListJobs),
    /// These.
    Jobs(Jobs),
    /// A job is asked for.
    Submit(Box<Submit>),
    /// The job is there.
    Accepted(Box<Accepted>),
    /// A job is to end.
    Cancel(Cancel),
    /// It was told so.
    Cancelled(Cancelled),
    /// Something happened in a job.
    Event(Event),
    /// A job succeeded.
    Outcome(Outcome),
    /// A job did not succeed, or what was asked about one was refused.
    JobError(JobError),
    /// A job is to be followed.
    Subscribe(Subscribe),
    /// It is.
    Subscribed(Box<Subscribed>),
    /// It is to be followed no more.
    Unsubscribe(Unsubscribe),
}

impl Message {
    /// The `type` on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "session.hello",
            Self::Resume(_) => "session.resume",
            Self::Welcome(_) => "session.welcome",
            Self::Error(_) => "session.error",
            Self::Bye(_) => "session.bye",
            Self::Close(_) => "session.close",
            Self::Closed => "session.closed",
            Self::Ping(_) => "session.ping",
            Self::Pong(_) => "session.pong",
            Self::Ack(_) => "session.ack",
            Self::ListJobs(_) => "session.list_jobs",
            Self::Jobs(_) => "session.jobs",
            Self::Submit(_) => "job.submit",
            Self::Accepted(_) => "job.accepted",
            Self::Cancel(_) => "job.cancel",
            Self::Cancelled(_) => "job.cancelled",
            Self::Event(_) => "job.event",
            Self::Outcome(_) => "job.result",
            Self::JobError(_) => "job.error",
            Self::Subscribe(_) => "job.subscribe",
            Self::Subscribed(_) => "job.subscribed",
            Self::Unsubscribe(_) => "job.unsubscribe",
        }
    }
}

/// Reads a text that must say something.
fn filled<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text: String = serde::Deserialize::deserialize(from)?;
    if text.is_empty() {
        Err(serde::de::Error::custom("expected a text, not an empty one"))
    } else {
        Ok(text)
    }
}

/// Reads a text that must say something if it is there.
fn filled_option<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = serde::Deserialize::deserialize(from)?;
    match text {
        Some(text) if text.is_empty() => {
            Err(serde::de::Error::custom("expected a text, not an empty one"))
        }
        text => Ok(text),
    }
}

/// Reads a yes or no; some runtimes say how many instead.
fn whether<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let said: Value = serde::Deserialize::deserialize(from)?;
    Ok(said.as_bool().unwrap_or_else(|| said.as_u64().is_some_and(|count| count > 0)))
}

/// Reads what went wrong. A code that is none of the fifteen, of a runtime with its own, still says that
/// something did, and whoever waits must hear it.
fn known_or_internal<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
    let name: String = serde::Deserialize::deserialize(from)?;
    Ok(Code::named(&name).unwrap_or(Code::InternalError))
}

/// Reads what may be missing, or `null` where it should have been left out.
fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    let value: Option<T> = serde::Deserialize::deserialize(from)?;
    Ok(value.unwrap_or_default())
}
