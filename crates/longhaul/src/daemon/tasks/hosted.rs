//! Attempts of hosted agents' bodies. Their jobs come in numbers and are often over at once, so they
//! are run at less cost than others: the row comes with the step that gave them their slot, the body
//! begins when that step is committed, and where it is over before it first waits, its start, what it
//! told and its end are one commit.
//!
//! So a job that is *starting* may have begun. Only what this process was handed by the step that placed
//! it is begun here; what it finds starting otherwise was placed by an earlier one, and is lost with it.

use super::driver::Found;
use super::registry::Stage;
use super::{Returned, Run, StopCause, Tasks};
use futures_util::FutureExt;
use longhaul_core::command::{Command, Exit, How, StoppedBy};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::task::TaskResult;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How long a body that was ended by force may hold its thread before its job is over without it.
const ORPHAN_AFTER: Duration = Duration::from_secs(1);

/// Jobs that were given their slot and have not been taken up, as their rows are. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Placed {
    rows: Arc<Mutex<BTreeMap<JobId, Job>>>,
}

impl Placed {
    /// Keeps rows until their wants are taken up, which follow.
    pub(in crate::daemon) fn put(&self, rows: Vec<Job>) {
        if rows.is_empty() {
            return;
        }
        let mut kept = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    }

    /// The row, if its job was placed by a step of this process.
    pub(super) fn take(&self, job: &JobId) -> Option<Job> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(job)
    }
}

impl Tasks {
    /// Runs one attempt, from its slot to the commit of its end.
    pub(super) async fn host(&self, row: Job, attempt: u32) {
        let job = row.id.clone();
        let Some(found) = self.find(&row) else {
            let kind = row.spec.command.first().cloned().unwrap_or_default();
            let because = format!("no process here runs tasks of kind `{kind}`");
            self.report(super::driver::never(job.clone(), attempt, Some(because), self.now()));
            return self.leave(&job, attempt);
        };
        let Some(run) = self.begin(&row, attempt) else { return };
        let Some(voice) = run.voice.clone() else { return };
        let token = run.token.clone();
        let (at, pid) = (self.now(), std::process::id());
        let mut first = vec![Command::Started { job: job.clone(), attempt, at, pid }];
        let mut work = Box::pin(caught(found, run));
        let returned = match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            Poll::Ready(returned) => returned,
            Poll::Pending => {
                self.shared.engine.report(std::mem::take(&mut first));
                voice.open();
                tokio::select! {
                    biased;
                    returned = &mut work => returned,
                    () = token.ended() => Returned {
                        error: Some("it went on after it was asked to end".to_owned()),
                        result: None,
                    },
                }
            }
        };
        // What a body holds on to is let go of before its job is over.
        drop(work);
        first.extend(voice.close().await);
        self.over(&job, attempt, returned, first);
        self.conclude(&job, attempt).await;
    }

    /// A start that was reported may have been lost; one that was not is reported with the end.
    pub(super) fn start_again(&self, job: &JobId, attempt: u32) {
        let runs = self.registry().entry(job, attempt).map(|entry| entry.stage == Stage::Runs);
        match runs {
            Some(true) => {
                let (at, pid) = (self.now(), std::process::id());
                self.report(Command::Started { job: job.clone(), attempt, at, pid });
            }
            Some(false) => {
                self.say_again(job, attempt);
            }
            None => self.report(super::driver::gone(job.clone(), attempt, self.now())),
        }
    }

    /// Ends a body by force: at its next wait it is dropped. One that does not wait is left to itself.
    pub(super) async fn end_body(&self, job: &JobId, attempt: u32, cause: StopCause) {
        let token = self.registry().entry(job, attempt).map(|entry| entry.token.clone());
        let Some(token) = token else { return };
        token.stop(cause);
        token.end();
        tokio::time::sleep(ORPHAN_AFTER).await;
        {
            let mut registry = self.registry();
            let Some(entry) = registry.entry(job, attempt) else { return };
            if entry.stage != Stage::Runs {
                return;
            }
            tracing::warn!(%job, "its body cannot be ended; what it comes to is thrown away");
            let how = How::Lost("its body could not be ended".to_owned());
            let exit = Exit::bare(how, Some(StoppedBy::Asked), self.now());
            entry.stage = Stage::Over(Box::new(exit));
        }
        self.conclude(job, attempt).await;
    }
}

/// Runs a body. What it panics with is for the log, not for those who asked for the job.
async fn caught(found: Found, run: Run) -> Returned {
    let job = run.job.clone();
    let work = AssertUnwindSafe(super::driver::call(found, run)).catch_unwind();
    match work.await {
        Ok(returned) => returned,
        Err(panic) => {
            tracing::error!(%job, panic = super::driver::panicked(&*panic), "a hosted agent");
            let error = Some("the agent panicked".to_owned());
            Returned { error, result: None::<TaskResult> }
        }
    }
}
