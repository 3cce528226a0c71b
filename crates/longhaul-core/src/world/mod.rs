//! The rows of one step: loaded once, undone when a command is refused, written back only where
//! they differ, and always before a scan, so that no scan reads what the step has outdated.

mod agents;
mod early;
mod feeds;
mod rows;
mod sessions;
mod tables;

use crate::command::{Deliver, Place, Refused, Want};
use crate::credential::{CredentialState, Issue};
use crate::delivery::{Delivery, Destination, inbox_lane, project_pool};
use crate::event::{Fact, NewEvent};
use crate::id::{
    ApprovalId, BadId, CredentialId, DeliveryId, JobId, MailId, PresenceId, SessionId,
};
use crate::job::{Job, JobState};
use crate::limits;
use crate::owner::{Owner, Presence};
use crate::port::{Phase, Position, Record, StoreError, Table, Tx};
use crate::record::{Dependency, Host, Pool, StoredEnvironment};
use crate::sink::Sink;
use crate::time::Timestamp;
use feeds::News;
use rows::Slot;
use std::collections::{BTreeMap, BTreeSet};
use tables::Tables;

/// Why a decision stopped: the domain said no, or the disk did.
#[derive(Debug)]
pub enum Fault {
    /// The command is refused; the step goes on without it.
    Refused(Refused),
    /// The store failed; the whole step is dropped.
    Store(StoreError),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The rows of one step, over one transaction.
pub struct World<'tx> {
    tx: Box<dyn Tx + 'tx>,
    place: &'tx Place,
    now: Timestamp,
    head: Position,
    rows: Tables,
    events: Vec<NewEvent>,
    /// Entries of this step that the followers of their jobs are told, in order.
    news: Vec<News>,
    /// Keys of jobs that this step added, which no scan knows yet.
    keys: BTreeMap<String, JobId>,
    /// Jobs that this step looked at for changing.
    touched: BTreeSet<JobId>,
    /// Pools that were themselves changed.
    stirred: BTreeSet<String>,
    /// Deliveries that this step looked at for changing.
    told: BTreeSet<DeliveryId>,
    /// Sinks that were themselves changed.
    stirred_sinks: BTreeSet<String>,
    /// Agents of which something changed that their standing follows from.
    stirred_agents: BTreeSet<String>,
    /// Owners and projects for whom there is something to take.
    inboxes: BTreeSet<String>,
    general_events: bool,
    /// Runs of a session's feed that are kept in rows.
    pub(crate) feed_runs_max: u32,
}

impl<'tx> World<'tx> {
    /// Begins a step.
    pub fn new(
        mut tx: Box<dyn Tx + 'tx>,
        place: &'tx Place,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let head = tx.head()?;
        Ok(Self {
            tx,
            place,
            now,
            head,
            rows: Tables::new(),
            events: Vec::new(),
            news: Vec::new(),
            keys: BTreeMap::new(),
            touched: BTreeSet::new(),
            stirred: BTreeSet::new(),
            told: BTreeSet::new(),
            stirred_sinks: BTreeSet::new(),
            stirred_agents: BTreeSet::new(),
            inboxes: BTreeSet::new(),
            general_events: false,
            feed_runs_max: limits::FEED_RUNS_MAX,
        })
    }

