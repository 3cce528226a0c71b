//! Which notices go to sinks now. Each sink has tries of its own, so none holds up another; within a
//! sink owners take turns, and each may use only a part of the tries; within an owner the oldest goes
//! first, and what waits for another try is not in the way.

use crate::decide::{claim_for_courier, give_up};
use crate::delivery::sink_pool;
use crate::id::DeliveryId;
use crate::limits;
use crate::port::StoreError;
use crate::sink::Sink;
use crate::world::{Fault, World, delivery_ids};

/// Claims what may go for the courier of this host. Gives whether more could be done than one step
/// does; then another should follow at once.
pub(crate) fn dispatch(world: &mut World<'_>) -> Result<bool, StoreError> {
    let mut more = false;
    for name in world.stirred_sinks() {
        match world.find_sink(&name)?.filter(|sink| sink.is_there()).cloned() {
            Some(sink) => serve(world, &sink)?,
            None => more |= bury(world, &name)?,
        }
    }
    Ok(more)
}

fn serve(world: &mut World<'_>, sink: &Sink) -> Result<(), StoreError> {
    let pool = sink_pool(&sink.name);
    let at_once_max = sink.tries_at_once_max();
    let lane_max = limits::OWNER_TRIES_AT_ONCE_MAX.min(at_once_max);
    let mut free = at_once_max.saturating_sub(world.scan()?.active_in_pool(&pool)?);
    let mut cursor = sink.cursor.clone();
    while free > 0 {
        let mut has_claimed = false;
        for (lane, id) in in_turn(world, &pool, &cursor)? {
            if free == 0 {
                break;
            }
            if world.scan()?.active_in_lane(&lane)? >= lane_max {
                continue;
            }
            for id in delivery_ids(vec![id])? {
                decided(world, &id, claim_for_courier)?;
            }
            (free, cursor, has_claimed) = (free - 1, lane, true);
        }
        if !has_claimed {
            break;
        }
    }
    if cursor != sink.cursor {
        let set = world.command(|world| {
            if let Some(sink) = world.sink(&sink.name)? {
                sink.cursor = cursor;
            }
            Ok(())
        })?;
        set.map_err(|refused| StoreError::Corrupt(format!("sink {}: {refused}", sink.name)))?;
    }
    Ok(())
}

/// The oldest of each lane, beginning after the lane that was served last, and then from the first.
fn in_turn(
    world: &mut World<'_>,
    pool: &str,
    cursor: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let most = limits::STEP_LANES_MAX;
    let mut heads = world.scan()?.next_in_lanes(pool, cursor, most)?;
    let room = most - u32::try_from(heads.len()).expect("no more than were asked for");
    if room > 0 && !cursor.is_empty() {
        let first = world.scan()?.next_in_lanes(pool, "", room)?;
        heads.extend(first.into_iter().filter(|(lane, _)| lane.as_str() <= cursor));
    }
    Ok(heads)
}

/// Gives up what is owed to a sink that is not there any more. The sink's row, if it is still there,
/// goes with the last of it.
fn bury(world: &mut World<'_>, name: &str) -> Result<bool, StoreError> {
    let pool = sink_pool(name);
    // Without a row nothing would remember the rest; what is left then are the few that were tried.
    let is_marked = world.find_sink(name)?.is_some();
    let mut room = if is_marked { limits::STEP_DUE_MAX } else { u32::MAX };
    loop {
        let heads = world.scan()?.next_in_lanes(&pool, "", room.min(limits::STEP_LANES_MAX))?;
        let has_more = !heads.is_empty();
        if !has_more || room == 0 {
            let now = world.now();
            let done = world.command(|world| {
                let sink = world.sink(name)?;
                if has_more {
                    // Only the row remembers that another step has to follow.
                    sink.iter_mut().for_each(|sink| sink.again_at = Some(now));
                } else {
                    *sink = None;
                }
                Ok(())
            })?;
            done.map_err(|refused| StoreError::Corrupt(format!("sink {name}: {refused}")))?;
            return Ok(has_more);
        }
        for (_, id) in heads {
            for id in delivery_ids(vec![id])? {
                decided(world, &id, |world, id| give_up(world, id, "its sink was removed"))?;
            }
            room -= 1;
        }
    }
}

/// Runs a decision about a delivery that a scan has just found, and that therefore cannot be refused.
fn decided(
    world: &mut World<'_>,
    id: &DeliveryId,
    decide: impl FnOnce(&mut World<'_>, &DeliveryId) -> Result<(), Fault>,
) -> Result<(), StoreError> {
    let done = world.command(|world| decide(world, id))?;
    done.map_err(|refused| StoreError::Corrupt(format!("a delivery that is owed: {refused}")))
}
