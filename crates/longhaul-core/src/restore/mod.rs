//! What came out of a damaged store, made whole enough to go on with: lanes have a first, jobs wait
//! only for what is there, histories count from one. Decides what is put back; neither reads nor
//! writes. Whoever waits for a job that is gone is ended afterwards, by [`abandon`].

mod agents;
mod notices;

use crate::command::Place;
use crate::credential::Credential;
use crate::decide;
use crate::delivery::Delivery;
use crate::engine::Step;
use crate::event::Event;
use crate::feed::Span;
use crate::id::{DeliveryId, JobId};
use crate::job::{Job, JobState};
use crate::limits;
use crate::owner::Owner;
use crate::port::{Phase, Record, Row, Store, StoreError, Table};
use crate::record::{Dependency, Host, Pool, StoredEnvironment};
use crate::sink::Sink;
use crate::time::Timestamp;
use crate::token::Token;
use crate::world::World;
use agents::OfAgents;
use std::collections::{BTreeMap, BTreeSet};

/// What could be read, not yet looked at.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// Rows of every table.
    pub rows: Vec<(Table, Row)>,
    /// Entries of the journal, by position.
    pub events: Vec<Event>,
}

/// What is to be put back.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Rows that obey every rule, jobs first.
    pub rows: Vec<(Table, Row)>,
    /// Entries at the positions that they had, numbered anew within each job.
    pub events: Vec<Event>,
    /// Jobs that others wait for and that are gone; for [`abandon`].
    pub gone: BTreeSet<JobId>,
    /// What was read and cannot be put back, a line each.
    pub left_out: Vec<String>,
    /// Pools that jobs wait in and that are gone; made again with one slot, the safest number.
    pub pools_made: Vec<String>,
}

impl Restored {
    /// How many rows of a table there are.
    pub fn count(&self, table: Table) -> usize {
        self.rows.iter().filter(|(of, _)| *of == table).count()
    }
}

/// Makes whole what could be read.
pub fn restore(remains: Remains) -> Restored {
    let mut restored = Restored::default();
    let mut read = Read::default();
    for (table, row) in &remains.rows {
        if let Err(why) = read.take(*table, row) {
            restored.left_out.push(why);
        }
    }
    let until = remains.events.iter().map(|event| event.at).max().unwrap_or_default();
    agents::make_whole(&mut read, until, &mut restored.left_out);
    notices::make_whole(&mut read, until, &mut restored.left_out);
    restored.events = histories(&mut read.jobs, remains.events, &mut restored.left_out);
    free_lanes(&mut read.jobs);
    count_delegated(&mut read.jobs);
    let dependencies = dependencies(&mut read);
    let is_gone = |dependency: &&Dependency| !read.jobs.contains_key(&dependency.on);
    restored.gone = dependencies.iter().filter(is_gone).map(|found| found.on.clone()).collect();
    let is_open = |job: &JobId| read.jobs.get(job).is_some_and(|job| job.outcome().is_none());
    read.environments.retain(|environment| is_open(&environment.job));
    let is_of_no_use = |of: &&mut Credential| !is_open(&of.job);
    read.credentials.iter_mut().filter(is_of_no_use).for_each(|found| found.abandon(until));
    restored.pools_made = missing_pools(&mut read);

    let mut jobs: Vec<&Job> = read.jobs.values().collect();
    jobs.sort_by_key(|job| job.seq);
    let rows = &mut restored.rows;
    rows.extend(jobs.into_iter().map(|job| (Table::Job, job.to_row())));
    rows.extend(read.environments.iter().map(|found| (Table::Environment, found.to_row())));
    rows.extend(dependencies.iter().map(|found| (Table::Dependency, found.to_row())));
    rows.extend(read.pools.values().map(|found| (Table::Pool, found.to_row())));
    rows.extend(read.hosts.iter().map(|found| (Table::Host, found.to_row())));
    rows.extend(read.deliveries.values().map(|found| (Table::Delivery, found.to_row())));
    rows.extend(read.sinks.iter().map(|found| (Table::Sink, found.to_row())));
    rows.extend(read.owners.values().map(|found| (Table::Owner, found.to_row())));
    rows.extend(read.of_agents.rows());
    rows.extend(read.credentials.iter().map(|found| (Table::Credential, found.to_row())));
    rows.extend(read.tokens.iter().map(|found| (Table::Token, found.to_row())));
    restored
}