    /// The step's one moment.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Which host and boot this is, and the home's rules.
    pub const fn place(&self) -> &'tx Place {
        self.place
    }

    /// Decides one command; what it changed is undone if it is refused.
    pub fn command<T>(
        &mut self,
        decide: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Result<T, Refused>, StoreError> {
        let (events_before, news_before) = (self.events.len(), self.news.len());
        let answer = decide(self);
        let is_refused = matches!(answer, Err(Fault::Refused(_)));
        self.rows.close_command(&mut *self.tx, is_refused)?;
        if is_refused {
            self.events.truncate(events_before);
            self.news.truncate(news_before);
        }
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(Fault::Refused(refused)) => Ok(Err(refused)),
            Err(Fault::Store(error)) => Err(error),
        }
    }

    /// A job for reading, if there is one.
    pub fn find_job(&mut self, id: &JobId) -> Result<Option<&Job>, StoreError> {
        Ok(self.rows.jobs.slot(&mut *self.tx, id.as_str())?.current.as_ref())
    }

    /// A job for changing. Refuses `NotFound`.
    pub fn job(&mut self, id: &JobId) -> Result<&mut Job, Fault> {
        self.touched.insert(id.clone());
        let job = self.rows.jobs.change(&mut *self.tx, id.as_str())?.as_mut();
        job.ok_or_else(|| Refused::NotFound(id.clone()).into())
    }

    /// Adds a job. Its id must be free.
    pub fn add_job(&mut self, job: Job) -> Result<(), StoreError> {
        self.touched.insert(job.id.clone());
        if let Some(key) = &job.key {
            self.keys.insert(key.clone(), job.id.clone());
        }
        let id = job.row_id();
        *self.rows.jobs.change(&mut *self.tx, &id)? = Some(job);
        Ok(())
    }

    /// Removes a job, its environment, what is kept of who was told, and all its entries in the
    /// journal.
    pub fn remove_job(&mut self, id: &JobId) -> Result<(), StoreError> {
        *self.rows.jobs.change(&mut *self.tx, id.as_str())? = None;
        *self.rows.environments.change(&mut *self.tx, id.as_str())? = None;
        *self.rows.inputs.change(&mut *self.tx, id.as_str())? = None;
        *self.rows.intakes.change(&mut *self.tx, id.as_str())? = None;
        let most = limits::QUESTIONS_PER_JOB_MAX;
        for approval in self.scan()?.children(Table::Approval, id.as_str(), "", most)? {
            *self.rows.approvals.change(&mut *self.tx, &approval)? = None;
        }
        let most = limits::DELIVERIES_PER_JOB_MAX;
        for delivery in self.scan()?.children(Table::Delivery, id.as_str(), "", most)? {
            *self.rows.deliveries.change(&mut *self.tx, &delivery)? = None;
        }
        for credential in self.scan()?.children(Table::Credential, id.as_str(), "", u32::MAX)? {
            let slot = self.rows.credentials.change(&mut *self.tx, &credential)?;
            // What is good for something still is revoked without its job.
            slot.take_if(|credential| credential.state == CredentialState::Revoked);
        }
        // Both at once: its key is free for the next command, and an entry that this step made
        // about it must not be written after its others are gone.
        self.rows.jobs.write(&mut *self.tx, id.as_str())?;
        self.rows.environments.write(&mut *self.tx, id.as_str())?;
        self.head = self.tx.append(&self.events)?;
        self.events.clear();
        self.tx.forget(id.as_str())
    }

    /// A pool, if there is one.
    pub fn pool(&mut self, name: &str) -> Result<&mut Option<Pool>, StoreError> {
        self.rows.pools.change(&mut *self.tx, name)
    }

    /// "`job` waits for `on`", for changing; `None` removes it.
    pub fn dependency(
        &mut self,
        job: &JobId,
        on: &JobId,
    ) -> Result<&mut Option<Dependency>, StoreError> {
        self.rows.dependencies.change(&mut *self.tx, &Dependency::id_of(job, on))
    }

    /// A job's environment; `None` erases it.
    pub fn environment(
        &mut self,
        job: &JobId,
    ) -> Result<&mut Option<StoredEnvironment>, StoreError> {
        self.rows.environments.change(&mut *self.tx, job.as_str())
    }

    /// A host, if it is known.
    pub fn host(&mut self, id: &str) -> Result<&mut Option<Host>, StoreError> {
        self.rows.hosts.change(&mut *self.tx, id)
    }

    /// A delivery for reading, if there is one.
    pub fn find_delivery(&mut self, id: &DeliveryId) -> Result<Option<&Delivery>, StoreError> {
        Ok(self.rows.deliveries.slot(&mut *self.tx, id.as_str())?.current.as_ref())
    }

    /// A delivery for changing, or for being added.
    pub(crate) fn delivery(
        &mut self,
        id: &DeliveryId,
    ) -> Result<&mut Option<Delivery>, StoreError> {
        self.told.insert(id.clone());
        self.rows.deliveries.change(&mut *self.tx, id.as_str())
    }

    /// A sink for reading, if there is one.
    pub fn find_sink(&mut self, name: &str) -> Result<Option<&Sink>, StoreError> {
        Ok(self.rows.sinks.slot(&mut *self.tx, name)?.current.as_ref())
    }

    /// A sink, if there is one.
    pub fn sink(&mut self, name: &str) -> Result<&mut Option<Sink>, StoreError> {
        self.rows.sinks.change(&mut *self.tx, name)
    }

    /// An owner for reading, if anything is known of it.
    pub fn find_owner(&mut self, name: &str) -> Result<Option<&Owner>, StoreError> {
        Ok(self.rows.owners.slot(&mut *self.tx, name)?.current.as_ref())
    }

    /// An owner, if anything is known of it.
    pub fn owner(&mut self, name: &str) -> Result<&mut Option<Owner>, StoreError> {
        self.rows.owners.change(&mut *self.tx, name)
    }

    /// A presence, if it is there.
    pub fn presence(&mut self, id: &PresenceId) -> Result<&mut Option<Presence>, StoreError> {
        self.rows.presences.change(&mut *self.tx, id.as_str())
    }

    /// Says that what may go to a sink is to be looked at.
    pub fn stir_sink(&mut self, sink: &str) {
        self.stirred_sinks.insert(sink.to_owned());
    }

    /// Says that there may be something to take for this owner, or for owners of this project.
    pub fn stir_inbox(&mut self, lane_or_pool: String) {
        self.inboxes.insert(lane_or_pool);
    }

    /// The sinks for which this step may have made something ready, or room.
    pub fn stirred_sinks(&self) -> BTreeSet<String> {
        let slots = self.told.iter().filter_map(|id| self.rows.deliveries.slots.get(id.as_str()));
        let sinks = slots.filter_map(|slot| match &slot.current.as_ref()?.to {
            Destination::Sink(name) => Some(name.clone()),
            Destination::Inbox => None,
        });
        self.stirred_sinks.iter().cloned().chain(sinks).collect()
    }

    /// Says that a pool has more room than before.
    pub fn stir(&mut self, pool: &str) {
        self.stirred.insert(pool.to_owned());
    }

    /// The pools in which this step may have made a slot free or a job ready.
    pub fn stirred(&self) -> BTreeSet<String> {
        let of_jobs = self.touched.iter().filter_map(|id| self.rows.jobs.slots.get(id.as_str()));
        let pools = of_jobs.filter_map(|slot| slot.current.as_ref().or(slot.written.as_ref()));
        let pools = pools.map(|job| job.spec.pool.clone());
        self.stirred.iter().cloned().chain(pools).collect()
    }

    /// Records a fact about a job. Beyond its limit only essential facts are kept; the rest is
    /// counted on the job.
    pub fn record(&mut self, id: &JobId, fact: &Fact) -> Result<(), Fault> {
        let at = self.now;
        let job = self.job(id)?;
        if job.facts() >= limits::EVENTS_PER_JOB_MAX && !fact.is_essential() {
            return self.leave_out(id, 1, limits::EVENTS_PER_JOB_MAX);
        }
        job.events += 1;
        let seq = job.events;
        self.events.push(NewEvent { job: Some(id.clone()), seq, at, body: to_body(fact) });
        self.tell_fact(id, seq, fact)?;
        Ok(())
    }

    /// Counts entries that a job's journal has no room for. The first time that is an entry itself: nobody
    /// shall take what is there for all there was.
    fn leave_out(&mut self, id: &JobId, count: u64, limit: u64) -> Result<(), Fault> {
        let job = self.job(id)?;
        let is_first = job.events_dropped == 0 && count > 0;
        job.events_dropped += count;
        if is_first { self.record(id, &Fact::JournalFull { limit }) } else { Ok(()) }
    }

    /// Records a fact about the home as a whole.
    pub fn record_general(&mut self, fact: &Fact) {
        self.general_events = true;
        self.events.push(NewEvent { job: None, seq: 0, at: self.now, body: to_body(fact) });
    }

    /// The place in admission order for a job that is accepted now: the position that its first
    /// entry will have, which is unique and grows.
    pub const fn next_seq(&self) -> u64 {
        self.head.0 + self.events.len() as u64 + 1
    }

    /// The transaction, with everything written to it, for a scan.
    pub fn scan(&mut self) -> Result<&mut (dyn Tx + 'tx), StoreError> {
        self.rows.flush(&mut *self.tx)?;
        Ok(&mut *self.tx)
    }

    /// Looks a key up among committed jobs and those of this step.
    pub fn job_by_key(&mut self, key: &str) -> Result<Option<JobId>, StoreError> {
        if let Some(id) = self.keys.get(key).cloned()
            && self.find_job(&id)?.is_some()
        {
            return Ok(Some(id));
        }
        let id = self.tx.by_key(key)?;
        Ok(id.and_then(|id| JobId::parse(&id).ok()))
    }

    /// Writes the rest, commits, and gives what the step has to tell.
    pub fn commit(mut self) -> Result<Committed, StoreError> {
        let fed = self.feed()?;
        self.rows.flush_last(&mut *self.tx)?;
        self.head = self.tx.append(&self.events)?;
        if self.general_events {
            self.tx.trim_general(limits::GENERAL_EVENTS_MAX)?;
        }
        let is_changed = |slot: &Slot<Job>| slot.current != slot.at_begin;
        let slots =
            self.touched.iter().filter_map(|id| self.rows.jobs.slots.get_key_value(id.as_str()));
        let (mut wants, mut deliver) = (JobWants::default(), Vec::new());
        let mut changed = BTreeSet::new();
        for (id, slot) in slots.filter(|(_, slot)| is_changed(slot)) {
            changed.extend(JobId::parse(id));
            // Another host's attempt is its own drivers' business; it reconciles within seconds.
            let is_mine = |job: &&Job| job.host.as_ref().is_none_or(|at| *at == self.place.host);
            if let Some(job) = slot.current.as_ref().filter(is_mine) {
                wants.of_changed(job, slot.at_begin.as_ref(), self.place);
            }
        }
        let slots = self.told.iter().filter_map(|id| self.rows.deliveries.slots.get(id.as_str()));
        for slot in slots.filter(|slot| slot.current != slot.at_begin) {
            let Some(delivery) = &slot.current else { continue };
            deliver.extend(delivery.wants(&self.place.host));
            if delivery.is_inbox() && delivery.phase() == Phase::Ready {
                self.inboxes.insert(inbox_lane(delivery.owner.as_deref().unwrap_or_default()));
                self.inboxes.insert(project_pool(delivery.project.as_deref()));
            }
        }
        let changed_credentials =
            self.rows.credentials.slots.values().filter(|slot| slot.current != slot.at_begin);
        let credentials = changed_credentials.filter_map(|slot| slot.current.as_ref());
        let issue = credentials.filter_map(|one| one.wants(&self.place.host)).collect();
        let next_due = self.tx.next_due(&self.place.host)?;
        self.tx.commit()?;
        let (head, inboxes) = (self.head, self.inboxes);
        // Nobody looks at a slot after the commit.
        let mut taken = |id: &JobId| self.rows.jobs.slots.get_mut(id.as_str())?.current.take();
        let placed = wants.placed.iter().filter_map(&mut taken).collect();
        Ok(Committed { head, wants, placed, deliver, issue, changed, inboxes, fed, next_due })
    }
}

