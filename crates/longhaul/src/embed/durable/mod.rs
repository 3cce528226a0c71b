//! The durable mode: the same jobs, kept in a home by a daemon inside this process.
//!
//! The daemon decides as it does for processes, and its driver of tasks runs the bodies. What is
//! here turns what is asked of [`super::Jobs`] into commands and rows into what is shown. A sink is
//! its owner's presence: it claims, is called, and acknowledges.

mod asked;
mod ends;
mod run;
mod shown;
mod sinks;
mod waiting;

use super::core_loop::Shared;
use super::handle::Life;
use super::options::Options;
use super::refused::{OpenError, Refused};
use super::{Disposed, Jobs, Owner};
use crate::daemon::{AskError, Daemon, DaemonOptions, Ports, Tasks};
use longhaul_core::command::{Command, Reply};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Filter, Reader, Record, Row, StoreError, Table};
use longhaul_core::roster::{self, Id, Key};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell};
use tokio::task::{AbortHandle, JoinHandle};

pub(super) use sinks::Told;

/// Whose inbox gets what is owed for jobs of nobody: a job without an owner is told to nobody.
const NOBODY: &str = "(nobody)";
/// The pool whose slots are [`Options::slots`].
const POOL: &str = "embedded";
/// Jobs that are read at once.
const PAGE_JOBS: u32 = 1_000;
/// Jobs of one name that are looked at.
const JOBS_LOOKED_AT_MAX: u32 = 1_000;

/// What the durable jobs of a program share.
pub(super) struct Durable {
    ports: Ports,
    runtime: Handle,
    options: Options,
    state: Mutex<State>,
    /// Held while an id is chosen and taken.
    naming: Mutex<()>,
    /// Something changed that only this process knows of: a watch ended.
    changed: Notify,
    daemon: Mutex<Option<Daemon>>,
    server: Mutex<Option<JoinHandle<()>>>,
    disposed: OnceCell<Disposed>,
}

#[derive(Default)]
struct State {
    /// Of jobs that somebody here has in hand.
    lives: BTreeMap<JobId, Arc<Life>>,
    /// How often each job is watched.
    watches: BTreeMap<JobId, u32>,
    /// How often tasks of a kind are run again when they were lost.
    kinds: BTreeMap<String, u32>,
    sinks: BTreeMap<String, Registered>,
    sinks_made: u64,
    is_closed: bool,
}

/// A sink, and the task that is its owner's presence.
struct Registered {
    number: u64,
    presence: AbortHandle,
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("home", &self.ports.home.path()).finish_non_exhaustive()
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        let daemon = self.daemon.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(daemon) = daemon {
            // Its engine still writes: nobody else may have the home before this process ends.
            tracing::warn!("durable jobs were dropped without having been disposed of");
            std::mem::forget(daemon);
        }
    }
}

impl Jobs {
    /// Jobs that outlive this process: what was accepted, what came of it and who has to be told is
    /// in `home`, a folder that this process alone has open. Call it inside a tokio runtime.
    ///
    /// A body cannot outlive its process. When a home is opened after a crash, the jobs whose
    /// closures ran, or waited to, end `lost`, and their owners are told; those of a kind wait until
    /// [`Jobs::kind`] makes it known again, and what ran is `lost`, or is run again where the kind
    /// says so ([`Jobs::kind_rerun`]).
    ///
    /// What differs from the ephemeral mode, because it must or because the home decides:
    ///
    /// - What changes something waits for the disk, a few milliseconds, and blocks its thread so
    ///   long; what looks reads the disk.
    /// - A full pool refuses nothing: jobs wait for their slot, bodies begin only with one, and
    ///   [`super::Context::mark_running`] comes back at once. [`super::Spec::foreground`] is refused.
    /// - Without a preferred id a job's id is that of the home (`job_…`), also for `longhaul show`.
    /// - A body that ignores its cancellation has no verdict until it returns: the job is stopping,
    ///   and [`Jobs::orphans`] lists it.
    /// - Failed tries are repeated for days, dead letters stay with their jobs, and ended jobs are
    ///   kept as long as the home's settings say; the retentions of [`Options`] count for nothing.
    /// - Nobody looks for waits that go in circles.
    ///
    /// # Errors
    /// [`OpenError`]: another process has the home, or it cannot be used.
    pub async fn durable(home: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let program = options.program.clone();
        let with = DaemonOptions { program, ..DaemonOptions::new(home.into()) };
        let mut daemon = Daemon::start(&with)?;
        if !options.serve {
            daemon.keep_private()?;
        }
        daemon.up().await;
        let shared = Arc::new(Shared::new(options.clone(), Handle::current()));
        let server = if options.serve { Some(daemon.serve()?) } else { None };
        let durable = Arc::new(Durable {
            ports: daemon.ports.clone(),
            runtime: Handle::current(),
            options,
            state: Mutex::default(),
            naming: Mutex::default(),
            changed: Notify::new(),
            daemon: Mutex::new(Some(daemon)),
            server: Mutex::new(server),
            disposed: OnceCell::new(),
        });
        durable.ports.tasks.closures().await?;
        durable.set_slots()?;
        Ok(Self { shared, durable: Some(durable) })
    }
}

impl Jobs {
    /// Makes functions of this program known as hosted agents; `None` in the ephemeral mode, which has no
    /// sessions.
    #[must_use]
    pub fn hosting(&self) -> Option<super::hosting::Hosting> {
        self.durable.as_ref().map(|durable| super::hosting::Hosting::of(&durable.ports))
    }
}

