//! A store whose commits fail when a schedule says so, for the simulator and for tests. What fails is
//! undone as a real failed commit is; everything else goes through untouched.

use longhaul_core::port::{Reader, Store, StoreError, Tx};

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
    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        *self.commits += 1;
        match (self.schedule)(*self.commits) {
            // Dropping the inner transaction undoes it, as a failed commit does.
            Some(error) => Err(error),
            None => self.inner.commit(),
        }
    }

    crate::tx_passes_on! {
        load, save, remove, head, append, forget, trim_general, due, next_due, runnable, occupied,
        lane_head, active_on, children, ids, by_key, oldest_ended, ended_totals, next_in_lanes,
        waiting_in_lane, open_in_lane, active_in_pool, active_in_lane, unread, unread_count,
        oldest_ended_mail, ended_mail_count, open_jobs_in_lane
    }
}
