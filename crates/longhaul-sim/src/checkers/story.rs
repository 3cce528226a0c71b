//! A job as the naive model knows it: what was told about it, without an hour or a slot.

use super::naive;
use longhaul_core::command::{Known, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::{CleanupState, Job, JobState, Purge, Then};
use longhaul_core::outcome::{Ending, Outcome};
use longhaul_core::spec::JobSpec;
use longhaul_core::time::Timestamp;

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Queued,
    Starting,
    Running,
    /// `then` is `None` for a launch that is called off.
    Stopping {
        then: Option<Outcome>,
        by_force: bool,
    },
    Ended(Outcome),
}

/// What cleaning it still owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owes {
    Nothing,
    Cleaning { tries: u32, is_trying: bool },
    Stuck,
}

#[derive(Clone, Debug)]
pub(super) struct Told<'a> {
    pub(super) seq: u64,
    pub(super) spec: &'a JobSpec,
    pub(super) key: Option<&'a str>,
    pub(super) parent: Option<&'a JobId>,
    pub(super) owner: Option<&'a str>,
    pub(super) project: Option<&'a str>,
    /// When a sink was last told of its end.
    pub(super) told_at: Option<Timestamp>,
    pub(super) is: Is,
    pub(super) attempt: u32,
    /// Whether the current attempt's process is known to have begun.
    pub(super) began: bool,
    pub(super) is_cancelled: bool,
    pub(super) failures: u32,
    pub(super) launches: u32,
    pub(super) owes: Owes,
    /// If it is being removed: tries that failed, and whether it is being tried.
    pub(super) goes: Option<(u32, bool)>,
}

impl<'a> Told<'a> {
    pub(super) fn new(job: &'a Submission, seq: u64) -> Self {
        Self {
            seq,
            spec: &job.spec,
            key: job.key.as_deref(),
            parent: job.parent.as_ref(),
            owner: job.owner.as_deref(),
            project: job.project.as_deref(),
            told_at: None,
            is: Is::Queued,
            attempt: 0,
            began: false,
            is_cancelled: false,
            failures: 0,
            launches: 0,
            owes: Owes::Nothing,
            goes: None,
        }
    }

    pub(super) fn of(job: &'a Job) -> Self {
        let is = match &job.state {
            JobState::Preparing { .. } | JobState::Queued { .. } => Is::Queued,
            JobState::Starting { .. } => Is::Starting,
            JobState::Running { .. } => Is::Running,
            JobState::Stopping { then, by_force, .. } => {
                let then = match then {
                    Then::End(outcome) => Some(outcome.clone()),
                    Then::Answered | Then::Again => None,
                };
                Is::Stopping { then, by_force: *by_force }
            }
            JobState::Ended { outcome, .. } => Is::Ended(outcome.clone()),
        };
        let owes = match job.cleanup.state {
            CleanupState::None | CleanupState::Done => Owes::Nothing,
            CleanupState::Pending { tries, is_trying, .. } => Owes::Cleaning { tries, is_trying },
            CleanupState::Stuck => Owes::Stuck,
        };
        Self {
            seq: job.seq,
            spec: &job.spec,
            key: job.key.as_deref(),
            parent: job.parent.as_ref(),
            owner: job.owner.as_deref(),
            project: job.project.as_deref(),
            told_at: job.cleanup.notices.told_at,
            is,
            attempt: job.attempt,
            began: job.current().is_some_and(|attempt| attempt.started_at.is_some()),
            is_cancelled: job.cancel.is_some(),
            failures: job.failures,
            launches: job.launches,
            owes,
            goes: match job.cleanup.purge {
                Purge::Wanted { tries, is_trying, .. } => Some((tries, is_trying)),
                Purge::At { .. } | Purge::None => None,
            },
        }
    }

    /// What it is to whoever asks for it again.
    pub(super) const fn as_known(&self) -> Known {
        if matches!(self.is, Is::Ended(_)) { Known::Over } else { Known::Open }
    }

    pub(super) const fn is_active(&self) -> bool {
        matches!(self.is, Is::Starting | Is::Running | Is::Stopping { .. })
    }

    pub(super) fn may_retry(&self, outcome: &Outcome) -> bool {
        let failed = !matches!(outcome.kind, Ending::Succeeded | Ending::Cancelled);
        let retry = &self.spec.retry;
        let code_counts =
            retry.on.is_empty() || retry.on.iter().any(|code| outcome.exit_code == Some(*code));
        failed && code_counts && !self.is_cancelled && self.failures < retry.max
    }

    /// Whether the row is what this became, but for what time and slots did afterwards.
    pub(super) fn agrees(&self, job: &Job) -> bool {
        let then = Told::of(job);
        let may_be_placed = matches!((&self.is, &then.is), (Is::Queued, Is::Starting));
        let state = match (&self.is, &then.is) {
            (Is::Ended(one), Is::Ended(two)) => naive::is_same(one, two),
            (Is::Ended(_), _) | (_, Is::Ended(_)) => false,
            (Is::Queued, now) => matches!(now, Is::Queued | Is::Starting),
            (Is::Starting, now) => matches!(now, Is::Starting | Is::Stopping { then: None, .. }),
            (Is::Running, now) => matches!(now, Is::Running | Is::Stopping { then: Some(_), .. }),
            (Is::Stopping { then, by_force }, Is::Stopping { then: found, by_force: forced }) => {
                let is_same = match (then, found) {
                    (Some(one), Some(two)) => naive::is_same(one, two),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                is_same && (*forced || !*by_force)
            }
            (Is::Stopping { .. }, _) => false,
        };
        state
            && then.attempt == self.attempt + u32::from(may_be_placed)
            && then.is_cancelled == self.is_cancelled
            && (then.failures, then.launches) == (self.failures, self.launches)
            && (then.owes == Owes::Nothing) == (self.owes == Owes::Nothing)
            && (then.goes.is_some() || self.goes.is_none())
    }
}
