//! Notices: owed in the step that ends a job, claimed, told, settled or given up. Every change of a
//! delivery goes through [`change`], which keeps what other rows say about it true.

use crate::command::{Refused, Reply};
use crate::delivery::{AfterTry, Claimant, Delivery, DeliveryState, Destination, Settled};
use crate::event::{Fact, Owed};
use crate::id::{ApprovalId, DeliveryId, JobId};
use crate::limits;
use crate::owner::Owner;
use crate::port::{Phase, Table};
use crate::sink::Sink;
use crate::time::Millis;
use crate::world::{Fault, World, delivery_ids};

/// Changes one delivery, and with it its job's and its owner's counts and what its holder holds.
pub(super) fn change<T>(
    world: &mut World<'_>,
    id: &DeliveryId,
    change: impl FnOnce(&mut Delivery) -> Result<T, Refused>,
) -> Result<T, Fault> {
    let delivery = world.delivery(id)?;
    let delivery = delivery.as_mut().ok_or_else(|| Refused::NoDelivery(id.clone()))?;
    let (was_open, was_held_by) = (delivery.is_open(), delivery.held_by().cloned());
    let value = change(delivery)?;
    let after = delivery.clone();
    if let Some(presence) = was_held_by.filter(|held_by| after.held_by() != Some(held_by)) {
        let lane = world.presence(&presence)?.as_mut().map(|holder| {
            holder.holds.retain(|held| held != id);
            crate::delivery::inbox_lane(&holder.owner)
        });
        // It has room again, and something may wait for that.
        lane.into_iter().for_each(|lane| world.stir_inbox(lane));
    }
    if was_open != after.is_open() {
        count(world, &after)?;
    }
    Ok(value)
}

/// Takes note that one more is open, or one fewer.
fn count(world: &mut World<'_>, delivery: &Delivery) -> Result<(), Fault> {
    let (now, adopt_after) = (world.now(), world.place().adopt_after);
    let is_open = delivery.is_open();
    let notices = &mut world.job(&delivery.job)?.cleanup.notices;
    notices.open = if is_open { notices.open + 1 } else { notices.open.saturating_sub(1) };
    if let DeliveryState::Acked { at, how: Settled::Answered, .. } = delivery.state
        && delivery.about.is_none()
    {
        notices.told_at = Some(at);
    }
    let Some(name) = delivery.owner.as_ref().filter(|_| delivery.is_inbox()) else { return Ok(()) };
    let owner = world.owner(name)?;
    if is_open {
        let known = owner.get_or_insert_with(|| Owner::new(name.clone(), adopt_after, now));
        known.open += 1;
    } else if let Some(known) = owner {
        known.open = known.open.saturating_sub(1);
        if known.is_forgotten() {
            *owner = None;
        }
    }
    Ok(())
}

/// Owes what is to be told of a job that has just ended: to its owner, and to the sinks it names.
pub(super) fn owe(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    owe_news(world, id, None)
}

/// Owes the news that a question about a job was asked, to the same places.
pub(super) fn owe_question(
    world: &mut World<'_>,
    job: &JobId,
    about: &ApprovalId,
) -> Result<(), Fault> {
    owe_news(world, job, Some(about))
}

fn owe_news(world: &mut World<'_>, id: &JobId, about: Option<&ApprovalId>) -> Result<(), Fault> {
    let job = world.job(id)?.clone();
    let sinks = job.spec.notify.iter().cloned().map(Destination::Sink);
    // The end of what a session asked for is told by its feed, and its principal has no inbox.
    let is_fed = job.spec.hosted.is_some();
    let is_news = about.is_some() || !(is_fed || super::deaths::is_no_news(world, &job)?);
    let inbox = (job.owner.is_some() && is_news).then_some(Destination::Inbox);
    let mut notices: Vec<Owed> = Vec::new();
    for to in inbox.into_iter().chain(sinks) {
        let (seq, now) = (world.next_seq(), world.now());
        let delivery = match about {
            Some(about) => Delivery::asking(&job, about.clone(), to, seq, now),
            None => Delivery::new(&job, to, seq, now),
        };
        let (id, to) = (delivery.id.clone(), delivery.to.place());
        if notices.iter().any(|owed| owed.id == id) {
            continue;
        }
        *world.delivery(&id)? = Some(delivery.clone());
        count(world, &delivery)?;
        notices.push(Owed { id, to });
    }
    if notices.is_empty() {
        return Ok(());
    }
    world.record(id, &Fact::NoticesOwed { notices, about: about.cloned() })?;
    job.owner.map_or(Ok(()), |owner| make_room(world, &owner))
}

