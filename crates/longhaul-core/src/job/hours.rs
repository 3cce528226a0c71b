//! What time alone changes about a job: its hour comes, it runs for too long, its authority is over.

use super::{Job, JobState, Slept, Then, Waiting};
use crate::limits;
use crate::outcome::{Ending, Outcome, Reason};
use crate::time::{Millis, Timestamp};

impl Job {
    /// When time alone will change it.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            JobState::Preparing { give_up_at } => {
                self.gone_at().into_iter().chain([*give_up_at]).min()
            }
            // An answer ends this wait, and no hour.
            JobState::Queued { because: Waiting::Approval, .. } => self.gone_at(),
            JobState::Queued { not_before, is_due, .. } => {
                let hour = (!is_due).then_some(*not_before);
                hour.into_iter().chain(self.gone_at()).min()
            }
            JobState::Starting { give_up_at } => Some(*give_up_at),
            JobState::Running { stop_at } => *stop_at,
            JobState::Stopping { again_at, .. } => Some(*again_at),
            // What it delegated still looks to it.
            JobState::Ended { .. } if self.is_needed() => self.cleanup.pending_at(),
            JobState::Ended { .. } => self.cleanup.due_at(),
        }
    }

    /// Whether jobs that it delegated go on, so that its row has to stay.
    pub(crate) const fn is_needed(&self) -> bool {
        self.delegations.open > 0
    }

    /// When its authority is over for good, if what it was given ends. What it asks for is denied a
    /// moment before that, and told why.
    fn gone_at(&self) -> Option<Timestamp> {
        let hosted = self.spec.hosted.as_ref()?;
        hosted.lease.expires_at().map(|at| at.plus(limits::LEASE_GRACE))
    }

    fn is_gone(&self, now: Timestamp) -> bool {
        self.gone_at().is_some_and(|at| at <= now)
    }

    fn gone(&self) -> Outcome {
        let lease = self.spec.hosted.as_ref().map(|hosted| &hosted.lease);
        let at = lease.and_then(crate::lease::Lease::expires_at);
        let message = at.map(|at| format!("its lease was over at {}", at.rfc3339()));
        Outcome::because(Ending::Failed, Reason::Lease, message)
    }

    /// When an attempt that began at `at` has run for long enough, or its CLI has said so, or its
    /// authority is over.
    pub(super) fn stop_at(&self, at: Timestamp) -> Option<Timestamp> {
        let slept = self.current().and_then(|current| current.slept.as_ref());
        let awake = |from: Timestamp, span: Millis| {
            let slept = slept.filter(|slept| from < slept.until);
            from.plus(span).plus(slept.map_or(Millis::ZERO, |slept| slept.span))
        };
        let timeout = self.spec.timeout.map(|timeout| awake(at, timeout));
        let answered_at = self.turn.as_ref().and_then(|turn| turn.answered_at);
        let linger = answered_at.map(|at| awake(at, limits::LINGER_MAX));
        timeout.into_iter().chain(linger).chain(self.gone_at()).min()
    }

    /// Its hour has come: lets it be ready, stops it, stops it harder, or ends what waits. Gives whether anything
    /// changed; does nothing when called early.
    pub fn on_due(&mut self, now: Timestamp) -> bool {
        if self.due_at().is_none_or(|at| at > now) {
            return false;
        }
        let has_answered = self.has_answered();
        let is_gone = self.is_gone(now);
        match &mut self.state {
            JobState::Preparing { .. } | JobState::Queued { .. } if is_gone => {
                self.state = JobState::Ended { outcome: self.gone(), at: now };
            }
            JobState::Preparing { .. } => {
                let message = format!("they were not made within {}", limits::PREPARING_MAX);
                self.credentials_failed(message, now);
            }
            JobState::Queued { is_due, .. } => *is_due = true,
            JobState::Starting { .. } => {
                let again_at = now.plus(limits::STOP_AGAIN);
                self.state = JobState::Stopping { then: Then::Again, by_force: false, again_at };
            }
            // Whatever hour it is: what has answered has not taken too long.
            JobState::Running { .. } if has_answered => {
                self.stop(Then::Answered, false, now);
            }
            JobState::Running { .. } if is_gone => {
                self.stop(Then::End(self.gone()), false, now);
            }
            JobState::Running { .. } => {
                let message = self.spec.timeout.map(|most| format!("ran for {most}"));
                let outcome = Outcome::because(Ending::TimedOut, Reason::Runtime, message);
                self.stop(Then::End(outcome), false, now);
            }
            JobState::Stopping { then, by_force, again_at } => {
                *by_force = *then != Then::Again;
                *again_at = now.plus(limits::STOP_AGAIN);
            }
            JobState::Ended { .. } => self.cleanup.on_due(self.id.as_str(), now),
        }
        true
    }

    /// Moves every deadline of the attempt, or of what comes before it, by how long the machine slept: a closed lid is neither
    /// running time nor a reason to kill. A lease is over at its moment, whoever sleeps.
    pub fn woke(&mut self, slept: Millis, now: Timestamp) {
        // Its process may run already, and have begun before the sleep: its start will say.
        if let Some(current) = self.attempts.last_mut().filter(|last| last.started_at.is_none()) {
            let known = current.slept.as_ref().map_or(Millis::ZERO, |slept| slept.span);
            current.slept = Some(Slept { span: known.plus(slept), until: now });
        }
        let gone_at = self.gone_at();
        match &mut self.state {
            JobState::Running { stop_at: Some(at) } => {
                let later = at.plus(slept);
                *at = gone_at.map_or(later, |gone_at| later.min(gone_at));
            }
            JobState::Preparing { give_up_at: at }
            | JobState::Starting { give_up_at: at }
            | JobState::Stopping { again_at: at, .. } => *at = at.plus(slept),
            JobState::Queued { .. }
            | JobState::Running { stop_at: None }
            | JobState::Ended { .. } => {}
        }
    }
}
