//! Runs the bodies of both modes alike: they get the same context and give back the same.

use super::Durable;
use super::asked::{KindBody, OnceBody};
use crate::daemon::{Body, Closure, Returned, Run, StopCause};
use crate::embed::handle::Life;
use crate::embed::{BodyResult, Context, Jobs, Owner, body};
use futures_util::FutureExt;
use longhaul_core::roster::{Id, Key, Output, Report, Stop};
use longhaul_core::task::TaskResult;
use std::future::Future;
use std::sync::{Arc, Weak};

impl Durable {
    /// A body of a kind, as the driver of tasks runs it.
    pub(super) fn of_kind(self: &Arc<Self>, jobs: &Jobs, body: KindBody) -> Body {
        let (durable, shared) = (Arc::downgrade(self), Arc::downgrade(&jobs.shared));
        Arc::new(move |run| {
            let (durable, shared, body) = (durable.clone(), shared.clone(), body.clone());
            async move {
                let (Some(durable), Some(shared)) = (durable.upgrade(), shared.upgrade()) else {
                    return ended();
                };
                let jobs = Jobs { shared, durable: Some(durable.clone()) };
                let input = serde_json::from_str(&run.input).unwrap_or_default();
                let context = durable.context(&jobs, &run);
                drop(durable);
                with_token(run, context.life.clone(), body(context, input)).await
            }
            .boxed()
        })
    }

    /// A closure, as the driver of tasks runs it.
    pub(super) fn once(self: &Arc<Self>, jobs: &Jobs, body: OnceBody) -> Closure {
        let (durable, shared): (Weak<Self>, _) =
            (Arc::downgrade(self), Arc::downgrade(&jobs.shared));
        Box::new(move |run| {
            async move {
                let (Some(durable), Some(shared)) = (durable.upgrade(), shared.upgrade()) else {
                    return ended();
                };
                let jobs = Jobs { shared, durable: Some(durable.clone()) };
                let context = durable.context(&jobs, &run);
                drop(durable);
                with_token(run, context.life.clone(), body(context)).await
            }
            .boxed()
        })
    }

    fn context(self: &Arc<Self>, jobs: &Jobs, run: &Run) -> Context {
        let known = self.state().lives.get(&run.job).cloned();
        // Of a job that an earlier process registered nobody here has one.
        let life = known.unwrap_or_else(|| {
            let id = Id::parse(run.name.as_deref().unwrap_or(run.job.as_str()));
            let owner = run.owner.as_deref().filter(|owner| *owner != super::NOBODY);
            let life = Life::new(Key::nobody(), id, Owner::from(owner), (None, None));
            self.enter(&mut self.state(), run.job.clone(), Arc::new(life))
        });
        let durable = Some((self.clone(), run.clone()));
        Context { shared: jobs.shared.clone(), life, attempt: run.attempt, durable }
    }
}

/// Runs a body while its token is told what the driver's is told.
async fn with_token(run: Run, life: Arc<Life>, work: impl Future<Output = BodyResult>) -> Returned {
    // A task of its own: a body that never yields can still ask whether it shall stop.
    let telling = tokio::spawn(async move {
        let stop = match run.token.stopped().await {
            StopCause::Asked(reason) => Stop::Asked(Arc::from(reason.unwrap_or_default())),
            StopCause::Timeout => Stop::Timeout,
            StopCause::Shutdown => Stop::Shutdown,
        };
        life.token.cancel(stop);
    });
    let telling = AbortOnDrop(telling.abort_handle());
    let result = work.await;
    drop(telling);
    match body::report(result) {
        Report::Returned(output) => Returned { error: None, result: Some(kept(output)) },
        Report::Failed { error, output } => {
            Returned { error: Some(error), result: output.map(kept) }
        }
        Report::Dropped => ended(),
    }
}

/// A body that panics leaves nobody behind who waits for its token.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn kept(output: Output) -> TaskResult {
    TaskResult {
        text: output.text,
        structured: output.structured.map(|value| value.to_string()),
        is_cut: output.is_cut,
        failure: None,
    }
}

/// The program lets go of its jobs before this one began.
fn ended() -> Returned {
    Returned { error: Some("the program ended".to_owned()), result: None }
}
