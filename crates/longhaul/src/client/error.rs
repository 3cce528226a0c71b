//! What can go wrong between a client and the daemon, by what the caller should do.

use crate::api::{ErrorBody, ErrorView};
use crate::home::HomeError;
use hyper::StatusCode;
use std::fmt;

/// The kinds of errors; each has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Malformed; ask differently. Exit 2.
    Usage,
    /// The domain said no, and nothing changed. Exit 3.
    Refused,
    /// Not now; asking again is safe. Exit 4.
    Unavailable,
    /// We broke. Exit 70.
    Bug,
}

/// Something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// What the caller should do.
    pub kind: ErrorKind,
    /// What programs branch on; `longhaul explain CODE` says more.
    pub code: String,
    /// What people read.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Which job of a batch, from zero.
    pub index: Option<usize>,
    /// The ids that an ambiguous name or prefix may mean.
    pub candidates: Vec<String>,
}

impl std::error::Error for ClientError {}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl ErrorKind {
    const fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Usage,
            401..500 => Self::Refused,
            503 => Self::Unavailable,
            _ => Self::Bug,
        }
    }
}

impl ClientError {
    /// An error of `kind` with a code and words.
    pub(super) fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            index: None,
            candidates: Vec::new(),
        }
    }

    /// The daemon cannot be reached or does not answer.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, "unavailable", message)
    }

    /// The same, with what to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the daemon answered instead of what was asked for.
    pub(super) fn answered(status: StatusCode, body: &[u8]) -> Self {
        let kind = ErrorKind::of(status);
        let Ok(ErrorBody { error }) = serde_json::from_slice(body) else {
            // Not from our daemon, or from something between it and us.
            let message = format!("the daemon answered with status {status} and no reason");
            return Self::new(kind, "unavailable", message);
        };
        let ErrorView { code, message, hint, index, candidates } = error;
        Self { kind, code, message, hint, index, candidates: candidates.unwrap_or_default() }
    }

    /// The daemon answered with something that cannot be understood.
    pub(super) fn garbled(error: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Bug, "bug", format!("the daemon's answer cannot be read: {error}"))
            .hint("if the daemon is of another version, `longhaul daemon stop` and ask again")
    }
}

impl From<HomeError> for ClientError {
    fn from(error: HomeError) -> Self {
        let refused = Self::new(ErrorKind::Refused, "bad_home", error.to_string());
        Self { hint: error.hint().map(str::to_owned), ..refused }
    }
}
