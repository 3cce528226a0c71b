//! The rows of one step: loaded once, undone when a command is refused, written back only where
//! they differ, and always before a scan, so that no scan reads what the step has outdated.

use crate::command::{Place, Refused, Want};
use crate::event::{Fact, NewEvent};
use crate::id::JobId;
use crate::job::Job;
use crate::limits;
use crate::port::{Position, Record, StoreError, Table, Tx};
use crate::record::{Dependency, Host, Pool, StoredEnvironment};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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

/// One row as the step knows it; `None` is "there is no such row".
struct Slot<R> {
    /// As it was when the step began.
    at_begin: Option<R>,
    /// As the transaction has it.
    written: Option<R>,
    /// As the step would have it.
    current: Option<R>,
    /// As it was before the command that is being decided, if that touched it.
    before: Option<Option<R>>,
}

impl<R: Record> Slot<R> {
    /// Makes the transaction have the row as the step has it.
    fn write(&mut self, tx: &mut dyn Tx, id: &str) -> Result<(), StoreError> {
        match (&self.written, &self.current) {
            (written, current) if written == current => return Ok(()),
            (_, None) => tx.remove(R::TABLE, id)?,
            (written, Some(record)) => {
                tx.save(R::TABLE, &record.to_row(), written.is_none())?;
            }
        }
        self.written = self.current.clone();
        Ok(())
    }
}

/// The rows of one table that a step has touched.
struct Rows<R> {
    slots: BTreeMap<String, Slot<R>>,
    /// Rows that the command which is being decided touched.
    touched: Vec<String>,
    /// Rows that may differ from what was written: a scan must not cost the whole step again.
    unwritten: BTreeSet<String>,
}

impl<R: Record> Rows<R> {
    const fn new() -> Self {
        Self { slots: BTreeMap::new(), touched: Vec::new(), unwritten: BTreeSet::new() }
    }

    fn slot(&mut self, tx: &mut dyn Tx, id: &str) -> Result<&mut Slot<R>, StoreError> {
        if !self.slots.contains_key(id) {
            let row = tx.load(R::TABLE, id)?;
            let record = row.as_ref().map(R::from_row).transpose()?;
            let (at_begin, written) = (record.clone(), record.clone());
            let slot = Slot { at_begin, written, current: record, before: None };
            self.slots.insert(id.to_owned(), slot);
        }
        Ok(self.slots.get_mut(id).expect("it was put there above"))
    }

    /// The row for changing; what it was is kept until the command is over.
    fn change(&mut self, tx: &mut dyn Tx, id: &str) -> Result<&mut Option<R>, StoreError> {
        if self.slot(tx, id)?.before.is_none() {
            self.touched.push(id.to_owned());
        }
        self.unwritten.insert(id.to_owned());
        let slot = self.slots.get_mut(id).expect("it was loaded above");
        if slot.before.is_none() {
            slot.before = Some(slot.current.clone());
        }
        Ok(&mut slot.current)
    }

    /// A refused command is undone in the transaction, too, where a scan of it wrote something: the
    /// next command may ask for a key or an id that only the refused one had.
    fn close_command(&mut self, tx: &mut dyn Tx, is_refused: bool) -> Result<(), StoreError> {
        for id in self.touched.drain(..) {
            let slot = self.slots.get_mut(&id).expect("what was touched is there");
            let before = slot.before.take().expect("what was touched has a before");
            if is_refused {
                slot.current = before;
                slot.write(tx, &id)?;
            }
        }
        Ok(())
    }

    /// Writes one row that is loaded; see [`Rows::flush`].
    fn write(&mut self, tx: &mut dyn Tx, id: &str) -> Result<(), StoreError> {
        self.slots.get_mut(id).map_or(Ok(()), |slot| slot.write(tx, id))
    }

    fn flush(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        while let Some(id) = self.unwritten.pop_first() {
            self.write(tx, &id)?;
        }
        Ok(())
    }
}

