//! Laws of notices as they stand after any step: who is owed what, who holds what, which go to sinks
//! and in which order, and what receivers really took.

use super::{Broken, Kind, Seen, holds};
use crate::courier::Taken;
use crate::snapshot::{Owed, Snapshot};
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState, Destination, Settled};
use longhaul_core::id::{DeliveryId, HostId, JobId};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(super) fn check(seen: &Seen<'_>, taken: &Taken) -> Result<(), Broken> {
    let of_jobs = of_jobs(seen.after)?;
    for (id, kept) in &seen.after.jobs {
        owed(&kept.job, of_jobs.get(id).map_or(&[][..], Vec::as_slice))?;
    }
    for owed in changed(seen) {
        columns(owed)?;
        truth(&owed.delivery, taken)?;
        bounds(&owed.delivery)?;
        ends(seen, &owed.delivery)?;
    }
    holders(seen.after)?;
    counts(seen.after)?;
    told(seen)
}

/// The sink that it goes to, if it goes to one.
pub(super) fn sink_of(delivery: &Delivery) -> Option<&str> {
    match &delivery.to {
        Destination::Inbox => None,
        Destination::Sink(name) => Some(name),
    }
}

/// How it stands towards those who tell it, said a second time.
pub(super) const fn phase(delivery: &Delivery) -> Phase {
    match &delivery.state {
        DeliveryState::Pending { is_due: true, .. } => Phase::Ready,
        DeliveryState::Pending { .. } => Phase::Delayed,
        DeliveryState::Claimed { .. } | DeliveryState::Sent { .. } => Phase::Active,
        DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => Phase::Ended,
    }
}

pub(super) fn is_open(delivery: &Delivery) -> bool {
    phase(delivery) != Phase::Ended
}

pub(super) const fn claimant(delivery: &Delivery) -> Option<&Claimant> {
    match &delivery.state {
        DeliveryState::Claimed { by, .. } | DeliveryState::Sent { by, .. } => Some(by),
        DeliveryState::Pending { .. }
        | DeliveryState::Acked { .. }
        | DeliveryState::Dead { .. } => None,
    }
}

/// Deliveries that are not as they were.
pub(super) fn changed<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Owed> {
    let before = seen.before;
    let is_changed = move |(id, owed): &(&DeliveryId, &Rc<Owed>)| {
        before.deliveries.get(*id).is_none_or(|old| !Rc::ptr_eq(old, owed))
    };
    seen.after.deliveries.iter().filter(is_changed).map(|(_, owed)| &**owed)
}

fn of_jobs(rows: &Snapshot) -> Result<BTreeMap<&JobId, Vec<&Delivery>>, Broken> {
    let mut found: BTreeMap<&JobId, Vec<&Delivery>> = BTreeMap::new();
    for delivery in rows.owed() {
        let is_known = rows.jobs.contains_key(&delivery.job);
        holds("a notice goes with its job", is_known, || format!("{delivery:?}"))?;
        found.entry(&delivery.job).or_default().push(delivery);
    }
    Ok(found)
}

/// One delivery for the owner and one for each sink from the end on, and none before.
fn owed(job: &Job, found: &[&Delivery]) -> Result<(), Broken> {
    let mut right: BTreeSet<Option<&str>> =
        job.spec.notify.iter().map(|sink| Some(sink.as_str())).collect();
    if job.owner.is_some() {
        right.insert(None);
    }
    if job.outcome().is_none() {
        right.clear();
    }
    let is_right = found.len() == right.len()
        && found.iter().all(|delivery| {
            right.contains(&sink_of(delivery))
                && (&delivery.owner, &delivery.project) == (&job.owner, &job.project)
        });
    holds("every end is owed once to each who is to be told", is_right, || {
        format!("{} ({}) owes {found:?}, not {right:?}", job.id, job.state_name())
    })?;
    let open = found.iter().filter(|delivery| is_open(delivery)).count();
    holds(
        "a job knows how many wait to be told",
        open == job.cleanup.notices.open as usize,
        || format!("{} says {}, not {open}", job.id, job.cleanup.notices.open),
    )?;
    let answered = found.iter().filter_map(|delivery| match delivery.state {
        DeliveryState::Acked { at, how: Settled::Answered, .. } => Some(at),
        _ => None,
    });
    let answered: Vec<_> = answered.collect();
    let is_known = match job.cleanup.notices.told_at {
        Some(at) => answered.contains(&at),
        None => answered.is_empty(),
    };
    holds("a job knows when a sink was told", is_known, || {
        format!("{}: {:?}, not of {answered:?}", job.id, job.cleanup.notices.told_at)
    })
}

