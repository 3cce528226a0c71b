//! What comes before the queue: a job that needs credentials of its own waits until all are made.

use super::{Job, JobState, Waiting};
use crate::limits;
use crate::outcome::{Ending, Outcome, Reason};
use crate::spec::JobSpec;
use crate::time::Timestamp;

/// Where a new job begins.
pub(super) fn first_state(spec: &JobSpec, now: Timestamp) -> JobState {
    let needs = spec.hosted.as_ref().is_some_and(|hosted| !hosted.credentials.is_empty());
    if needs {
        JobState::Preparing { give_up_at: now.plus(limits::PREPARING_MAX) }
    } else {
        queued(spec, now, now)
    }
}

/// A job that was accepted at `since`, and waits for its hour or a slot.
fn queued(spec: &JobSpec, since: Timestamp, now: Timestamp) -> JobState {
    let earliest = since.plus(spec.delay);
    let not_before = spec.at.map_or(earliest, |at| at.max(earliest));
    JobState::Queued { not_before, is_due: not_before <= now, because: Waiting::New }
}

impl Job {
    /// Whether its credentials are being made.
    pub const fn is_preparing(&self) -> bool {
        matches!(self.state, JobState::Preparing { .. })
    }

    /// The issuers of each of which it needs a credential.
    pub fn issuers(&self) -> &[String] {
        self.spec.hosted.as_ref().map_or(&[], |hosted| &hosted.credentials)
    }

    /// All its credentials were made: it may be placed. Does nothing for what does not wait for them.
    pub fn prepared(&mut self, now: Timestamp) {
        if self.is_preparing() {
            self.state = queued(&self.spec, self.submitted_at, now);
        }
    }

    /// A credential that it needs cannot be made: ends it, if it still waits for that. Gives whether.
    pub fn credentials_failed(&mut self, message: String, now: Timestamp) -> bool {
        let waits = self.is_preparing();
        if waits {
            // Whoever asks through a session was refused: asking again with the same key is a first
            // time. What is delegated goes by its key for good.
            let is_delegated = self.spec.hosted.as_ref().is_some_and(|it| it.delegate.is_some());
            if self.session.is_some() && !is_delegated {
                self.key = None;
            }
            let outcome = Outcome::because(Ending::Failed, Reason::Credentials, Some(message));
            self.state = JobState::Ended { outcome, at: now };
        }
        waits
    }
}
