//! How readers learn that there is something new: the journal's head, and a tap on the shoulder for
//! those who follow one job or one inbox. Nothing is carried here; who is woken reads from the store.

use longhaul_core::id::JobId;
use longhaul_core::port::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The journal's head, and who waits for what. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    head: watch::Sender<Position>,
    jobs: Arc<Taps<JobId>>,
    inboxes: Arc<Taps<String>>,
}

/// Who is to be woken by what.
#[derive(Debug)]
struct Taps<K> {
    watched: Mutex<BTreeMap<K, watch::Sender<Position>>>,
}

/// Somebody follows one thing.
#[derive(Debug)]
pub struct Watch<K: Ord> {
    what: K,
    changes: Option<watch::Receiver<Position>>,
    taps: Arc<Taps<K>>,
}

/// Somebody follows a job.
pub type JobWatch = Watch<JobId>;
/// Somebody follows an owner's lane, or a project's pool, of notices.
pub type InboxWatch = Watch<String>;

impl Journal {
    pub(super) fn new() -> Self {
        Self {
            head: watch::Sender::new(Position::default()),
            jobs: Arc::default(),
            inboxes: Arc::default(),
        }
    }

    /// Position of the newest committed entry.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// Follows the head.
    #[must_use]
    pub fn head_changes(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// Follows one job. Begin to watch before reading it, and nothing is missed.
    #[must_use]
    pub fn watch_job(&self, job: &JobId) -> JobWatch {
        Watch::new(job.clone(), &self.jobs)
    }

    /// Follows an owner's lane or a project's pool of notices, as core names it. Begin to watch
    /// before claiming, and nothing is missed.
    #[must_use]
    pub fn watch_inbox(&self, lane_or_pool: String) -> InboxWatch {
        Watch::new(lane_or_pool, &self.inboxes)
    }

    /// Tells what a commit changed. For the engine alone.
    pub(super) fn publish(
        &self,
        head: Position,
        jobs: &BTreeSet<JobId>,
        inboxes: &BTreeSet<String>,
    ) {
        self.jobs.tell(head, jobs);
        self.inboxes.tell(head, inboxes);
        self.head.send_if_modified(|known| {
            let is_news = *known != head;
            *known = head;
            is_news
        });
    }
}

impl<K> Default for Taps<K> {
    fn default() -> Self {
        Self { watched: Mutex::default() }
    }
}

impl<K: Ord> Taps<K> {
    fn watched(&self) -> MutexGuard<'_, BTreeMap<K, watch::Sender<Position>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, head: Position, changed: &BTreeSet<K>) {
        let watched = self.watched();
        if watched.is_empty() {
            return;
        }
        for sender in changed.iter().filter_map(|what| watched.get(what)) {
            sender.send_replace(head);
        }
    }
}

impl<K: Ord + Clone> Watch<K> {
    fn new(what: K, taps: &Arc<Taps<K>>) -> Self {
        let changes = taps
            .watched()
            .entry(what.clone())
            .or_insert_with(|| watch::Sender::new(Position::default()))
            .subscribe();
        Self { what, changes: Some(changes), taps: Arc::clone(taps) }
    }
}

impl<K: Ord> Watch<K> {
    /// Comes back after the next commit that touched it, or at once if there was one since the last
    /// call.
    pub async fn changed(&mut self) {
        let changes = self.changes.as_mut().expect("only dropping takes it");
        // The sender stays in the table for as long as anybody watches.
        let _ = changes.changed().await;
    }
}

impl<K: Ord> Drop for Watch<K> {
    fn drop(&mut self) {
        let mut watched = self.taps.watched();
        self.changes = None;
        if watched.get(&self.what).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.what);
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
        journal.publish(Position(3), &[one].into(), &BTreeSet::new());
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
        assert_eq!(journal.jobs.watched().len(), 1);
        drop(two);
        assert_eq!(journal.jobs.watched().len(), 0);
    }

    #[tokio::test]
    async fn who_follows_an_inbox_is_woken_by_that_inbox_alone() {
        let journal = Journal::new();
        let mut mine = journal.watch_inbox("inbox|me".to_owned());
        let other = journal.watch_inbox("inbox|you".to_owned());
        journal.publish(Position(1), &BTreeSet::new(), &["inbox|me".to_owned()].into());
        mine.changed().await;
        assert!(!other.changes.as_ref().unwrap().has_changed().unwrap());
    }
}
