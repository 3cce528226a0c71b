//! What can be read after a step: the rows of jobs and of their credentials, and what the step wrote
//! into the journal.

use longhaul_core::credential::Credential;
use longhaul_core::event::{Event, Fact};
use longhaul_core::id::{CredentialId, JobId};
use longhaul_core::job::Job;
use longhaul_core::port::{Position, Reader, Record, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// More rows than any life has.
const ALL: u32 = 1_000_000;

/// All of it, as of the last step.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) jobs: BTreeMap<JobId, Rc<Job>>,
    pub(super) credentials: BTreeMap<CredentialId, Credential>,
    /// Whose rows are gone.
    pub(super) gone: BTreeSet<JobId>,
    head: Position,
}

/// An entry of the journal.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which job it is about, if it is about one.
    pub(super) job: Option<JobId>,
    pub(super) fact: Fact,
}

impl Rows {
    /// Reads what a step changed. Gives what it wrote.
    pub(super) fn read(
        &mut self,
        reader: &mut dyn Reader,
        changed: &BTreeSet<JobId>,
    ) -> Vec<Entry> {
        for id in changed {
            let row = reader.load(Table::Job, id.as_str()).expect("the store is sound");
            match row.map(|row| Job::from_row(&row).expect("the engine wrote it")) {
                Some(job) => drop(self.jobs.insert(id.clone(), Rc::new(job))),
                None => {
                    self.jobs.remove(id);
                    self.gone.insert(id.clone());
                }
            }
        }
        let rows = reader.rows(Table::Credential, None, "", ALL).expect("the store is sound");
        let rows = rows.iter().map(|row| Credential::from_row(row).expect("the engine wrote it"));
        self.credentials = rows.map(|row| (row.id.clone(), row)).collect();
        let events = reader.events(None, self.head, ALL).expect("the store is sound");
        self.head = events.last().map_or(self.head, |last| last.position);
        events.into_iter().map(entry).collect()
    }

    /// Whether a job has ended, or did so before it went.
    pub(super) fn is_over(&self, job: &JobId) -> bool {
        self.jobs.get(job).is_none_or(|job| job.outcome().is_some())
    }

    /// Jobs that have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &Rc<Job>> {
        self.jobs.values().filter(|job| job.outcome().is_none())
    }
}

fn entry(event: Event) -> Entry {
    let fact = event.fact().expect("the engine wrote it");
    Entry { job: event.job, fact }
}
