//! Presences: an owner is present for as long as its connection lives. That one came is asked by who
//! serves it; that it went must reach the engine even if the disk is full when it does, or its
//! notices would be kept for nobody. So those who went are remembered here until that is committed.

use super::handle::{AskError, EngineHandle};
use super::stop::StopSwitch;
use longhaul_core::command::Command;
use longhaul_core::id::PresenceId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// After the engine could not say that somebody went.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Who went and is still taken for present. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Presences {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    gone: Mutex<BTreeSet<PresenceId>>,
    news: Notify,
}

/// A connection that makes an owner present. Dropping it, however that comes, ends that.
#[derive(Debug)]
pub struct Connected {
    presence: PresenceId,
    shared: Arc<Shared>,
}

impl Presences {
    /// To be called before the engine is asked to take note of the presence: then no moment is left
    /// in which it could go unnoticed.
    #[must_use]
    pub fn connected(&self, presence: PresenceId) -> Connected {
        Connected { presence, shared: Arc::clone(&self.shared) }
    }

    /// Says of all who went that they did, until the daemon stops. The next one begins with nobody
    /// present.
    pub(super) async fn run(self, engine: EngineHandle, stop: StopSwitch) {
        loop {
            tokio::select! {
                biased;
                () = stop.stopped() => return,
                () = self.shared.news.notified() => {}
            }
            while let Some(presence) = self.shared.next() {
                // Asked, not reported: asks keep their order, so it comes after the arrival.
                match engine.ask(Command::Absent(presence.clone())).await {
                    // Refused: it had not arrived.
                    Ok(_) | Err(AskError::Refused(_)) => {}
                    Err(AskError::Unavailable { .. } | AskError::Bug(_)) => {
                        self.shared.gone().insert(presence);
                        tokio::select! {
                            () = stop.stopped() => return,
                            () = tokio::time::sleep(AGAIN_AFTER) => {}
                        }
                    }
                }
            }
        }
    }
}

impl Shared {
    fn gone(&self) -> MutexGuard<'_, BTreeSet<PresenceId>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<PresenceId> {
        self.gone().pop_first()
    }
}

impl Connected {
    /// Its id.
    #[must_use]
    pub const fn presence(&self) -> &PresenceId {
        &self.presence
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.shared.gone().insert(self.presence.clone());
        self.shared.news.notify_one();
    }
}