/// Ends those who wait for a job that is gone, as if it had failed: nobody can say how it ended.
/// Those who would take any ending go on. What each agent is doing is worked out anew, and who has
/// mail and no turn gets one.
///
/// # Errors
/// [`StoreError`]: nothing was changed.
pub fn abandon(
    store: &mut dyn Store,
    place: &Place,
    gone: &BTreeSet<JobId>,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let mut world = World::new(store.begin()?, place, now)?;
    for id in gone {
        let done = world.command(|world| decide::abandon(world, id))?;
        done.map_err(|refused| StoreError::Corrupt(format!("{id} is waited for: {refused}")))?;
    }
    for agent in world.scan()?.ids(Table::Agent, "", limits::AGENTS_MAX)? {
        world.stir_agent(&agent);
    }
    decide::restate(&mut world)?;
    let committed = world.commit()?;
    let next_due = committed.next_due;
    Ok(Step::of(committed, Vec::new(), next_due))
}

/// Rows that parsed.
#[derive(Default)]
struct Read {
    jobs: BTreeMap<JobId, Job>,
    environments: Vec<StoredEnvironment>,
    dependencies: Vec<Dependency>,
    pools: BTreeMap<String, Pool>,
    hosts: Vec<Host>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    sinks: Vec<Sink>,
    owners: BTreeMap<String, Owner>,
    of_agents: OfAgents,
    credentials: Vec<Credential>,
    tokens: Vec<Token>,
}

impl Read {
    fn take(&mut self, table: Table, row: &Row) -> Result<(), String> {
        let said = |corrupt: crate::port::Corrupt| corrupt.to_string();
        match table {
            Table::Job => {
                let job = Job::from_row(row).map_err(said)?;
                if job.phase() == Phase::Active && (job.host.is_none() || job.current().is_none()) {
                    return Err(format!("{} says that it is active, and not where", job.id));
                }
                self.jobs.insert(job.id.clone(), job);
            }
            Table::Environment => {
                self.environments.push(StoredEnvironment::from_row(row).map_err(said)?);
            }
            Table::Dependency => self.dependencies.push(Dependency::from_row(row).map_err(said)?),
            Table::Pool => {
                let pool = Pool { again_at: None, ..Pool::from_row(row).map_err(said)? };
                self.pools.insert(pool.name.clone(), pool);
            }
            Table::Host => self.hosts.push(Host::from_row(row).map_err(said)?),
            Table::Delivery => {
                let delivery = Delivery::from_row(row).map_err(said)?;
                self.deliveries.insert(delivery.id.clone(), delivery);
            }
            Table::Sink => self.sinks.push(Sink::from_row(row).map_err(said)?),
            Table::Owner => {
                let owner = Owner::from_row(row).map_err(said)?;
                self.owners.insert(owner.name.clone(), owner);
            }
            // Whoever was connected is not connected to what is mended.
            Table::Presence => {}
            Table::Agent => self.of_agents.take_agent(row).map_err(said)?,
            Table::AgentEnvironment => self.of_agents.take_environment(row).map_err(said)?,
            Table::Mail => self.of_agents.take_mail(row).map_err(said)?,
            Table::Input => self.of_agents.take_input(row).map_err(said)?,
            Table::Intake => self.of_agents.take_intake(row).map_err(said)?,
            Table::Approval => self.of_agents.take_approval(row).map_err(said)?,
            Table::Quota => self.of_agents.take_quota(row).map_err(said)?,
            // What sessions were told goes by numbers that are given anew: clients begin afresh.
            Table::Session | Table::Feed => {}
            Table::Credential => {
                self.credentials.push(Credential::from_row(row).map_err(said)?);
            }
            Table::Token => self.tokens.push(Token::from_row(row).map_err(said)?),
        }
        Ok(())
    }
}

/// Numbers each job's entries from one, and lets the job know how many there are. Entries of jobs
/// that are gone are left out.
fn histories(
    jobs: &mut BTreeMap<JobId, Job>,
    events: Vec<Event>,
    left_out: &mut Vec<String>,
) -> Vec<Event> {
    let mut counts: BTreeMap<JobId, u64> = BTreeMap::new();
    let mut strangers: BTreeMap<JobId, u64> = BTreeMap::new();
    let mut kept = Vec::with_capacity(events.len());
    for mut event in events {
        if serde_json::from_str::<serde::de::IgnoredAny>(&event.body).is_err() {
            left_out.push(format!("entry {} of the journal is no JSON", event.position));
            continue;
        }
        match &event.job {
            None => event.seq = 0,
            Some(job) if jobs.contains_key(job) => {
                let count = counts.entry(job.clone()).or_default();
                *count += 1;
                event.seq = *count;
            }
            Some(job) => {
                *strangers.entry(job.clone()).or_default() += 1;
                continue;
            }
        }
        kept.push(event);
    }
    for (id, job) in jobs {
        let found = counts.get(id).copied().unwrap_or(0);
        job.events_dropped += job.events.saturating_sub(found);
        job.events = found;
        // Sessions begin afresh; what a job told is all that is left of it.
        (job.session, job.told_at) = (None, 0);
        job.followers.clear();
        job.told = (found > 0).then_some(Span { seq: 1, count: found }).into_iter().collect();
    }
    left_out.extend(
        strangers.into_iter().map(|(id, entries)| {
            format!("{id} is gone; the journal has {entries} entries about it")
        }),
    );
    kept
}

