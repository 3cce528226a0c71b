//! How everybody talks to the engine: asks wait for an answer that is durable, reports do not wait.

use super::inbox::{Inbox, NotTaken};
use super::parked;
use super::room::Room;
use super::stop::StopSwitch;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::time::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Milliseconds after which asking again makes sense when too many wait.
const BUSY_RETRY_MS: u64 = 200;
/// Milliseconds after which asking again makes sense when the daemon stops.
const STOPPING_RETRY_MS: u64 = 500;
/// Milliseconds after which asking again makes sense when the disk is full.
pub(super) const DISK_RETRY_MS: u64 = 5_000;

/// Why an ask came to nothing. In every case nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The domain said no; asking again gives the same answer.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Not now; asking again is safe.
    #[error("{message}")]
    Unavailable {
        /// The code that programs branch on: `busy`, `stopping`, `disk_full`, `store_failed` or
        /// `store_damaged`.
        code: &'static str,
        /// In words.
        message: String,
        /// When asking again makes sense, in milliseconds.
        retry_after_ms: u64,
    },
    /// We broke.
    #[error("{0}")]
    Bug(String),
}

/// Puts commands to the engine. Cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    inbox: Arc<Inbox>,
    disk: Arc<DiskGuard>,
    stop: StopSwitch,
}

/// Where the home lies, and how much must be free there.
struct DiskGuard {
    home: PathBuf,
    low_bytes: u64,
}

impl EngineHandle {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        home: PathBuf,
        low_disk_bytes: u64,
        stop: StopSwitch,
    ) -> Self {
        let disk = Arc::new(DiskGuard { home, low_bytes: low_disk_bytes });
        Self { inbox, disk, stop }
    }

    /// Asks, and waits until the answer is durable.
    ///
    /// # Errors
    /// See [`AskError`]. Dropping the future does not take the ask back.
    pub async fn ask(&self, command: Command) -> Result<Reply, AskError> {
        Ok(self.ask_dated(command).await?.0)
    }

    /// As [`Self::ask`]; gives the moment that the engine decided at, too.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub async fn ask_dated(&self, command: Command) -> Result<(Reply, Timestamp), AskError> {
        if let Command::Submit(_) = &command {
            self.check_room()?;
        }
        self.put(vec![command]).await
    }

    /// Asks several things in one commit, and gives the answer to the last. Each is decided by itself:
    /// one that is refused keeps none of the others back.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub async fn ask_in_order(&self, commands: Vec<Command>) -> Result<Reply, AskError> {
        Ok(self.put(commands).await?.0)
    }

    async fn put(&self, commands: Vec<Command>) -> Result<(Reply, Timestamp), AskError> {
        let (answer, answered) = oneshot::channel();
        self.inbox.ask(commands, answer).map_err(|why| match why {
            NotTaken::Full => AskError::Unavailable {
                code: "busy",
                message: "too many requests wait already".to_owned(),
                retry_after_ms: BUSY_RETRY_MS,
            },
            NotTaken::Closed => stopping(),
        })?;
        // The engine drops an answer unsent only when it stops.
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// As [`Self::ask`], blocking this thread, inside of a runtime or not.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask_blocking(&self, command: Command) -> Result<Reply, AskError> {
        parked::wait(self.ask(command))
    }

    /// Reports. All of `reports` are decided in one commit; what is lost is derived again.
    pub fn report(&self, reports: Vec<Command>) {
        self.inbox.report(reports, None);
    }

    /// Reports, and waits until that is committed or refused: for who must not do again, until then,
    /// what the report is about.
    ///
    /// # Errors
    /// [`AskError::Refused`]: it is known already, or was overtaken. Otherwise it was not committed, and
    /// what the rows want is what they wanted before.
    pub async fn report_committed(&self, report: Command) -> Result<(), AskError> {
        let (answer, answered) = oneshot::channel();
        self.inbox.report(vec![report], Some(answer));
        // Dropped unsent, too, when too many reports wait.
        answered.await.unwrap_or_else(|_| Err(stopping())).map(drop)
    }

    /// Refuses when so little is free that the outcomes of what runs might not fit any more.
    fn check_room(&self) -> Result<(), AskError> {
        let Some(message) = self.disk.shortage() else { return Ok(()) };
        Err(AskError::Unavailable { code: "disk_full", message, retry_after_ms: DISK_RETRY_MS })
    }

    /// What the disk has too little of for anything new; `None` while there is enough.
    pub(crate) fn shortage(&self) -> Option<String> {
        self.disk.shortage()
    }

    /// Whether the daemon is on its way out.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_on()
    }
}

impl DiskGuard {
    /// What there is too little of for the outcomes of what runs; `None` while there is enough.
    fn shortage(&self) -> Option<String> {
        // A file system that does not say how full it is cannot be guarded.
        let room = Room::at(&self.home)?;
        let what = room.shortage(self.low_bytes)?;
        Some(format!("the disk of `{}` is nearly full ({what})", self.home.display()))
    }
}

pub(super) fn stopping() -> AskError {
    AskError::Unavailable {
        code: "stopping",
        message: "the daemon is stopping".to_owned(),
        retry_after_ms: STOPPING_RETRY_MS,
    }
}
