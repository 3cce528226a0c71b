//! How a body learns that it shall stop. Cooperative: nobody can end a function that does not listen.

use tokio::sync::watch;

/// Why a body shall stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody cancelled its job, perhaps with a reason.
    Asked(Option<String>),
    /// It ran for too long.
    Timeout,
    /// The program ends.
    Shutdown,
}

/// Says when a body shall stop, and why. Cheap to clone; clones are one token.
#[derive(Clone, Debug)]
pub struct TaskToken {
    cause: watch::Sender<Option<StopCause>>,
    is_ended: watch::Sender<bool>,
}

impl Default for TaskToken {
    fn default() -> Self {
        Self { cause: watch::Sender::new(None), is_ended: watch::Sender::new(false) }
    }
}

impl TaskToken {
    /// Why it shall stop, if it shall.
    #[must_use]
    pub fn cause(&self) -> Option<StopCause> {
        self.cause.borrow().clone()
    }

    /// Waits until it shall stop.
    pub async fn stopped(&self) -> StopCause {
        let mut cause = self.cause.subscribe();
        let stopped = cause.wait_for(Option::is_some).await;
        // This token holds the sender, so waiting cannot fail.
        stopped.ok().and_then(|cause| cause.clone()).unwrap_or(StopCause::Shutdown)
    }

    /// Waits until it is ended, whatever it does.
    pub(super) async fn ended(&self) {
        let mut is_ended = self.is_ended.subscribe();
        // This token holds the sender, so waiting cannot fail.
        let _ended = is_ended.wait_for(|is_ended| *is_ended).await;
    }

    /// Its time to end by itself is over.
    pub(super) fn end(&self) {
        self.is_ended.send_replace(true);
    }

    /// The first cause counts.
    pub(super) fn stop(&self, why: StopCause) {
        self.cause.send_if_modified(|cause| {
            let is_first = cause.is_none();
            if is_first {
                *cause = Some(why);
            }
            is_first
        });
    }
}
