//! Laws of the rows as they stand after any step: columns, lanes, slots, who waits for whom, secrets.

use super::{Broken, Seen, holds, naive};
use crate::snapshot::{Kept, Snapshot};
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState};
use longhaul_core::outcome::Ending;
use longhaul_core::port::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Holds the rows against every law of a moment. `fates` says how jobs that are gone had ended.
pub(super) fn check(seen: &Seen<'_>, fates: &BTreeMap<JobId, Ending>) -> Result<(), Broken> {
    for (id, kept) in &seen.after.jobs {
        let unchanged = seen.before.jobs.get(id).is_some_and(|old| Rc::ptr_eq(old, kept));
        if !unchanged {
            columns(&kept.job, &kept.row)?;
        }
    }
    lanes(seen.after)?;
    slots(seen)?;
    dependencies(seen.after, fates)?;
    secrets(seen.after)?;
    keys(seen.after)
}

fn columns(job: &Job, row: &longhaul_core::port::Row) -> Result<(), Broken> {
    let outcome = job.outcome().map(|outcome| outcome.kind.name());
    let is_right = row.phase == naive::phase(job)
        && row.due_at == naive::due(job)
        && row.state == job.state_name()
        && row.host.as_deref() == job.host.as_ref().map(longhaul_core::id::HostId::as_str)
        && row.lane == job.spec.lane
        && row.pool.as_ref() == Some(&job.spec.pool)
        && row.priority == job.spec.priority
        && row.seq == job.seq
        && row.key == job.key
        && row.outcome.as_deref() == outcome;
    holds("columns say what the body says", is_right, || format!("{row:?}"))
}

fn is_active(job: &Job) -> bool {
    naive::phase(job) == Phase::Active
}

/// At most one active job a lane, the oldest; all younger ones know that they are behind.
fn lanes(rows: &Snapshot) -> Result<(), Broken> {
    let mut open: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for kept in rows.jobs.values().filter(|kept| kept.job.outcome().is_none()) {
        if let Some(lane) = &kept.job.spec.lane {
            open.entry(lane).or_default().push(&kept.job);
        }
    }
    for jobs in open.values_mut() {
        jobs.sort_by_key(|job| job.seq);
        for (place, job) in jobs.iter().enumerate() {
            holds("lanes are first in, first out", place == 0 || !is_active(job), || {
                format!("{} runs before {}", job.id, jobs[0].id)
            })?;
            let knows = is_active(job) || job.behind == (place > 0);
            holds("the head of a lane, and only it, may go on", knows, || {
                format!("{} is number {place} of its lane: {job:?}", job.id)
            })?;
        }
    }
    Ok(())
}

/// Slots are never exceeded by placing, never left free while a job is ready, and given in order.
fn slots(seen: &Seen<'_>) -> Result<(), Broken> {
    for (name, pool) in &seen.after.pools {
        let of_pool = || seen.after.jobs.values().filter(|kept| kept.job.spec.pool == *name);
        let occupied = of_pool().filter(|kept| is_active(&kept.job)).count();
        let placed: Vec<&Job> =
            of_pool().map(|kept| &kept.job).filter(|job| is_placed(seen, job)).collect();
        let slots = pool.slots as usize;
        let fits = placed.is_empty() || (occupied <= slots && !pool.paused);
        holds("slots are kept", fits, || {
            format!("{occupied} of {slots} in {name}, {} placed now", placed.len())
        })?;
        let is_ready = |job: &&Job| naive::phase(job) == Phase::Ready;
        let ready: Vec<&Job> = of_pool().map(|kept| &kept.job).filter(is_ready).collect();
        let is_left = !pool.paused && occupied < slots && !ready.is_empty();
        let goes_on = seen.step.next_due.is_some_and(|at| at <= seen.now);
        holds("no free slot is left while a job is ready", !is_left || goes_on, || {
            format!("{} waits for {name}, {occupied} of {slots} taken", ready[0].id)
        })?;
        let rank = |job: &Job| (u8::MAX - job.spec.priority, job.seq);
        let last_placed = placed.iter().map(|job| rank(job)).max();
        let first_left = ready.iter().map(|job| rank(job)).min();
        let in_order = last_placed.zip(first_left).is_none_or(|(placed, left)| placed < left);
        holds("higher priority first, then older", in_order, || format!("pool {name}"))?;
    }
    Ok(())
}

/// Whether the step gave it its slot.
pub(super) fn is_placed(seen: &Seen<'_>, job: &Job) -> bool {
    job.attempt > seen.before.job(&job.id).map_or(0, |before| before.attempt)
}

/// Who is ready or active waits for nobody; the rows of waiting are exactly what is waited for.
fn dependencies(rows: &Snapshot, fates: &BTreeMap<JobId, Ending>) -> Result<(), Broken> {
    let mut waits = BTreeSet::new();
    for kept in rows.jobs.values() {
        let job = &kept.job;
        if let JobState::Queued { .. } = job.state {
            let on: BTreeSet<_> = job.spec.after.iter().chain(&job.spec.after_any).collect();
            let open: Vec<_> = on.into_iter().filter(|on| is_open(rows, job, on)).collect();
            let counted = job.blocked_on as usize == open.len();
            holds("a job knows how many it waits for", counted, || {
                format!("{} counts {}, not {open:?}", job.id, job.blocked_on)
            })?;
            waits.extend(open.into_iter().map(|on| format!("{}:{on}", job.id)));
        }
        let may_run = matches!(naive::phase(job), Phase::Ready | Phase::Active);
        let is_new = |on: &JobId| rows.job(on).is_some_and(|on| on.seq > job.seq);
        let failed = |on: &JobId| fates.get(on) != Some(&Ending::Succeeded) && !is_new(on);
        let too_early = job.spec.after.iter().any(failed)
            || job.spec.after_any.iter().any(|on| is_open(rows, job, on));
        holds("nothing runs before what it waits for", !may_run || !too_early, || {
            format!("{} is {:?}", job.id, job.state)
        })?;
    }
    holds("who waits for whom is kept exactly", waits == rows.dependencies, || {
        let more: Vec<_> = waits.symmetric_difference(&rows.dependencies).collect();
        format!("{more:?}")
    })
}

/// Whether `job` has to wait for `on`: one that is younger took the id of the one that was meant.
fn is_open(rows: &Snapshot, job: &Job, on: &JobId) -> bool {
    rows.job(on).is_some_and(|on| on.outcome().is_none() && on.seq < job.seq)
}

/// A secret is kept exactly as long as its job may start again. Tasks need not have any.
fn secrets(rows: &Snapshot) -> Result<(), Broken> {
    let open = rows.jobs.values().filter(|kept| kept.job.outcome().is_none());
    let (tasks, others): (Vec<_>, Vec<_>) = open.partition(|kept| kept.job.spec.task.is_some());
    let ids = |kept: Vec<&Rc<Kept>>| kept.iter().map(|kept| kept.row.id.clone()).collect();
    let (tasks, others): (BTreeSet<String>, BTreeSet<String>) = (ids(tasks), ids(others));
    let kept: BTreeSet<String> = rows.environments.difference(&tasks).cloned().collect();
    holds("environments are kept until the end and no longer", others == kept, || {
        format!("{:?}", others.symmetric_difference(&kept).collect::<Vec<_>>())
    })
}

fn keys(rows: &Snapshot) -> Result<(), Broken> {
    let mut taken = BTreeSet::new();
    for kept in rows.jobs.values() {
        if let Some(key) = &kept.job.key {
            holds("one job a key", taken.insert(key), || key.clone())?;
        }
    }
    Ok(())
}
