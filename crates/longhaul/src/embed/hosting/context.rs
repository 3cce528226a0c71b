//! What a hosted agent's body is given.

use super::events::{self, ArtifactRef, Chunk, LogLevel, Metric, Progress};
use super::failure::{AgentFailure, unanswered};
use super::stream::{ResultStream, follow_on, last_of};
use crate::clock::Clock;
use crate::daemon::{
    Credentials, DelegateAsk, Delegated, EngineHandle, Inventory, Provided, Readers, Run,
    StopCause, Voice,
};
use crate::ids;
use crate::links;
use longhaul_core::amounts::{Amount, Currency};
use longhaul_core::command::{Command, Entry, Reply};
use longhaul_core::delegation::{CallMade, OperationAsk};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, ResultStream as Pieces};
use longhaul_core::lease::{Asked, FS_READ, FS_WRITE};
use longhaul_core::port::{Record, Table};
use longhaul_core::time::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What hosted bodies need of the daemon.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) engine: EngineHandle,
    pub(super) readers: Readers,
    pub(super) inventory: Inventory,
    pub(super) clock: Clock,
    pub(super) credentials: Credentials,
}

/// What a running hosted agent knows of its job, and by which it speaks. Cheap to clone.
#[derive(Clone)]
pub struct AgentContext {
    shared: Arc<Shared>,
}

struct Shared {
    run: Run,
    hosted: Box<Hosted>,
    voice: Voice,
    input: Value,
    means: Means,
    pieces: Mutex<Option<Pieces>>,
}

/// Work for another agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delegate {
    /// What this job calls that work; the same name again is the same job.
    pub id: String,
    /// The agent: `name` or `name@version`.
    pub agent: String,
    /// What it is asked.
    pub input: Value,
    /// What it shall be allowed to do, within what this job may.
    pub lease: Asked,
    /// Until when; as long as this job if `None`.
    pub expires_at: Option<Timestamp>,
}

impl AgentContext {
    /// Nothing for a job that no hosted agent's is.
    pub(super) fn new(run: Run, means: Means) -> Option<Self> {
        let (hosted, voice) = (run.hosted.clone()?, run.voice.clone()?);
        let input = serde_json::from_str(&run.input).unwrap_or_default();
        let pieces = Mutex::default();
        let shared = Arc::new(Shared { run, hosted, voice, input, means, pieces });
        Some(Self { shared })
    }

    /// The job's id.
    #[must_use]
    pub fn job(&self) -> &JobId {
        &self.shared.run.job
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.shared.run.attempt
    }

    /// The job's own credentials, as they are now: one that was replaced is good for a moment only.
    ///
    /// # Errors
    /// [`AgentFailure`]: they cannot be read for now.
    pub async fn credentials(&self) -> Result<Vec<Provided>, AgentFailure> {
        let provided = self.shared.means.credentials.of(self.job()).await;
        provided.map_err(|error| unanswered(&error))
    }

