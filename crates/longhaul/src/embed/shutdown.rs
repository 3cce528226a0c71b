//! Ends: draining, reaping, disposing. Each within a time, and each says what is left.

use super::Jobs;
use super::core_loop::State;
use super::handle::Life;
use super::spec::Scope;
use futures_util::future::join_all;
use longhaul_core::roster::{Id, Left, Scope as CoreScope, Stop};
use longhaul_core::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Beyond this a time-out is as good as none.
const NEVER: Duration = Duration::from_secs(30 * 366 * 24 * 3_600);

/// The deadline of a time-out, which may be all the time there is.
pub(super) fn after(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(NEVER)
}

/// What a drain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// What is left to tell. Watched results are not pending, and are not delivered either.
    pub left: Left,
}

impl Drained {
    /// Whether nothing is pending.
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.left.pending == 0
    }

    /// Whether nothing at all is undelivered, watched results included.
    #[must_use]
    pub const fn is_all_told(&self) -> bool {
        self.left.pending == 0 && self.left.watched == 0
    }
}

/// What a disposal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposed {
    /// Bodies that are not gone: they go on, and nobody waits for them.
    pub bodies_left: usize,
    /// The ids of those jobs.
    pub left_ids: Vec<Id>,
    /// Results that were not told; each was handed to `on_undelivered`.
    pub undelivered: usize,
}

impl Disposed {
    /// Whether every body is gone and every result was told.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.bodies_left == 0 && self.undelivered == 0
    }
}

/// What reaping came to.
pub struct Reaped {
    lives: Vec<Arc<Life>>,
}

impl fmt::Debug for Reaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaped").field("left", &self.left()).finish()
    }
}

impl Reaped {
    pub(super) async fn wait(lives: Vec<Arc<Life>>, timeout: Duration) -> Self {
        let all = join_all(lives.iter().map(|life| life.until_gone()));
        // Whether the time was over shows in what is left.
        let _over = tokio::time::timeout(timeout, all).await;
        Self { lives }
    }

    /// Whether every body is gone.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.lives.iter().all(|life| life.is_gone())
    }

    /// The jobs whose bodies are not gone.
    #[must_use]
    pub fn left(&self) -> Vec<Id> {
        let left = self.lives.iter().filter(|life| !life.is_gone());
        left.map(|life| life.id.clone()).collect()
    }

    /// Waits, for as long as it takes, until every body is gone.
    pub async fn all_gone(&self) {
        join_all(self.lives.iter().map(|life| life.until_gone())).await;
    }
}

impl Jobs {
    /// Waits until nothing is pending in `scope`, at most for `timeout`. Ends early when nothing can
    /// change before: what is left is tried again later only, or has no sink. Nothing is lost.
    pub async fn drain(&self, timeout: Duration, scope: impl Into<Scope>) -> Drained {
        let (deadline, scope) = (after(timeout), scope.into());
        if let Some(durable) = &self.durable {
            return durable.drain(deadline, &scope).await;
        }
        self.drain_until(deadline, &scope.to_core()).await
    }

    async fn drain_until(&self, deadline: Instant, scope: &CoreScope) -> Drained {
        let clock = self.shared.clock;
        let is_in_time = |at: Timestamp| clock.instant_of(at) <= deadline;
        let look = |state: &State| state.roster.left(scope);
        let settled = self.shared.until(|state| {
            let left = look(state);
            let is_moving = left.delivering > 0 || left.next_try_at.is_some_and(is_in_time);
            (left.pending == 0 || !is_moving).then_some(left)
        });
        match timeout_at(deadline, settled).await {
            Ok(left) => Drained { left },
            Err(_) => Drained { left: self.shared.look(look) },
        }
    }

    /// Ends everything within `budget`: registers nothing any more, cancels all jobs with
    /// [`Stop::Shutdown`], waits for bodies, and spends the rest of the time on telling. What could
    /// not be told goes to [`super::Options::on_undelivered`]. Whoever asks meanwhile or later gets
    /// the same answer.
    ///
    /// In the durable mode nothing is cancelled: a body that returns with an error because of
    /// [`Stop::Shutdown`] is run again by the next process if its kind says so, and `lost` if not, as
    /// is one that does not return. What could not be told waits in the home.
    pub async fn dispose(&self, budget: Duration) -> Disposed {
        if let Some(durable) = &self.durable {
            return durable.dispose(budget).await;
        }
        self.shared.disposed.get_or_init(|| self.dispose_once(budget)).await.clone()
    }

    async fn dispose_once(&self, budget: Duration) -> Disposed {
        let deadline = after(budget);
        self.shared.act(|state, now| {
            state.roster.close();
            state.roster.cancel_all(&CoreScope::All, &Stop::Shutdown, now);
        });
        let all_gone = self.shared.until(|state| (state.roster.totals().alive == 0).then_some(()));
        // Whether the time was over shows in what is alive.
        let _over = timeout_at(deadline, all_gone).await;
        self.drain_until(deadline, &CoreScope::All).await;
        let (letters, left_ids) = self.shared.act(|state, now| {
            let letters = state.roster.take_undelivered(now);
            let keys = state.roster.alive(&CoreScope::All);
            let alive = keys.into_iter().filter_map(|key| state.roster.look(key));
            (letters, alive.map(|job| job.id).collect::<Vec<Id>>())
        });
        let undelivered = letters.len();
        for letter in letters {
            self.shared.undelivered(letter);
        }
        Disposed { bodies_left: left_ids.len(), left_ids, undelivered }
    }
}
