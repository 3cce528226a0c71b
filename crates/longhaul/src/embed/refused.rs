//! Why something asked of [`super::Jobs`] cannot be.

use longhaul_core::roster;

/// Why something cannot be. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// What the machine below refused.
    #[error(transparent)]
    Roster(#[from] roster::Refused),
    /// No kind of this name was made known.
    #[error("there is no kind `{0}`; `Jobs::kind` makes one known")]
    UnknownKind(String),
    /// A closure runs once.
    #[error("a closure cannot be run again; make its body a kind, or ask for no retry")]
    RetryNeedsKind,
    /// The durable mode has no such thing.
    #[error("{0} is only for the ephemeral mode")]
    NotDurable(&'static str),
    /// The home did not take it: its disk, or what it says to the specification.
    #[error("the home did not take it: {0}")]
    Home(String),
}

/// Why a home cannot be used for [`super::Jobs::durable`]. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The daemon of the home did not start; another process may have the home.
    #[error(transparent)]
    Daemon(#[from] crate::daemon::DaemonError),
    /// It started, and could not take down what it runs.
    #[error(transparent)]
    Ask(#[from] crate::daemon::AskError),
}

impl Refused {
    /// The code that programs branch on; `longhaul explain CODE` has a paragraph on each.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Roster(refused) => refused.code(),
            Self::UnknownKind(_) => "unknown_kind",
            Self::RetryNeedsKind => "retry_needs_kind",
            Self::NotDurable(_) => "not_durable",
            Self::Home(_) => "home_refused",
        }
    }
}
