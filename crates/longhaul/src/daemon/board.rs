//! Where the engine leaves what rows want. One want a row: a newer one replaces an older one that
//! nobody has taken up, so a board is never longer than there are rows that want something.

use longhaul_core::command::{Deliver, Want};
use longhaul_core::credential::Issue;
use longhaul_core::id::{CredentialId, DeliveryId, JobId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What can be wanted, by which row.
pub(super) trait Wanted {
    /// Names the row.
    type Row: Ord + Clone;

    fn row(&self) -> &Self::Row;
}

impl Wanted for Want {
    type Row = JobId;

    fn row(&self) -> &JobId {
        self.job()
    }
}

impl Wanted for Deliver {
    type Row = DeliveryId;

    fn row(&self) -> &DeliveryId {
        &self.delivery
    }
}

impl Wanted for Issue {
    type Row = CredentialId;

    fn row(&self) -> &CredentialId {
        self.credential()
    }
}

/// The newest want of each row.
#[derive(Debug)]
pub(super) struct Board<W: Wanted> {
    wants: Mutex<BTreeMap<W::Row, W>>,
    pinned: Notify,
}

impl<W: Wanted> Default for Board<W> {
    fn default() -> Self {
        Self { wants: Mutex::default(), pinned: Notify::new() }
    }
}

impl<W: Wanted> Board<W> {
    /// Leaves wants for whoever takes next.
    pub(super) fn pin(&self, wants: Vec<W>) {
        if wants.is_empty() {
            return;
        }
        let mut board = self.lock();
        board.extend(wants.into_iter().map(|want| (want.row().clone(), want)));
        drop(board);
        self.pinned.notify_one();
    }

    /// Takes everything, waiting until there is something. Loses nothing when dropped.
    pub(super) async fn take(&self) -> Vec<W> {
        loop {
            let taken = std::mem::take(&mut *self.lock());
            if !taken.is_empty() {
                return taken.into_values().collect();
            }
            self.pinned.notified().await;
        }
    }

    /// Whether all of it was taken.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<W::Row, W>> {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[tokio::test]
    async fn a_newer_want_of_a_job_replaces_the_older() {
        let board = Board::default();
        let (one, two) = (ids::job_id().unwrap(), ids::job_id().unwrap());
        board.pin(vec![Want::Start(one.clone(), 1), Want::Watch(two.clone(), 1)]);
        board.pin(vec![Want::Watch(one.clone(), 1)]);
        let mut taken = board.take().await;
        taken.sort();
        let mut wanted = vec![Want::Watch(one, 1), Want::Watch(two, 1)];
        wanted.sort();
        assert_eq!(taken, wanted);
    }
}