/// What jobs want, apart for who makes it true.
#[derive(Debug, Default)]
pub(crate) struct JobWants {
    /// Of processes.
    pub(crate) processes: Vec<Want>,
    /// Of tasks.
    pub(crate) tasks: Vec<Want>,
    /// Hosted tasks that this step gave their slot.
    placed: Vec<JobId>,
}

impl JobWants {
    pub(crate) fn of(&mut self, job: &Job, place: &Place) {
        let is_task = job.spec.task.is_some();
        let wants = if is_task { &mut self.tasks } else { &mut self.processes };
        wants.extend(job.wants(&place.boot));
    }

    /// The same of a job that was `before`. What is watched goes on being watched: a turn's row changes
    /// many times a second, and each telling has its evidence looked at.
    fn of_changed(&mut self, job: &Job, before: Option<&Job>, place: &Place) {
        let is_watched = matches!(job.state, JobState::Running { .. })
            && before.is_some_and(|before| {
                (&before.state, before.attempt, &before.boot)
                    == (&job.state, job.attempt, &job.boot)
            });
        if !is_watched {
            self.of(job, place);
        }
        let is_new = before.is_none_or(|before| before.attempt != job.attempt);
        let is_begun_here = job.spec.task.is_some() && job.spec.hosted.is_some();
        if is_new && is_begun_here && matches!(job.state, JobState::Starting { .. }) {
            self.placed.push(job.id.clone());
        }
    }
}

