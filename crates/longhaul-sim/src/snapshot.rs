//! What a store holds between two steps, read through its reader as anybody else would read it.

use longhaul_core::delivery::Delivery;
use longhaul_core::id::{DeliveryId, JobId, PresenceId};
use longhaul_core::job::Job;
use longhaul_core::owner::{Owner, Presence};
use longhaul_core::port::{DeliveryFilter, Filter, Reader, Record, Row, StoreError, Table};
use longhaul_core::record::Pool;
use longhaul_core::sink::Sink;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One job as it lies in the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What scans go by.
    pub(crate) row: Row,
    /// What its body says.
    pub(crate) job: Job,
}

/// One delivery as it lies in the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Owed {
    /// What scans go by.
    pub(crate) row: Row,
    /// What its body says.
    pub(crate) delivery: Delivery,
}

/// Every row that the laws are about. Cheap to copy: rows that did not change are shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Jobs.
    pub(crate) jobs: BTreeMap<JobId, Rc<Kept>>,
    /// Pools by name.
    pub(crate) pools: BTreeMap<String, Pool>,
    /// Ids of rows that say who waits for whom.
    pub(crate) dependencies: BTreeSet<String>,
    /// Jobs whose environment is kept.
    pub(crate) environments: BTreeSet<String>,
    /// Deliveries.
    pub(crate) deliveries: BTreeMap<DeliveryId, Rc<Owed>>,
    /// Sinks by name.
    pub(crate) sinks: BTreeMap<String, Sink>,
    /// Owners by name, with the hour in their row.
    pub(crate) owners: BTreeMap<String, Owner>,
    /// Presences.
    pub(crate) presences: BTreeMap<PresenceId, Presence>,
}

impl Snapshot {
    /// Reads the store; rows that are as they were are taken from `self`.
    ///
    /// # Errors
    /// What the store says; a row that cannot be read is damage.
    pub(crate) fn read(&self, reader: &mut dyn Reader) -> Result<Self, StoreError> {
        let mut next = Self::default();
        for row in reader.list(&Filter::default(), None, u32::MAX)? {
            let id = JobId::parse(&row.id).expect("lives make whole ids");
            let kept = match self.jobs.get(&id) {
                Some(known) if known.row == row => Rc::clone(known),
                Some(_) | None => {
                    let job = Job::from_row(&row)?;
                    Rc::new(Kept { row, job })
                }
            };
            next.jobs.insert(id, kept);
        }
        for name in reader.ids(Table::Pool, "", u32::MAX)? {
            if let Some(row) = reader.load(Table::Pool, &name)? {
                next.pools.insert(name, Pool::from_row(&row)?);
            }
        }
        next.dependencies.extend(reader.ids(Table::Dependency, "", u32::MAX)?);
        next.environments.extend(reader.ids(Table::Environment, "", u32::MAX)?);
        for row in reader.deliveries(&DeliveryFilter::default(), None, u32::MAX)? {
            let id = DeliveryId::parse(&row.id).expect("core makes whole ids");
            let owed = match self.deliveries.get(&id) {
                Some(known) if known.row == row => Rc::clone(known),
                Some(_) | None => {
                    let delivery = Delivery::from_row(&row)?;
                    Rc::new(Owed { row, delivery })
                }
            };
            next.deliveries.insert(id, owed);
        }
        next.sinks = all(reader, |sink: &Sink| sink.name.clone())?;
        next.owners = all(reader, |owner: &Owner| owner.name.clone())?;
        next.presences = all(reader, |presence: &Presence| presence.id.clone())?;
        Ok(next)
    }

    /// A delivery, if there is one.
    pub(crate) fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(id).map(|owed| &owed.delivery)
    }

    /// All deliveries.
    pub(crate) fn owed(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values().map(|owed| &owed.delivery)
    }

    /// A job, if there is one.
    pub(crate) fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id).map(|kept| &kept.job)
    }

    /// Whether both hold the same rows.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = |(one, two): (&Rc<Kept>, &Rc<Kept>)| Rc::ptr_eq(one, two) || one == two;
        self.jobs.len() == other.jobs.len()
            && self.jobs.values().zip(other.jobs.values()).all(same)
            && self.pools == other.pools
            && self.dependencies == other.dependencies
            && self.environments == other.environments
            && self.deliveries.len() == other.deliveries.len()
            && self.deliveries.values().zip(other.deliveries.values()).all(same_owed)
            && self.sinks == other.sinks
            && self.owners == other.owners
            && self.presences == other.presences
    }
}

fn same_owed((one, two): (&Rc<Owed>, &Rc<Owed>)) -> bool {
    Rc::ptr_eq(one, two) || one == two
}

/// All rows of a small table.
fn all<R: Record, K: Ord>(
    reader: &mut dyn Reader,
    key: impl Fn(&R) -> K,
) -> Result<BTreeMap<K, R>, StoreError> {
    let mut found = BTreeMap::new();
    for id in reader.ids(R::TABLE, "", u32::MAX)? {
        if let Some(row) = reader.load(R::TABLE, &id)? {
            let record = R::from_row(&row)?;
            found.insert(key(&record), record);
        }
    }
    Ok(found)
}
