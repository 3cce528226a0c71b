//! Makes the wants of tasks true.

use super::registry::Stage;
use super::{Body, CLOSURE, Closure, Returned, Run, StopCause, Tasks, Voice, emission};
use crate::daemon::board::Board;
use crate::daemon::handle::AskError;
use crate::daemon::stop::StopSwitch;
use futures_util::FutureExt;
use longhaul_core::command::{Command, Exit, How, StoppedBy, Want};
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState, Then};
use longhaul_core::outcome::Ending;
use longhaul_core::port::{Record, Table};
use longhaul_core::time::Timestamp;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// How long bodies have, once the daemon stops, to notice it.
const END_MAX: Duration = Duration::from_secs(3);

/// Takes up what tasks want, until the daemon stops.
pub(in crate::daemon) struct TaskDriver {
    tasks: Tasks,
    board: Arc<Board<Want>>,
    stop: StopSwitch,
}

impl TaskDriver {
    pub(in crate::daemon) fn new(tasks: Tasks, board: Arc<Board<Want>>, stop: StopSwitch) -> Self {
        Self { tasks, board, stop }
    }

    pub(in crate::daemon) async fn run(self) {
        loop {
            let wants = tokio::select! {
                biased;
                () = self.stop.stopped() => break,
                wants = self.board.take() => wants,
            };
            for want in wants {
                self.tasks.act(want);
            }
        }
        // Who has said so already waits for them itself.
        if self.tasks.is_ending() {
            return;
        }
        self.tasks.end();
        if tokio::time::timeout(END_MAX, self.tasks.all_gone()).await.is_err() {
            let left = self.tasks.alive();
            tracing::warn!(?left, "bodies ignore that the program ends");
        }
    }
}

/// Where to find the body of a job.
pub(super) enum Found {
    Kind(Body),
    Closure(Closure),
}