/// What a committed step has to tell.
pub struct Committed {
    /// The journal's new head.
    pub head: Position,
    /// What the changed jobs want.
    pub(crate) wants: JobWants,
    /// Hosted tasks that this step gave their slot.
    pub(crate) placed: Vec<Job>,
    /// What the changed deliveries want.
    pub deliver: Vec<Deliver>,
    /// What the changed credentials want.
    pub issue: Vec<Issue>,
    /// Jobs that changed.
    pub changed: BTreeSet<JobId>,
    /// Owners' lanes and projects' pools in which there may be something to take.
    pub inboxes: BTreeSet<String>,
    /// Sessions that were told something, and the newest number of each.
    pub fed: BTreeMap<SessionId, u64>,
    /// When time alone will change something.
    pub next_due: Option<Timestamp>,
}

/// Ids of deliveries that a scan found; a row with another id in this table is damage.
pub fn delivery_ids(ids: Vec<String>) -> Result<Vec<DeliveryId>, StoreError> {
    typed(Table::Delivery, ids, DeliveryId::parse)
}

/// Ids of questions that a scan found; a row with another id in this table is damage.
pub fn approval_ids(ids: Vec<String>) -> Result<Vec<ApprovalId>, StoreError> {
    typed(Table::Approval, ids, ApprovalId::parse)
}

