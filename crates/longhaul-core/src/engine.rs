//! The step: decide a batch, let time pass for whatever is due, place jobs, commit once, and only
//! then tell. Reconciling is the same question asked of every active row.

use crate::command::{Command, Deliver, Place, Refused, Reply, Want};
use crate::credential::{Credential, Issue};
use crate::decide::{self, decide};
use crate::delivery::Delivery;
use crate::dispatch::dispatch;
use crate::id::{JobId, SessionId};
use crate::job::Job;
use crate::limits;
use crate::port::{Position, Record, Store, StoreError, Table};
use crate::schedule;
use crate::time::{Millis, Timestamp};
use crate::world::{Committed, Fault, JobWants, World, approval_ids, credential_ids};
use crate::world::{delivery_ids, job_ids};
use std::collections::{BTreeMap, BTreeSet};

/// Decides for one host. Holds no state of its own: everything durable is a row.
#[derive(Clone, Debug)]
pub struct Engine {
    place: Place,
    feed_runs_max: u32,
}

/// What one step came to.
#[derive(Debug)]
pub struct Step {
    /// An answer to each command, in order.
    pub replies: Vec<Result<Reply, Refused>>,
    /// What the rows that changed want.
    pub wants: Vec<Want>,
    /// What the tasks among them want: of whoever runs tasks, for they are no processes.
    pub tasks: Vec<Want>,
    /// Of the tasks among them those of hosted agents that this step gave their slot. Who finds one
    /// starting that it was not given here does not know whether it has begun.
    pub placed: Vec<Job>,
    /// What the deliveries that changed want.
    pub deliver: Vec<Deliver>,
    /// What the credentials that changed want.
    pub issue: Vec<Issue>,
    /// Jobs that changed.
    pub changed: BTreeSet<JobId>,
    /// Owners' lanes and projects' pools in which there may be something to take.
    pub inboxes: BTreeSet<String>,
    /// Sessions that were told something, and the newest number of each.
    pub fed: BTreeMap<SessionId, u64>,
    /// The journal's head.
    pub head: Position,
    /// When the next step is due if nobody asks for one before.
    pub next_due: Option<Timestamp>,
}

impl Step {
    pub(crate) fn of(
        committed: Committed,
        replies: Vec<Result<Reply, Refused>>,
        next_due: Option<Timestamp>,
    ) -> Self {
        let Committed { head, wants, placed, deliver, issue, changed, inboxes, fed, next_due: _ } =
            committed;
        let JobWants { processes: wants, tasks, .. } = wants;
        Self {
            replies,
            wants,
            tasks,
            placed,
            deliver,
            issue,
            changed,
            inboxes,
            fed,
            head,
            next_due,
        }
    }
}

impl Engine {
    /// An engine for this host.
    pub const fn new(place: Place) -> Self {
        Self { place, feed_runs_max: limits::FEED_RUNS_MAX }
    }

    /// One that keeps fewer runs of feeds than [`limits::FEED_RUNS_MAX`], so that lives short enough to
    /// be simulated see some go.
    #[must_use]
    pub const fn keeping_runs(mut self, feed_runs_max: u32) -> Self {
        self.feed_runs_max = feed_runs_max;
        self
    }

    fn world<'s>(
        &'s self,
        store: &'s mut dyn Store,
        now: Timestamp,
    ) -> Result<World<'s>, StoreError> {
        let mut world = World::new(store.begin()?, &self.place, now)?;
        world.feed_runs_max = self.feed_runs_max;
        Ok(world)
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
        let mut world = self.world(store, now)?;
        let mut replies = Vec::with_capacity(batch.len());
        for command in batch {
            replies.push(world.command(|world| decide(world, command))?);
        }
        let more = settle_down(&mut world)?;
        let committed = world.commit()?;
        let next_due = if more { Some(now) } else { committed.next_due };
        Ok(Step::of(committed, replies, next_due))
    }

    /// Asks every active row of this host what it wants, and looks every pool over. For the start
    /// and for every few seconds after: a lost effect is wanted again.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed; ask again later.
    pub fn reconcile(&self, store: &mut dyn Store, now: Timestamp) -> Result<Step, StoreError> {
        let mut world = self.world(store, now)?;
        let pools = u32::try_from(limits::POOLS_MAX).expect("a small constant");
        for pool in world.scan()?.ids(Table::Pool, "", pools)? {
            world.stir(&pool);
        }
        for sink in world.scan()?.ids(Table::Sink, "", limits::SINKS_MAX)? {
            world.stir_sink(&sink);
        }
        take_up(&mut world)?;
        let more = settle_down(&mut world)?;
        let Active { mut wants, mut deliver, mut issue } = self.active_wants(&mut world)?;
        let mut committed = world.commit()?;
        for (active, changed) in [
            (&mut wants.processes, &mut committed.wants.processes),
            (&mut wants.tasks, &mut committed.wants.tasks),
        ] {
            active.append(changed);
            active.sort();
            active.dedup();
        }
        deliver.append(&mut committed.deliver);
        deliver.sort();
        deliver.dedup();
        issue.append(&mut committed.issue);
        issue.sort();
        issue.dedup();
        let next_due = if more { Some(now) } else { committed.next_due };
        let JobWants { processes, tasks, .. } = wants;
        let step = Step::of(committed, Vec::new(), next_due);
        Ok(Step { wants: processes, tasks, deliver, issue, ..step })
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
        let mut world = self.world(store, now)?;
        let more = crate::retain::retain(&mut world)? | decide::forget_mail(&mut world)?;
        let committed = world.commit()?;
        let next_due = committed.next_due;
        Ok((Step::of(committed, Vec::new(), next_due), more))
    }

    fn active_wants(&self, world: &mut World<'_>) -> Result<Active, StoreError> {
        let host = &self.place.host;
        let mut active = Active::default();
        for table in [Table::Job, Table::Delivery, Table::Credential] {
            let mut after = String::new();
            loop {
                let ids = world.scan()?.active_on(table, host, &after, limits::STEP_DUE_MAX)?;
                let Some(last) = ids.last() else { break };
                after.clone_from(last);
                for id in &ids {
                    // Read past the world: thousands of rows that do not change need no slot in it.
                    let Some(row) = world.scan()?.load(table, id)? else { continue };
                    match table {
                        Table::Job => active.wants.of(&Job::from_row(&row)?, &self.place),
                        Table::Delivery => {
                            active.deliver.extend(Delivery::from_row(&row)?.wants(host));
                        }
                        _ => active.issue.extend(Credential::from_row(&row)?.wants(host)),
                    }
                }
            }
        }
        Ok(active)
    }
}

