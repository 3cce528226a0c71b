//! What goes when there are more ended jobs, or more bytes of them, than are kept: the oldest, but
//! never one that somebody is still to be told of.

use crate::command::Command;
use crate::decide::{self, decide};
use crate::id::JobId;
use crate::job::Job;
use crate::limits;
use crate::port::StoreError;
use crate::time::Timestamp;
use crate::world::{World, job_ids};

/// How much there is, and how much there may be.
struct Measure {
    jobs: u64,
    bytes: u64,
    jobs_max: u64,
    bytes_max: u64,
}

impl Measure {
    const fn is_over(&self) -> bool {
        self.jobs > self.jobs_max || self.bytes > self.bytes_max
    }

    fn take_away(&mut self, job: &Job) {
        self.jobs -= 1;
        self.bytes = self.bytes.saturating_sub(job.bytes());
    }
}

/// Picks the oldest ended jobs for removal until the rest is within what is kept. Gives whether more
/// of it is to be done.
pub(crate) fn retain(world: &mut World<'_>) -> Result<bool, StoreError> {
    let rule = &world.place().retention;
    let (jobs_max, bytes_max) = (rule.jobs_max, rule.bytes_max);
    let (jobs, bytes) = world.scan()?.ended_totals()?;
    let mut measure = Measure { jobs, bytes, jobs_max, bytes_max };
    let mut picked = 0;
    let mut looked_at = 0;
    let mut held_up = Vec::new();
    // Those that cannot go, because something is owed for them or they are stuck, may be many,
    // and must not keep the others here for ever.
    while measure.is_over() && picked == 0 && looked_at < limits::RETAIN_SCAN_MAX {
        let most = looked_at + limits::STEP_PURGE_MAX;
        let mut oldest = job_ids(world.scan()?.oldest_ended(most)?)?;
        let oldest = oldest.split_off(oldest.len().min(looked_at as usize));
        if oldest.is_empty() {
            break;
        }
        looked_at = most;
        // Those on their way make room already; taking others for them is taking too many.
        for id in &oldest {
            if let Some(job) = world.find_job(id)?.filter(|job| job.is_purge_wanted()) {
                measure.take_away(job);
            }
        }
        let now = world.now();
        for id in oldest {
            if !measure.is_over() {
                break;
            }
            let Some(job) = world.find_job(&id)? else { continue };
            if job.is_purgeable(now) {
                measure.take_away(job);
                picked += pick(world, id)?;
            } else if is_held_up(job, now) && held_up.len() < limits::STEP_PURGE_MAX as usize {
                held_up.push(id);
            }
        }
    }
    if picked == 0 && measure.is_over() {
        picked += press(world, &mut measure, held_up)?;
    }
    Ok(picked > 0 && measure.is_over())
}

/// Whether it is only kept because its owner has not come for its notice in a long while.
fn is_held_up(job: &Job, now: Timestamp) -> bool {
    let is_old = job.ended_at().is_some_and(|at| at.plus(limits::INBOX_AGE_PRESSED) <= now);
    is_old && job.is_kept_for_notices() && job.cleanup.notices.open > 0
}

/// A disk must not fill because an owner never comes: what waited for a day is given up, oldest
/// first, and only when nothing else can go.
fn press(
    world: &mut World<'_>,
    measure: &mut Measure,
    held_up: Vec<JobId>,
) -> Result<u32, StoreError> {
    let mut picked = 0;
    for id in held_up {
        if !measure.is_over() {
            break;
        }
        let asked = world.command(|world| decide::let_go(world, &id))?;
        if asked == Ok(true)
            && let Some(job) = world.find_job(&id)?
        {
            measure.take_away(job);
            picked += pick(world, id)?;
        }
    }
    Ok(picked)
}

fn pick(world: &mut World<'_>, id: JobId) -> Result<u32, StoreError> {
    let asked = world.command(|world| decide(world, Command::Purge(id)))?;
    Ok(u32::from(asked.is_ok()))
}
