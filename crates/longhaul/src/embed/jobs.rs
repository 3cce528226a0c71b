//! The handle to all jobs of a program.

use super::body::{BodyResult, Context};
use super::core_loop::{Shared, State};
use super::durable::Durable;
use super::handle::{Again, JobHandle, Life};
use super::options::Options;
use super::refused::Refused;
use super::sinks::{Guarded, Line, Notice, Sink, SinkFailure, SinkGuard};
use super::spec::{Owner, Scope, Spec};
use super::{runner, timer};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use longhaul_core::delivery::Settled;
use longhaul_core::roster::{DeadLetter, Id, Left, Snapshot, Stop, Totals};
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::Handle;

/// All jobs of a program. Cheap to clone; clones are one.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub(super) shared: Arc<Shared>,
    pub(super) durable: Option<Arc<Durable>>,
}

/// A body by kind: given the input, it can run again and again.
#[derive(Clone)]
pub(super) struct Kind(Arc<dyn Fn(Context, Value) -> BoxFuture<'static, BodyResult> + Send + Sync>);

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").finish_non_exhaustive()
    }
}

impl Jobs {
    /// Jobs in memory: no daemon, no files. Must be called inside a tokio runtime with its timer
    /// enabled, on which bodies and sinks then run.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn ephemeral(options: Options) -> Self {
        let shared = Arc::new(Shared::new(options, Handle::current()));
        shared.own_timer(timer::start(&shared));
        Self { shared, durable: None }
    }

    /// Makes a kind of body known. A later one of the same name takes its place for jobs that are
    /// started after it.
    pub fn kind<F, Fut>(&self, name: impl AsRef<str>, body: F)
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BodyResult> + Send + 'static,
    {
        self.kind_rerun(name, 0, body);
    }

    /// The same for bodies that may be begun twice: in the durable mode a job of this kind that was
    /// lost with its process is run again, at most so often. In the ephemeral mode nothing is left
    /// to run again.
    pub fn kind_rerun<F, Fut>(&self, name: impl AsRef<str>, reruns: u32, body: F)
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BodyResult> + Send + 'static,
    {
        let body = Arc::new(body);
        let kind = Kind(Arc::new(move |context, input| {
            let body = body.clone();
            // The body itself is called inside, where its panics are caught.
            async move { body(context, input).await }.boxed()
        }));
        if let Some(durable) = &self.durable {
            return durable.kind(self, name.as_ref(), reruns, kind.0);
        }
        self.shared.act(|state, _| state.kinds.insert(Arc::from(name.as_ref()), kind));
    }

    /// Registers a job whose body is a closure. When this returns the job is there, has its id and,
    /// unless it is queued, its slot; the body runs as a task of its own.
    ///
    /// # Errors
    /// [`Refused`]: nothing was registered, and the body is dropped.
    pub fn register<F, Fut>(&self, spec: Spec, body: F) -> Result<JobHandle, Refused>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = BodyResult> + Send + 'static,
    {
        if spec.retry.is_some_and(|retry| retry.times > 0) {
            return Err(Refused::RetryNeedsKind);
        }
        if let Some(durable) = &self.durable {
            let body = Box::new(move |context| async move { body(context).await }.boxed());
            return durable.register(self, spec, body);
        }
        let life = self.shared.act_on_slots(|state, now| enter(state, &spec, None, now))?;
        runner::run(&self.shared, life.clone(), 1, body);
        Ok(JobHandle { shared: self.shared.clone(), life, durable: None })
    }

    /// Registers a job whose body is of a kind, with its input.
    ///
    /// # Errors
    /// As for [`Self::register`], or there is no such kind.
    pub fn start(&self, spec: Spec, kind: &str, input: Value) -> Result<JobHandle, Refused> {
        if let Some(durable) = &self.durable {
            return durable.start(self, spec, kind, &input);
        }
        let life = self.shared.act_on_slots(|state, now| {
            let known = state.kinds.get_key_value(kind);
            let known = known.map(|(name, kind)| (name.clone(), kind.clone()));
            let (name, Kind(body)) = known.ok_or_else(|| Refused::UnknownKind(kind.to_owned()))?;
            let again: Again = Arc::new(move |context| body(context, input.clone()));
            enter(state, &spec, Some((name, again)), now)
        })?;
        runner::run_again(&self.shared, life.clone(), 1);
        Ok(JobHandle { shared: self.shared.clone(), life, durable: None })
    }

    /// The job of this owner; none if it is another's, hidden or forgotten. Looking settles nothing.
    #[must_use]
    pub fn get(&self, owner: impl Into<Owner>, id: &str) -> Option<Snapshot> {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.get(&owner, id);
        }
        let id = Id::parse(id);
        self.shared.look(|state| state.roster.get(&owner.0, &id))
    }

    /// The jobs in `scope` that are not hidden, newest first. Looking settles nothing.
    #[must_use]
    pub fn list(&self, scope: impl Into<Scope>) -> Vec<Snapshot> {
        let scope = scope.into();
        if let Some(durable) = &self.durable {
            return durable.list(&scope);
        }
        let scope = scope.to_core();
        self.shared.look(|state| state.roster.list(&scope))
    }

    /// Cancels a job of this owner. False if there is none, or it is stopping or over.
    ///
    /// A job whose body has begun is `stopping` until the body is gone, and keeps its slot so long.
    pub fn cancel(&self, owner: impl Into<Owner>, id: &str, reason: impl AsRef<str>) -> bool {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.cancel_found(&owner, id, reason.as_ref());
        }
        let (id, stop) = (Id::parse(id), asked(reason.as_ref()));
        self.shared.act(|state, now| state.roster.cancel(&owner.0, &id, stop, now))
    }

    /// Cancels all jobs in `scope`, hidden ones too. Gives how many.
    pub fn cancel_all(&self, scope: impl Into<Scope>, reason: impl AsRef<str>) -> usize {
        let scope = scope.into();
        if let Some(durable) = &self.durable {
            return durable.cancel_all(&scope, reason.as_ref());
        }
        let (scope, stop) = (scope.to_core(), asked(reason.as_ref()));
        self.shared.act(|state, now| state.roster.cancel_all(&scope, &stop, now).len())
    }

    /// The owner knows of these ends: they are not told, or not again. Gives how many were about to
    /// be told. The end of a job that has not ended yet is told as ever.
    pub fn acknowledge(&self, owner: impl Into<Owner>, ids: &[&str]) -> usize {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.settle(&owner, ids, Settled::Acked);
        }
        self.shared.act(|state, _| state.roster.acknowledge(&owner.0, ids.iter().copied()))
    }

    /// The owner has these results: they are not told, and go out of sight sooner. Gives how many
    /// nobody had before.
    pub fn consume(&self, owner: impl Into<Owner>, ids: &[&str]) -> usize {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.settle(&owner, ids, Settled::Shown);
        }
        self.shared.act(|state, now| state.roster.consume(&owner.0, ids.iter().copied(), now))
    }

    /// Gives an owner its sink, which gets the backlog at once. The last sink given counts; with
    /// none, results wait until they are dead letters, and never go to anybody else.
    ///
    /// The sink is called in the order in which results are owed and should return soon: up to its
    /// first await it holds up others of the same owner. Results that must be handed on one by one
    /// want a channel behind it.
    pub fn sink<F, Fut>(&self, owner: impl Into<Owner>, sink: F) -> SinkGuard
    where
        F: Fn(Notice) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), SinkFailure>> + Send + 'static,
    {
        let owner = owner.into();
        let sink: Sink = Box::new(move |notice| sink(notice).boxed());
        if let Some(durable) = &self.durable {
            return durable.sink(&owner, sink);
        }
        let (owner, line) = (owner.0, Arc::new(Line::new(sink)));
        // What the one before captured is let go of without the lock: it may come back in.
        let (key, _before) = self.shared.act(|state, now| {
            let change = state.roster.add_sink(&owner, now);
            let before = change.replaced.and_then(|replaced| state.sinks.remove(&replaced));
            state.sinks.insert(change.added, line);
            (change.added, before)
        });
        SinkGuard(Guarded::Ephemeral { shared: Arc::downgrade(&self.shared), owner, key })
    }

    /// An owner begins anew, as with a new session under the old name: its jobs are cancelled and
    /// gone from sight, their ids are free, and nothing of them is told any more. A try that is
    /// under way is dropped at its next await. Gives how many bodies are left to end.
    pub fn begin_anew(&self, owner: impl Into<Owner>) -> usize {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.begin_anew(&owner);
        }
        self.shared.act(|state, now| state.roster.supersede(&owner.0, now))
    }

    /// What is left to tell, and when something happens about it.
    #[must_use]
    pub fn delivery_state(&self, scope: impl Into<Scope>) -> Left {
        let scope = scope.into();
        if let Some(durable) = &self.durable {
            return durable.delivery_state(&scope);
        }
        let scope = scope.to_core();
        self.shared.look(|state| state.roster.left(&scope))
    }

    /// Results of this owner that could not be told, oldest first; at most 100 are kept.
    #[must_use]
    pub fn dead_letters(&self, owner: impl Into<Owner>) -> Vec<DeadLetter> {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.dead_letters(&owner);
        }
        self.shared.look(|state| state.roster.dead_letters(&owner.0))
    }

    /// The same, and they are kept no longer; in the durable mode they stay with their jobs.
    pub fn take_dead_letters(&self, owner: impl Into<Owner>) -> Vec<DeadLetter> {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.dead_letters(&owner);
        }
        self.shared.act(|state, _| state.roster.take_dead_letters(&owner.0))
    }

    /// Everything in numbers.
    #[must_use]
    pub fn totals(&self) -> Totals {
        if let Some(durable) = &self.durable {
            return durable.totals();
        }
        self.shared.look(|state| state.roster.totals())
    }

    /// Jobs whose bodies ignored their cancellation for too long and have not ended.
    #[must_use]
    pub fn orphans(&self) -> Vec<Snapshot> {
        if let Some(durable) = &self.durable {
            return durable.orphans();
        }
        self.shared.look(|state| state.roster.orphans())
    }

    /// Asks [`super::Slots::read`] again, for those who wait for a slot.
    pub fn slots_changed(&self) {
        if let Some(durable) = &self.durable {
            if let Err(error) = durable.set_slots() {
                tracing::error!(%error, "the home did not take its new slots");
            }
            return;
        }
        self.shared.act_on_slots(|_, _| ());
    }
}

fn asked(reason: &str) -> Stop {
    Stop::Asked(Arc::from(reason))
}

/// Puts a job into the machine and its life beside it, in one. The caller keeps what was asked, so
/// that what a refused listener captured is let go of without the lock.
fn enter(
    state: &mut State,
    spec: &Spec,
    body: Option<(Arc<str>, Again)>,
    now: longhaul_core::time::Timestamp,
) -> Result<Arc<Life>, Refused> {
    let (kind, again) = body.unzip();
    let (key, id) = state.roster.register(&spec.owner.0, spec.ask(kind), now)?;
    let rest = (spec.on_progress.clone(), again);
    let life = Arc::new(Life::new(key, id, spec.owner.clone(), rest));
    state.enter(life.clone());
    Ok(life)
}