/// What the active rows of a host want.
#[derive(Default)]
struct Active {
    wants: JobWants,
    deliver: Vec<Deliver>,
    issue: Vec<Issue>,
}

/// All that follows in a step from what was decided. Gives whether another step should follow at once.
fn settle_down(world: &mut World<'_>) -> Result<bool, StoreError> {
    let more = pass_time(world)?;
    decide::restate(world)?;
    let more = more | schedule::place(world)?;
    // A turn that could not be placed has ended, and its agent may have more to do.
    Ok(more | decide::restate(world)? | dispatch(world)?)
}

/// Takes up the tasks of known kinds of which there were too many for one step.
fn take_up(world: &mut World<'_>) -> Result<(), StoreError> {
    let host = &world.place().host;
    due(world, "host", |world| {
        let kinds = world.host(host.as_str())?.as_ref().map(|host| host.kinds.clone());
        kinds.unwrap_or_default().iter().try_for_each(|kind| decide::take_up(world, kind))
    })
}

/// Lets every row whose hour has come change. Gives whether there are more than one step takes.
fn pass_time(world: &mut World<'_>) -> Result<bool, StoreError> {
    let rows = world.due(limits::STEP_DUE_MAX)?;
    let is_full = rows.len() >= limits::STEP_DUE_MAX as usize;
    for (table, id) in rows {
        match table {
            Table::Job => {
                for id in job_ids(vec![id])? {
                    due_job(world, &id)?;
                }
            }
            Table::Pool => schedule::resume(world, &id)?,
            Table::Delivery => {
                for id in delivery_ids(vec![id])? {
                    due(world, "delivery", |world| decide::due_delivery(world, &id))?;
                }
            }
            Table::Owner => due(world, "owner", |world| decide::due_owner(world, &id))?,
            Table::Sink => due(world, "sink", |world| {
                world.stir_sink(&id);
                world.sink(&id)?.iter_mut().for_each(|sink| sink.again_at = None);
                Ok(())
            })?,
            Table::Quota => due(world, "quota", |world| decide::due_quota(world, &id))?,
            Table::Approval => {
                for id in approval_ids(vec![id])? {
                    due(world, "approval", |world| decide::due_approval(world, &id))?;
                }
            }
            Table::Credential => {
                for id in credential_ids(vec![id])? {
                    due(world, "credential", |world| decide::due_credential(world, &id))?;
                }
            }
            Table::Session => due(world, "session", |world| decide::due_session(world, &id))?,
            Table::Agent => due(world, "agent", |world| decide::due_agent(world, &id))?,
            Table::Environment
            | Table::Dependency
            | Table::Host
            | Table::Presence
            | Table::AgentEnvironment
            | Table::Mail
            | Table::Input
            | Table::Intake
            | Table::Feed
            | Table::Token => {
                let message = format!("table {}: {id} is due", table.name());
                return Err(StoreError::Corrupt(message));
            }
        }
    }
    Ok(is_full)
}

fn due_job(world: &mut World<'_>, id: &JobId) -> Result<(), StoreError> {
    let now = world.now();
    due(world, "job", |world| {
        let job = world.job(id)?;
        let before = (job.state_name(), job.is_forced());
        job.on_due(now);
        // Trying the same thing once more is no news.
        if before != (job.state_name(), job.is_forced()) {
            decide::record_stopping(world, id)?;
        }
        if matches!(before.0, "preparing" | "queued") {
            decide::settle(world, id)?;
        }
        Ok(())
    })
}

/// Decides about a row that a scan has just found, and that therefore cannot be refused.
fn due(
    world: &mut World<'_>,
    what: &str,
    decide: impl FnOnce(&mut World<'_>) -> Result<(), Fault>,
) -> Result<(), StoreError> {
    let done = world.command(decide)?;
    done.map_err(|refused| StoreError::Corrupt(format!("a due {what} is gone: {refused}")))
}

/// How long a daemon may go without asking every active row what it wants.
pub const RECONCILE_EVERY: Millis = Millis::from_secs(5);
