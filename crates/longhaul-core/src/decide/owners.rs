//! Owners: present and absent, taking notices, taking over for each other, and saying what they know.

use super::deliveries::{change, settle};
use crate::command::{Refused, Reply};
use crate::delivery::{Claimant, Delivery, Destination, Settled, inbox_lane, project_pool};
use crate::id::{DeliveryId, JobId, PresenceId};
use crate::limits;
use crate::owner::{Owner, Presence};
use crate::port::{Phase, Table};
use crate::spec;
use crate::time::Millis;
use crate::world::{Fault, World, delivery_ids};

/// An owner holds a connection. What others took over for it and nobody acknowledged is its again.
pub(super) fn present(
    world: &mut World<'_>,
    id: PresenceId,
    owner: String,
    project: Option<String>,
) -> Result<Reply, Fault> {
    spec::check_word("owner", &owner).map_err(Refused::from)?;
    project.as_deref().map_or(Ok(()), spec::check_project).map_err(Refused::from)?;
    if world.presence(&id)?.is_some() {
        return Err(Refused::Repeat.into());
    }
    let most = limits::PRESENCES_MAX;
    if world.scan()?.ids(Table::Presence, "", most)?.len() >= most as usize {
        let limit = most.into();
        return Err(Refused::TooMany { what: "owners that are present", limit }.into());
    }
    let (now, host, adopt_after) =
        (world.now(), world.place().host.clone(), world.place().adopt_after);
    let known = world.owner(&owner)?;
    known.get_or_insert_with(|| Owner::new(owner.clone(), adopt_after, now)).came();
    take_back(world, &owner)?;
    let presence = Presence { id: id.clone(), owner, project, host, since: now, holds: Vec::new() };
    *world.presence(&id)? = Some(presence);
    Ok(Reply::Done)
}

