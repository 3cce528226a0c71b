//! Runs bodies, each as a task of its own, and reports how each ended, whatever it did.

use super::body::{self, BodyResult, Context};
use super::core_loop::Shared;
use super::handle::Life;
use futures_util::FutureExt;
use longhaul_core::roster::Report;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Runs one attempt. Nothing of the body happens before this returns on a runtime with one thread.
pub(super) fn run<F, Fut>(shared: &Arc<Shared>, life: Arc<Life>, attempt: u32, body: F)
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = BodyResult> + Send + 'static,
{
    let running = Running { shared: shared.clone(), life: life.clone(), attempt, report: None };
    let context = Context { shared: shared.clone(), life, attempt, durable: None };
    // The task is not detached from us: whatever ends it, `Running` reports.
    shared.runtime.spawn(async move {
        let mut running = running;
        // Also what a body does before its first await may panic.
        let work = AssertUnwindSafe(async move { body(context).await }).catch_unwind();
        running.report = Some(match work.await {
            Ok(result) => body::report(result),
            Err(panic) => Report::Failed { error: panicked(&*panic), output: None },
        });
    });
}

/// Runs the next attempt of a body that can.
pub(super) fn run_again(shared: &Arc<Shared>, life: Arc<Life>, attempt: u32) {
    let again = life.again.clone().expect("only kinds may be retried");
    run(shared, life, attempt, move |context| again(context));
}

/// What a panic said.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", words.unwrap_or("without words"))
}

/// An attempt under way. Dropped without a report, as when its runtime goes down, it says so.
struct Running {
    shared: Arc<Shared>,
    life: Arc<Life>,
    attempt: u32,
    report: Option<Report>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let report = self.report.take().unwrap_or(Report::Dropped);
        let key = self.life.key;
        let was_orphan = self.shared.act_on_slots(|state, now| {
            let was_orphan = state.roster.is_judged(key);
            state.roster.ended(key, self.attempt, report, now);
            if was_orphan {
                state.leave(key);
            }
            was_orphan
        });
        if was_orphan {
            self.life.gone();
        }
    }
}
