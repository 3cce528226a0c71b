//! A store that remembers what each commit changed, and fails one when it is told to. The laws go by
//! what was really committed, never by what a step says that it did.

use longhaul_core::event::NewEvent;
use longhaul_core::id::HostId;
use longhaul_core::port::{Position, Reader, Row, Store, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;
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
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        self.inner.load(table, id)
    }

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

    fn head(&mut self) -> Result<Position, StoreError> {
        self.inner.head()
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.commit.events.extend(events.iter().cloned());
        self.inner.append(events)
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        self.inner.forget(job)
    }

    fn trim_general(&mut self, keep: u32) -> Result<(), StoreError> {
        self.inner.trim_general(keep)
    }

    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError> {
        self.inner.due(me, now, limit)
    }

    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due(me)
    }

    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.runnable(pool, limit)
    }

    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        self.inner.occupied(pool)
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        self.inner.lane_head(lane)
    }

    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.active_on(table, host, after, limit)
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.children(table, parent, limit)
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.ids(table, after, limit)
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        self.inner.by_key(key)
    }

    fn oldest_ended(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.oldest_ended(limit)
    }

    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError> {
        self.inner.ended_totals()
    }

    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.next_in_lanes(pool, after, limit)
    }

    fn waiting_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.waiting_in_lane(lane, limit)
    }

    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.open_in_lane(lane, limit)
    }

    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError> {
        self.inner.active_in_pool(pool)
    }

    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError> {
        self.inner.active_in_lane(lane)
    }

    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.unread(mailbox, limit)
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        self.inner.unread_count(mailbox)
    }

    fn oldest_ended_mail(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.oldest_ended_mail(limit)
    }

    fn ended_mail_count(&mut self) -> Result<u64, StoreError> {
        self.inner.ended_mail_count()
    }

    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.open_jobs_in_lane(lane, limit)
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
}
