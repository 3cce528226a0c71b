//! Signals while a job is followed. None of them reaches the job: they make us leave, and it goes on.

use super::Caller;
use super::error::{CliError, Leave};
use crate::api::CancelAsk;
use crate::client::Client;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// The number of what Ctrl-C sends.
pub(super) const INTERRUPT: i32 = 2;
/// What is said while Ctrl-C would end the job.
pub(super) const ONCE_MORE: &str = ", as Ctrl-C once more does now";
/// A second Ctrl-C within this long cancels the job.
const AGAIN: Duration = Duration::from_secs(2);

/// What we leave with when this signal came.
pub(super) fn left_by(signal: i32) -> Leave {
    Leave(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// The signals that make us leave.
pub(super) struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind).map_err(|error: io::Error| {
                CliError::unavailable("unavailable", format!("signals cannot be heard: {error}"))
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for any of them and gives its number.
    pub(super) async fn any(&mut self) -> i32 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        kind.as_raw_value()
    }

    /// Whether a second Ctrl-C comes soon enough to mean the job.
    pub(super) async fn comes_again(&mut self) -> bool {
        timeout(AGAIN, self.interrupt.recv()).await.is_ok()
    }
}

/// Says that the job goes on without us, and how to come back to it with the command `follow`.
pub(super) fn say_detached(caller: &Caller, id: &str, follow: &str, also: &str) {
    let (follow, cancel) = (format!("longhaul {follow} {id}"), format!("longhaul cancel {id}"));
    caller.output.note(&format!(
        "detached; {id} goes on\n  {follow}   follows it\n  {cancel:<width$}   ends it{also}",
        width = follow.len()
    ));
}

/// Asks for the end of a job that was interrupted twice; one that ended meanwhile is as well.
pub(super) async fn cancel(client: &Client, id: &str) -> Result<(), CliError> {
    let reason = Some("interrupted twice".to_owned());
    let ask = CancelAsk { reason, ..CancelAsk::default() };
    match client.cancel(id, &ask).await {
        Ok(_) => Ok(()),
        Err(error) if error.code == "ended" => Ok(()),
        Err(error) => Err(error.into()),
    }
}
