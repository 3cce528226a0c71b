//! Who may start now, and why everybody else may not. Both answers go by the same facts, so the
//! scheduler can always say what a job waits for.

use crate::event::Fact;
use crate::id::JobId;
use crate::job::{Job, JobState, Waiting};
use crate::limits;
use crate::port::{Phase, StoreError};
use crate::record::Pool;
use crate::time::Timestamp;
use crate::world::{Fault, World, job_ids};

/// Gives free slots of the pools that this step stirred to the jobs that are first in line.
///
/// Gives whether more could be placed than one step takes; then another step should follow at once.
pub fn place(world: &mut World<'_>) -> Result<bool, StoreError> {
    let mut room = limits::STEP_PLACE_MAX;
    // A turn that ends instead of being placed lets others of its lane go first, in any pool.
    while place_all(world, &mut room)? && room > 0 {}
    Ok(room == 0)
}

/// Looks once at every pool that was stirred so far. Gives whether a job was not placed whose turn it
/// was.
fn place_all(world: &mut World<'_>, room: &mut u32) -> Result<bool, StoreError> {
    let mut is_any_aside = false;
    for name in world.stirred() {
        let Some(pool) = world.pool(&name)?.clone() else { continue };
        loop {
            let free = free_slots(&pool, world.occupied(&name)?);
            let ids = job_ids(world.runnable(&name, free.min(*room))?)?;
            *room -= u32::try_from(ids.len()).expect("no more than were asked for");
            let mut aside = 0;
            for id in ids {
                aside += u32::from(!place_one(world, &id)?);
            }
            is_any_aside |= aside > 0;
            // What was set aside took no slot: others may have it.
            if aside == 0 || *room == 0 {
                break;
            }
        }
        if *room == 0 {
            // The next step may be about something else; only the row remembers.
            mark(world, &name, Some(world.now()))?;
        }
    }
    Ok(is_any_aside)
}

/// A pool whose jobs could not all be placed in one step is looked at again.
pub(crate) fn resume(world: &mut World<'_>, name: &str) -> Result<(), StoreError> {
    world.stir(name);
    mark(world, name, None)
}

fn mark(world: &mut World<'_>, name: &str, again_at: Option<Timestamp>) -> Result<(), StoreError> {
    let marked = world.command(|world| {
        if let Some(pool) = world.pool(name)? {
            pool.again_at = again_at;
        }
        Ok(())
    })?;
    marked.map_err(|refused| StoreError::Corrupt(format!("pool {name}: {refused}")))
}

/// Gives it a slot; or sets it aside, if it is a task of a kind that nobody here runs. Gives which.
fn place_one(world: &mut World<'_>, id: &JobId) -> Result<bool, StoreError> {
    let (place, now) = (world.place(), world.now());
    let placed = world.command(|world| {
        if let Some(task) = world.job(id)?.spec.task.clone() {
            let host = world.host(place.host.as_str())?;
            if !host.as_ref().is_some_and(|host| host.kinds.contains(&task.kind)) {
                world.job(id)?.set_aside(Waiting::Kind);
                return Ok(false);
            }
        }
        if world.job(id)?.spec.turn.is_some() && !crate::decide::prepare(world, id)? {
            return Ok(false);
        }
        world.job(id)?.place(place, now);
        let attempt = world.job(id)?.attempt;
        world.record(id, &Fact::Starting { attempt })?;
        Ok(true)
    })?;
    let placed = placed
        .map_err(|refused| StoreError::Corrupt(format!("a runnable job is gone: {refused}")))?;
    debug_assert!(!placed || lane_is_held_by(world, id)?, "a lane is active behind its oldest job");
    Ok(placed)
}

/// The negative space of placing: nobody older in the lane is still open.
fn lane_is_held_by(world: &mut World<'_>, id: &JobId) -> Result<bool, StoreError> {
    let lane = world.find_job(id)?.and_then(|job| job.spec.lane.clone());
    let Some(lane) = lane else { return Ok(true) };
    Ok(world.scan()?.lane_head(&lane)?.as_deref() == Some(id.as_str()))
}

/// Slots of a pool that a job could have now.
pub const fn free_slots(pool: &Pool, occupied: u32) -> u32 {
    if pool.paused { 0 } else { pool.slots.saturating_sub(occupied) }
}

/// Lets the next of a lane be first, after the job that held it has ended.
pub fn advance_lane(world: &mut World<'_>, lane: &str) -> Result<(), Fault> {
    let head = world.scan()?.lane_head(lane)?;
    for id in job_ids(head.into_iter().collect())? {
        world.job(&id)?.behind = false;
    }
    Ok(())
}

/// What a queued job's surroundings look like, as far as `why` needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its pool, if that exists.
    pub pool: Option<Pool>,
    /// Active jobs of that pool.
    pub occupied: u32,
    /// Ready jobs of that pool that go first.
    pub ahead: u64,
    /// The oldest job of its lane that has not ended.
    pub lane_head: Option<String>,
    /// Jobs it waits for that have not ended, as far as they were looked up.
    pub open_dependencies: Vec<String>,
}

/// What a job that has no slot waits for, in words; `None` for a job that does not wait.
pub fn waits_for(job: &Job, around: &Surroundings, now: Timestamp) -> Option<String> {
    if job.is_preparing() {
        let issuers = job.issuers().join("`, `");
        return Some(format!("its credentials, which `{issuers}` makes"));
    }
    let JobState::Queued { not_before, because, .. } = &job.state else { return None };
    let text = match job.phase() {
        Phase::Blocked => {
            let named = around.open_dependencies.join(", ");
            let colon = if named.is_empty() { "" } else { ": " };
            format!("{} job(s) to end first{colon}{named}", job.blocked_on)
        }
        Phase::Behind => {
            let lane = job.spec.lane.as_deref().unwrap_or_default();
            let head = around.lane_head.as_deref().unwrap_or("an older job");
            format!("lane `{lane}`, which {head} holds")
        }
        Phase::Delayed if *because == Waiting::Approval => {
            "an answer; `longhaul approvals` lists the questions".to_owned()
        }
        Phase::Delayed => {
            let what = match because {
                Waiting::New => "its hour",
                Waiting::Retry => "its retry",
                Waiting::Launch => "another launch",
                Waiting::Rerun => "being run again",
                Waiting::Kind => "a process that runs its kind",
                Waiting::RateLimited | Waiting::Parked => "the end of a limit of the vendor",
                Waiting::Approval => "an answer",
            };
            format!("{what}, in {}", not_before.since(now))
        }
        Phase::Ready => waits_for_pool(job, around),
        Phase::Kept | Phase::Active | Phase::Ended => return None,
    };
    Some(text)
}

fn waits_for_pool(job: &Job, around: &Surroundings) -> String {
    if let (JobState::Queued { because: Waiting::Kind, .. }, Some(task)) =
        (&job.state, &job.spec.task)
    {
        let kind = &task.kind;
        return format!("a process that runs tasks of kind `{kind}`; none here does");
    }
    if let (JobState::Queued { because: Waiting::Parked, .. }, Some(turn)) = (&job.state, &job.turn)
    {
        let kind = &turn.kind;
        return format!("the end of a limit of the vendor, which another turn of `{kind}` met");
    }
    let name = &job.spec.pool;
    match &around.pool {
        None => format!("pool `{name}`, which does not exist any more"),
        Some(pool) if pool.paused => format!("pool `{name}`, which is paused"),
        Some(pool) => format!(
            "a slot of pool `{name}` ({} of {} taken, {} ahead of it)",
            around.occupied, pool.slots, around.ahead
        ),
    }
}