/// The oldest open job of a lane is first, whoever was before it.
fn free_lanes(jobs: &mut BTreeMap<JobId, Job>) {
    let mut firsts: BTreeMap<String, u64> = BTreeMap::new();
    for job in jobs.values().filter(|job| job.outcome().is_none()) {
        if let Some(lane) = &job.spec.lane {
            let first = firsts.entry(lane.clone()).or_insert(job.seq);
            *first = job.seq.min(*first);
        }
    }
    for job in jobs.values_mut() {
        let first = job.spec.lane.as_ref().and_then(|lane| firsts.get(lane));
        job.behind = first.is_some_and(|first| job.outcome().is_none() && *first < job.seq);
    }
}

/// How many of the jobs that each delegated go on, or have some that do. The deepest come first.
fn count_delegated(jobs: &mut BTreeMap<JobId, Job>) {
    let depth = |job: &Job| job.spec.hosted.as_ref().map_or(0, |hosted| hosted.depth);
    let mut deepest: Vec<(u32, JobId)> =
        jobs.values().map(|job| (depth(job), job.id.clone())).collect();
    deepest.sort_by(|one, other| other.cmp(one));
    jobs.values_mut().for_each(|job| job.delegations.open = 0);
    for (_, id) in deepest {
        let goes_on = |job: &&Job| job.outcome().is_none() || job.is_needed();
        let child = jobs.get(&id).filter(goes_on);
        let parent = child.and_then(|job| decide::delegator(job)).cloned();
        if let Some(parent) = parent.and_then(|parent| jobs.get_mut(&parent)) {
            parent.delegations.open += 1;
        }
    }
}

/// What each blocked job waits for. Where rows are missing, the job's own spec is asked: first for
/// those that are open, then for those that are gone.
fn dependencies(read: &mut Read) -> Vec<Dependency> {
    let open: BTreeSet<JobId> = read
        .jobs
        .values()
        .filter(|job| job.outcome().is_none())
        .map(|job| job.id.clone())
        .collect();
    let known: BTreeSet<JobId> = read.jobs.keys().cloned().collect();
    let is_over = |on: &JobId| known.contains(on) && !open.contains(on);
    let mut found: BTreeMap<JobId, Vec<Dependency>> = BTreeMap::new();
    for dependency in read.dependencies.drain(..).filter(|found| !is_over(&found.on)) {
        found.entry(dependency.job.clone()).or_default().push(dependency);
    }
    let mut all = Vec::new();
    for job in read.jobs.values_mut() {
        let is_queued = matches!(job.state, JobState::Preparing { .. } | JobState::Queued { .. });
        if !is_queued || job.blocked_on == 0 {
            continue;
        }
        let mut waits = found.remove(&job.id).unwrap_or_default();
        let mut named = named(job);
        named.sort_by_key(|dependency| !open.contains(&dependency.on));
        for dependency in named.into_iter().filter(|named| !is_over(&named.on)) {
            let is_known = waits.iter().any(|known| known.on == dependency.on);
            if !is_known && waits.len() < job.blocked_on as usize {
                waits.push(dependency);
            }
        }
        job.blocked_on = u32::try_from(waits.len()).expect("a spec names a thousand at most");
        all.extend(waits);
    }
    all
}

fn named(job: &Job) -> Vec<Dependency> {
    let one = |on: &JobId, any| Dependency { job: job.id.clone(), on: on.clone(), any };
    let after = job.spec.after.iter().map(|on| one(on, false));
    after.chain(job.spec.after_any.iter().map(|on| one(on, true))).collect()
}

fn missing_pools(read: &mut Read) -> Vec<String> {
    let open = read.jobs.values().filter(|job| job.outcome().is_none());
    let wanted: BTreeSet<String> = open.map(|job| job.spec.pool.clone()).collect();
    // The default pool is made by the daemon itself, with the slots of its settings.
    let is_missing = |name: &String| name != decide::DEFAULT_POOL && !read.pools.contains_key(name);
    let missing: Vec<String> = wanted.into_iter().filter(is_missing).collect();
    for name in &missing {
        let pool = Pool { name: name.clone(), slots: 1, paused: false, again_at: None };
        read.pools.insert(name.clone(), pool);
    }
    missing
}