fn columns(owed: &Owed) -> Result<(), Broken> {
    let (row, delivery) = (&owed.row, &owed.delivery);
    let owner = delivery.owner.as_deref().unwrap_or_default();
    let (pool, lane) = match sink_of(delivery) {
        Some(sink) => (format!("sink:{sink}"), format!("sink:{sink}|{owner}")),
        None => {
            let project = delivery.project.as_deref().unwrap_or_default();
            (format!("project:{project}"), format!("inbox|{owner}"))
        }
    };
    let host = claimant(delivery).map(|by| match by {
        Claimant::Courier(host) | Claimant::Presence { host, .. } => host.as_str(),
    });
    let outcome = match delivery.state {
        DeliveryState::Acked { at, .. } => Some(("acked", at)),
        DeliveryState::Dead { at, .. } => Some(("dead", at)),
        DeliveryState::Pending { .. }
        | DeliveryState::Claimed { .. }
        | DeliveryState::Sent { .. } => None,
    };
    let is_right = row.phase == phase(delivery)
        && row.due_at == super::standing::due(delivery)
        && row.host.as_deref() == host
        && row.pool.as_deref() == Some(pool.as_str())
        && row.lane.as_deref() == Some(lane.as_str())
        && row.parent.as_deref() == Some(delivery.job.as_str())
        && row.owner == delivery.owner
        && row.seq == delivery.seq
        && (row.outcome.as_deref(), row.ended_at)
            == (outcome.map(|(name, _)| name), outcome.map(|(_, at)| at));
    holds("columns of notices say what the body says", is_right, || format!("{row:?}"))
}

/// What was answered was taken.
fn truth(delivery: &Delivery, taken: &Taken) -> Result<(), Broken> {
    let DeliveryState::Acked { how: Settled::Answered, .. } = delivery.state else { return Ok(()) };
    let sink = sink_of(delivery).unwrap_or_default().to_owned();
    let is_taken = taken.contains(&(sink, delivery.id.clone()));
    holds("what is said to be taken was taken", is_taken, || format!("{delivery:?}"))
}

fn bounds(delivery: &Delivery) -> Result<(), Broken> {
    let receipts = &delivery.receipts;
    let is_kept = receipts.len() <= limits::RECEIPTS_MAX
        && receipts.iter().all(|receipt| receipt.answer.len() <= limits::ANSWER_BYTES_MAX)
        && receipts.windows(2).all(|two| two[0].number <= two[1].number)
        && receipts.last().is_none_or(|last| last.number <= delivery.tries);
    holds("receipts tell of tries, the newest few", is_kept, || format!("{delivery:?}"))
}

/// What is told is told for good, and what is given up only begins again when somebody says so.
fn ends(seen: &Seen<'_>, delivery: &Delivery) -> Result<(), Broken> {
    let Some(before) = seen.before.delivery(&delivery.id) else { return Ok(()) };
    let is_same =
        (before.seq, &before.job, &before.to) == (delivery.seq, &delivery.job, &delivery.to);
    holds("a notice stays what it is", is_same && before.tries <= delivery.tries, || {
        format!("{before:?}, {delivery:?}")
    })?;
    let is_over = matches!(before.state, DeliveryState::Acked { .. });
    let is_left = !is_over || before.state == delivery.state;
    holds("what is acknowledged stays so", is_left, || format!("{before:?}, {delivery:?}"))
}

