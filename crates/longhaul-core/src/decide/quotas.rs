//! Limits of vendors: who met one waits until it should have ended. Then one turn goes first, as a
//! probe; what becomes of that decides about the rest.

use crate::event::Fact;
use crate::id::JobId;
use crate::job::{Limit, Waiting, parked_until};
use crate::limits;
use crate::quota::Quota;
use crate::turn::{Park, Remedy, TurnHow};
use crate::world::{Fault, World, job_ids};

/// Whether a turn may be placed as far as limits are known. One that may not is set aside.
pub(super) fn may_go(world: &mut World<'_>, id: &JobId) -> Result<bool, Fault> {
    let now = world.now();
    let turn = world.job(id)?.turn.clone().unwrap_or_default();
    // Those that do not wait for the end of a limit find out for themselves.
    let waits = turn.park == Park::UntilReset;
    let Some(quota) = world.quota(&turn.kind)?.as_mut().filter(|_| waits) else { return Ok(true) };
    // Another host's clock may have found that its hour has come: no timer says so again.
    if quota.probe.is_none() && (quota.is_due || quota.until <= now) {
        (quota.probe, quota.is_due) = (Some(id.clone()), true);
    }
    let is_probe = quota.probe.as_ref() == Some(id);
    if !is_probe {
        world.job(id)?.set_aside(Waiting::Parked);
    }
    Ok(is_probe)
}

/// A turn met a limit and waits for its end, as do all of its kind from now on.
pub(super) fn met(world: &mut World<'_>, id: &JobId, limit: Limit) -> Result<(), Fault> {
    let Limit { until, message } = limit;
    let message = super::clip(&message, limits::MESSAGE_BYTES_MAX);
    let now = world.now();
    let kind = world.job(id)?.turn.clone().unwrap_or_default().kind;
    let at = match world.quota(&kind)? {
        Some(quota) if quota.probe.as_ref() == Some(id) => {
            quota.times += 1;
            quota.until = parked_until(&kind, until, quota.times, now);
            (quota.probe, quota.is_due) = (None, false);
            quota.message.clone_from(&message);
            quota.until
        }
        // It ran already when another met it.
        Some(quota) if !quota.is_due => {
            let at = parked_until(&kind, until, quota.times, now);
            quota.until = quota.until.max(at);
            quota.until
        }
        Some(quota) => quota.until.max(now),
        none => {
            let until = parked_until(&kind, until, 1, now);
            let quota = Quota {
                kind,
                until,
                message: message.clone(),
                times: 1,
                is_due: false,
                probe: None,
            };
            *none = Some(quota);
            until
        }
    };
    let job = world.job(id)?;
    job.park_until(at);
    let parks = job.turn.as_ref().map_or(0, |turn| turn.parks);
    let not_before = job.waits_until().unwrap_or(at);
    world.record(id, &Fact::Parked { not_before, parks, message })
}

/// The vendor has answered a turn of this kind: if that was the probe, the limit has ended.
pub(super) fn answered(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(kind) = kind(world, id)? else { return Ok(()) };
    let quota = world.quota(&kind)?;
    if quota.as_ref().is_some_and(|quota| quota.probe.as_ref() == Some(id)) {
        *quota = None;
        take_up(world, &kind)?;
    }
    Ok(())
}

/// An attempt of a turn has ended like this.
pub(super) fn concluded(world: &mut World<'_>, id: &JobId, how: &TurnHow) -> Result<(), Fault> {
    match how {
        TurnHow::Done { .. } | TurnHow::Deferred { .. } => answered(world, id),
        // What it met says when to try again.
        TurnHow::Failed { remedy: Remedy::Park { .. }, .. } => Ok(()),
        TurnHow::Cancelled | TurnHow::Failed { .. } => release(world, id),
    }
}

/// If this turn was the probe, nothing can be learned from it: another may try.
pub(super) fn release(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(kind) = kind(world, id)? else { return Ok(()) };
    let quota = world.quota(&kind)?.as_mut();
    if let Some(quota) = quota.filter(|quota| quota.probe.as_ref() == Some(id)) {
        quota.probe = None;
        take_up(world, &kind)?;
    }
    Ok(())
}

/// The kind of a turn's agent, once it was known; a job that is no turn has none.
fn kind(world: &mut World<'_>, id: &JobId) -> Result<Option<String>, Fault> {
    let kind = world.job(id)?.turn.as_ref().map(|turn| turn.kind.clone());
    Ok(kind.filter(|kind| !kind.is_empty()))
}

/// A vendor's limit should have ended: whoever is placed first is the probe.
pub(crate) fn due_quota(world: &mut World<'_>, kind: &str) -> Result<(), Fault> {
    world.quota(kind)?.iter_mut().for_each(|quota| quota.is_due = true);
    take_up(world, kind)
}

/// Lets all that were set aside come back into their pools. Each agent has one of them at most.
fn take_up(world: &mut World<'_>, kind: &str) -> Result<(), Fault> {
    let aside = world.scan()?.runnable(&Quota::waiting_pool(kind), limits::AGENTS_MAX)?;
    for id in job_ids(aside)? {
        world.job(&id)?.set_aside(Waiting::New);
    }
    Ok(())
}