/// A question waits no more: nobody has to be told of it any longer.
pub(super) fn settle_question(
    world: &mut World<'_>,
    job: &JobId,
    about: &ApprovalId,
    by: &str,
) -> Result<(), Fault> {
    let Some(found) = world.find_job(job)? else { return Ok(()) };
    let inbox = std::iter::once(Destination::Inbox);
    let places: Vec<Destination> =
        inbox.chain(found.spec.notify.iter().cloned().map(Destination::Sink)).collect();
    for to in places {
        settle(world, &Delivery::id_asking(job, about, &to), by, Settled::Decided)?;
    }
    Ok(())
}

/// An inbox that nobody empties does not grow for ever: the oldest is given up for the newest.
fn make_room(world: &mut World<'_>, owner: &str) -> Result<(), Fault> {
    let open = world.find_owner(owner)?.map_or(0, |owner| owner.open);
    if open <= limits::INBOX_OPEN_MAX {
        return Ok(());
    }
    let lane = crate::delivery::inbox_lane(owner);
    let oldest = world.scan()?.open_in_lane(&lane, open - limits::INBOX_OPEN_MAX)?;
    for id in delivery_ids(oldest)? {
        let because = format!("its owner has {} newer ones", limits::INBOX_OPEN_MAX);
        give_up(world, &id, &because)?;
    }
    Ok(())
}

/// Gives a delivery to the courier of this host.
pub(crate) fn claim_for_courier(world: &mut World<'_>, id: &DeliveryId) -> Result<(), Fault> {
    let (by, now) = (Claimant::Courier(world.place().host.clone()), world.now());
    change(world, id, |delivery| {
        delivery.claim(by, now);
        Ok(())
    })
}

/// Gives a delivery up, whatever it is doing.
pub(crate) fn give_up(world: &mut World<'_>, id: &DeliveryId, because: &str) -> Result<(), Fault> {
    let now = world.now();
    let job = change(world, id, |delivery| {
        delivery.die(because.to_owned(), now);
        Ok(delivery.job.clone())
    })?;
    let fact = Fact::NoticeDead { delivery: id.clone(), because: because.to_owned() };
    world.record(&job, &fact)
}

/// Gives up what an owner has not come for, so that its job can go. Gives whether nothing is left
/// that somebody has to be told; what is on its way to a sink or a person stays.
pub(crate) fn let_go(world: &mut World<'_>, job: &JobId) -> Result<bool, Fault> {
    let open = open_of(world, job)?;
    for id in &open {
        // One that was handed to somebody a moment ago waits a little, and lies for nobody yet.
        let is_left_lying = world
            .find_delivery(id)?
            .is_some_and(|delivery| delivery.is_inbox() && delivery.phase() == Phase::Ready);
        if !is_left_lying {
            return Ok(false);
        }
    }
    for id in &open {
        give_up(world, id, "its owner did not come, and the home holds more than it may")?;
    }
    Ok(true)
}

/// The deliveries of a job that are neither settled nor given up.
fn open_of(world: &mut World<'_>, job: &JobId) -> Result<Vec<DeliveryId>, Fault> {
    let most = limits::DELIVERIES_PER_JOB_MAX;
    let ids = delivery_ids(world.scan()?.children(Table::Delivery, job.as_str(), "", most)?)?;
    let mut open = Vec::new();
    for id in ids {
        if world.find_delivery(&id)?.is_some_and(Delivery::is_open) {
            open.push(id);
        }
    }
    Ok(open)
}

/// `old` was asked for again: nobody needs its news any more.
pub(super) fn supersede(world: &mut World<'_>, old: &JobId, new: &JobId) -> Result<(), Fault> {
    for id in open_of(world, old)? {
        settle(world, &id, new.as_str(), Settled::Retried)?;
    }
    Ok(())
}

