//! The committed rows, parsed, and what a commit changed of them.

use super::spy::Commit;
use longhaul_core::agent::Agent;
use longhaul_core::approval::Approval;
use longhaul_core::delivery::Delivery;
use longhaul_core::job::Job;
use longhaul_core::mail::Mail;
use longhaul_core::port::{Corrupt, Record, Row, Table};
use longhaul_core::quota::Quota;
use longhaul_core::time::Timestamp;
use longhaul_core::turn::{Input, Intake};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one kind by their ids.
pub(super) type By<T> = BTreeMap<String, T>;

/// What is due when, and for which host alone.
pub(super) type Due = BTreeMap<(Table, String), (Timestamp, Option<String>)>;

/// What a commit made of one row.
#[derive(Clone, Debug)]
pub(super) struct Change<T> {
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

/// All rows that the laws look at.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) jobs: By<Job>,
    pub(super) agents: By<Agent>,
    pub(super) mail: By<Mail>,
    pub(super) approvals: By<Approval>,
    pub(super) quotas: By<Quota>,
    pub(super) inputs: By<Input>,
    pub(super) intakes: By<Intake>,
    pub(super) deliveries: By<Delivery>,
    /// Agents of which a secret is kept.
    pub(super) secrets: BTreeSet<String>,
    /// What is due when, and for which host alone.
    pub(super) due: Due,
}

/// What a commit changed, of all rows that the laws look at.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) jobs: By<Change<Job>>,
    pub(super) agents: By<Change<Agent>>,
    pub(super) mail: By<Change<Mail>>,
    pub(super) approvals: By<Change<Approval>>,
    pub(super) quotas: By<Change<Quota>>,
    /// Whether it changed no row at all.
    pub(super) is_nothing: bool,
}

impl Rows {
    /// Takes over what was committed.
    ///
    /// # Errors
    /// A row that cannot be read, which is a defect.
    pub(super) fn take(&mut self, commit: &Commit) -> Result<Changes, Corrupt> {
        let mut changes = Changes { is_nothing: commit.rows.is_empty(), ..Changes::default() };
        for ((table, id), row) in &commit.rows {
            let due = row.as_ref().and_then(|row| Some((row.due_at?, row.host.clone())));
            match due {
                Some(due) => self.due.insert((*table, id.clone()), due),
                None => self.due.remove(&(*table, id.clone())),
            };
            let row = row.as_ref();
            match table {
                Table::Job => put(&mut self.jobs, &mut changes.jobs, id, row)?,
                Table::Agent => put(&mut self.agents, &mut changes.agents, id, row)?,
                Table::Mail => put(&mut self.mail, &mut changes.mail, id, row)?,
                Table::Approval => put(&mut self.approvals, &mut changes.approvals, id, row)?,
                Table::Quota => put(&mut self.quotas, &mut changes.quotas, id, row)?,
                Table::Input => put(&mut self.inputs, &mut By::new(), id, row)?,
                Table::Intake => put(&mut self.intakes, &mut By::new(), id, row)?,
                Table::Delivery => put(&mut self.deliveries, &mut By::new(), id, row)?,
                Table::AgentEnvironment if row.is_some() => {
                    self.secrets.insert(id.clone());
                }
                Table::AgentEnvironment => {
                    self.secrets.remove(id);
                }
                Table::Environment
                | Table::Dependency
                | Table::Pool
                | Table::Host
                | Table::Sink
                | Table::Owner
                | Table::Presence
                | Table::Session
                | Table::Feed
                | Table::Credential
                | Table::Token => {}
            }
        }
        Ok(changes)
    }

    /// Turns of an agent that have not ended, oldest first.
    pub(super) fn open_turns(&self, agent: &str) -> Vec<&Job> {
        let is_open = |job: &&Job| {
            let turn = job.spec.turn.as_ref();
            job.outcome().is_none() && turn.is_some_and(|turn| turn.agent == agent)
        };
        let mut open: Vec<&Job> = self.jobs.values().filter(is_open).collect();
        open.sort_by_key(|job| job.seq);
        open
    }
}

fn put<T: Record + Clone>(
    rows: &mut By<T>,
    changes: &mut By<Change<T>>,
    id: &str,
    row: Option<&Row>,
) -> Result<(), Corrupt> {
    let after = row.map(T::from_row).transpose()?;
    let before = match &after {
        Some(after) => rows.insert(id.to_owned(), after.clone()),
        None => rows.remove(id),
    };
    changes.insert(id.to_owned(), Change { before, after });
    Ok(())
}
