//! The driver of tasks: async functions of the program that this daemon runs in. A plain daemon has
//! none, and only says of tasks that an earlier process ran that they are lost.
//!
//! A body runs only once its start is committed, and what it came to is kept until that is committed
//! too. So a task that a process finds *starting* never began, and one that it finds *running*
//! without running it is over: its process is gone. Bodies of hosted agents are run at less cost, and
//! what is told of them is worth less: see [`hosted`].

mod driver;
mod hosted;
mod registry;
mod token;
mod voice;

pub(super) use driver::TaskDriver;
pub(super) use hosted::Placed;
pub use token::{StopCause, TaskToken};
pub use voice::Voice;

use self::registry::{Entry, Registry, Stage};
use super::handle::{AskError, EngineHandle};
use super::readers::Readers;
use crate::clock::Clock;
use futures_util::future::BoxFuture;
use longhaul_core::command::Command;
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;
use longhaul_core::limits;
use longhaul_core::task::TaskResult;
use longhaul_core::time::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The kind of bodies that exist once, in this process alone. Every process that runs tasks runs it,
/// to say of those that came before it that they are lost.
pub const CLOSURE: &str = "(closure)";
/// Reports of progress go into the journal at most this often, in milliseconds.
const PROGRESS_EVERY_MS: u64 = 100;

/// A body that can run again.
pub type Body = Arc<dyn Fn(Run) -> BoxFuture<'static, Returned> + Send + Sync>;
/// A body that runs once.
pub type Closure = Box<dyn FnOnce(Run) -> BoxFuture<'static, Returned> + Send>;

/// What a body came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// What it gave back.
    pub result: Option<TaskResult>,
}

/// What a body is given.
#[derive(Clone)]
pub struct Run {
    /// Its job.
    pub job: JobId,
    /// What people call the job, if it has a name.
    pub name: Option<String>,
    /// Which attempt.
    pub attempt: u32,
    /// Whose job it is.
    pub owner: Option<String>,
    /// What it was asked to work on, as JSON text.
    pub input: String,
    /// Says that it shall stop.
    pub token: TaskToken,
    /// What was asked for, if it is a hosted agent's.
    pub hosted: Option<Box<Hosted>>,
    /// Where its events go, if it is a hosted agent's.
    pub voice: Option<Voice>,
    tasks: Tasks,
}

/// Bodies that can be run, and those that are. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Mutex<Registry>,
    /// A body is gone, and that is committed.
    gone: Notify,
    engine: EngineHandle,
    readers: Readers,
    clock: Clock,
    placed: Placed,
}

impl Tasks {
    pub(super) fn new(
        engine: EngineHandle,
        readers: Readers,
        clock: Clock,
        placed: Placed,
    ) -> Self {
        let (registry, gone) = (Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { registry, gone, engine, readers, clock, placed }) }
    }

    /// What rows are read with.
    pub(super) fn readers(&self) -> &Readers {
        &self.shared.readers
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is one entry, so a panic elsewhere leaves it whole.
        self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a kind known: tasks of it, also those that wait since before, are run here from now on.
    ///
    /// # Errors
    /// What the engine says to it: the name cannot be one, or there are too many.
    pub fn kind(&self, kind: &str, body: Body) -> Result<(), AskError> {
        // Before the engine knows: it may start one at once.
        let before = self.registry().kinds.insert(kind.to_owned(), body);
        let asked = self.shared.engine.ask_blocking(Command::KindUp { kind: kind.to_owned() });
        if asked.is_err() && before.is_none() {
            self.registry().kinds.remove(kind);
        }
        asked.map(|_| ())
    }

    /// Says that closures are run here, and that those of earlier processes are lost.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn closures(&self) -> Result<(), AskError> {
        let asked = self.shared.engine.ask(Command::KindUp { kind: CLOSURE.to_owned() }).await;
        asked.map(|_| ())
    }

    /// Keeps the body of a job that is submitted next.
    pub fn keep(&self, job: JobId, closure: Closure) {
        self.registry().closures.insert(job, closure);
    }

    /// Lets go of the body of a job that will not begin any more.
    pub fn drop_closure(&self, job: &JobId) {
        // What it captured is let go of without the lock: it may ask for something.
        let _closure = self.registry().closures.remove(job);
    }

    /// Whether a kind was made known.
    #[must_use]
    pub fn runs(&self, kind: &str) -> bool {
        self.registry().kinds.contains_key(kind)
    }

    /// The last details that a running body reported.
    #[must_use]
    pub fn details(&self, job: &JobId) -> Option<Value> {
        self.registry().running.get(job)?.details.clone()
    }

    /// Jobs whose bodies have not returned.
    #[must_use]
    pub fn alive(&self) -> Vec<JobId> {
        let registry = self.registry();
        let alive = registry.running.iter().filter(|(_, entry)| entry.stage == Stage::Runs);
        alive.map(|(job, _)| job.clone()).collect()
    }

    /// Begins no body any more, and says to those that run that the program ends. A body that then
    /// returns with an error was interrupted: its task is lost with this process, or run again by
    /// the next, as its kind says.
    pub fn end(&self) {
        let mut registry = self.registry();
        registry.is_ending = true;
        let tokens: Vec<_> = registry.running.values().map(|entry| entry.token.clone()).collect();
        drop(registry);
        for token in tokens {
            token.stop(StopCause::Shutdown);
        }
    }

    fn is_ending(&self) -> bool {
        self.registry().is_ending
    }

    /// Waits until no body runs and all that they came to is committed.
    pub async fn all_gone(&self) {
        loop {
            let mut gone = std::pin::pin!(self.shared.gone.notified());
            gone.as_mut().enable();
            if self.registry().running.is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// Takes note of progress; gives what is to be told now.
    fn progressed(&self, job: &JobId, attempt: u32, details: Value) -> Option<Command> {
        let now = self.shared.clock.awake_ms();
        let mut registry = self.registry();
        let entry = registry.entry(job, attempt)?;
        entry.details = Some(clip(details));
        let is_time = entry.told_at.is_none_or(|at| at + PROGRESS_EVERY_MS <= now);
        entry.is_untold = !is_time;
        if is_time {
            entry.told_at = Some(now);
        }
        is_time.then(|| emission(job, entry))
    }
}

impl Run {
    /// Says how far it is. Only the last details are kept, at most 16 KiB of them. Gives whether
    /// they went into the journal now, as they do ten times a second at most.
    pub fn progress(&self, details: Value) -> bool {
        let report = self.tasks.progressed(&self.job, self.attempt, details);
        let is_told = report.is_some();
        if let Some(report) = report {
            self.tasks.shared.engine.report(vec![report]);
        }
        is_told
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Run").field("job", &self.job).finish_non_exhaustive()
    }
}

fn emission(job: &JobId, entry: &Entry) -> Command {
    let body = entry.details.as_ref().map(Value::to_string).unwrap_or_default();
    Command::Emit { job: job.clone(), attempt: entry.attempt, report: "progress".to_owned(), body }
}

/// Details that a report may hold.
fn clip(details: Value) -> Value {
    // The name of the report counts, too.
    let most = limits::EMISSION_BYTES_MAX - 64;
    if details.to_string().len() > most { json!({ "too_large": true }) } else { details }
}
