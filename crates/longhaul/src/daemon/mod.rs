//! The daemon: one engine that decides, drivers that make its wants true, servers that ask.
//!
//! [`engine`] is the only holder of the store. [`supervisor`] starts, watches and ends attempts, by
//! files alone, so that killing the daemon at any moment costs nothing. Everybody else gets
//! [`Ports`] and asks.

mod handle;
mod inbox;
mod journal;
mod readers;
mod spools;
mod stop;
mod tokens;

pub use handle::{AskError, EngineHandle};
pub use journal::{JobWatch, Journal};
pub use readers::Readers;
pub use spools::{Growth, Spools, Stream};
pub use stop::StopSwitch;
pub use tokens::Tokens;

use crate::clock::Clock;
use crate::config::Config;
use crate::home::Home;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What the servers get of the daemon. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Asks.
    pub engine: EngineHandle,
    /// Learns of commits.
    pub journal: Journal,
    /// Reads rows and the journal.
    pub readers: Readers,
    /// Reads what jobs wrote.
    pub spools: Spools,
    /// Checks what jobs prove themselves with.
    pub tokens: Tokens,
    /// Attempts that nothing can be done about.
    pub doubts: Doubts,
    /// Where everything lies.
    pub home: Home,
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// This machine.
    pub host: HostId,
    /// Since when the daemon is up.
    pub started_at: Timestamp,
    /// Stops the daemon.
    pub stop: StopSwitch,
}

/// How a daemon is started.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// The home, as [`Home::locate`] gives it.
    pub home: PathBuf,
    /// Detached from the terminal, with its output in the home's log.
    pub background: bool,
}

/// Attempts whose folders prove nothing that could be acted on, and why. They are looked at again
/// every few seconds; a person may have to help.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    shared: Arc<Mutex<BTreeMap<(JobId, u32), String>>>,
}

impl Doubts {
    /// All of them: which attempt of which job, and why.
    #[must_use]
    pub fn list(&self) -> Vec<(JobId, u32, String)> {
        let doubts = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.iter().map(|((job, attempt), why)| (job.clone(), *attempt, why.clone())).collect()
    }
}
