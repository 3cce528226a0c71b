//! How a daemon is started, and why it was not.

use super::doors::PassingToken;
use crate::config::ConfigError;
use crate::home::HomeError;
use crate::serve::Listen;
use longhaul_core::port::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// How a daemon is started.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// The home, as [`Home::locate`] gives it.
    pub home: PathBuf,
    /// Detached from the terminal, with its output in the home's log; says `ready` on its standard
    /// output once clients can connect.
    pub background: bool,
    /// What is run as `<program> shim <dir>`: this very program.
    pub program: PathBuf,
    /// How it is reached over a network, beside its own socket.
    pub listen: Option<Listen>,
    /// Tokens that are good beside those that are stored, for as long as this daemon runs.
    pub tokens: Vec<PassingToken>,
}

impl DaemonOptions {
    /// A daemon in the foreground, with this program as its shim.
    #[must_use]
    pub fn new(home: PathBuf) -> Self {
        let program = PathBuf::from("/proc/self/exe");
        Self { home, background: false, program, listen: None, tokens: Vec::new() }
    }
}

/// Why a daemon did not start, or stopped by itself. Jobs are not touched by any of it.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one has this home.
    #[error("a daemon is already running{}", .pid.map_or_else(String::new, |pid| format!(" (pid {pid})")))]
    AlreadyRunning {
        /// Its process id, if it says so.
        pid: Option<u32>,
    },
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store is damaged. Nothing was changed; nothing is started over silently.
    #[error("{0}")]
    Damaged(String),
    /// The store was made by a newer version of this program. Nothing was changed.
    #[error("{0}")]
    Newer(String),
    /// The store cannot be used: the system refused.
    #[error("{0}")]
    StoreFailed(String),
    /// An address cannot be listened to.
    #[error("`{address}` cannot be listened to: {message}")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        message: String,
    },
    /// Others than this machine would be listened to without what that takes.
    #[error("`{address}` can be reached by others than this machine, without {missing}")]
    Unsafe {
        /// Which address.
        address: String,
        /// What is missing.
        missing: &'static str,
    },
    /// The system refused.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
}

impl DaemonError {
    /// The code that programs branch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning { .. } => "already_running",
            Self::Home(_) => "bad_home",
            Self::Config(_) => "bad_config",
            Self::Damaged(_) => "store_damaged",
            Self::Newer(_) => "newer_database",
            Self::StoreFailed(_) => "store_failed",
            Self::Listen { .. } => "cannot_listen",
            Self::Unsafe { .. } => "unsafe_address",
            Self::Io { .. } => "unavailable",
        }
    }

    /// What to do next, where there is something.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyRunning { .. } => Some("`longhaul daemon stop` stops it; jobs go on"),
            Self::Damaged(_) => Some("`longhaul doctor --fix` puts it aside and saves what it can"),
            Self::Newer(_) => Some("run the longhaul that made it, or put back a backup beside it"),
            Self::Home(error) => error.hint(),
            Self::Unsafe { .. } => Some(
                "`longhaul token add NAME` and `--tls-cert` with `--tls-key` make it safe; \
                 `--insecure` says that it is meant so",
            ),
            Self::Config(_) | Self::StoreFailed(_) | Self::Listen { .. } | Self::Io { .. } => None,
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<StoreError> for DaemonError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Damaged(error.to_string()),
            StoreError::Newer(_) => Self::Newer(error.to_string()),
            StoreError::Conflict | StoreError::Full(_) | StoreError::Failed(_) => {
                Self::StoreFailed(error.to_string())
            }
        }
    }
}
