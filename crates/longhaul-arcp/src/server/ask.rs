//! What a connection asks of the runtime, and what it is answered.

use crate::error::Denial;
use crate::features::Features;
use crate::grammar::AgentRef;
use crate::message::{Accepted, AgentEntry, Client, JobEntry, ResumeRequest, Subscribed};
use crate::profile::Profile;
use crate::trace::Trace;
use longhaul_core::lease::Lease;
use longhaul_core::time::{Millis, Timestamp};
use serde_json::{Map, Value};

/// Ties an answer to its ask, within one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// What is to be done about what came in.
#[derive(Debug)]
pub enum Output {
    /// Send this frame.
    Send(String),
    /// Ask the runtime, and bring the answer with
    /// [`on_answer`](super::Connection::on_answer).
    Ask(AskId, Ask),
    /// Read the session's feed from behind this number on, and bring it with
    /// [`on_feed`](super::Connection::on_feed) while
    /// [`wants_feed`](super::Connection::wants_feed). Said once, with the welcome.
    Follow {
        /// The newest number that the client has.
        after: u64,
    },
    /// End the transport; nothing more comes.
    Close(Close),
}

/// Why a transport is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code of a WebSocket.
    pub code: u16,
    /// In words.
    pub reason: &'static str,
}

impl Close {
    /// The client left.
    pub const BYE: Self = Self { code: 1000, reason: "bye" };
    /// No handshake came of it.
    pub const NO_HANDSHAKE: Self = Self { code: 1008, reason: "no handshake" };
    /// The client could not prove who it is.
    pub const UNAUTHENTICATED: Self = Self { code: 1008, reason: "unauthenticated" };
    /// What proved who the client is, does so no more.
    pub const LAPSED: Self = Self { code: 1008, reason: "the token is no longer good; resume" };
    /// Another connection goes on with the session.
    pub const DISPLACED: Self = Self { code: 1008, reason: "the session goes on elsewhere" };
    /// The client has gone silent.
    pub const SILENT: Self = Self { code: 1008, reason: "silent for too long" };
    /// The client does not read.
    pub const SLOW: Self = Self { code: 1013, reason: "reads too slowly; resume" };
    /// The runtime ends, and comes back.
    pub const RESTART: Self = Self { code: 1012, reason: "the runtime restarts; resume" };
    /// The client has asked for more at once than it may.
    pub const BUSY: Self = Self { code: 1013, reason: "too much is open; resume" };
    /// Something went wrong on our side.
    pub const FAULT: Self = Self { code: 1011, reason: "fault" };
}

/// What a connection asks of the runtime.
#[derive(Debug)]
pub enum Ask {
    /// Look at the token and open a session, or go on with an old one. Answered with
    /// [`Answer::Opened`].
    Knock(Box<Knock>),
    /// Answered with [`Answer::Submitted`].
    Submit(Box<Submission>),
    /// Answered with [`Answer::Done`] once it is sure that the job will end.
    Cancel(Cancelling),
    /// Answered with [`Answer::Listed`].
    List(Listing),
    /// Answered with [`Answer::Following`].
    Subscribe(Subscribing),
    /// Answered with [`Answer::Done`].
    Unsubscribe {
        /// Which job.
        job_id: String,
    },
    /// The client is done with everything up to this number. Answered with [`Answer::Done`]; the next
    /// is asked after that.
    Acknowledge {
        /// Which.
        event_seq: u64,
    },
    /// The client closes. Answered with [`Answer::Done`] when the session is detached; it can be gone
    /// on with within its window.
    Leave {
        /// Why, as the client says.
        reason: Option<String>,
    },
}

/// Somebody wants in.
#[derive(Debug)]
pub struct Knock {
    /// Who says so.
    pub client: Client,
    /// The bearer token. None only where an old session is asked for in a message of its own: whether
    /// its resume token alone is proof enough is the runtime's to say.
    pub token: Option<String>,
    /// What both ends can do.
    pub features: Features,
    /// The session to go on with.
    pub resume: Option<ResumeRequest>,
}

