//! What an attempt asks for under its job's lease: to do something, or to have another agent do it;
//! and how it is told no.

use crate::command::Submission;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Something that an attempt wants to do, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationAsk {
    /// The capability that it needs.
    pub capability: String,
    /// What it is about: a path, a URL or a name.
    pub target: String,
    /// The same target once links were followed, if that is another; it must be granted, too.
    pub resolved: Option<String>,
    /// The tool call that it is part of. Followers are told of it, or of its refusal.
    pub call: Option<CallMade>,
}

/// A tool call, as an agent makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMade {
    /// The call's own name.
    pub call_id: String,
    /// The tool.
    pub tool: String,
    /// What it is called with; null if nothing is said.
    pub args: Value,
}

/// An attempt wants another agent to work under a part of its authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The parent's own name for it. The same name again is the same job, in any attempt.
    pub id: String,
    /// What followers are told of the ask, whatever becomes of it: an event of the kind `delegate`.
    pub event: Value,
    /// The job that it would be; or why there can be none, if whoever knows the agents says so. Its
    /// `hosted` has the lease that is asked for. Owner, session, parent, key, trace and depth are set
    /// by the parent's.
    pub child: Result<Box<Submission>, Denial>,
}

/// A no to an attempt, recorded; the attempt goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which no.
    pub code: DenialCode,
    /// Why, for the agent.
    pub message: String,
    /// What programs may want to know; null if there is nothing.
    pub details: Value,
}

/// The kinds of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialCode {
    /// It is not granted.
    PermissionDenied,
    /// The authority is over.
    LeaseExpired,
    /// Nothing is left to spend.
    BudgetExhausted,
    /// More was to be handed on than there is.
    LeaseSubsetViolation,
    /// There is no such agent.
    AgentNotAvailable,
    /// There is such an agent, and no such version of it.
    AgentVersionNotAvailable,
    /// The name belongs to another ask.
    DuplicateKey,
    /// It makes no sense.
    InvalidRequest,
    /// Not now: a limit is reached.
    TooMany,
}

impl DenialCode {
    /// The word for programs, as on the command line and in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::LeaseExpired => "lease_expired",
            Self::BudgetExhausted => "budget_exhausted",
            Self::LeaseSubsetViolation => "lease_subset_violation",
            Self::AgentNotAvailable => "agent_not_available",
            Self::AgentVersionNotAvailable => "agent_version_not_available",
            Self::DuplicateKey => "duplicate_key",
            Self::InvalidRequest => "invalid_request",
            Self::TooMany => "too_many",
        }
    }

    /// The same in the words that events are told in, which know fewer.
    pub fn told(self) -> String {
        match self {
            Self::TooMany => "INTERNAL_ERROR".to_owned(),
            known => known.name().to_uppercase(),
        }
    }

    /// Whether the same may be granted later.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::TooMany)
    }
}

impl Denial {
    /// A no without details.
    pub fn new(code: DenialCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Value::Null }
    }

    /// The body of the event that tells followers that a call came to nothing.
    pub fn told(&self, call_id: &str) -> Value {
        let mut error = json!({
            "code": self.code.told(),
            "message": self.message,
            "retryable": self.code.is_retryable(),
        });
        if !self.details.is_null() {
            error["details"] = self.details.clone();
        }
        json!({ "call_id": call_id, "error": error })
    }
}

/// The jobs that a job has delegated, and theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegations {
    /// Its own that go on, or have some that go on.
    pub open: u32,
    /// All that there ever were below it.
    pub below: u32,
}

impl Delegations {
    /// Whether there never were any.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_is_told_in_words_that_every_client_knows() {
        let denial = Denial::new(DenialCode::LeaseExpired, "over");
        let told = json!({ "call_id": "c1", "error":
            { "code": "LEASE_EXPIRED", "message": "over", "retryable": false } });
        assert_eq!(denial.told("c1"), told);
        let denial =
            Denial { details: json!({ "max": 3 }), ..Denial::new(DenialCode::TooMany, "m") };
        let told = denial.told("c1");
        assert_eq!(told["error"]["code"], "INTERNAL_ERROR");
        assert_eq!(
            (&told["error"]["retryable"], &told["error"]["details"]["max"]),
            (&json!(true), &json!(3))
        );
    }
}
