//! The inventory: which agents this home hosts. Programs register bodies of their own; `agents.toml`
//! names programs, agent CLIs and kinds of tasks, and is read again when it changes. A job is what its
//! agent was when it was asked for: a later change concerns later jobs.
//!
//! Jobs of hosted agents belong to principals of sessions. Their ends are told by those sessions' feeds,
//! and owed to no inbox.

mod delegating;
mod entry;
mod file;
mod reference;
mod told;

pub use delegating::{DelegateAsk, Delegated};
pub use entry::{Agent, Entry, HostedAsk, POOL, Prepared, Unfit, Work};
pub use reference::{Reference, is_name, is_version};
pub use told::{entry, entry_of};

use super::handle::{AskError, EngineHandle};
use super::readers::Readers;
use super::stored::Stored;
use super::tasks::{Body, Tasks};
use crate::config::ConfigError;
use crate::home::Home;
use longhaul_core::command::{Command, Known, Refused, Reply, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, Table};
use longhaul_core::spec::Environment;
use longhaul_core::time::Millis;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bodies of hosted agents that may run at once.
const SLOTS: u32 = 10_000;
/// From asking a job of a hosted agent to end to ending it, unless its agent says otherwise.
const GRACE_DEFAULT: Millis = Millis::from_secs(30);

/// An agent that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// Its versions; none if it has no versions.
    pub versions: Vec<String>,
    /// The version that its name alone means, if one was said to be.
    pub default: Option<String>,
}

/// Why nothing is meant by a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAgent {
    /// It is no reference.
    #[error("that is neither `name` nor `name@version`")]
    Grammar,
    /// There is no agent of that name.
    #[error("no agent `{0}` is hosted here")]
    Unknown(String),
    /// There is none of that version.
    #[error("agent `{name}` is not hosted here in version `{version}`")]
    Version {
        /// The agent's name.
        name: String,
        /// The version that was asked for.
        version: String,
    },
}

/// Why a body was not registered.
#[derive(Debug, thiserror::Error)]
pub enum NotRegistered {
    /// The name or the version cannot be one.
    #[error("`{0}` is neither `name` nor `name@version`")]
    Grammar(String),
    /// What the engine says to it.
    #[error(transparent)]
    Engine(#[from] AskError),
}

/// Why a job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotSubmitted {
    /// There is no such agent.
    #[error(transparent)]
    NoAgent(#[from] NoAgent),
    /// The agent cannot be asked so.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The engine refused it, or could not take it.
    #[error(transparent)]
    Engine(#[from] AskError),
}

/// A job that the engine has.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its id.
    pub id: JobId,
    /// What it was before.
    pub was: Known,
    /// The job as it was accepted, if it is new and has nothing to wait for before it is there: what
    /// never changes of it can be told without reading it back.
    pub fresh: Option<Box<Job>>,
}

/// Which agents are hosted here. Cheap to clone.
#[derive(Clone)]
pub struct Inventory {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    grace_ms: AtomicU64,
    engine: EngineHandle,
    stored: Stored,
    readers: Readers,
    tasks: Tasks,
}

#[derive(Default)]
struct State {
    bodies: Vec<Arc<Entry>>,
    written: Vec<Arc<Entry>>,
    /// What the file was when it was read last.
    seen: Option<Seen>,
    /// What is wrong with the file as it is now.
    problem: Option<String>,
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    inode: u64,
    bytes: u64,
    changed_at: (i64, i64),
}

impl Inventory {
    pub(super) fn new(
        home: &Home,
        engine: EngineHandle,
        stored: Stored,
        tasks: Tasks,
    ) -> Result<Self, ConfigError> {
        let path = home.agents();
        let grace_ms = AtomicU64::new(GRACE_DEFAULT.get());
        let state = Mutex::default();
        let readers = tasks.readers().clone();
        let shared = Shared { path, state, grace_ms, engine, stored, readers, tasks };
        let inventory = Self { shared: Arc::new(shared) };
        let mut state = inventory.state();
        inventory.look(&mut state)?;
        if let Some(message) = state.problem.take() {
            return Err(ConfigError::Bad { path: inventory.shared.path.clone(), message });
        }
        drop(state);
        Ok(inventory)
    }

