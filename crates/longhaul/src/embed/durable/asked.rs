//! What is asked about jobs: registering, listing, cancelling, settling.

use super::shown::{self, AGENT, LABEL, NOTIFY};
use super::{Durable, POOL, owner_name};
use crate::daemon::{AskError, CLOSURE};
use crate::embed::handle::Life;
use crate::embed::refused::Refused;
use crate::embed::{BodyResult, Context, JobHandle, Jobs, Owner, Scope, Spec};
use crate::ids;
use futures_util::future::BoxFuture;
use longhaul_core::command::{Command, Reply, Submission};
use longhaul_core::delivery::Settled;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::roster::{self, Id, Key, Snapshot, Totals};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::task::Task;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// A body of a kind, with its input.
pub(in crate::embed) type KindBody =
    Arc<dyn Fn(Context, Value) -> BoxFuture<'static, BodyResult> + Send + Sync>;
/// A body that runs once.
pub(in crate::embed) type OnceBody =
    Box<dyn FnOnce(Context) -> BoxFuture<'static, BodyResult> + Send>;

impl Durable {
    /// Makes a kind known, and says how often it is run again when its process was lost.
    pub(in crate::embed) fn kind(
        self: &Arc<Self>,
        jobs: &Jobs,
        name: &str,
        reruns: u32,
        body: KindBody,
    ) {
        self.state().kinds.insert(name.to_owned(), reruns);
        if let Err(error) = self.tasks().kind(name, self.of_kind(jobs, body)) {
            self.state().kinds.remove(name);
            tracing::error!(kind = name, %error, "a kind could not be made known");
        }
    }

    pub(in crate::embed) fn register(
        self: &Arc<Self>,
        jobs: &Jobs,
        spec: Spec,
        body: OnceBody,
    ) -> Result<JobHandle, Refused> {
        let task = Task { kind: CLOSURE.to_owned(), input: "null".to_owned(), reruns_max: 0 };
        self.submit(jobs, spec, task, Some(body))
    }

    pub(in crate::embed) fn start(
        self: &Arc<Self>,
        jobs: &Jobs,
        spec: Spec,
        kind: &str,
        input: &Value,
    ) -> Result<JobHandle, Refused> {
        let reruns_max = self.state().kinds.get(kind).copied();
        let reruns_max = reruns_max.ok_or_else(|| Refused::UnknownKind(kind.to_owned()))?;
        let task = Task { kind: kind.to_owned(), input: input.to_string(), reruns_max };
        self.submit(jobs, spec, task, None)
    }

    fn submit(
        self: &Arc<Self>,
        jobs: &Jobs,
        mut asked: Spec,
        task: Task,
        body: Option<OnceBody>,
    ) -> Result<JobHandle, Refused> {
        if self.state().is_closed {
            return Err(Refused::Roster(roster::Refused::Disposed));
        }
        if asked.foreground {
            return Err(Refused::NotDurable("a foreground job"));
        }
        let job = ids::job_id().map_err(|error| Refused::Home(error.to_string()))?;
        // From the choice of the name until it is taken nobody else may choose.
        let naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spec = JobSpec { pool: POOL.to_owned(), ..JobSpec::of_task(task) };
        spec.name = self.name(&asked)?;
        dress(&mut spec, &asked);
        let id = Id::parse(spec.name.as_deref().unwrap_or(job.as_str()));
        let listener = asked.on_progress.take();
        let life = Life::new(Key::nobody(), id, asked.owner.clone(), (listener, None));
        let life = self.enter(&mut self.state(), job.clone(), Arc::new(life));
        if let Some(body) = body {
            self.tasks().keep(job.clone(), self.once(jobs, body));
        }
        let submission = Submission {
            id: job.clone(),
            spec,
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: Some(owner_name(&asked.owner).to_owned()),
            project: None,
            parent: None,
            retry_of: None,
            session: None,
        };
        if let Err(error) = self.ask(Command::Submit(vec![submission])) {
            // What the body captured may register in its turn when it is let go of.
            drop(naming);
            self.tasks().drop_closure(&job);
            let _life = self.state().lives.remove(&job);
            // Ends the task that looks out for its row.
            life.gone();
            return Err(error.into());
        }
        Ok(JobHandle { shared: jobs.shared.clone(), life, durable: Some((self.clone(), job)) })
    }

    /// The id that it would like, with the lowest free suffix if somebody has it.
    fn name(&self, asked: &Spec) -> Result<Option<String>, Refused> {
        let wanted = asked.id.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let Some(stem) = wanted else { return Ok(None) };
        if stem.len() > limits::WORD_BYTES_MAX {
            return Err(Refused::Roster(roster::Refused::IdTooLong { bytes: stem.len() }));
        }
        let mut name = stem.to_owned();
        let mut number = 2;
        while self.find(&asked.owner, &name).is_some() {
            name = format!("{stem}-{number}");
            number += 1;
        }
        Ok(Some(name))
    }