impl Tasks {
    /// Acts on one want; told twice it is one.
    fn act(&self, want: Want) {
        let placed = self.shared.placed.take(want.job());
        match want {
            Want::Start(job, attempt) => self.start(job, attempt, placed),
            Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
                if !self.say_again(&job, attempt) {
                    self.report(gone(job, attempt, self.shared.clock.now()));
                }
            }
            Want::CallOff(job, attempt) => {
                if !self.say_again(&job, attempt) {
                    self.report(never(job, attempt, None, self.shared.clock.now()));
                }
            }
            Want::Stop { job, attempt, by_force } => {
                let tasks = self.clone();
                tokio::spawn(async move { tasks.stop(&job, attempt, by_force).await });
            }
            // Nothing of a task lies on the disk.
            Want::Clean(job, _) => self.report(Command::Cleaned { job, failure: None }),
            Want::Purge(job, _) => {
                self.drop_closure(&job);
                self.report(Command::Purged { job, failure: None });
            }
        }
    }

    pub(super) fn report(&self, report: Command) {
        self.shared.engine.report(vec![report]);
    }

    /// Whether the attempt is this process's; says again what it came to, if it is over.
    pub(super) fn say_again(&self, job: &JobId, attempt: u32) -> bool {
        let mut registry = self.registry();
        let Some(entry) = registry.entry(job, attempt) else { return false };
        if let Stage::Over(_) = entry.stage {
            let (tasks, job) = (self.clone(), job.clone());
            tokio::spawn(async move { tasks.conclude(&job, attempt).await });
        }
        true
    }

    fn start(&self, job: JobId, attempt: u32, placed: Option<Job>) {
        let mut registry = self.registry();
        if registry.is_ending {
            // It never began; the next process starts it. Of a hosted one it must hear so from us.
            drop(registry);
            if placed.is_some() {
                self.report(never(job, attempt, None, self.now()));
            }
            return;
        }
        if registry.enter(&job, attempt).is_none() {
            drop(registry);
            return self.start_again(&job, attempt);
        }
        drop(registry);
        let tasks = self.clone();
        match placed {
            Some(row) => tokio::spawn(async move { tasks.host(row, attempt).await }),
            None => tokio::spawn(async move { tasks.attempt(&job, attempt).await }),
        };
    }

    /// One attempt, from its start to the commit of its end.
    async fn attempt(&self, job: &JobId, attempt: u32) {
        let Ok(Some(row)) = self.row(job).await else { return self.leave(job, attempt) };
        if row.spec.hosted.is_some() {
            // An earlier process gave it its slot, and may have begun it.
            self.report(gone(job.clone(), attempt, self.now()));
            return self.leave(job, attempt);
        }
        let Some(found) = self.find(&row) else {
            let now = self.shared.clock.now();
            let kind = row.spec.command.first().cloned().unwrap_or_default();
            self.report(if kind == CLOSURE {
                gone(job.clone(), attempt, now)
            } else {
                let because = format!("no process here runs tasks of kind `{kind}`");
                never(job.clone(), attempt, Some(because), now)
            });
            return self.leave(job, attempt);
        };
        let started = Command::Started {
            job: job.clone(),
            attempt,
            at: self.shared.clock.now(),
            pid: std::process::id(),
        };
        if let Err(error) = self.shared.engine.ask(started).await {
            // Begun by somebody who is gone, over, or not committed: in no case is it run now.
            if let (Found::Closure(closure), AskError::Unavailable { .. }) = (found, error) {
                self.keep(job.clone(), closure);
            }
            return self.leave(job, attempt);
        }
        let Some(run) = self.begin(&row, attempt) else { return };
        let returned = match run.token.cause() {
            // It was stopped before its body began, and that is how it ends.
            Some(_) => Returned { error: Some("stopped before it began".into()), result: None },
            None => body(found, run).await,
        };
        self.over(job, attempt, returned, Vec::new());
        self.conclude(job, attempt).await;
    }

    pub(super) fn begin(&self, row: &Job, attempt: u32) -> Option<Run> {
        let task = row.spec.task.as_ref()?;
        let mut registry = self.registry();
        let entry = registry.entry(&row.id, attempt)?;
        entry.stage = Stage::Runs;
        let token = entry.token.clone();
        let (job, name, owner) = (row.id.clone(), row.spec.name.clone(), row.owner.clone());
        let hosted = row.spec.hosted.clone();
        let input = hosted.as_ref().map_or(&task.input, |hosted| &hosted.input).clone();
        let voice = || Voice::new(job.clone(), attempt, self.shared.engine.clone());
        let (voice, tasks) = (hosted.is_some().then(voice), self.clone());
        Some(Run { job, name, attempt, owner, input, token, hosted, voice, tasks })
    }

    pub(super) fn find(&self, row: &Job) -> Option<Found> {
        let task = row.spec.task.as_ref()?;
        let mut registry = self.registry();
        if task.kind == CLOSURE {
            return registry.closures.remove(&row.id).map(Found::Closure);
        }
        registry.kinds.get(&task.kind).cloned().map(Found::Kind)
    }

    /// The body is gone: keeps what it came to until that is committed.
    pub(super) fn over(&self, job: &JobId, attempt: u32, returned: Returned, first: Vec<Command>) {
        let mut registry = self.registry();
        let Some(entry) = registry.entry(job, attempt) else { return };
        if let Stage::Over(_) = entry.stage {
            // It was given up on before.
            return;
        }
        entry.first = first;
        let cause = entry.token.cause();
        let was_interrupted = cause == Some(StopCause::Shutdown) && returned.error.is_some();
        let Returned { error, result } = returned;
        let how = if was_interrupted {
            How::Lost("the program that ran it ended".to_owned())
        } else {
            How::Returned { error, result }
        };
        let stopped = matches!(cause, Some(StopCause::Asked(_) | StopCause::Timeout));
        let stopped = stopped.then_some(StoppedBy::Asked);
        let exit = Exit::bare(how, stopped, self.shared.clock.now());
        if entry.is_untold {
            entry.is_untold = false;
            let last = emission(job, entry);
            self.shared.engine.report(vec![last]);
        }
        entry.stage = Stage::Over(Box::new(exit));
    }

    /// Reports what the body came to, and lets go of it once that is committed.
    pub(super) async fn conclude(&self, job: &JobId, attempt: u32) {
        let (mut reports, exit) = match self.registry().entry(job, attempt) {
            Some(entry) => match &entry.stage {
                Stage::Over(exit) => (entry.first.clone(), (**exit).clone()),
                Stage::Begins | Stage::Runs => return,
            },
            None => return,
        };
        reports.push(Command::Exited { job: job.clone(), attempt, exit });
        match self.shared.engine.ask_in_order(reports).await {
            // Refused: it is known already.
            Ok(_) | Err(AskError::Refused(_)) => self.leave(job, attempt),
            // Reconciling asks for it again.
            Err(AskError::Unavailable { .. } | AskError::Bug(_)) => {}
        }
    }

    async fn stop(&self, job: &JobId, attempt: u32, by_force: bool) {
        let row = self.row(job).await;
        let is_hosted =
            row.as_ref().is_ok_and(|row| row.as_ref().is_some_and(|row| row.spec.hosted.is_some()));
        if by_force && is_hosted {
            let cause = cause(row.as_ref().ok().and_then(Option::as_ref));
            self.end_body(job, attempt, cause).await;
        }
        if let Some(entry) = self.registry().entry(job, attempt)
            && !matches!(entry.stage, Stage::Over(_))
        {
            entry.token.stop(cause(row.ok().flatten().as_ref()));
            return;
        }
        if self.say_again(job, attempt) {
            return;
        }
        let Ok(Some(row)) = row else { return };
        let has_begun = row.current().is_some_and(|attempt| attempt.started_at.is_some());
        let now = self.shared.clock.now();
        self.report(if has_begun {
            gone(job.clone(), attempt, now)
        } else {
            never(job.clone(), attempt, None, now)
        });
    }

    pub(super) fn leave(&self, job: &JobId, attempt: u32) {
        self.registry().leave(job, attempt);
        self.shared.gone.notify_waiters();
    }

    async fn row(&self, job: &JobId) -> Result<Option<Job>, AskError> {
        let id = job.clone();
        let read = self.shared.readers.read(move |reader| {
            let row = reader.load(Table::Job, id.as_str())?;
            Ok(row.as_ref().map(Job::from_row).transpose()?)
        });
        read.await
    }
}

