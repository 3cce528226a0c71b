//! Sleeps until something is due, and only then does anything.

use super::core_loop::Shared;
use std::sync::Arc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// Starts the one timer. It keeps nothing alive and ends with the last of what it serves.
pub(super) fn start(shared: &Arc<Shared>) -> AbortHandle {
    let (weak, earlier) = (Arc::downgrade(shared), shared.earlier.clone());
    let task = shared.runtime.spawn(async move {
        while let Some(wake_at) = weak.upgrade().map(|shared| shared.arm()) {
            match wake_at {
                None => earlier.notified().await,
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = earlier.notified() => {}
                },
            }
            let Some(shared) = weak.upgrade() else { return };
            shared.act_on_slots(|state, now| state.roster.on_due(now));
        }
    });
    task.abort_handle()
}

impl Shared {
    fn arm(&self) -> Option<Instant> {
        let due_at = self.arm_state();
        due_at.map(|at| self.clock.instant_of(at))
    }
}