    /// Who asked for the job.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.shared.run.owner.as_deref().unwrap_or_default()
    }

    /// What was asked for: agent, version, lease, trace and more.
    #[must_use]
    pub fn hosted(&self) -> &Hosted {
        &self.shared.hosted
    }

    /// What the agent is asked; null if nothing was said.
    #[must_use]
    pub fn input(&self) -> &Value {
        &self.shared.input
    }

    /// Whether the body shall stop. A body that does not is dropped at one of its waits once its grace
    /// is over, and what it comes to after that is thrown away.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.run.token.cause().is_some()
    }

    /// Waits until the body shall stop.
    pub async fn cancelled(&self) -> StopCause {
        self.shared.run.token.stopped().await
    }

    /// Tells a message.
    ///
    /// # Errors
    /// As for all that is told: it is too large, makes no sense, or the job is over. That it went well
    /// says that it will be told in its order; what is told too fast waits.
    pub async fn log(&self, level: LogLevel, message: &str) -> Result<(), AgentFailure> {
        self.tell(events::log(level, message)?).await
    }

    /// Tells what is being thought.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn thought(&self, text: &str) -> Result<(), AgentFailure> {
        self.tell(events::entry("thought", &json!({ "text": text }))?).await
    }

    /// Tells the phase that the work is in.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn status(&self, phase: &str, message: Option<&str>) -> Result<(), AgentFailure> {
        let mut body = json!({ "phase": phase });
        if let Some(message) = message {
            body["message"] = Value::from(message);
        }
        self.tell(events::entry("status", &body)?).await
    }

    /// Tells a number; a cost is charged to the job.
    ///
    /// # Errors
    /// As for [`Self::log`]; a cost below nothing makes no sense.
    pub async fn metric(&self, metric: Metric) -> Result<(), AgentFailure> {
        self.tell(metric.entry()?).await
    }

    /// Tells how far the work is.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn progress(&self, progress: Progress) -> Result<(), AgentFailure> {
        self.tell(progress.entry()?).await
    }

    /// Tells of something that was made.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn artifact(&self, artifact: ArtifactRef) -> Result<(), AgentFailure> {
        self.tell(events::entry("artifact_ref", &json!(artifact))?).await
    }

    /// Tells an event of a vendor's own kind: `x-vendor.…`.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn event(&self, kind: &str, body: &Value) -> Result<(), AgentFailure> {
        self.tell(events::vendor(kind, body)?).await
    }

    /// Asks whether the job may do this under its lease, now; the answer is recorded. All that was told
    /// before counts. Links in a path are followed: both the name and the file must be granted.
    ///
    /// # Errors
    /// The code says why not: `PERMISSION_DENIED`, `LEASE_EXPIRED` or `BUDGET_EXHAUSTED`.
    pub async fn authorize(&self, capability: &str, target: &str) -> Result<(), AgentFailure> {
        let (capability, target) = (capability.to_owned(), target.to_owned());
        let resolved = match capability.as_str() {
            FS_READ | FS_WRITE => leads_to(target.clone()).await?,
            _ => None,
        };
        self.ask_for(OperationAsk { capability, target, resolved, call: None }).await
    }

    /// Asks whether a tool may be called, and tells the call; or its refusal as its result.
    ///
    /// # Errors
    /// As for [`Self::authorize`]. The job goes on unless its body says otherwise.
    pub async fn tool_call(
        &self,
        tool: &str,
        call_id: &str,
        args: Value,
    ) -> Result<(), AgentFailure> {
        let call = CallMade { call_id: call_id.to_owned(), tool: tool.to_owned(), args };
        let (capability, target) = ("tool.call".to_owned(), tool.to_owned());
        self.ask_for(OperationAsk { capability, target, resolved: None, call: Some(call) }).await
    }

    /// Tells what a tool gave.
    ///
    /// # Errors
    /// As for [`Self::log`].
    pub async fn tool_result(
        &self,
        call_id: &str,
        result: Result<Value, AgentFailure>,
    ) -> Result<(), AgentFailure> {
        let body = match result {
            Ok(result) => json!({ "call_id": call_id, "result": result }),
            Err(failure) => json!({ "call_id": call_id, "error": failure.told() }),
        };
        self.tell(events::entry("tool_result", &body)?).await
    }

    /// Has another agent work under a part of this job's lease. What comes of it is told as the result of
    /// a tool call of the name [`Delegate::id`].
    ///
    /// # Errors
    /// Why not, which followers are told too; the job goes on unless its body says otherwise.
    pub async fn delegate(&self, ask: Delegate) -> Result<JobId, AgentFailure> {
        self.settled().await?;
        let means = &self.shared.means;
        let ask = DelegateAsk {
            parent: self.job().clone(),
            attempt: self.attempt(),
            principal: self.principal().to_owned(),
            id: Some(ask.id),
            agent: ask.agent,
            input: ask.input,
            lease: ask.lease,
            expires_at: ask.expires_at.map(Timestamp::rfc3339),
            runtime_max: None,
        };
        let delegated = means.inventory.delegate(ask, means.clock.now()).await;
        match delegated.map_err(|error| unanswered(&error))? {
            Delegated::Job { id, .. } => Ok(id),
            Delegated::Denied { code, reason } => Err(AgentFailure::denied(code, reason)),
        }
    }

    /// What the job may still spend of a currency; nothing if it has no budget of that. All that was told
    /// before counts.
    ///
    /// # Errors
    /// The job is over, or its row cannot be read.
    pub async fn remaining(&self, currency: &str) -> Result<Option<Amount>, AgentFailure> {
        self.settled().await?;
        let (id, currency) = (self.job().clone(), Currency::parse(currency));
        let read = self.shared.means.readers.read(move |reader| {
            let row = reader.load(Table::Job, id.as_str())?;
            Ok(row.as_ref().map(Job::from_row).transpose()?)
        });
        let row = read.await.map_err(|error| unanswered(&error))?;
        let account = row.and_then(|job| job.account);
        Ok(account.zip(currency).and_then(|(account, of)| account.remaining().of(&of)))
    }

    /// Begins a result that is told in pieces; what the body returns then is not the result.
    ///
    /// # Errors
    /// The system gives no random numbers for its name.
    pub fn stream(&self) -> Result<ResultStream<'_>, AgentFailure> {
        let result_id = ids::result_id()?;
        Ok(ResultStream { context: self, result_id, next: 0 })
    }

    /// Tells a piece of a result that the body cuts, names and counts itself.
    ///
    /// # Errors
    /// As for [`Self::log`]; pieces come without gaps, and nothing after the last.
    pub async fn chunk(&self, chunk: Chunk) -> Result<(), AgentFailure> {
        let entry = chunk.entry()?;
        if let Some(piece) = entry.piece.clone() {
            let mut known = self.pieces();
            *known = Some(follow_on(known.as_ref(), piece)?);
        }
        self.tell(entry).await
    }

    /// Waits until all that was told is durable.
    ///
    /// # Errors
    /// The job is over, or the disk takes no more.
    pub async fn settled(&self) -> Result<(), AgentFailure> {
        self.shared.voice.settled().await.map_err(|error| unanswered(&error))
    }

    /// Whether pieces of a result were told.
    pub(super) fn has_pieces(&self) -> bool {
        self.pieces().is_some()
    }

    /// Ends a result in pieces that was not ended.
    pub(super) async fn end_pieces(&self) -> Result<(), AgentFailure> {
        let last = self.pieces().as_ref().filter(|pieces| !pieces.is_closed).map(last_of);
        match last {
            Some(last) => self.chunk(last).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, entry: Entry) -> Result<(), AgentFailure> {
        self.shared.voice.tell(entry).await.map_err(|error| unanswered(&error))
    }

    async fn ask_for(&self, ask: OperationAsk) -> Result<(), AgentFailure> {
        // What was told before may have been spent, and stands before it in the journal.
        self.settled().await?;
        let (job, attempt, ask) = (self.job().clone(), self.attempt(), Box::new(ask));
        let command = Command::AuthorizeOperation { job, attempt, ask };
        let asked = self.shared.means.engine.ask(command).await;
        match asked.map_err(|error| unanswered(&error))? {
            Reply::Allowed => Ok(()),
            Reply::Denied { code, reason } => Err(AgentFailure::denied(code, reason)),
            _ => Err(AgentFailure::new("the runtime gave no answer")),
        }
    }

    fn pieces(&self) -> MutexGuard<'_, Option<Pieces>> {
        // Each change is one assignment, so a panic elsewhere leaves it whole.
        self.shared.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AgentContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AgentContext").field("job", self.job()).finish_non_exhaustive()
    }
}

/// Where a path leads, seen from where this program runs, if that is elsewhere than it says.
async fn leads_to(target: String) -> Result<Option<String>, AgentFailure> {
    let look = move || links::elsewhere(&std::env::current_dir()?, &target);
    let looked = tokio::task::spawn_blocking(look).await;
    let looked = looked.map_err(|error| AgentFailure::new(error.to_string()))?;
    looked.map_err(|error| {
        AgentFailure::coded("PERMISSION_DENIED", format!("the path cannot be followed: {error}"))
    })
}