fn take_back(world: &mut World<'_>, origin: &str) -> Result<(), Fault> {
    let (now, lane) = (world.now(), inbox_lane(origin));
    if world.scan()?.active_in_lane(&lane)? == 0 {
        return Ok(());
    }
    let open = world.scan()?.open_in_lane(&lane, limits::INBOX_OPEN_MAX)?;
    for id in delivery_ids(open)? {
        let is_elsewhere = match world.find_delivery(&id)?.and_then(Delivery::claimant) {
            Some(Claimant::Presence { owner, .. }) => owner != origin,
            Some(Claimant::Courier(_)) | None => false,
        };
        if is_elsewhere {
            change(world, &id, |delivery| {
                delivery.release(now);
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// A connection is gone. What it held may be told at once.
pub(super) fn absent(world: &mut World<'_>, id: &PresenceId) -> Result<Reply, Fault> {
    let Some(presence) = world.presence(id)?.clone() else { return Err(Refused::Repeat.into()) };
    let (now, adopt_after) = (world.now(), world.place().adopt_after);
    for held in &presence.holds {
        change(world, held, |delivery| {
            delivery.release(now);
            Ok(())
        })?;
    }
    *world.presence(id)? = None;
    let owner = world.owner(&presence.owner)?;
    if let Some(known) = owner {
        known.went(adopt_after, now);
        if known.is_forgotten() {
            *owner = None;
        }
    }
    Ok(Reply::Done)
}

/// Nobody is connected to this host.
pub(super) fn all_absent(world: &mut World<'_>) -> Result<(), Fault> {
    for id in world.scan()?.ids(Table::Presence, "", limits::PRESENCES_MAX)? {
        let Ok(id) = PresenceId::parse(&id) else { continue };
        let host = world.place().host.clone();
        if world.presence(&id)?.as_ref().is_some_and(|presence| presence.host == host) {
            absent(world, &id)?;
        }
    }
    Ok(())
}

/// Hands notices to a presence.
pub(super) fn claim(world: &mut World<'_>, id: &PresenceId, limit: u32) -> Result<Reply, Fault> {
    let holder = world.presence(id)?.clone().ok_or_else(|| Refused::NotPresent(id.clone()))?;
    let now = world.now();
    let holds = u32::try_from(holder.holds.len()).expect("it is given no more than it may hold");
    let room = limit.min(limits::PRESENCE_HOLDS_MAX.saturating_sub(holds));
    let own = world.scan()?.waiting_in_lane(&inbox_lane(&holder.owner), room)?;
    let left = room - u32::try_from(own.len()).expect("no more than were asked for");
    let mut ids = delivery_ids(own)?;
    ids.extend(left_by_others(world, &holder, left)?);
    let mut claimed = Vec::with_capacity(ids.len());
    for delivery in ids {
        let by = Claimant::Presence {
            id: id.clone(),
            owner: holder.owner.clone(),
            host: holder.host.clone(),
        };
        let number = change(world, &delivery, |delivery| {
            delivery.claim(by, now);
            Ok(delivery.tries)
        })?;
        if let Some(holder) = world.presence(id)? {
            holder.holds.push(delivery.clone());
        }
        claimed.push((delivery, number));
    }
    Ok(Reply::Claimed(claimed))
}

/// What owners of the presence's project left lying that are away for long enough.
fn left_by_others(
    world: &mut World<'_>,
    holder: &Presence,
    mut room: u32,
) -> Result<Vec<DeliveryId>, Fault> {
    let mut found = Vec::new();
    let Some(project) = holder.project.as_deref().filter(|_| room > 0) else { return Ok(found) };
    let pool = project_pool(Some(project));
    let lanes = world.scan()?.next_in_lanes(&pool, "", limits::OWNERS_LOOKED_AT_MAX)?;
    for (lane, _) in lanes {
        let owner = lane.strip_prefix("inbox|").unwrap_or(&lane).to_owned();
        let is_open = world.find_owner(&owner)?.is_some_and(Owner::is_open);
        if owner == holder.owner || !is_open {
            continue;
        }
        let waiting = world.scan()?.waiting_in_lane(&lane, limits::PRESENCE_HOLDS_MAX)?;
        for id in delivery_ids(waiting)? {
            let delivery = world.find_delivery(&id)?;
            let is_here = delivery.is_some_and(|d| d.project.as_deref() == Some(project));
            if is_here && room > 0 {
                room -= 1;
                found.push(id);
            }
        }
    }
    Ok(found)
}

/// An owner knows these notices.
pub(super) fn acknowledge(
    world: &mut World<'_>,
    owner: &str,
    ids: &[DeliveryId],
) -> Result<Reply, Fault> {
    if ids.len() > limits::ACKS_MAX as usize {
        let limit = limits::ACKS_MAX.into();
        return Err(Refused::TooMany { what: "notices acknowledged at once", limit }.into());
    }
    let mut settled = 0;
    for id in ids {
        // What is somebody else's does not exist for it.
        if !world.find_delivery(id)?.is_some_and(|delivery| may_settle(delivery, owner)) {
            return Err(Refused::NoDelivery(id.clone()).into());
        }
        settled += u32::from(settle(world, id, owner, Settled::Acked)?);
    }
    Ok(Reply::Settled(settled))
}

fn may_settle(delivery: &Delivery, owner: &str) -> bool {
    let is_held = match delivery.claimant() {
        Some(Claimant::Presence { owner: holder, .. }) => holder == owner,
        Some(Claimant::Courier(_)) | None => false,
    };
    delivery.is_inbox() && (delivery.owner.as_deref() == Some(owner) || is_held)
}

/// An owner knows all its oldest notices.
pub(super) fn acknowledge_all(world: &mut World<'_>, owner: &str) -> Result<Reply, Fault> {
    let open = world.scan()?.open_in_lane(&inbox_lane(owner), limits::ACKS_MAX)?;
    let mut settled = 0;
    for id in delivery_ids(open)? {
        settled += u32::from(settle(world, &id, owner, Settled::Acked)?);
    }
    Ok(Reply::Settled(settled))
}

/// The owner has the result from the job itself. Refuses `NotFound` for another's job.
pub(super) fn settle_job(
    world: &mut World<'_>,
    id: &JobId,
    owner: &str,
    how: Settled,
) -> Result<Reply, Fault> {
    let job = world.find_job(id)?.filter(|job| job.owner.as_deref() == Some(owner));
    let job = job.ok_or_else(|| Refused::NotFound(id.clone()))?;
    if job.outcome().is_none() {
        return Err(Refused::NotEnded { job: id.clone(), state: job.state_name() }.into());
    }
    let delivery = DeliveryId::of(id, &Destination::Inbox.place());
    let settled = settle(world, &delivery, owner, how)?;
    Ok(Reply::Settled(u32::from(settled)))
}

/// An owner was away for long enough: whoever may take over is told that there is something.
pub(crate) fn due_owner(world: &mut World<'_>, name: &str) -> Result<(), Fault> {
    let now = world.now();
    let Some(owner) = world.owner(name)? else { return Ok(()) };
    owner.on_due(now);
    let waiting = world.scan()?.waiting_in_lane(&inbox_lane(name), limits::STEP_LANES_MAX)?;
    for id in delivery_ids(waiting)? {
        let project = world.find_delivery(&id)?.and_then(|delivery| delivery.project.clone());
        world.stir_inbox(project_pool(project.as_deref()));
    }
    Ok(())
}

/// A closed lid is no absence, and no claim runs out while nobody could say anything.
pub(super) fn woke(world: &mut World<'_>, slept: Millis) -> Result<(), Fault> {
    let host = world.place().host.clone();
    let mut after = String::new();
    loop {
        let active =
            world.scan()?.active_on(Table::Delivery, &host, &after, limits::STEP_DUE_MAX)?;
        let Some(last) = active.last() else { break };
        after.clone_from(last);
        for id in delivery_ids(active)? {
            change(world, &id, |delivery| {
                debug_assert_eq!(delivery.phase(), Phase::Active);
                delivery.woke(slept);
                Ok(())
            })?;
        }
    }
    let mut after = String::new();
    loop {
        let names = world.scan()?.ids(Table::Owner, &after, limits::STEP_DUE_MAX)?;
        let Some(last) = names.last() else { return Ok(()) };
        after.clone_from(last);
        for name in names {
            if let Some(owner) = world.owner(&name)? {
                owner.woke(slept);
            }
        }
    }
}
