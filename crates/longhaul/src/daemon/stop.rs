//! The one switch that stops the daemon.

use tokio::sync::watch;

/// Stops the daemon, or waits for that. Cheap to clone; once on, it stays on.
#[derive(Clone, Debug)]
pub struct StopSwitch {
    on: watch::Sender<bool>,
}

impl StopSwitch {
    pub(super) fn new() -> Self {
        Self { on: watch::Sender::new(false) }
    }

    /// Stops the daemon. Jobs go on.
    pub fn stop(&self) {
        self.on.send_replace(true);
    }

    /// Whether somebody stopped it.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Comes back once somebody has stopped it.
    pub async fn stopped(&self) {
        let mut on = self.on.subscribe();
        // This switch holds the sender, so waiting cannot fail.
        let _ = on.wait_for(|on| *on).await;
    }
}