/// Runs a body; what it panics with is its error.
async fn body(found: Found, run: Run) -> Returned {
    match AssertUnwindSafe(call(found, run)).catch_unwind().await {
        Ok(returned) => returned,
        Err(panic) => Returned { error: Some(panicked(&*panic)), result: None },
    }
}

/// Calls a body inside: also what it does before its first await may panic.
pub(super) async fn call(found: Found, run: Run) -> Returned {
    match found {
        Found::Kind(body) => body(run).await,
        Found::Closure(closure) => closure(run).await,
    }
}

/// What a panic said.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", words.unwrap_or("without words"))
}

/// Why a job is being stopped, as far as its row says.
fn cause(row: Option<&Job>) -> StopCause {
    match row.map(|row| &row.state) {
        Some(JobState::Stopping { then: Then::End(outcome), .. })
            if outcome.kind == Ending::TimedOut =>
        {
            StopCause::Timeout
        }
        _ => StopCause::Asked(row.and_then(|row| row.cancel.as_ref()?.reason.clone())),
    }
}

pub(super) fn gone(job: JobId, attempt: u32, now: Timestamp) -> Command {
    let how = How::Lost("the process that ran it is gone".to_owned());
    Command::Exited { job, attempt, exit: Exit::bare(how, None, now) }
}

pub(super) fn never(job: JobId, attempt: u32, because: Option<String>, now: Timestamp) -> Command {
    Command::Exited { job, attempt, exit: Exit::bare(How::NeverStarted(because), None, now) }
}
