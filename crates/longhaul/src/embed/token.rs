//! How a body learns that it shall stop.

use longhaul_core::roster::Stop;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Says when a body shall stop, and why. Cheap to clone; clones are one token.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stop: OnceLock<Stop>,
    told: Notify,
}

/// The job was cancelled before what was asked for came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled: {}", .0.words())]
pub struct Cancelled(pub Stop);

impl CancelToken {
    /// Whether the body shall stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.stop.get().is_some()
    }

    /// Why it shall stop: because somebody asked, time ran out, or the program shuts down.
    #[must_use]
    pub fn reason(&self) -> Option<Stop> {
        self.0.stop.get().cloned()
    }

    /// Waits until it shall stop.
    pub async fn cancelled(&self) -> Stop {
        loop {
            let mut told = pin!(self.0.told.notified());
            // Listening begins before the look, so that nothing falls between the two.
            told.as_mut().enable();
            if let Some(stop) = self.0.stop.get() {
                return stop.clone();
            }
            told.await;
        }
    }

    /// Runs `work` until it is done or cancelled; what is cancelled is dropped.
    ///
    /// # Errors
    /// It was cancelled first.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, Cancelled> {
        tokio::select! {
            biased;
            stop = self.cancelled() => Err(Cancelled(stop)),
            done = work => Ok(done),
        }
    }

    pub(super) fn cancel(&self, stop: Stop) {
        // The first reason counts.
        if self.0.stop.set(stop).is_ok() {
            self.0.told.notify_waiters();
        }
    }
}