    /// Sets how long jobs have between being asked to end and being ended, where their agent does not
    /// say. For jobs that are asked for later.
    pub fn set_grace(&self, grace: Millis) {
        self.shared.grace_ms.store(grace.min(limits::SPAN_MAX).get(), Ordering::Relaxed);
    }

    /// Hosts a body: `name` or `name@version`. A later one of the same reference takes its place for
    /// jobs that begin after it. Blocks until it is known to the engine.
    ///
    /// # Errors
    /// [`NotRegistered`]: nothing is hosted.
    pub fn register(&self, mut entry: Entry, body: Body) -> Result<(), NotRegistered> {
        let reference = entry.reference();
        if Reference::parse(&reference).is_none() {
            return Err(NotRegistered::Grammar(reference));
        }
        self.make_pool()?;
        if let Work::Task { kind, .. } = &entry.work {
            self.shared.tasks.kind(kind, body)?;
        }
        entry.is_default &= entry.version.is_some();
        let mut state = self.state();
        let is_other =
            |known: &Arc<Entry>| (&known.name, &known.version) != (&entry.name, &entry.version);
        state.bodies.retain(is_other);
        if entry.is_default {
            let mine = state.bodies.iter_mut().filter(|known| known.name == entry.name);
            mine.for_each(|known| Arc::make_mut(known).is_default = false);
        }
        state.bodies.push(Arc::new(entry));
        Ok(())
    }

    fn make_pool(&self) -> Result<(), AskError> {
        let pool = POOL.to_owned();
        let ask = Command::SetPool { pool, slots: Some(SLOTS), paused: None };
        self.shared.engine.ask_blocking(ask).map(|_| ())
    }

    /// All agents, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Offered> {
        let mut offered: Vec<Offered> = Vec::new();
        for entry in self.entries() {
            let place = offered.iter().position(|known| known.name == entry.name);
            let place = place.unwrap_or_else(|| {
                let name = entry.name.clone();
                offered.push(Offered { name, versions: Vec::new(), default: None });
                offered.len() - 1
            });
            let known = &mut offered[place];
            known.versions.extend(entry.version.clone());
            if entry.is_default && known.default.is_none() {
                known.default.clone_from(&entry.version);
            }
        }
        offered.sort_by(|one, other| one.name.cmp(&other.name));
        offered
    }

    /// The agent that `reference` means. A name alone is its default version, else the one without a
    /// version, else the one that was there first.
    ///
    /// # Errors
    /// [`NoAgent`].
    pub fn resolve(&self, reference: &str) -> Result<Agent, NoAgent> {
        let asked = Reference::parse(reference).ok_or(NoAgent::Grammar)?;
        let mut named: Vec<Arc<Entry>> = self.entries();
        named.retain(|entry| entry.name == asked.name);
        if named.is_empty() {
            return Err(NoAgent::Unknown(asked.name.to_owned()));
        }
        let found = match asked.version {
            Some(version) => {
                let found = named.iter().find(|entry| entry.version.as_deref() == Some(version));
                found.ok_or_else(|| NoAgent::Version {
                    name: asked.name.to_owned(),
                    version: version.to_owned(),
                })?
            }
            None => {
                let default = named.iter().find(|entry| entry.is_default);
                let plain = || named.iter().find(|entry| entry.version.is_none());
                default.or_else(plain).unwrap_or(&named[0])
            }
        };
        let grace = Millis::new(self.shared.grace_ms.load(Ordering::Relaxed));
        Ok(Agent { entry: found.clone(), asked: reference.to_owned(), grace })
    }

