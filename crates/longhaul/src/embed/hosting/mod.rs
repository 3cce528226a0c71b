//! Hosted agents as functions of the program that the daemon is in: registered by name and version,
//! asked for by clients of its sessions, each call a durable job of its own.
//!
//! ```no_run
//! # async fn serve(daemon: longhaul::daemon::Daemon) -> Result<(), Box<dyn std::error::Error>> {
//! use longhaul::embed::hosting::{AgentOutput, Hosting, LogLevel};
//!
//! let hosting = Hosting::of(&daemon.ports);
//! hosting.agent("greet@1.0.0").default().body(|context| async move {
//!     context.log(LogLevel::Info, "thinking of something").await?;
//!     Ok(AgentOutput::from(format!("hello, {}", context.input())))
//! })?;
//! # Ok(())
//! # }
//! ```

mod context;
mod events;
mod failure;
mod stream;

pub use context::{AgentContext, Delegate};
pub use events::{ArtifactRef, Chunk, LogLevel, Metric, Progress};
pub use failure::AgentFailure;
pub use stream::ResultStream;

use crate::daemon::{Body, Entry, NotRegistered, Ports, Reference, Returned, Run, Work};
use context::Means;
use futures_util::FutureExt;
use longhaul_core::lease::Lease;
use longhaul_core::limits;
use longhaul_core::task::TaskResult;
use longhaul_core::time::Millis;
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What a body returns: its result, or why there is none.
pub type AgentResult = Result<AgentOutput, AgentFailure>;

/// What a hosted agent gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentOutput {
    /// The result; `None` is none at all, which is another thing than null.
    pub result: Option<Value>,
    /// About it, for people.
    pub summary: Option<String>,
}

impl AgentOutput {
    /// With words about it.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }
}

impl<T: Into<Value>> From<T> for AgentOutput {
    fn from(result: T) -> Self {
        Self { result: Some(result.into()), summary: None }
    }
}

/// Makes functions known as hosted agents.
#[derive(Clone)]
pub struct Hosting {
    means: Means,
}

impl Hosting {
    /// At the daemon that these ports are of.
    #[must_use]
    pub fn of(ports: &Ports) -> Self {
        let (engine, readers) = (ports.engine.clone(), ports.readers.clone());
        Self {
            means: Means {
                engine,
                readers,
                inventory: ports.inventory.clone(),
                clock: ports.clock.clone(),
                credentials: ports.credentials.clone(),
            },
        }
    }

    /// An agent to be: `name` or `name@version`.
    pub fn agent(&self, reference: &str) -> Registration {
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (reference, None),
        };
        let entry = Entry::task(name, version, format!("agent/{reference}"));
        Registration { means: self.means.clone(), entry }
    }
}

impl fmt::Debug for Hosting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Hosting").finish_non_exhaustive()
    }
}

/// A hosted agent that is being registered.
#[must_use = "it is registered with its body"]
pub struct Registration {
    means: Means,
    entry: Entry,
}

impl Registration {
    /// Its name alone means this version.
    pub const fn default(mut self) -> Self {
        self.entry.is_default = true;
        self
    }

    /// Its jobs are run again, at most so often, when they were lost with their process. Zero unless
    /// said: for what must not be begun twice.
    pub const fn reruns(mut self, reruns: u32) -> Self {
        if let Work::Task { reruns_max, .. } = &mut self.entry.work {
            *reruns_max = reruns;
        }
        self
    }

    /// Its jobs may run no longer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.entry.timeout = Some(super::options::millis(timeout));
        self
    }

    /// How long a body that shall stop has until it is dropped.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.entry.grace = Some(super::options::millis(grace).max(Millis::new(1)));
        self
    }

    /// The most that its jobs may be granted; whatever is asked for unless said.
    pub fn lease(mut self, lease: Lease) -> Self {
        self.entry.lease = Some(lease);
        self
    }

    /// Registers it. Blocks for the disk.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn body<F, Fut>(self, body: F) -> Result<(), NotRegistered>
    where
        F: Fn(AgentContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = AgentResult> + Send + 'static,
    {
        let Self { means, entry } = self;
        let reference = entry.reference();
        if Reference::parse(&reference).is_none() {
            return Err(NotRegistered::Grammar(reference));
        }
        let (inventory, body) = (means.inventory.clone(), Arc::new(body));
        let run: Body = Arc::new(move |run: Run| {
            let (body, context) = (body.clone(), AgentContext::new(run, means.clone()));
            async move {
                let Some(context) = context else {
                    let error = Some("that is no job of a hosted agent".to_owned());
                    return Returned { error, result: None };
                };
                match finish(&context, body(context.clone()).await).await {
                    Ok(result) => Returned { error: None, result: Some(result) },
                    Err(failure) => failed(failure),
                }
            }
            .boxed()
        });
        inventory.register(entry, run)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Registration").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// What a body came to, as its job keeps it. A result that is too large to be told in one is told in
/// pieces.
async fn finish(context: &AgentContext, result: AgentResult) -> Result<TaskResult, AgentFailure> {
    let AgentOutput { result, summary } = result?;
    let text = summary.unwrap_or_default();
    if context.has_pieces() {
        context.end_pieces().await?;
        return Ok(TaskResult { text, ..TaskResult::default() });
    }
    let structured = result.map(|result| result.to_string());
    if let Some(large) = structured.as_ref().filter(|text| is_large(text)) {
        context.stream()?.last_text(large).await?;
        return Ok(TaskResult { text, ..TaskResult::default() });
    }
    Ok(TaskResult { text, structured, ..TaskResult::default() })
}

const fn is_large(text: &str) -> bool {
    text.len() > limits::HOSTED_RESULT_BYTES_MAX
}

fn failed(failure: AgentFailure) -> Returned {
    let error = Some(failure.message().to_owned());
    let failure = Some(failure.kept());
    Returned { error, result: Some(TaskResult { failure, ..TaskResult::default() }) }
}

#[cfg(test)]
mod tests;
