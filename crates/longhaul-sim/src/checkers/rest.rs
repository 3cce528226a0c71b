//! Laws of the end: once faults are off, everything comes to rest, and nothing is left.

use super::{Broken, Checkers, broken, holds, naive, notices};
use crate::outside::Outside;
use crate::snapshot::Snapshot;
use longhaul_core::delivery::{Delivery, DeliveryState};
use longhaul_core::event::Event;
use longhaul_core::job::{CleanupState, Job, Purge};
use longhaul_core::owner::{OwnerState, Presence};
use longhaul_core::time::{Millis, Timestamp};

/// Anything that is to go later than this after the end may stay.
const PATIENCE: Millis = Millis::from_secs(3_600);

/// What has not come to rest yet, if anything.
pub(crate) fn restless(rows: &Snapshot, now: Timestamp) -> Option<&dyn std::fmt::Debug> {
    let is_restless = |job: &&Job| match (&job.cleanup.state, &job.cleanup.purge) {
        _ if job.outcome().is_none() => true,
        (CleanupState::Pending { .. } | CleanupState::None, _) => true,
        (CleanupState::Done | CleanupState::Stuck, Purge::Wanted { .. }) => true,
        (CleanupState::Done, Purge::At { .. }) => {
            naive::due(job).is_some_and(|at| at <= now.plus(PATIENCE))
        }
        (CleanupState::Stuck, Purge::At { .. } | Purge::None) => false,
        (CleanupState::Done, Purge::None) => true,
    };
    if let Some(job) = rows.jobs.values().map(|kept| &kept.job).find(is_restless) {
        return Some(job);
    }
    let waits = rows.owed().find(|delivery| is_under_way(rows, delivery))?;
    Some(waits)
}

/// Whether a notice is neither known nor given up, and somebody is there to tell or to be told.
fn is_under_way(rows: &Snapshot, delivery: &Delivery) -> bool {
    let is_pending = matches!(delivery.state, DeliveryState::Pending { .. });
    let owner = delivery.owner.as_deref().unwrap_or_default();
    let is_never = rows
        .owners
        .get(owner)
        .is_some_and(|owner| matches!(owner.state, OwnerState::Away { open_at: None, .. }));
    let may_take = |here: &Presence| {
        let is_same = here.project.is_some() && here.project == delivery.project;
        here.owner == owner || (is_same && !is_never)
    };
    let is_left = is_pending && notices::sink_of(delivery).is_none();
    notices::is_open(delivery) && (!is_left || rows.presences.values().any(may_take))
}

/// Holds a life that has come to rest against the laws of the end.
///
/// # Errors
/// The first law that does not hold.
pub(crate) fn at_rest(
    checkers: &Checkers,
    rows: &Snapshot,
    outside: &Outside,
    entries: &[Event],
) -> Result<(), Broken> {
    let (accepted, ended) = (checkers.accepted, checkers.ended);
    holds("as many jobs end as were accepted", accepted == ended, || {
        format!("{ended} of {accepted}")
    })?;
    if let Some((key, folder)) = outside.folders.iter().find(|(_, folder)| folder.is_alive) {
        return broken("nothing runs at rest", format!("{key:?}: {folder:?}"));
    }
    let mut stray = entries.iter().filter_map(|event| event.job.as_ref());
    let stray = stray.find(|id| !rows.jobs.contains_key(*id));
    holds("no entry outlives its job", stray.is_none(), || format!("{stray:?}"))?;
    let gone = outside.folders.keys().find(|(job, _)| !rows.jobs.contains_key(job));
    holds("a removed job has no files", gone.is_none(), || format!("{gone:?}"))?;
    let stuck = |job: &&Job| job.cleanup.state == CleanupState::Stuck;
    let surprised = rows
        .jobs
        .values()
        .map(|kept| &kept.job)
        .filter(stuck)
        .find(|job| job.cleanup.warnings.is_empty());
    holds("who is stuck says why", surprised.is_none(), || format!("{surprised:?}"))
}