/// Ids of messages that a scan found; a row with another id in this table is damage.
pub fn mail_ids(ids: Vec<String>) -> Result<Vec<MailId>, StoreError> {
    typed(Table::Mail, ids, MailId::parse)
}

/// Ids of sessions that a scan found; a row with another id in this table is damage.
pub fn session_ids(ids: Vec<String>) -> Result<Vec<SessionId>, StoreError> {
    typed(Table::Session, ids, SessionId::parse)
}

/// Ids of credentials that a scan found; a row with another id in this table is damage.
pub fn credential_ids(ids: Vec<String>) -> Result<Vec<CredentialId>, StoreError> {
    typed(Table::Credential, ids, CredentialId::parse)
}

/// Ids that a scan found, as typed ids; a row with another id in this table is damage.
pub fn job_ids(ids: Vec<String>) -> Result<Vec<JobId>, StoreError> {
    typed(Table::Job, ids, JobId::parse)
}

fn typed<I>(
    table: Table,
    ids: Vec<String>,
    parse: fn(&str) -> Result<I, BadId>,
) -> Result<Vec<I>, StoreError> {
    let parse = |id: String| {
        parse(&id)
            .map_err(|bad| StoreError::Corrupt(format!("table {}: id {id}: {bad}", table.name())))
    };
    ids.into_iter().map(parse).collect()
}

fn to_body(fact: &Fact) -> String {
    serde_json::to_string(fact).expect("facts are plain trees with text keys")
}
