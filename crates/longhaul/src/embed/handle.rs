//! One job, in the hands of whoever registered it.

use super::core_loop::Shared;
use super::durable::Durable;
use super::spec::OnProgress;
use super::token::CancelToken;
use super::{Context, Owner};
use futures_util::future::BoxFuture;
use longhaul_core::id::JobId;
use longhaul_core::roster::{Id, Key, Snapshot, Stop, Verdict};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// A body that can run again.
pub(super) type Again = Arc<dyn Fn(Context) -> BoxFuture<'static, super::BodyResult> + Send + Sync>;

/// What a job, its body and its handles share. The table below lets go of it when both the verdict
/// has fallen and the body is gone.
pub(super) struct Life {
    pub(super) key: Key,
    pub(super) id: Id,
    pub(super) owner: Owner,
    pub(super) token: CancelToken,
    pub(super) admitted: Notify,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) again: Option<Again>,
    verdict: OnceLock<Verdict>,
    is_gone: AtomicBool,
    changed: Notify,
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Life {
    pub(super) fn new(
        key: Key,
        id: Id,
        owner: Owner,
        rest: (Option<OnProgress>, Option<Again>),
    ) -> Self {
        Self {
            key,
            id,
            owner,
            token: CancelToken::default(),
            admitted: Notify::new(),
            on_progress: rest.0,
            again: rest.1,
            verdict: OnceLock::new(),
            is_gone: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// The verdict fell.
    pub(super) fn judged(&self, verdict: Verdict) {
        if self.verdict.set(verdict).is_ok() {
            self.changed.notify_waiters();
        }
    }

    /// No body of it is left, and none will be run.
    pub(super) fn gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(super) fn judgement(&self) -> Option<&Verdict> {
        self.verdict.get()
    }

    pub(super) async fn verdict(&self) -> &Verdict {
        self.until(Self::judgement).await
    }

    pub(super) async fn until_gone(&self) {
        self.until(|life| life.is_gone().then_some(())).await;
    }

    async fn until<'a, T>(&'a self, look: impl Fn(&'a Self) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(self) {
                return found;
            }
            changed.await;
        }
    }
}

/// One job, whether or not its owner may see it. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct JobHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) life: Arc<Life>,
    pub(super) durable: Option<(Arc<Durable>, JobId)>,
}

impl JobHandle {
    /// The id it got.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.life.id
    }

    /// Waits for the verdict. The owner's sink has been called by then, if it had room; waiting
    /// does not count as fetching, so the owner is told all the same. The verdict on a body that
    /// ignores its cancellation falls after a bounded time, as that of an orphan. In the durable mode
    /// a disposal leaves jobs without a verdict to the next process: this waits for ever then.
    pub async fn wait(&self) -> Verdict {
        self.life.verdict().await.clone()
    }

    /// Waits until no body of it is left, also after the verdict on an orphan.
    pub async fn gone(&self) {
        self.life.until_gone().await;
    }

    /// Cancels it. False if it is stopping or over.
    pub fn cancel(&self, reason: impl AsRef<str>) -> bool {
        if let Some((durable, job)) = &self.durable {
            return durable.cancel(job, reason.as_ref());
        }
        let stop = Stop::Asked(Arc::from(reason.as_ref()));
        self.shared.act(|state, now| state.roster.stop(self.life.key, stop, now))
    }

    /// Makes a foreground job an ordinary one: listed, and told if it has ended. False if it is no
    /// longer hidden.
    pub fn promote(&self) -> bool {
        self.shared.act(|state, now| state.roster.promote(self.life.key, now))
    }

    /// Lets go of a foreground job for good: never listed, never told. False if it is no longer
    /// hidden.
    pub fn release(&self) -> bool {
        self.shared.act(|state, _| state.roster.release(self.life.key))
    }

    /// What is known of it; none once it is forgotten.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        if let Some((durable, job)) = &self.durable {
            return durable.look_at(job);
        }
        self.shared.look(|state| state.roster.look(self.life.key))
    }
}