/// Settles one delivery. Gives whether it was open.
pub(super) fn settle(
    world: &mut World<'_>,
    id: &DeliveryId,
    by: &str,
    how: Settled,
) -> Result<bool, Fault> {
    let now = world.now();
    if !world.find_delivery(id)?.is_some_and(Delivery::is_open) {
        return Ok(false);
    }
    let job = change(world, id, |delivery| {
        delivery.settle(by, how, now)?;
        Ok(delivery.job.clone())
    })?;
    let fact = Fact::NoticeSettled { delivery: id.clone(), by: by.to_owned(), how };
    world.record(&job, &fact)?;
    Ok(true)
}

/// A dead delivery is owed again.
pub(super) fn redeliver(world: &mut World<'_>, id: &DeliveryId) -> Result<Reply, Fault> {
    let now = world.now();
    let delivery = world.find_delivery(id)?.ok_or_else(|| Refused::NoDelivery(id.clone()))?;
    if let Destination::Sink(sink) = delivery.to.clone()
        && !world.find_sink(&sink)?.is_some_and(Sink::is_there)
    {
        return Err(Refused::NoSink(sink).into());
    }
    let job = change(world, id, |delivery| {
        delivery.redeliver(now)?;
        Ok(delivery.job.clone())
    })?;
    if world.find_job(&job)?.is_none_or(|job| job.is_purge_wanted()) {
        // Its files are on their way out, and nothing of it will be left to tell.
        return Err(Refused::NotFound(job).into());
    }
    world.record(&job, &Fact::NoticeOwedAgain { delivery: id.clone() })?;
    Ok(Reply::Done)
}

/// A notice was handed to the presence that claimed it.
pub(super) fn sent(world: &mut World<'_>, id: &DeliveryId, number: u32) -> Result<Reply, Fault> {
    let now = world.now();
    change(world, id, |delivery| delivery.sent(number, now))?;
    Ok(Reply::Done)
}

/// A sink took a notice.
pub(super) fn delivered(
    world: &mut World<'_>,
    id: &DeliveryId,
    number: u32,
    answer: &str,
) -> Result<Reply, Fault> {
    let now = world.now();
    let (job, to) = change(world, id, |delivery| {
        delivery.delivered(number, answer, now)?;
        Ok((delivery.job.clone(), delivery.to.clone()))
    })?;
    let fact = Fact::NoticeSettled { delivery: id.clone(), by: to.place(), how: Settled::Answered };
    world.record(&job, &fact)?;
    trouble(world, &to, |_| 0)?;
    Ok(Reply::Done)
}

/// A sink did not take a notice.
pub(super) fn failed(
    world: &mut World<'_>,
    id: &DeliveryId,
    number: u32,
    answer: &str,
    again_after: Option<Millis>,
    is_final: bool,
) -> Result<Reply, Fault> {
    let now = world.now();
    let answer = super::clip(answer, limits::ANSWER_BYTES_MAX);
    let (job, to, after, state) = change(world, id, |delivery| {
        let after = delivery.failed(number, &answer, again_after, is_final, now)?;
        Ok((delivery.job.clone(), delivery.to.clone(), after, delivery.state.clone()))
    })?;
    let again_at = match after {
        AfterTry::Again(at) => Some(at),
        AfterTry::Dead => None,
    };
    world.record(&job, &Fact::NoticeFailed { delivery: id.clone(), number, answer, again_at })?;
    if let DeliveryState::Dead { because, .. } = state {
        world.record(&job, &Fact::NoticeDead { delivery: id.clone(), because })?;
    }
    trouble(world, &to, |tries| tries.saturating_add(1))?;
    Ok(Reply::Done)
}

/// Keeps count of a sink's failures in a row.
fn trouble(
    world: &mut World<'_>,
    to: &Destination,
    change: impl FnOnce(u32) -> u32,
) -> Result<(), Fault> {
    if let Destination::Sink(name) = to
        && let Some(sink) = world.sink(name)?
    {
        sink.trouble = change(sink.trouble);
    }
    Ok(())
}

/// A delivery's hour has come.
pub(crate) fn due_delivery(world: &mut World<'_>, id: &DeliveryId) -> Result<(), Fault> {
    let now = world.now();
    let (job, state) = change(world, id, |delivery| {
        delivery.on_due(now);
        Ok((delivery.job.clone(), delivery.state.clone()))
    })?;
    if let DeliveryState::Dead { because, .. } = state {
        world.record(&job, &Fact::NoticeDead { delivery: id.clone(), because })?;
    }
    Ok(())
}