/// A claim belongs to somebody who is there and knows of it.
fn holders(rows: &Snapshot) -> Result<(), Broken> {
    let mut held: BTreeMap<_, BTreeSet<&DeliveryId>> = BTreeMap::new();
    for delivery in rows.owed() {
        let is_inbox = sink_of(delivery).is_none();
        let is_right = match claimant(delivery) {
            None => true,
            Some(Claimant::Courier(_)) => !is_inbox,
            Some(Claimant::Presence { id, owner, host }) => {
                held.entry(id).or_default().insert(&delivery.id);
                let here = rows.presences.get(id);
                is_inbox && here.is_some_and(|here| here.owner == *owner && here.host == *host)
            }
        };
        holds("a claim belongs to somebody who is there", is_right, || format!("{delivery:?}"))?;
        let origin = delivery.owner.as_deref().unwrap_or_default();
        let is_elsewhere = match claimant(delivery) {
            Some(Claimant::Presence { owner, .. }) => owner != origin,
            Some(Claimant::Courier(_)) | None => false,
        };
        let is_here = rows.presences.values().any(|here| here.owner == origin);
        holds("who is there has its notices itself", !(is_elsewhere && is_here), || {
            format!("{delivery:?}")
        })?;
    }
    for presence in rows.presences.values() {
        let found: BTreeSet<_> = presence.holds.iter().collect();
        let right = held.get(&presence.id).cloned().unwrap_or_default();
        let is_right = found == right && found.len() == presence.holds.len();
        holds("who holds a notice knows it, and of no other", is_right, || {
            format!("{presence:?}, not {right:?}")
        })?;
    }
    Ok(())
}

/// What is said of owners is what there is.
fn counts(rows: &Snapshot) -> Result<(), Broken> {
    let mut right: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for delivery in rows.owed().filter(|delivery| is_open(delivery)) {
        if let (None, Some(owner)) = (sink_of(delivery), &delivery.owner) {
            right.entry(owner).or_default().0 += 1;
        }
    }
    for presence in rows.presences.values() {
        right.entry(&presence.owner).or_default().1 += 1;
    }
    let found =
        rows.owners.values().map(|owner| (owner.name.as_str(), (owner.open, owner.presences)));
    let found: BTreeMap<_, _> = found.collect();
    holds("owners know what is open and who is there", found == right, || {
        format!("{found:?}, not {right:?}")
    })?;
    let is_present = |owner: &longhaul_core::owner::Owner| {
        (owner.state == longhaul_core::owner::OwnerState::Present) == (owner.presences > 0)
    };
    let odd = rows.owners.values().find(|owner| !is_present(owner));
    holds("who is connected is present", odd.is_none(), || format!("{odd:?}"))
}

/// What the courier shall do is said at once; and who may take something is told.
fn told(seen: &Seen<'_>) -> Result<(), Broken> {
    let wanted = |delivery: &Delivery| match &delivery.state {
        DeliveryState::Claimed { by: Claimant::Courier(host), .. } if is_me(seen, host) => {
            Some((delivery.id.clone(), delivery.tries))
        }
        _ => None,
    };
    let mut right: BTreeSet<_> = changed(seen).filter_map(|owed| wanted(&owed.delivery)).collect();
    if seen.kind == Kind::Reconcile {
        right.extend(seen.after.owed().filter_map(wanted));
    }
    let deliver = &seen.step.deliver;
    let found: BTreeSet<_> =
        deliver.iter().map(|want| (want.delivery.clone(), want.number)).collect();
    let is_once = found.len() == deliver.len();
    holds("what is claimed is handed to the courier at once", right == found && is_once, || {
        format!("{deliver:?}, not {right:?}")
    })?;
    for owed in changed(seen) {
        let delivery = &owed.delivery;
        if sink_of(delivery).is_some() || phase(delivery) != Phase::Ready {
            continue;
        }
        let (lane, pool) = (owed.row.lane.clone(), owed.row.pool.clone());
        let is_told = lane.is_some_and(|lane| seen.step.inboxes.contains(&lane))
            && pool.is_some_and(|pool| seen.step.inboxes.contains(&pool));
        holds("whoever may take something is told", is_told, || format!("{delivery:?}"))?;
    }
    Ok(())
}

fn is_me(seen: &Seen<'_>, host: &HostId) -> bool {
    *host == seen.place.host
}
