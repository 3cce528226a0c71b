//! Draining and disposing.

use super::{Durable, load, shown};
use crate::embed::shutdown::after;
use crate::embed::{Disposed, Drained, Scope};
use longhaul_core::id::JobId;
use longhaul_core::roster::{Id, Left};
use longhaul_core::time::Timestamp;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

impl Durable {
    pub(in crate::embed) fn delivery_state(&self, scope: &Scope) -> Left {
        self.left(scope)
    }

    /// Waits until nothing is pending, or nothing can change before the deadline.
    pub(in crate::embed) async fn drain(&self, deadline: Instant, scope: &Scope) -> Drained {
        let mut head = self.ports.journal.head_changes();
        let settled = async {
            loop {
                head.mark_unchanged();
                let left = self.left(scope);
                let can_go = left.pending > left.without_sink;
                let is_moving = left.delivering > 0
                    || left.next_try_at.is_some_and(|at| self.is_in_time(at, deadline))
                    || (can_go && left.next_try_at.is_none());
                if left.pending == 0 || !is_moving {
                    return left;
                }
                // The journal cannot end while its daemon is here.
                let _ = head.changed().await;
            }
        };
        match timeout_at(deadline, settled).await {
            Ok(left) => Drained { left },
            Err(_) => Drained { left: self.left(scope) },
        }
    }

    fn is_in_time(&self, at: Timestamp, deadline: Instant) -> bool {
        let wait = Duration::from_millis(at.since(self.ports.clock.now()).get());
        Instant::now() + wait <= deadline
    }

    /// Ends the bodies, tells what can be told, and lets go of the home. What is left is kept there.
    pub(in crate::embed) async fn dispose(self: &Arc<Self>, budget: Duration) -> Disposed {
        self.disposed.get_or_init(|| self.dispose_once(budget)).await.clone()
    }

    /// Tells those who have jobs in hand of the ends that they have not come to hear of yet: once the
    /// daemon stops nobody looks any more.
    async fn tell_of_ends(&self) {
        let lives = self.state().lives.clone();
        let jobs: Vec<JobId> = lives.keys().cloned().collect();
        let read = self.ports.readers.read(move |reader| {
            jobs.iter().map(|job| load(reader, job)).collect::<Result<Vec<_>, _>>()
        });
        let rows = read.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the ends of the last jobs cannot be read");
            Vec::new()
        });
        for (life, row) in lives.values().zip(rows) {
            if let Some(verdict) = row.as_ref().and_then(shown::verdict) {
                life.judged(verdict);
                life.gone();
            }
        }
    }

    async fn dispose_once(&self, budget: Duration) -> Disposed {
        let deadline = after(budget);
        self.state().is_closed = true;
        self.tasks().end();
        // Whether the time was over shows in what is alive.
        let _over = timeout_at(deadline, self.tasks().all_gone()).await;
        let drained = self.drain(deadline, &Scope::All).await;
        self.tell_of_ends().await;
        let alive = self.tasks().alive();
        let left_ids: Vec<Id> =
            alive.iter().filter_map(|job| self.look_at(job).map(|snapshot| snapshot.id)).collect();
        let sinks = std::mem::take(&mut self.state().sinks);
        for sink in sinks.into_values() {
            sink.presence.abort();
        }
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(daemon) = daemon
            && let Err(error) = daemon.finish().await
        {
            tracing::error!(%error, "the home was not put away well; the next start sees to it");
        }
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            // The stop ended it, or it holds on to a connection that nobody needs any more.
            server.abort();
        }
        let undelivered = drained.left.pending;
        Disposed { bodies_left: alive.len(), left_ids, undelivered }
    }
}
