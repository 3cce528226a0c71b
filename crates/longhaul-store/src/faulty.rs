//! A store whose commits fail when a schedule says so, for the simulator and for tests. What fails is
//! undone as a real failed commit is; everything else goes through untouched.

use longhaul_core::event::NewEvent;
use longhaul_core::id::HostId;
use longhaul_core::port::{Position, Reader, Row, Store, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;

/// Wraps a store; `schedule` is asked at each commit, which are counted from 1.
#[derive(Debug)]
pub struct Faulty<S, F> {
    inner: S,
    commits: u64,
    schedule: F,
}

impl<S, F> Faulty<S, F>
where
    S: Store,
    F: FnMut(u64) -> Option<StoreError> + Send,
{
    /// Wraps `inner`. `schedule` gets the number of the commit (the first is 1, failed ones count)
    /// and gives the error to fail it with, or `None` to let it through.
    pub const fn new(inner: S, schedule: F) -> Self {
        Self { inner, commits: 0, schedule }
    }

    /// Gives the wrapped store back.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, F> Store for Faulty<S, F>
where
    S: Store,
    F: FnMut(u64) -> Option<StoreError> + Send,
{
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        let inner = self.inner.begin()?;
        Ok(Box::new(FaultyTx { inner, commits: &mut self.commits, schedule: &mut self.schedule }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

struct FaultyTx<'a> {
    inner: Box<dyn Tx + 'a>,
    commits: &'a mut u64,
    schedule: &'a mut (dyn FnMut(u64) -> Option<StoreError> + Send),
}

impl Tx for FaultyTx<'_> {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        self.inner.load(table, id)
    }

    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        self.inner.save(table, row, new)
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        self.inner.remove(table, id)
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        self.inner.head()
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
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
        *self.commits += 1;
        match (self.schedule)(*self.commits) {
            // Dropping the inner transaction undoes it, as a failed commit does.
            Some(error) => Err(error),
            None => self.inner.commit(),
        }
    }
}
