//! What the engine answers.

use crate::delegation::DenialCode;
use crate::id::{ApprovalId, ConnectionId, DeliveryId, JobId, MailId};

/// What a job that is asked for was, by key or id, when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not there; now it is.
    Not,
    /// It had not ended: whichever session asked for it follows it from this commit on.
    Open,
    /// It had ended, and what was told of it was told. Nobody is told of it again by this.
    Over,
}

impl Known {
    /// Whether asking made the job.
    #[must_use]
    pub const fn is_new(self) -> bool {
        matches!(self, Self::Not)
    }
}

/// What the engine answers to a command it accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The jobs, in order, and what they were by then: [`Known::Not`] are those that this command made.
    Submitted(Vec<(JobId, Known)>),
    /// Done; or true already.
    Done,
    /// These notices were given to the presence, each with the number of its try.
    Claimed(Vec<(DeliveryId, u32)>),
    /// So many notices were settled.
    Settled(u32),
    /// So many credentials are being made, or revoked.
    Tried(u32),
    /// The messages, one for each mailbox.
    Mailed(Vec<MailId>),
    /// The messages that were handed out, oldest first.
    Handed(Vec<MailId>),
    /// The session has its connection.
    Attached {
        /// The newest number that it was given.
        newest: u64,
        /// The connection that this one takes the place of.
        displaced: Option<ConnectionId>,
    },
    /// The job is followed, or was already.
    Followed {
        /// The session's newest number before anything of the job is told again.
        newest: u64,
        /// How many numbers what is told again has.
        replayed: u64,
    },
    /// So many tokens are good for nothing any more.
    Revoked(u32),
    /// The tool call, or the operation, may be.
    Allowed,
    /// The tool call, or the operation, may not be.
    Denied {
        /// Which no.
        code: DenialCode,
        /// Why, for the agent.
        reason: String,
    },
    /// A person is asked about the tool call.
    Asked(ApprovalId),
    /// The policy has no opinion on the tool call: the CLI goes by its own rules.
    Unsaid,
    /// These jobs, and how many of them this command changed.
    Cancelled {
        /// How many are being ended or have ended by it.
        changed: u32,
    },
}