/// The rows of one step, over one transaction.
pub struct World<'tx> {
    tx: Box<dyn Tx + 'tx>,
    place: &'tx Place,
    now: Timestamp,
    head: Position,
    jobs: Rows<Job>,
    pools: Rows<Pool>,
    dependencies: Rows<Dependency>,
    environments: Rows<StoredEnvironment>,
    hosts: Rows<Host>,
    events: Vec<NewEvent>,
    /// Keys of jobs that this step added, which no scan knows yet.
    keys: BTreeMap<String, JobId>,
    /// Jobs that this step looked at for changing.
    touched: BTreeSet<JobId>,
    /// Pools that were themselves changed.
    stirred: BTreeSet<String>,
    general_events: bool,
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
            jobs: Rows::new(),
            pools: Rows::new(),
            dependencies: Rows::new(),
            environments: Rows::new(),
            hosts: Rows::new(),
            events: Vec::new(),
            keys: BTreeMap::new(),
            touched: BTreeSet::new(),
            stirred: BTreeSet::new(),
            general_events: false,
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
        let events_before = self.events.len();
        let answer = decide(self);
        let is_refused = matches!(answer, Err(Fault::Refused(_)));
        self.jobs.close_command(&mut *self.tx, is_refused)?;
        self.pools.close_command(&mut *self.tx, is_refused)?;
        self.dependencies.close_command(&mut *self.tx, is_refused)?;
        self.environments.close_command(&mut *self.tx, is_refused)?;
        self.hosts.close_command(&mut *self.tx, is_refused)?;
        if is_refused {
            self.events.truncate(events_before);
        }
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(Fault::Refused(refused)) => Ok(Err(refused)),
            Err(Fault::Store(error)) => Err(error),
        }
    }

    /// A job for reading, if there is one.
    pub fn find_job(&mut self, id: &JobId) -> Result<Option<&Job>, StoreError> {
        Ok(self.jobs.slot(&mut *self.tx, id.as_str())?.current.as_ref())
    }

    /// A job for changing. Refuses `NotFound`.
    pub fn job(&mut self, id: &JobId) -> Result<&mut Job, Fault> {
        self.touched.insert(id.clone());
        let job = self.jobs.change(&mut *self.tx, id.as_str())?.as_mut();
        job.ok_or_else(|| Refused::NotFound(id.clone()).into())
    }

    /// Adds a job. Its id must be free.
    pub fn add_job(&mut self, job: Job) -> Result<(), StoreError> {
        self.touched.insert(job.id.clone());
        if let Some(key) = &job.key {
            self.keys.insert(key.clone(), job.id.clone());
        }
        let id = job.row_id();
        *self.jobs.change(&mut *self.tx, &id)? = Some(job);
        Ok(())
    }

    /// Removes a job, its environment and all its entries in the journal.
    pub fn remove_job(&mut self, id: &JobId) -> Result<(), StoreError> {
        *self.jobs.change(&mut *self.tx, id.as_str())? = None;
        *self.environments.change(&mut *self.tx, id.as_str())? = None;
        // Both at once: its key is free for the next command, and an entry that this step made
        // about it must not be written after its others are gone.
        self.jobs.write(&mut *self.tx, id.as_str())?;
        self.environments.write(&mut *self.tx, id.as_str())?;
        self.head = self.tx.append(&self.events)?;
        self.events.clear();
        self.tx.forget(id.as_str())
    }

    /// A pool, if there is one.
    pub fn pool(&mut self, name: &str) -> Result<&mut Option<Pool>, StoreError> {
        self.pools.change(&mut *self.tx, name)
    }

    /// "`job` waits for `on`", for changing; `None` removes it.
    pub fn dependency(
        &mut self,
        job: &JobId,
        on: &JobId,
    ) -> Result<&mut Option<Dependency>, StoreError> {
        self.dependencies.change(&mut *self.tx, &Dependency::id_of(job, on))
    }

    /// A job's environment; `None` erases it.
    pub fn environment(
        &mut self,
        job: &JobId,
    ) -> Result<&mut Option<StoredEnvironment>, StoreError> {
        self.environments.change(&mut *self.tx, job.as_str())
    }

    /// A host, if it is known.
    pub fn host(&mut self, id: &str) -> Result<&mut Option<Host>, StoreError> {
        self.hosts.change(&mut *self.tx, id)
    }

    /// Says that a pool has more room than before.
    pub fn stir(&mut self, pool: &str) {
        self.stirred.insert(pool.to_owned());
    }

    /// The pools in which this step may have made a slot free or a job ready.
    pub fn stirred(&self) -> BTreeSet<String> {
        let of_jobs = self.touched.iter().filter_map(|id| self.jobs.slots.get(id.as_str()));
        let pools = of_jobs.filter_map(|slot| slot.current.as_ref().or(slot.written.as_ref()));
        let pools = pools.map(|job| job.spec.pool.clone());
        self.stirred.iter().cloned().chain(pools).collect()
    }

    /// Records a fact about a job. Beyond its limit only essential facts are kept; the rest is
    /// counted on the job.
    pub fn record(&mut self, id: &JobId, fact: &Fact) -> Result<(), Fault> {
        let at = self.now;
        let job = self.job(id)?;
        if job.events >= limits::EVENTS_PER_JOB_MAX && !fact.is_essential() {
            job.events_dropped += 1;
            return Ok(());
        }
        job.events += 1;
        let seq = job.events;
        self.events.push(NewEvent { job: Some(id.clone()), seq, at, body: to_body(fact) });
        Ok(())
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
        self.jobs.flush(&mut *self.tx)?;
        self.pools.flush(&mut *self.tx)?;
        self.dependencies.flush(&mut *self.tx)?;
        self.environments.flush(&mut *self.tx)?;
        self.hosts.flush(&mut *self.tx)?;
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
        self.scan()?;
        self.head = self.tx.append(&self.events)?;
        if self.general_events {
            self.tx.trim_general(limits::GENERAL_EVENTS_MAX)?;
        }
        let is_changed = |slot: &Slot<Job>| slot.current != slot.at_begin;
        let slots = self.touched.iter().filter_map(|id| self.jobs.slots.get_key_value(id.as_str()));
        let mut wants = Vec::new();
        let mut changed = BTreeSet::new();
        for (id, slot) in slots.filter(|(_, slot)| is_changed(slot)) {
            changed.extend(JobId::parse(id));
            // Another host's attempt is its own drivers' business; it reconciles within seconds.
            let is_mine = |job: &&Job| job.host.as_ref().is_none_or(|at| *at == self.place.host);
            if let Some(job) = slot.current.as_ref().filter(is_mine) {
                wants.extend(job.wants(&self.place.boot));
            }
        }
        let next_due = self.tx.next_due(&self.place.host)?;
        self.tx.commit()?;
        Ok(Committed { head: self.head, wants, changed, next_due })
    }
}

/// What a committed step has to tell.
pub struct Committed {
    /// The journal's new head.
    pub head: Position,
    /// What the changed rows want.
    pub wants: Vec<Want>,
    /// Jobs that changed.
    pub changed: BTreeSet<JobId>,
    /// When time alone will change something.
    pub next_due: Option<Timestamp>,
}

/// Ids that a scan found, as typed ids; a row with another id in this table is damage.
pub fn job_ids(ids: Vec<String>) -> Result<Vec<JobId>, StoreError> {
    let parse = |id: String| {
        JobId::parse(&id).map_err(|bad| {
            StoreError::Corrupt(format!("table {}: id {id}: {bad}", Table::Job.name()))
        })
    };
    ids.into_iter().map(parse).collect()
}

fn to_body(fact: &Fact) -> String {
    serde_json::to_string(fact).expect("facts are plain trees with text keys")
}
