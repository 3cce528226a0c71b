//! What a job's row means, said a second time and as plainly as possible.

use longhaul_core::command::{Exit, How, Place, StoppedBy, Want};
use longhaul_core::job::{CleanupState, Job, JobState, Purge, Then};
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Outcome, Reason};
use longhaul_core::port::Phase;
use longhaul_core::time::Timestamp;

/// How it stands towards the scheduler.
pub(super) fn phase(job: &Job) -> Phase {
    match &job.state {
        JobState::Preparing { .. } => Phase::Blocked,
        JobState::Queued { is_due, .. } => {
            if job.blocked_on > 0 {
                Phase::Blocked
            } else if job.behind {
                Phase::Behind
            } else if *is_due {
                Phase::Ready
            } else {
                Phase::Delayed
            }
        }
        JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. } => {
            Phase::Active
        }
        JobState::Ended { .. } => Phase::Ended,
    }
}

/// When time alone changes it.
pub(super) fn due(job: &Job) -> Option<Timestamp> {
    match &job.state {
        JobState::Preparing { give_up_at } => Some(*give_up_at),
        JobState::Queued { is_due: true, .. } => None,
        JobState::Queued { not_before, .. } => Some(*not_before),
        JobState::Starting { give_up_at } => Some(*give_up_at),
        JobState::Running { stop_at } => *stop_at,
        JobState::Stopping { again_at, .. } => Some(*again_at),
        JobState::Ended { .. } => match (&job.cleanup.state, &job.cleanup.purge) {
            (CleanupState::Pending { again_at, .. }, _) => Some(*again_at),
            (CleanupState::Done | CleanupState::Stuck, Purge::Wanted { again_at, .. }) => {
                Some(*again_at)
            }
            (CleanupState::Done, Purge::At { .. }) if job.cleanup.notices.open > 0 => None,
            (CleanupState::Done, Purge::At { at }) => {
                let told_at = job.cleanup.notices.told_at;
                Some(told_at.map_or(*at, |told_at| told_at.plus(limits::TOLD_GRACE).max(*at)))
            }
            (CleanupState::None | CleanupState::Done | CleanupState::Stuck, _) => None,
        },
    }
}

/// What it wants of this host.
pub(super) fn wants(job: &Job, place: &Place) -> Option<Want> {
    let (id, attempt) = (job.id.clone(), job.attempt);
    if job.host.as_ref().is_some_and(|host| *host != place.host) {
        return None;
    }
    let is_other_boot = job.boot.as_deref() != Some(place.boot.as_str());
    let want = match &job.state {
        JobState::Preparing { .. } | JobState::Queued { .. } => return None,
        JobState::Ended { .. } => match (&job.cleanup.state, &job.cleanup.purge) {
            (CleanupState::Pending { is_trying: true, .. }, _) => Want::Clean(id, attempt),
            (CleanupState::Pending { .. }, _) => return None,
            (_, Purge::Wanted { is_trying: true, .. }) => Want::Purge(id, attempt),
            (_, Purge::Wanted { .. } | Purge::At { .. } | Purge::None) => return None,
        },
        _ if is_other_boot => Want::Conclude(id, attempt),
        JobState::Starting { .. } => Want::Start(id, attempt),
        JobState::Running { .. } => Want::Watch(id, attempt),
        JobState::Stopping { then: Then::Again, .. } => Want::CallOff(id, attempt),
        JobState::Stopping { then: Then::End(_) | Then::Answered, by_force, .. } => {
            Want::Stop { job: id, attempt, by_force: *by_force }
        }
    };
    Some(want)
}

/// How a process went, by its record alone.
pub(super) fn process(how: &How) -> Outcome {
    match how {
        How::Exited(0) => Outcome { exit_code: Some(0), ..Outcome::plain(Ending::Succeeded) },
        How::Exited(code) => Outcome { exit_code: Some(*code), ..Outcome::plain(Ending::Failed) },
        How::Signaled(signal) => {
            Outcome { signal: Some(*signal), ..Outcome::plain(Ending::Failed) }
        }
        How::SpawnFailed(_) | How::NeverStarted(_) => {
            Outcome { reason: Some(Reason::Spawn), ..Outcome::plain(Ending::Failed) }
        }
        How::Returned { error: None, .. } => Outcome::plain(Ending::Succeeded),
        How::Returned { error: Some(_), .. } => Outcome::plain(Ending::Failed),
        How::Lost(_) => Outcome { reason: Some(Reason::HostLost), ..Outcome::plain(Ending::Lost) },
    }
}

/// How a job ends by this evidence when it was meant to end as `meant`; `None`: nothing ran.
pub(super) fn judge(meant: Option<&Outcome>, exit: &Exit) -> Option<Outcome> {
    let process = process(&exit.how);
    let because =
        |reason| Outcome { kind: Ending::Failed, reason: Some(reason), ..process.clone() };
    match exit.stopped {
        Some(StoppedBy::Oom) => return Some(because(Reason::Oom)),
        Some(StoppedBy::OutputLimit) => return Some(because(Reason::OutputLimit)),
        None if process.is_success() => return Some(process),
        None | Some(StoppedBy::Asked) => {}
    }
    let nothing_known = matches!(exit.how, How::NeverStarted(_) | How::Lost(_));
    let was_asked = exit.stopped.is_some();
    match meant {
        Some(meant) if was_asked || nothing_known || meant.kind == Ending::Cancelled => {
            let (exit_code, signal) = (process.exit_code, process.signal);
            Some(Outcome { exit_code, signal, ..meant.clone() })
        }
        Some(_) | None => match exit.how {
            How::NeverStarted(_) => None,
            How::Exited(_)
            | How::Signaled(_)
            | How::SpawnFailed(_)
            | How::Returned { .. }
            | How::Lost(_) => Some(process),
        },
    }
}

/// Whether two outcomes say the same; words for people may differ.
pub(super) fn is_same(one: &Outcome, two: &Outcome) -> bool {
    (one.kind, one.exit_code, one.signal, one.reason)
        == (two.kind, two.exit_code, two.signal, two.reason)
}