impl Durable {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one entry, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> &Tasks {
        &self.ports.tasks
    }

    fn ask(&self, command: Command) -> Result<Reply, AskError> {
        self.ports.engine.ask_blocking(command)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, AskError> {
        self.ports.readers.read_blocking(read)
    }

    /// As [`Self::read`], for those who can only show nothing when the disk fails.
    fn look<T: Default>(&self, read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>) -> T {
        self.read(read).unwrap_or_else(|error| {
            tracing::error!(%error, "the home cannot be read");
            T::default()
        })
    }

    /// Gives the pool of all tasks as many slots as the options say now.
    pub(super) fn set_slots(&self) -> Result<(), AskError> {
        let Some(slots) = self.options.slots.now() else { return Ok(()) };
        let slots = Some(slots.min(longhaul_core::limits::SLOTS_MAX));
        let ask = Command::SetPool { pool: POOL.to_owned(), slots, paused: None };
        self.ask(ask).map(|_| ())
    }

    /// The owner's job of this id, be it the home's or the preferred one.
    fn find(&self, owner: &Owner, id: &str) -> Option<Job> {
        self.look(|reader| find(reader, owner_name(owner), id.trim()))
    }

    /// The owner's jobs, or everybody's, newest first.
    fn jobs(&self, scope: &super::Scope, states: &[&str]) -> Vec<Job> {
        let owner = match scope {
            super::Scope::All => None,
            super::Scope::Of(owner) => Some(owner_name(owner).to_owned()),
        };
        let states = states.iter().map(|state| (*state).to_owned()).collect();
        let filter = Filter { owner, states, ..Filter::default() };
        let (mut jobs, mut before) = (Vec::new(), None);
        loop {
            let rows = self.look(|reader| reader.list(&filter, before, PAGE_JOBS));
            let Some(last) = rows.last() else { return jobs };
            before = Some(last.seq);
            let is_all = rows.len() < PAGE_JOBS as usize;
            jobs.extend(tasks_of(rows));
            if is_all {
                return jobs;
            }
        }
    }

    /// The life of a job, for whoever has it in hand; it is told when the job ends.
    fn life(self: &Arc<Self>, job: &Job) -> Arc<Life> {
        let mut state = self.state();
        if let Some(life) = state.lives.get(&job.id) {
            return life.clone();
        }
        let life = Life::new(Key::nobody(), shown::id(job), shown::owner(job), (None, None));
        self.enter(&mut state, job.id.clone(), Arc::new(life))
    }

    fn enter(self: &Arc<Self>, state: &mut State, job: JobId, life: Arc<Life>) -> Arc<Life> {
        state.lives.insert(job.clone(), life.clone());
        let (durable, kept) = (self.clone(), life.clone());
        self.runtime.spawn(async move { durable.keep(&job, &kept).await });
        life
    }

    /// Tells those who have a job in hand of its end.
    async fn keep(&self, job: &JobId, life: &Life) {
        // Before the first look, so that nothing falls between.
        let mut watch = self.ports.journal.watch_job(job);
        loop {
            match self.load(job).await {
                Ok(Some(row)) => {
                    if let Some(verdict) = shown::verdict(&row) {
                        life.judged(verdict);
                        break;
                    }
                }
                // Not submitted yet: its row comes with the first change.
                Ok(None) | Err(AskError::Refused(_)) => {}
                Err(AskError::Unavailable { .. } | AskError::Bug(_)) => {
                    if self.ports.engine.is_stopping() {
                        return;
                    }
                }
            }
            tokio::select! {
                biased;
                () = watch.changed() => {}
                // It was refused.
                () = life.until_gone() => return,
                () = self.ports.stop.stopped() => return,
            }
        }
        life.gone();
        self.tasks().drop_closure(job);
        self.state().lives.remove(job);
        self.changed.notify_waiters();
    }

    async fn load(&self, job: &JobId) -> Result<Option<Job>, AskError> {
        let id = job.clone();
        self.ports.readers.read(move |reader| load(reader, &id)).await
    }
}

fn load(reader: &mut dyn Reader, id: &JobId) -> Result<Option<Job>, StoreError> {
    let row = reader.load(Table::Job, id.as_str())?;
    Ok(row.as_ref().map(Job::from_row).transpose()?)
}

fn find(reader: &mut dyn Reader, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
    let ids = match JobId::parse(id) {
        Ok(id) => vec![id],
        Err(_) => {
            let named = reader.by_name(id, JOBS_LOOKED_AT_MAX)?;
            named.iter().filter_map(|id| JobId::parse(id).ok()).collect()
        }
    };
    for id in ids {
        let job = load(reader, &id)?;
        let is_theirs = |job: &Job| job.owner.as_deref() == Some(owner) && job.spec.task.is_some();
        if let Some(job) = job.filter(is_theirs) {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

fn tasks_of(rows: Vec<Row>) -> Vec<Job> {
    let jobs = rows.iter().filter_map(|row| Job::from_row(row).ok());
    jobs.filter(|job| job.spec.task.is_some()).collect()
}

/// The owner as the home knows it.
fn owner_name(owner: &Owner) -> &str {
    owner.0.as_deref().unwrap_or(NOBODY)
}

fn unknown(id: &str) -> Refused {
    Refused::Roster(roster::Refused::UnknownJob(Id::parse(id).to_string()))
}
