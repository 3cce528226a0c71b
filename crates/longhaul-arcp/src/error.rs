//! How a refusal of ours is told: the fifteen codes of the protocol, as a total function of what we
//! refuse.

use longhaul_core::command::Refused;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One of the fifteen codes. There is no sixteenth: known clients cannot read a message with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// It may not.
    PermissionDenied,
    /// More was to be handed on than there is.
    LeaseSubsetViolation,
    /// There is no such job for whoever asks.
    JobNotFound,
    /// The key belongs to another ask.
    DuplicateKey,
    /// There is no such agent.
    AgentNotAvailable,
    /// There is such an agent, and no such version of it.
    AgentVersionNotAvailable,
    /// It was cancelled.
    Cancelled,
    /// It ran too long.
    Timeout,
    /// The session can not be gone on with.
    ResumeWindowExpired,
    /// The other end has gone silent.
    HeartbeatLost,
    /// What was granted is over.
    LeaseExpired,
    /// What could be spent is spent.
    BudgetExhausted,
    /// It makes no sense.
    InvalidRequest,
    /// Nobody knows who asks.
    Unauthenticated,
    /// We cannot, at this time.
    InternalError,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::PermissionDenied,
        Self::LeaseSubsetViolation,
        Self::JobNotFound,
        Self::DuplicateKey,
        Self::AgentNotAvailable,
        Self::AgentVersionNotAvailable,
        Self::Cancelled,
        Self::Timeout,
        Self::ResumeWindowExpired,
        Self::HeartbeatLost,
        Self::LeaseExpired,
        Self::BudgetExhausted,
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::InternalError,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::LeaseSubsetViolation => "LEASE_SUBSET_VIOLATION",
            Self::JobNotFound => "JOB_NOT_FOUND",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::AgentNotAvailable => "AGENT_NOT_AVAILABLE",
            Self::AgentVersionNotAvailable => "AGENT_VERSION_NOT_AVAILABLE",
            Self::Cancelled => "CANCELLED",
            Self::Timeout => "TIMEOUT",
            Self::ResumeWindowExpired => "RESUME_WINDOW_EXPIRED",
            Self::HeartbeatLost => "HEARTBEAT_LOST",
            Self::LeaseExpired => "LEASE_EXPIRED",
            Self::BudgetExhausted => "BUDGET_EXHAUSTED",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// The code of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// Whether the same can be tried again. [arcp §12] An internal error always can, and what is
    /// spent or over stays so.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::InternalError | Self::Timeout)
    }
}

/// A no, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// Which no.
    pub code: Code,
    /// Why, in words.
    pub message: String,
    /// What programs may want to know; empty if there is nothing.
    pub details: Map<String, Value>,
}

impl Denial {
    /// A no without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new() }
    }

    /// The same, and one thing more to know.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// What is told of something that went wrong on our side. What exactly is for our own log.
    pub fn internal() -> Self {
        Self::new(Code::InternalError, "the runtime could not do it; try again")
    }
}

/// How a refusal is told. Every one names its own code in `details.reason`, which says more than the
/// fifteen can.
pub fn of(refused: &Refused) -> Denial {
    let message = match refused {
        // The key as we keep it is nothing that the client knows.
        Refused::KeyReused { job, .. } => {
            format!("the idempotency key belongs to {job}, which was asked for differently")
        }
        _ => refused.to_string(),
    };
    let denial = Denial::new(code_of(refused), message);
    let denial = match refused {
        Refused::KeyReused { job, .. } => denial.with("existing_job_id", job.as_str()),
        Refused::TooMany { what, limit } => denial.with("limit", json!({"of": what, "max": limit})),
        Refused::InBatch { refused, .. } => return of(refused),
        _ => denial,
    };
    denial.with("reason", refused.code())
}

fn code_of(refused: &Refused) -> Code {
    match refused {
        Refused::NotFound(_) | Refused::Ended { .. } => Code::JobNotFound,
        Refused::KeyReused { .. } => Code::DuplicateKey,
        Refused::NoSession(_)
        | Refused::WrongToken(_)
        | Refused::FeedGone { .. }
        | Refused::StaleConnection(_) => Code::ResumeWindowExpired,
        Refused::NotYours(_) => Code::PermissionDenied,
        Refused::BudgetSpent(_) => Code::BudgetExhausted,
        Refused::NoAgent(_) | Refused::AgentEnded { .. } => Code::AgentNotAvailable,
        Refused::InBatch { refused, .. } => code_of(refused),
        Refused::BadSpec(_)
        | Refused::NotEnded { .. }
        | Refused::NotCleaned { .. }
        | Refused::SinkTaken(_)
        | Refused::NoDelivery(_)
        | Refused::NotDead { .. }
        | Refused::StillOwed { .. }
        | Refused::AgentTaken(_)
        | Refused::AgentBusy { .. }
        | Refused::NoRecipients(_)
        | Refused::NoMail(_)
        | Refused::NoApproval(_)
        | Refused::NoCredential { .. }
        | Refused::TokenTaken
        | Refused::BadPiece(_)
        | Refused::BadCharge(_)
        | Refused::Answered { .. } => Code::InvalidRequest,
        // A pool or a sink that a job of ours names and nobody has is our mistake, not the client's.
        Refused::NoPool(_)
        | Refused::NoSink(_)
        | Refused::IdTaken(_)
        | Refused::TooMany { .. }
        | Refused::NotPresent(_)
        | Refused::AlreadyTaken { .. }
        | Refused::StaleDelivery(_)
        | Refused::StaleCredential(_)
        | Refused::Stale(_)
        | Refused::Repeat => Code::InternalError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::id::JobId;

    #[test]
    fn codes_are_written_by_their_names_and_read_back() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert_eq!(Code::named(code.name()), Some(code));
        }
        assert_eq!(Code::named("TEAPOT"), None);
    }

    #[test]
    fn what_is_over_stays_over_and_our_faults_pass() {
        assert!(Code::InternalError.is_retryable());
        assert!(!Code::LeaseExpired.is_retryable() && !Code::BudgetExhausted.is_retryable());
    }

    #[test]
    fn a_conflict_names_the_job_that_has_the_key() {
        let job = JobId::parse("job_01JD0000000000000000000000").unwrap();
        let denial = of(&Refused::KeyReused { key: "k".to_owned(), job });
        assert_eq!(denial.code, Code::DuplicateKey);
        assert_eq!(denial.details["existing_job_id"], "job_01JD0000000000000000000000");
        assert_eq!(denial.details["reason"], "key_reused");
        assert!(!denial.message.contains('`'), "{}", denial.message);
    }
}