    pub(in crate::embed) fn get(&self, owner: &Owner, id: &str) -> Option<Snapshot> {
        self.find(owner, id).map(|job| self.snapshot(&job))
    }

    pub(in crate::embed) fn look_at(&self, job: &JobId) -> Option<Snapshot> {
        let job = self.look(|reader| super::load(reader, job))?;
        Some(self.snapshot(&job))
    }

    pub(in crate::embed) fn list(&self, scope: &Scope) -> Vec<Snapshot> {
        self.jobs(scope, &[]).iter().map(|job| self.snapshot(job)).collect()
    }

    /// False if it is stopping or over.
    pub(in crate::embed) fn cancel(&self, job: &JobId, reason: &str) -> bool {
        let is_open = |job: &Job| job.cancel.is_none() && job.outcome().is_none();
        if !self.look(|reader| super::load(reader, job)).is_some_and(|job| is_open(&job)) {
            return false;
        }
        let (job, reason) = (job.clone(), Some(reason.to_owned()));
        let asked = self.ask(Command::Cancel { job, reason, by_force: false, tree: false });
        matches!(asked, Ok(Reply::Cancelled { changed: 1 }))
    }

    pub(in crate::embed) fn cancel_found(&self, owner: &Owner, id: &str, reason: &str) -> bool {
        self.find(owner, id).is_some_and(|job| self.cancel(&job.id, reason))
    }

    pub(in crate::embed) fn cancel_all(&self, scope: &Scope, reason: &str) -> usize {
        let open = self.jobs(scope, OPEN);
        open.iter().filter(|job| self.cancel(&job.id, reason)).count()
    }

    /// Settles what the owner is owed for those of these jobs that have ended.
    pub(in crate::embed) fn settle(&self, owner: &Owner, ids: &[&str], how: Settled) -> usize {
        let mut settled = 0;
        for id in ids {
            let Some(job) = self.find(owner, id).filter(|job| job.outcome().is_some()) else {
                continue;
            };
            settled += usize::from(self.settle_one(&job, how));
        }
        settled
    }

    pub(super) fn settle_one(&self, job: &Job, how: Settled) -> bool {
        let owner = job.owner.clone().unwrap_or_default();
        let asked = self.ask(Command::Settle { job: job.id.clone(), owner, how });
        matches!(asked, Ok(Reply::Settled(1)))
    }

    /// Cancels the owner's jobs and lets go of what it is owed. Gives how many bodies are left.
    pub(in crate::embed) fn begin_anew(&self, owner: &Owner) -> usize {
        let scope = Scope::Of(owner.clone());
        self.cancel_all(&scope, "its owner began anew");
        let owner = owner_name(owner).to_owned();
        while let Ok(Reply::Settled(1..)) =
            self.ask(Command::AcknowledgeAll { owner: owner.clone() })
        {}
        self.jobs(&scope, &["starting", "running", "stopping"]).len()
    }

    pub(in crate::embed) fn totals(&self) -> Totals {
        let counts = self.look(|reader| reader.counts());
        let of = |states: &[&str]| {
            let counted = counts.iter().filter(|(state, _)| states.contains(&state.as_str()));
            usize::try_from(counted.map(|(_, count)| count).sum::<u64>()).unwrap_or(usize::MAX)
        };
        Totals {
            running: of(&["starting", "running", "stopping"]),
            slots: self.options.slots.now().unwrap_or(1) as usize,
            alive: self.tasks().alive().len(),
            orphans: self.orphans().len(),
            jobs: of(&["queued", "starting", "running", "stopping", "ended"]),
            ..Totals::default()
        }
    }

    pub(in crate::embed) fn orphans(&self) -> Vec<Snapshot> {
        let stopping = self.jobs(&Scope::All, &["stopping"]);
        stopping.iter().filter(|job| job.is_forced()).map(|job| self.snapshot(job)).collect()
    }
}

/// States of jobs that have not ended.
pub(super) const OPEN: &[&str] = &["queued", "starting", "running", "stopping"];

/// Puts what was asked for into the home's words.
fn dress(spec: &mut JobSpec, asked: &Spec) {
    let labels = [
        (LABEL, asked.label.as_deref()),
        (AGENT, asked.agent.as_deref()),
        (NOTIFY, shown::notify_name(asked.notify)),
    ];
    let labels = labels.into_iter().filter_map(|(name, value)| Some((name, value?)));
    spec.labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    spec.timeout = asked.timeout.map(crate::embed::options::millis);
    if let Some(retry) = asked.retry {
        spec.retry.max = retry.times.min(limits::RETRIES_MAX);
        spec.retry.delay = crate::embed::options::millis(retry.delay);
    }
}

impl From<AskError> for Refused {
    fn from(error: AskError) -> Self {
        Self::Home(error.to_string())
    }
}
