//! Questions of a step that mostly have an answer before its rows are written. Each row that is written
//! twice in a step costs its text, its checks and its indexes twice; so a row is written when a scan
//! needs it, and not because there is one.

use super::rows::Slot;
use super::{Fault, World, job_ids};
use crate::id::JobId;
use crate::job::Job;
use crate::limits;
use crate::port::{Phase, StoreError, Table};
use crate::time::Timestamp;
use std::cmp::Reverse;

/// Whether the job is in this phase in this pool, as a scan would have it.
fn is_in(job: Option<&Job>, phase: Phase, pool: &str) -> bool {
    job.is_some_and(|job| job.phase() == phase && job.waits_in() == pool)
}

impl World<'_> {
    /// Ids of rows under a parent. Writes what it needs and no more: the table that is asked.
    pub(crate) fn children(
        &mut self,
        table: Table,
        parent: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.rows.flush_table(&mut *self.tx, table)?;
        self.tx.children(table, parent, "", limit)
    }

    /// All jobs that name this one as their parent, however many: who asks for jobs may name any.
    pub(crate) fn child_jobs(&mut self, parent: &JobId) -> Result<Vec<JobId>, Fault> {
        let most = u32::try_from(limits::BATCH_JOBS_MAX).expect("a small constant");
        let tx = self.scan()?;
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = tx.children(Table::Job, parent.as_str(), &after, most)?;
            let Some(last) = page.last().cloned() else { return Ok(all) };
            all.extend(job_ids(page)?);
            after = last;
        }
    }

    /// Rows whose hour has come. Nothing has to be written to see that there are none.
    pub(crate) fn due(&mut self, limit: u32) -> Result<Vec<(Table, String)>, StoreError> {
        let (me, now) = (&self.place.host, self.now);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if !self.rows.has_due(now) && !is_due(self.tx.next_due(me)?) {
            return Ok(Vec::new());
        }
        self.rows.flush(&mut *self.tx)?;
        self.tx.due(me, now, limit)
    }

    /// How many jobs of a pool are active.
    pub(crate) fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        let mut active = self.tx.occupied(pool)?;
        for slot in self.rows.jobs.unwritten() {
            let is_active = |job: &Option<Job>| is_in(job.as_ref(), Phase::Active, pool);
            active += u32::from(is_active(&slot.current));
            active -= u32::from(is_active(&slot.written));
        }
        Ok(active)
    }

    /// Ids of jobs of a pool that are ready, those that go first first. Where nobody waits but whom this
    /// step made ready, their rows are not needed: they are written once, when they have their slots.
    pub(crate) fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let is_ready = |job: &Option<Job>| is_in(job.as_ref(), Phase::Ready, pool);
        let is_outdated = |slot: &&Slot<Job>| is_ready(&slot.written);
        let outdated = self.rows.jobs.unwritten().filter(is_outdated).count();
        let one_more = u32::try_from(outdated).unwrap_or(u32::MAX).saturating_add(1);
        let waiting = self.tx.runnable(pool, one_more)?;
        if !waiting.iter().all(|id| self.rows.jobs.is_unwritten(id)) {
            self.rows.jobs.flush(&mut *self.tx)?;
            return self.tx.runnable(pool, limit);
        }
        let ready = self.rows.jobs.unwritten().filter(|slot| is_ready(&slot.current));
        let mut ready: Vec<&Job> = ready.filter_map(|slot| slot.current.as_ref()).collect();
        ready.sort_by_key(|job| (Reverse(job.spec.priority), job.seq));
        ready.truncate(limit as usize);
        Ok(ready.into_iter().map(|job| job.id.as_str().to_owned()).collect())
    }
}
