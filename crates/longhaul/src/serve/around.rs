//! What stands around a queued job, so that core can say what it waits for.

use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::port::{Phase, Reader, Record, StoreError, Table};
use longhaul_core::record::Pool;
use longhaul_core::schedule::{Surroundings, waits_for};
use std::collections::BTreeMap;

/// Jobs waited for that are looked up by name; more are only counted.
const NAMED_MAX: usize = 10;

/// Looks around one job.
pub(super) fn around(reader: &mut dyn Reader, job: &Job) -> Result<Surroundings, StoreError> {
    let mut around = Surroundings::default();
    match job.phase() {
        Phase::Blocked => {
            around.open_dependencies = open_dependencies(reader, job)?;
        }
        Phase::Behind => {
            if let Some(lane) = &job.spec.lane {
                around.lane_head = reader.lane_head(lane)?;
            }
        }
        Phase::Ready => {
            around.pool = pool(reader, &job.spec.pool)?;
            (around.occupied, _) = reader.pool_load(&job.spec.pool)?;
            around.ahead = reader.ahead_of(&job.spec.pool, job.spec.priority, job.seq)?;
        }
        Phase::Kept | Phase::Delayed | Phase::Active | Phase::Ended => {}
    }
    Ok(around)
}

fn open_dependencies(reader: &mut dyn Reader, job: &Job) -> Result<Vec<String>, StoreError> {
    let mut open = Vec::new();
    let waited_for: Vec<&JobId> = job.spec.after.iter().chain(&job.spec.after_any).collect();
    for id in waited_for {
        if open.len() == NAMED_MAX {
            break;
        }
        if super::resolve::load(reader, id)?.is_some_and(|job| job.outcome().is_none()) {
            open.push(id.as_str().to_owned());
        }
    }
    Ok(open)
}

/// Loads a pool.
pub(super) fn pool(reader: &mut dyn Reader, name: &str) -> Result<Option<Pool>, StoreError> {
    let row = reader.load(Table::Pool, name)?;
    Ok(row.as_ref().map(Pool::from_row).transpose()?)
}

/// What many jobs of one list wait for. Says less than [`around`]: counting who is ahead of each of a
/// thousand would read the queue a thousand times.
#[derive(Debug, Default)]
pub(super) struct Glance {
    pools: BTreeMap<String, Option<Pool>>,
}

impl Glance {
    /// What `job` waits for, in few words; `None` if that takes a full look and is cheap, or if it
    /// does not wait.
    pub(super) fn at(
        &mut self,
        reader: &mut dyn Reader,
        job: &Job,
    ) -> Result<Option<String>, StoreError> {
        if job.phase() != Phase::Ready {
            return Ok(None);
        }
        if let JobState::Queued { because: Waiting::Kind | Waiting::Parked, .. } = &job.state {
            // It is not its pool that these wait for, so nothing around it matters.
            return Ok(waits_for(job, &Surroundings::default(), job.submitted_at));
        }
        let name = &job.spec.pool;
        if !self.pools.contains_key(name) {
            self.pools.insert(name.clone(), pool(reader, name)?);
        }
        let is_paused = self.pools[name].as_ref().is_some_and(|pool| pool.paused);
        let paused = if is_paused { ", which is paused" } else { "" };
        Ok(Some(format!("a slot of pool `{name}`{paused}")))
    }
}
