//! What a store holds between two steps, read through its reader as anybody else would read it.

use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Filter, Reader, Record, Row, StoreError, Table};
use longhaul_core::record::Pool;
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
        Ok(next)
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
    }
}