/// A job is asked for.
#[derive(Debug)]
pub struct Submission {
    /// The client's id for the message that asks. A client that does not know whether it arrived sends
    /// the same message again, also on another connection of the session.
    pub request_id: String,
    /// The agent.
    pub agent: AgentRef,
    /// What it is asked: one text for all that say the same.
    pub input: String,
    /// What it shall be allowed to do. That it is not over yet is to be looked at only where the key
    /// has not been used before.
    pub lease: Lease,
    /// What makes asking twice the same as asking once.
    pub key: Option<String>,
    /// Seconds after which it is ended.
    pub runtime_secs_max: Option<u64>,
    /// The trace that it belongs to, if the client named one.
    pub trace: Option<Trace>,
    /// What others than the protocol had to say.
    pub extensions: Option<Map<String, Value>>,
}

/// A job is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelling {
    /// Which.
    pub job_id: String,
    /// Why.
    pub reason: Option<String>,
}

/// Jobs are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// In one of these states; in any if there is none.
    pub status: Vec<String>,
    /// Of this agent, in any version if none is named.
    pub agent: Option<String>,
    /// Made after this moment.
    pub created_after: Option<Timestamp>,
    /// Made before this moment.
    pub created_before: Option<Timestamp>,
    /// How many at once; never more than `PAGE_ENTRIES_MAX`.
    pub limit: u64,
    /// After which, as [`Listed`] said.
    pub cursor: Option<String>,
}

/// A job is to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribing {
    /// Which.
    pub job_id: String,
    /// From behind which number of its owner's session what happened so far is told too; `None` if
    /// only what happens from now on is.
    pub history_after: Option<u64>,
}

/// What the runtime answers.
#[derive(Debug)]
pub enum Answer {
    /// A session is there.
    Opened(Box<Opened>),
    /// A job is there.
    Submitted(Box<Submitted>),
    /// These are the jobs.
    Listed(Listed),
    /// The job is followed.
    Following(Box<Following>),
    /// It is done.
    Done,
}

/// A session is there.
#[derive(Debug)]
pub struct Opened {
    /// Which.
    pub session_id: String,
    /// What goes on with it another time.
    pub resume_token: String,
    /// How long that works once this connection is gone.
    pub window: Millis,
    /// The agents that can be asked for.
    pub agents: Vec<AgentEntry>,
    /// The newest number that the client has; zero for a new session.
    pub after: u64,
    /// How this client is to be spoken to, where that is configured.
    pub profile: Option<Profile>,
}

/// A job is there.
#[derive(Debug)]
pub struct Submitted {
    /// What is told of it; the connection adds which message asked.
    pub accepted: Accepted,
    /// How it ended, where a repeated ask is about a job of this session that has ended. Told once more
    /// only to who has been told before: to others the feed is about to.
    pub ended: Option<Ended>,
}

/// The end of a job, as a frame of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The number that it has in the session.
    pub event_seq: u64,
    /// The frame.
    pub text: String,
}

/// One page of jobs.
#[derive(Debug, Default)]
pub struct Listed {
    /// The jobs, each with the cursor that begins behind it.
    pub jobs: Vec<(JobEntry, String)>,
    /// Whether there are more behind the last one.
    pub has_more: bool,
}

/// A job is followed.
#[derive(Debug)]
pub struct Following {
    /// What is told of it; the connection adds which message asked.
    pub subscribed: Subscribed,
}

/// One numbered frame of the session's feed.
#[derive(Clone, Debug)]
pub struct Fed {
    /// Its number in the session.
    pub event_seq: u64,
    /// The job that it is about.
    pub job_id: String,
    /// Whether nothing about the job follows it.
    pub is_last: bool,
    /// What is told of a job that another job delegated, before the first frame about it.
    pub accepted: Option<Box<Accepted>>,
    /// The frame.
    pub text: String,
}

/// What a connection is answered: what it asked for, or a no.
pub type Answered = Result<Answer, Denial>;
