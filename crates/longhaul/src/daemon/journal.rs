//! How readers learn that there is something new: the journal's head, and a tap on the shoulder for
//! those who follow one job. Nothing is carried here; who is woken reads from the store.

use longhaul_core::id::JobId;
use longhaul_core::port::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

type Watched = BTreeMap<JobId, watch::Sender<Position>>;

/// The journal's head, and who waits for what. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    head: watch::Sender<Position>,
    jobs: Mutex<Watched>,
}

impl Journal {
    pub(super) fn new() -> Self {
        let head = watch::Sender::new(Position::default());
        Self { shared: Arc::new(Shared { head, jobs: Mutex::default() }) }
    }

    /// Position of the newest committed entry.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.shared.head.borrow()
    }

    /// Follows the head.
    #[must_use]
    pub fn head_changes(&self) -> watch::Receiver<Position> {
        self.shared.head.subscribe()
    }

    /// Follows one job. Begin to watch before reading it, and nothing is missed.
    #[must_use]
    pub fn watch_job(&self, job: &JobId) -> JobWatch {
        let mut jobs = self.shared.jobs();
        let sender =
            jobs.entry(job.clone()).or_insert_with(|| watch::Sender::new(Position::default()));
        let changes = sender.subscribe();
        JobWatch { job: job.clone(), changes: Some(changes), shared: Arc::clone(&self.shared) }
    }

    /// Tells what a commit changed. For the engine alone.
    pub(super) fn publish(&self, head: Position, changed: &BTreeSet<JobId>) {
        {
            let jobs = self.shared.jobs();
            if !jobs.is_empty() {
                for sender in changed.iter().filter_map(|job| jobs.get(job)) {
                    sender.send_replace(head);
                }
            }
        }
        self.shared.head.send_if_modified(|known| {
            let is_news = *known != head;
            *known = head;
            is_news
        });
    }
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, Watched> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody follows a job.
#[derive(Debug)]
pub struct JobWatch {
    job: JobId,
    changes: Option<watch::Receiver<Position>>,
    shared: Arc<Shared>,
}

impl JobWatch {
    /// Comes back after the next commit that touched the job, or at once if there was one since the
    /// last call.
    pub async fn changed(&mut self) {
        let changes = self.changes.as_mut().expect("only dropping takes it");
        // The sender stays in the table for as long as anybody watches.
        let _ = changes.changed().await;
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        let mut jobs = self.shared.jobs();
        self.changes = None;
        if jobs.get(&self.job).is_some_and(|sender| sender.receiver_count() == 0) {
            jobs.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[tokio::test]
    async fn only_those_who_watch_a_changed_job_are_woken() {
        let journal = Journal::new();
        let (one, two) = (ids::job_id().unwrap(), ids::job_id().unwrap());
        let (mut first, second) = (journal.watch_job(&one), journal.watch_job(&two));
        journal.publish(Position(3), &[one].into());
        first.changed().await;
        assert!(!second.changes.as_ref().unwrap().has_changed().unwrap());
        assert_eq!(journal.head(), Position(3));
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_watch_that_is_over() {
        let journal = Journal::new();
        let job = ids::job_id().unwrap();
        let (one, two) = (journal.watch_job(&job), journal.watch_job(&job));
        drop(one);
        assert_eq!(journal.shared.jobs().len(), 1);
        drop(two);
        assert_eq!(journal.shared.jobs().len(), 0);
    }
}
