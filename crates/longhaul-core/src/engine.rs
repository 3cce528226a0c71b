//! The step: decide a batch, let time pass for whatever is due, place jobs, commit once, and only
//! then tell. Reconciling is the same question asked of every active row.

use crate::command::{Command, Place, Refused, Reply, Want};
use crate::decide::{self, decide};
use crate::id::JobId;
use crate::job::Job;
use crate::limits;
use crate::port::{Position, Record, Store, StoreError, Table};
use crate::schedule;
use crate::time::{Millis, Timestamp};
use crate::world::{Fault, World, job_ids};
use std::collections::BTreeSet;

/// Decides for one host. Holds no state of its own: everything durable is a row.
#[derive(Clone, Debug)]
pub struct Engine {
    place: Place,
}

/// What one step came to.
#[derive(Debug)]
pub struct Step {
    /// An answer to each command, in order.
    pub replies: Vec<Result<Reply, Refused>>,
    /// What the rows that changed want.
    pub wants: Vec<Want>,
    /// Jobs that changed.
    pub changed: BTreeSet<JobId>,
    /// The journal's head.
    pub head: Position,
    /// When the next step is due if nobody asks for one before.
    pub next_due: Option<Timestamp>,
}

impl Engine {
    /// An engine for this host.
    pub const fn new(place: Place) -> Self {
        Self { place }
    }

    /// Runs one batch as one transaction.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was committed and nothing may be told. `Conflict`: run it again.
    /// Otherwise asks are answered "unavailable"; reports come back by reconciling.
    pub fn step(
        &self,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        assert!(batch.len() <= limits::STEP_COMMANDS_MAX, "the inbox gives no more");
        let mut world = World::new(store.begin()?, &self.place, now)?;
        let mut replies = Vec::with_capacity(batch.len());
        for command in batch {
            replies.push(world.command(|world| decide(world, command))?);
        }
        let more_due = pass_time(&mut world)?;
        let more_to_place = schedule::place(&mut world)?;
        let committed = world.commit()?;
        let next_due = if more_due || more_to_place { Some(now) } else { committed.next_due };
        Ok(Step {
            replies,
            wants: committed.wants,
            changed: committed.changed,
            head: committed.head,
            next_due,
        })
    }

    /// Asks every active row of this host what it wants, and looks every pool over. For the start
    /// and for every few seconds after: a lost effect is wanted again.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed; ask again later.
    pub fn reconcile(&self, store: &mut dyn Store, now: Timestamp) -> Result<Step, StoreError> {
        let mut world = World::new(store.begin()?, &self.place, now)?;
        let pools = u32::try_from(limits::POOLS_MAX).expect("a small constant");
        for pool in world.scan()?.ids(Table::Pool, "", pools)? {
            world.stir(&pool);
        }
        let more_due = pass_time(&mut world)?;
        let more_to_place = schedule::place(&mut world)?;
        let mut wants = self.active_wants(&mut world)?;
        let committed = world.commit()?;
        wants.extend(committed.wants);
        wants.sort();
        wants.dedup();
        let next_due = if more_due || more_to_place { Some(now) } else { committed.next_due };
        let (changed, head) = (committed.changed, committed.head);
        Ok(Step { replies: Vec::new(), wants, changed, head, next_due })
    }

    /// Lets the oldest ended jobs go while there are more of them, or more bytes, than are kept.
    /// Gives whether more of it is to be done.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed; ask again later.
    pub fn retain(
        &self,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<(Step, bool), StoreError> {
        let rule = &self.place.retention;
        let mut world = World::new(store.begin()?, &self.place, now)?;
        let (mut jobs, mut bytes) = world.scan()?.ended_totals()?;
        let is_over = |jobs: u64, bytes: u64| jobs > rule.jobs_max || bytes > rule.bytes_max;
        let mut picked = 0;
        let mut looked_at = 0;
        // Those that cannot go, because something is owed for them or they are stuck, may be many,
        // and must not keep the others here for ever.
        while is_over(jobs, bytes) && picked == 0 && looked_at < limits::RETAIN_SCAN_MAX {
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
                    (jobs, bytes) = (jobs - 1, bytes.saturating_sub(job.bytes()));
                }
            }
            for id in oldest {
                if !is_over(jobs, bytes) {
                    break;
                }
                let Some(job) = world.find_job(&id)?.filter(|job| job.is_purgeable()) else {
                    continue;
                };
                (jobs, bytes) = (jobs - 1, bytes.saturating_sub(job.bytes()));
                let asked = world.command(|world| decide(world, Command::Purge(id)))?;
                picked += u32::from(asked.is_ok());
            }
        }
        let more = picked > 0 && is_over(jobs, bytes);
        let committed = world.commit()?;
        let step = Step {
            replies: Vec::new(),
            wants: committed.wants,
            changed: committed.changed,
            head: committed.head,
            next_due: committed.next_due,
        };
        Ok((step, more))
    }

    fn active_wants(&self, world: &mut World<'_>) -> Result<Vec<Want>, StoreError> {
        let mut wants = Vec::new();
        let mut after = String::new();
        loop {
            let tx = world.scan()?;
            let ids = tx.active_on(Table::Job, &self.place.host, &after, limits::STEP_DUE_MAX)?;
            let Some(last) = ids.last() else { return Ok(wants) };
            after.clone_from(last);
            for id in &ids {
                // Read past the world: thousands of rows that do not change need no slot in it.
                let row = world.scan()?.load(Table::Job, id)?;
                if let Some(row) = row {
                    wants.extend(Job::from_row(&row)?.wants(&self.place.boot));
                }
            }
        }
    }
}

/// Lets every row whose hour has come change. Gives whether there are more than one step takes.
fn pass_time(world: &mut World<'_>) -> Result<bool, StoreError> {
    let (me, now) = (&world.place().host, world.now());
    let due = world.scan()?.due(me, now, limits::STEP_DUE_MAX)?;
    let is_full = due.len() >= limits::STEP_DUE_MAX as usize;
    for (table, id) in due {
        match table {
            Table::Job => {
                for id in job_ids(vec![id])? {
                    due_job(world, &id)?;
                }
            }
            Table::Pool => schedule::resume(world, &id)?,
            Table::Environment
            | Table::Dependency
            | Table::Host
            | Table::Delivery
            | Table::Sink
            | Table::Owner
            | Table::Presence => {
                let message = format!("table {}: {id} is due", table.name());
                return Err(StoreError::Corrupt(message));
            }
        }
    }
    Ok(is_full)
}

fn due_job(world: &mut World<'_>, id: &JobId) -> Result<(), StoreError> {
    let now = world.now();
    let done = world.command(|world| {
        let job = world.job(id)?;
        let before = (job.state_name(), job.is_forced());
        job.on_due(now);
        // Trying the same thing once more is no news.
        if before != (job.state_name(), job.is_forced()) {
            decide::record_stopping(world, id)?;
        }
        Ok::<(), Fault>(())
    })?;
    done.map_err(|refused| StoreError::Corrupt(format!("a due job is gone: {refused}")))
}

/// How long a daemon may go without asking every active row what it wants.
pub const RECONCILE_EVERY: Millis = Millis::from_secs(5);