    /// What is wrong with `agents.toml` as it is now; what it said before holds until then.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let mut state = self.state();
        self.refresh(&mut state);
        state.problem.clone()
    }

    /// Makes a job ready to be put to the engine: stores what its process reads.
    ///
    /// # Errors
    /// [`NotSubmitted`].
    pub async fn prepare(&self, agent: &Agent, ask: HostedAsk) -> Result<Prepared, NotSubmitted> {
        let stdin = match agent.stdin(&ask).map(|text| text.as_bytes().to_vec()) {
            Some(bytes) => Some(self.store(bytes).await?),
            None => None,
        };
        Ok(agent.prepare(ask, stdin)?)
    }

    /// Puts a job to the engine. Gives its id, and whether it was not known before.
    ///
    /// # Errors
    /// [`NotSubmitted`]: there is no job.
    pub async fn submit(
        &self,
        agent: &Agent,
        ask: HostedAsk,
    ) -> Result<(JobId, bool), NotSubmitted> {
        let Submitted { id, was, .. } = self.accept(agent, ask).await?;
        Ok((id, was.is_new()))
    }

    /// The same, for whoever has to say at once what was accepted.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub async fn accept(&self, agent: &Agent, ask: HostedAsk) -> Result<Submitted, NotSubmitted> {
        let prepared = self.prepare(agent, ask).await?;
        if prepared.before.is_empty() {
            return Ok(self.put(prepared.submission).await?);
        }
        let inventory = self.clone();
        let whole = async move { inventory.put_whole(prepared).await };
        Ok(to_its_end(whole).await?)
    }

    /// The same, of the agent that `reference` means. What was asked for before under the same key is
    /// there, whatever has become of its agent since.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub async fn ask(&self, reference: &str, ask: HostedAsk) -> Result<Submitted, NotSubmitted> {
        let keyed = ask.key.is_some().then(|| ask.clone());
        let refused = match self.resolve(reference) {
            Ok(agent) => match self.accept(&agent, ask).await {
                Err(refused @ NotSubmitted::Unfit(_)) => refused,
                answered => return answered,
            },
            Err(no_agent) => no_agent.into(),
        };
        let Some(ask) = keyed else { return Err(refused) };
        self.known(reference, ask).await?.ok_or(refused)
    }

    /// The job that was asked for in the same way before.
    async fn known(&self, reference: &str, ask: HostedAsk) -> Result<Option<Submitted>, AskError> {
        let Some((key, asked)) = entry::key(&ask).zip(entry::request(reference, &ask)) else {
            return Ok(None);
        };
        let look = |reader: &mut dyn Reader| {
            let id = reader.by_key(&key)?;
            let row = id.map(|id| reader.load(Table::Job, &id)).transpose()?.flatten();
            Ok(row.as_ref().map(Job::from_row).transpose()?)
        };
        let Some(job) = self.shared.readers.glance(look).await? else { return Ok(None) };
        match job.spec.hosted.as_ref().and_then(|hosted| hosted.asked.as_ref()) {
            Some(known) if *known == asked => {}
            Some(_) => return Err(Refused::KeyReused { key, job: job.id }.into()),
            None => return Ok(None),
        }
        // The engine answers as to every ask that it knows: who asks is told of the rest of the job.
        let (environment, retry_of) = (Environment(BTreeMap::new()), None);
        let Job { spec, owner, project, parent, .. } = job;
        let (id, key, session) = (ask.id, Some(key), ask.session);
        self.put(Submission {
            id,
            spec,
            environment,
            key,
            owner,
            project,
            parent,
            retry_of,
            session,
        })
        .await
        .map(Some)
    }

    /// Puts a job to the engine with all that must come before it; without the job none of that stays.
    async fn put_whole(&self, prepared: Prepared) -> Result<Submitted, AskError> {
        let Prepared { before, submission, undo } = prepared;
        for command in before {
            self.shared.engine.ask(command).await?;
        }
        let submitted = self.put(submission).await;
        if !matches!(submitted, Ok(Submitted { was: Known::Not, .. })) {
            self.undo(undo).await;
        }
        submitted
    }

    async fn undo(&self, undo: Vec<Command>) {
        for command in undo {
            // It may never have been made, or somebody has it in use: then it is not ours to undo.
            let _ = self.shared.engine.ask(command).await;
        }
    }

    async fn put(&self, submission: Submission) -> Result<Submitted, AskError> {
        let is_ready = submission.spec.hosted.as_ref().is_some_and(|of| of.credentials.is_empty());
        let known = is_ready.then(|| submission.clone());
        let command = Command::Submit(vec![submission]);
        match self.shared.engine.ask_dated(command).await? {
            (Reply::Submitted(mut jobs), at) if jobs.len() == 1 => {
                let (id, was) = jobs.remove(0);
                let known = known.filter(|_| was.is_new());
                // Its place in the queue is not known here, and nobody is told of that.
                let fresh = known.map(|known| Box::new(Job::new(known, 0, 0, false, at)));
                Ok(Submitted { id, was, fresh })
            }
            (other, _) => Err(AskError::Bug(format!("a submission was answered with {other:?}"))),
        }
    }

    async fn store(&self, bytes: Vec<u8>) -> Result<longhaul_core::spec::Blob, AskError> {
        let stored = self.shared.stored.clone();
        let kept = tokio::task::spawn_blocking(move || stored.put(&bytes)).await;
        let kept = kept.map_err(|error| AskError::Bug(error.to_string()))?;
        kept.map_err(|error| AskError::Unavailable {
            code: "unavailable",
            message: format!("the input cannot be stored: {error}"),
            retry_after_ms: super::handle::DISK_RETRY_MS,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic elsewhere leaves it whole.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All entries, in the order in which they were registered or written: what a program registers
    /// comes before what is written, and hides it.
    fn entries(&self) -> Vec<Arc<Entry>> {
        let mut state = self.state();
        self.refresh(&mut state);
        let mut entries = state.bodies.clone();
        for written in &state.written {
            let is_same = |body: &&Arc<Entry>| {
                (&body.name, &body.version) == (&written.name, &written.version)
            };
            if !state.bodies.iter().any(|body| is_same(&body)) {
                entries.push(written.clone());
            }
        }
        entries
    }

    fn refresh(&self, state: &mut State) {
        if let Err(error) = self.look(state) {
            state.problem = Some(error.to_string());
        }
    }

    /// Reads the file if it is another than the one that was read last.
    fn look(&self, state: &mut State) -> Result<(), ConfigError> {
        let path = &self.shared.path;
        let unreadable = |source| ConfigError::Unreadable { path: path.clone(), source };
        let seen = match std::fs::metadata(path) {
            Ok(about) => Seen {
                inode: about.ino(),
                bytes: about.len(),
                changed_at: (about.ctime(), about.ctime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (state.written, state.seen, state.problem) = (Vec::new(), None, None);
                return Ok(());
            }
            Err(error) => return Err(unreadable(error)),
        };
        if state.seen == Some(seen) {
            return Ok(());
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        state.seen = Some(seen);
        match file::parse(&text) {
            Ok(entries) => {
                state.written = entries.into_iter().map(Arc::new).collect();
                state.problem = None;
            }
            Err(problem) => {
                tracing::error!(path = %path.display(), %problem, "what it said before holds on");
                state.problem = Some(problem);
            }
        }
        Ok(())
    }
}

/// Does something to its end, whatever becomes of who asks for it: a client that hangs up in between
/// must not leave an agent behind that nobody has a turn for.
async fn to_its_end<T: Send + 'static>(
    whole: impl Future<Output = Result<T, AskError>> + Send + 'static,
) -> Result<T, AskError> {
    let done = tokio::spawn(whole).await;
    done.unwrap_or_else(|error| Err(AskError::Bug(error.to_string())))
}

#[cfg(test)]
mod tests;
