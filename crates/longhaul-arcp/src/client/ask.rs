//! What a client asks of a runtime, what it is answered, and what it is told besides.

use crate::error::{Code, Denial};
use crate::features::Features;
use crate::message::{
    Accepted, AgentEntry, Cancelled, Constraints, Event, Jobs, LeaseMap, ListJobs, Runtime,
    Subscribed,
};
use crate::trace::Trace;
use longhaul_core::time::Millis;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::num::NonZeroU64;

/// Ties an answer to its ask, within one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// What is asked of the runtime. All of it can be asked twice without harm, for it is asked again
/// whenever a transport was lost before the answer came.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Answered with [`Answer::Submitted`]; what the job tells follows by itself.
    Submit(Box<Submission>),
    /// Answered with [`Answer::Listed`].
    List(ListJobs),
    /// Answered with [`Answer::Following`].
    Subscribe {
        /// Which job.
        job_id: String,
        /// Whether what it told so far is wanted too.
        is_from_start: bool,
    },
    /// Answered with [`Answer::Cancelled`] once the job was told to end.
    Cancel {
        /// Which job.
        job_id: String,
        /// Why.
        reason: Option<String>,
    },
}

/// A job is asked for.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The agent, with a version or without.
    pub agent: String,
    /// What it is asked.
    pub input: Option<Box<RawValue>>,
    /// What it shall be allowed to do; nothing if nothing is said.
    pub lease: LeaseMap,
    /// What bounds that.
    pub constraints: Option<Constraints>,
    /// What makes asking twice the same as asking once. Without it an ask whose answer is lost could
    /// not be repeated.
    pub key: String,
    /// Whether nobody can have used that key before.
    pub is_key_fresh: bool,
    /// Seconds after which the job is ended.
    pub runtime_secs_max: Option<NonZeroU64>,
    /// The trace that it belongs to. One of its own, or another runtime's answer may be taken for it.
    pub trace: Trace,
}

/// What the runtime answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The job is there.
    Submitted(Box<Accepted>),
    /// One page of jobs.
    Listed(Jobs),
    /// The job is followed.
    Following(Box<Subscribed>),
    /// The job was told to end.
    Cancelled(Cancelled),
}

/// What is to be done about what came in.
#[derive(Debug)]
pub enum Output {
    /// Send this frame.
    Send(String),
    /// Tell this to whoever the client works for.
    Tell(Told),
    /// End the transport, make another one in a while, and say
    /// [`on_connected`](super::Connection::on_connected).
    Reconnect(Lost),
    /// End the transport; nothing more comes.
    Over(Over),
}

/// Why a transport is of no use any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Lost {
    /// Nothing was heard for too long.
    Silent,
    /// Something that was told is missing.
    Gap,
    /// No welcome came.
    NoHandshake,
    /// The runtime said so.
    Told(Denial),
}

/// Why there is nothing more to come.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// The client left.
    Left,
    /// The runtime does not take this client.
    Refused(Denial),
}

/// What a client is told.
#[derive(Debug)]
pub enum Told {
    /// There is a session; said again for each transport.
    Welcomed(Box<Welcomed>),
    /// An ask was answered.
    Answered(AskId, Result<Answer, Denial>),
    /// Something happened in a job.
    Event {
        /// Which job.
        job_id: String,
        /// Its number in the session.
        event_seq: u64,
        /// What.
        event: Event,
    },
    /// A piece of a job's result, in order and without gaps.
    Piece {
        /// Which job.
        job_id: String,
        /// Its number in the session.
        event_seq: u64,
        /// The piece.
        piece: Piece,
    },
    /// A job ended; nothing more is told of it.
    Ended {
        /// Which job.
        job_id: String,
        /// How.
        end: Box<End>,
    },
    /// A job that is followed has a job of its own made.
    Delegated(Box<Accepted>),
    /// Something was told that nobody here can read.
    Unreadable {
        /// Which job told it, where that could be read.
        job_id: Option<String>,
        /// Its number in the session.
        event_seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The session could not be gone on with, and some of what a job told meanwhile may be missing.
    Gap {
        /// Which job.
        job_id: String,
    },
    /// The session could not be gone on with, and the job can not be followed in the new one.
    Gone {
        /// Which job.
        job_id: String,
        /// What the runtime says.
        denial: Denial,
    },
    /// Something went wrong with the session that is no answer to anything.
    Trouble(Denial),
}

/// There is a session.
#[derive(Clone, Debug)]
pub struct Welcomed {
    /// Which.
    pub session_id: String,
    /// What answers.
    pub runtime: Runtime,
    /// What can be used.
    pub features: Features,
    /// The agents that can be asked for.
    pub agents: Vec<AgentEntry>,
    /// Whether it is the session of before.
    pub is_resumed: bool,
}

/// What it takes to go on with a session that was left. [arcp §6.3] Its token is as good as the session.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which session.
    pub session_id: String,
    /// What proves that it is ours. Good for one resume; the welcome brings the next.
    pub resume_token: String,
    /// The newest number that was told in it.
    pub last_event_seq: u64,
    /// For how long it can be gone on with, from when it was left.
    pub window: Millis,
}

/// Tokens are not for logs.
impl std::fmt::Debug for Kept {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Kept").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

/// A piece of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which result.
    pub result_id: String,
    /// Its bytes, decoded.
    pub bytes: Vec<u8>,
    /// Whether it is the last.
    pub is_last: bool,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct End {
    /// In a word.
    pub status: Status,
    /// What it gave.
    pub gave: Gave,
    /// About the result, for people.
    pub summary: Option<String>,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// When, as the runtime says.
    pub completed_at: Option<String>,
}

/// How a job ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Success,
    /// Not well.
    Error,
    /// It was told to.
    Cancelled,
    /// It ran too long.
    TimedOut,
}

impl Status {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// The end of that name; one that nobody knows did not go well.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "success" => Self::Success,
            "cancelled" => Self::Cancelled,
            "timed_out" => Self::TimedOut,
            _ => Self::Error,
        }
    }
}

/// What a job gave.
#[derive(Clone, Debug)]
pub enum Gave {
    /// Nothing.
    Nothing,
    /// A value.
    Inline(Box<RawValue>),
    /// What its pieces were.
    Pieces {
        /// The result that they are of.
        result_id: String,
        /// Bytes of all of them.
        bytes: u64,
    },
    /// Pieces that do not make a whole.
    Broken(String),
}

/// What went wrong with a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What.
    pub code: Code,
    /// In words.
    pub message: String,
    /// Whether the same can be tried again.
    pub is_retryable: bool,
    /// What else there is to know.
    pub details: Option<Map<String, Value>>,
}
