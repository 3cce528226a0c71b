//! A store that remembers what each commit changed, and fails one when it is told to. The laws go by
//! what was really committed, never by what a step says that it did.

use longhaul_core::event::NewEvent;
use longhaul_core::port::{Position, Reader, Row, Store, StoreError, Table, Tx};
use longhaul_store::MemoryStore;
use std::collections::BTreeMap;

/// What one commit changed.
#[derive(Debug, Default)]
pub(super) struct Commit {
    /// Rows as they are now; `None` for those that are gone.
    pub(super) rows: BTreeMap<(Table, String), Option<Row>>,
    /// Entries of the journal, in order.
    pub(super) events: Vec<NewEvent>,
}

/// The store of a life.
#[derive(Debug, Default)]
pub(super) struct Spy {
    inner: MemoryStore,
    /// The last commit, until somebody looks.
    pub(super) last: Option<Commit>,
    /// The next commit comes to nothing.
    pub(super) fails: bool,
}

impl Store for Spy {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        let Self { inner, last, fails } = self;
        let fails = std::mem::take(fails);
        Ok(Box::new(SpyTx { inner: inner.begin()?, commit: Commit::default(), last, fails }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

struct SpyTx<'a> {
    inner: Box<dyn Tx + 'a>,
    commit: Commit,
    last: &'a mut Option<Commit>,
    fails: bool,
}

impl Tx for SpyTx<'_> {
    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        self.inner.save(table, row, new)?;
        self.commit.rows.insert((table, row.id.clone()), Some(row.clone()));
        Ok(())
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        self.inner.remove(table, id)?;
        self.commit.rows.insert((table, id.to_owned()), None);
        Ok(())
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.commit.events.extend(events.iter().cloned());
        self.inner.append(events)
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { inner, commit, last, fails } = *self;
        if fails {
            // Dropping the inner transaction undoes it, as a failed commit does.
            return Err(StoreError::Failed("it was to fail".to_owned()));
        }
        inner.commit()?;
        *last = Some(commit);
        Ok(())
    }

    longhaul_store::tx_passes_on! {
        load, head, forget, trim_general, due, next_due, runnable, occupied, lane_head, active_on,
        children, ids, by_key, oldest_ended, ended_totals, next_in_lanes, waiting_in_lane,
        open_in_lane, active_in_pool, active_in_lane, unread, unread_count, oldest_ended_mail,
        ended_mail_count, open_jobs_in_lane
    }
}
