//! What a body is given and gives back.

use super::core_loop::Shared;
use super::durable::Durable;
use super::handle::Life;
use super::token::{CancelToken, Cancelled};
use super::{Jobs, Owner};
use crate::daemon::Run;
use longhaul_core::roster::{Admission, Id, Output, Report, Stop};
use serde_json::Value;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a body returns: text, a JSON value or nothing, turned into an [`Output`]; or a [`Failure`].
pub type BodyResult = Result<Output, Failure>;

/// Why a body failed. Made from any error by `?`.
#[derive(Debug)]
pub struct Failure {
    error: String,
    output: Option<Output>,
}

impl Failure {
    /// A failure in words.
    pub fn new(error: impl fmt::Display) -> Self {
        Self { error: error.to_string(), output: None }
    }

    /// With what there is all the same.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<Output>) -> Self {
        self.output = Some(output.into());
        self
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        Self { error: words, output: None }
    }
}

pub(super) fn report(result: BodyResult) -> Report {
    match result {
        Ok(output) => Report::Returned(output),
        Err(Failure { error, output }) => Report::Failed { error, output },
    }
}

/// What a running body knows of its job.
#[derive(Clone, Debug)]
pub struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) life: Arc<Life>,
    pub(super) attempt: u32,
    pub(super) durable: Option<(Arc<Durable>, Run)>,
}

impl Context {
    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.life.id
    }

    /// Whose job it is.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.life.owner
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// All jobs, to register or ask for more.
    #[must_use]
    pub fn jobs(&self) -> Jobs {
        let durable = self.durable.as_ref().map(|(durable, _)| durable.clone());
        Jobs { shared: self.shared.clone(), durable }
    }

    /// What says that the body shall stop. Cancelling is cooperative: a body that does not look is
    /// not stopped, and keeps its slot.
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        &self.life.token
    }

    /// Whether the body shall stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.life.token.is_cancelled()
    }

    /// Waits until the body shall stop.
    pub async fn cancelled(&self) -> Stop {
        self.life.token.cancelled().await
    }

    /// Says how far it is. Only the last details are kept, at most 16 KiB of them, and listeners
    /// hear of it ten times a second at most: say it as often as you like.
    pub fn progress(&self, details: impl Into<Value>) {
        let (key, details) = (self.life.key, details.into());
        let listener = self.life.on_progress.as_ref();
        let heard = listener.map(|_| details.clone());
        let is_time = match &self.durable {
            Some((_, run)) => run.progress(details),
            None => self
                .shared
                .act(|state, now| state.roster.progressed(key, self.attempt, details, now)),
        };
        if let (true, Some(listener), Some(details)) = (is_time, listener, heard) {
            // Its panic was printed by the panic hook, and is no business of the body's.
            let _panicked = catch_unwind(AssertUnwindSafe(|| listener(&details)));
        }
    }

    /// Takes a slot, after waiting for one in turn with all others; for jobs registered as
    /// [`super::Spec::queued`]. Others have theirs already.
    ///
    /// # Errors
    /// The job was cancelled instead: return.
    pub async fn mark_running(&self) -> Result<(), Cancelled> {
        if self.durable.is_some() {
            // A durable body has its slot before it begins.
            return self.token().reason().map_or(Ok(()), |stop| Err(Cancelled(stop)));
        }
        let (key, attempt) = (self.life.key, self.attempt);
        let asked =
            self.shared.act_on_slots(|state, now| state.roster.mark_running(key, attempt, now));
        match asked {
            Admission::Admitted => Ok(()),
            Admission::Over => Err(self.over().await),
            Admission::Waits => tokio::select! {
                biased;
                over = self.over() => Err(over),
                () = self.life.admitted.notified() => {
                    // For whoever else of this body waits: it is one slot for all of them.
                    self.life.admitted.notify_one();
                    Ok(())
                }
            },
        }
    }

    /// Waits until the body is to stop, or the job is over: a clone may outlive its body.
    async fn over(&self) -> Cancelled {
        tokio::select! {
            biased;
            stop = self.cancelled() => Cancelled(stop),
            () = self.life.until_gone() => Cancelled(Stop::Asked(Arc::from("the job is over"))),
        }
    }
}
