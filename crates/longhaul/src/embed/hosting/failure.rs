//! Why a hosted agent's job failed, or why something that it asked for was refused.

use crate::daemon::AskError;
use longhaul_arcp::error::Denial;
use longhaul_core::command::Refused;
use longhaul_core::delegation::DenialCode;
use longhaul_core::task::TaskFailure;
use serde_json::{Map, Value};
use std::fmt;

/// Why a hosted agent's job failed, or why something that it asked for was refused. What is in it is
/// told to whoever asked for the job. Made from any error by `?`, whose words are then kept for the log:
/// they may say more about this machine than others should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFailure {
    code: String,
    message: String,
    is_retryable: bool,
    details: Option<Map<String, Value>>,
}

impl AgentFailure {
    /// The code of a failure that says nothing else.
    pub const INTERNAL_ERROR: &str = "INTERNAL_ERROR";
    /// The code of what makes no sense.
    pub const INVALID_REQUEST: &str = "INVALID_REQUEST";

    /// A failure in words, which may go well another time.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { is_retryable: true, ..Self::coded(Self::INTERNAL_ERROR, message) }
    }

    /// A failure with a code of its own.
    pub fn coded(code: &str, message: impl fmt::Display) -> Self {
        let (code, message) = (code.to_owned(), message.to_string());
        Self { code, message, is_retryable: false, details: None }
    }

    pub(super) fn invalid(message: impl fmt::Display) -> Self {
        Self::coded(Self::INVALID_REQUEST, message)
    }

    /// What is not told, and why.
    pub(super) fn untold(denial: Denial) -> Self {
        let Denial { code, message, details } = denial;
        let details = (!details.is_empty()).then_some(details);
        let is_retryable = code.is_retryable();
        Self { is_retryable, details, ..Self::coded(code.name(), message) }
    }

    pub(super) fn denied(code: DenialCode, message: String) -> Self {
        Self { is_retryable: code.is_retryable(), ..Self::coded(&code.told(), message) }
    }

    /// Whether the same may go well another time.
    #[must_use]
    pub const fn retryable(mut self, is_retryable: bool) -> Self {
        self.is_retryable = is_retryable;
        self
    }

    /// With what programs may want to know.
    #[must_use]
    pub fn with_details(mut self, details: Map<String, Value>) -> Self {
        self.details = Some(details);
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The same in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As the body of an event tells it.
    pub(super) fn told(&self) -> Value {
        let mut error = serde_json::json!({
            "code": self.code,
            "message": self.message,
            "retryable": self.is_retryable,
        });
        if let Some(details) = &self.details {
            error["details"] = Value::Object(details.clone());
        }
        error
    }

    pub(super) fn kept(self) -> TaskFailure {
        TaskFailure {
            code: self.code,
            message: self.message,
            is_retryable: self.is_retryable,
            details: self.details.map(|details| Value::Object(details).to_string()),
        }
    }
}

impl<E: std::error::Error> From<E> for AgentFailure {
    fn from(error: E) -> Self {
        tracing::error!(%error, "a hosted agent failed");
        Self::new("the agent failed")
    }
}

/// What the engine says to something that was told or asked.
pub(super) fn unanswered(error: &AskError) -> AgentFailure {
    match error {
        AskError::Refused(Refused::Stale(_)) => AgentFailure::coded("CANCELLED", "the job is over"),
        AskError::Refused(Refused::TooMany { .. }) => AgentFailure::new(error),
        AskError::Refused(_) => AgentFailure::invalid(error),
        AskError::Unavailable { .. } | AskError::Bug(_) => {
            AgentFailure::new("the runtime cannot take it")
        }
    }
}
