//! A hosted agent, and what a job of it is.

use crate::ids;
use longhaul_arcp::canonical;
use longhaul_core::agent::AgentSpec;
use longhaul_core::command::{Command, Submission};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::lease::{Lease, Wider};
use longhaul_core::limits;
use longhaul_core::spec::{Blob, Environment, EnvironmentOrigin, JobSpec, Retry};
use longhaul_core::task::Task;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::{Budget, Policy, Turn};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The pool of registered bodies.
pub const POOL: &str = "hosted";
/// What processes are given of the daemon's environment, beside what their entry names.
const PLAIN_NAMES: [&str; 6] = ["PATH", "HOME", "LANG", "USER", "SHELL", "TERM"];

/// Hexadecimal digits that stand for what was asked: too many for two asks of one principal to meet.
const REQUEST_CHARS: usize = 32;

/// A hosted agent as it was registered or written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its version, if it has versions.
    pub version: Option<String>,
    /// Whether its name alone means this version.
    pub is_default: bool,
    /// What it runs.
    pub work: Work,
    /// The folder that its processes run in: an absolute path.
    pub cwd: Option<String>,
    /// Variables of the daemon that its processes are given, too.
    pub env: Vec<String>,
    /// The longest that one of its attempts may run.
    pub timeout: Option<Millis>,
    /// How long it has between being asked to end and being ended.
    pub grace: Option<Millis>,
    /// How often a failed attempt is followed by another.
    pub retries: u32,
    /// Whose slots its jobs need.
    pub pool: Option<String>,
    /// The most that a job of it may be granted; whatever is asked if `None`.
    pub lease: Option<Lease>,
    /// Issuers of each of which its jobs are given a credential, where the session that asks can be.
    pub credentials: Vec<String>,
}

/// What a hosted agent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A program: its input on its standard input, its result by `longhaul emit result`.
    Command(Vec<String>),
    /// A turn of an agent that is made for the job.
    Turn {
        /// Which CLI.
        kind: String,
        /// Its model.
        model: Option<String>,
        /// Arguments for the CLI.
        extra: Vec<String>,
        /// What it may do.
        policy: Policy,
        /// What a turn may cost, in billionths of a US dollar.
        nano_usd_max: Option<u64>,
    },
    /// A registered body.
    Task {
        /// Under which kind.
        kind: String,
        /// How often it is run again when it was lost with its process.
        reruns_max: u32,
    },
}

impl Entry {
    /// A body under this kind, everything else as by default.
    #[must_use]
    pub fn task(name: &str, version: Option<&str>, kind: String) -> Self {
        Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            is_default: false,
            work: Work::Task { kind, reruns_max: 0 },
            cwd: None,
            env: Vec::new(),
            timeout: None,
            grace: None,
            retries: 0,
            pool: None,
            lease: None,
            credentials: Vec::new(),
        }
    }

    /// How it is called: `name@version`, or the name alone.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What is asked of a hosted agent.
#[derive(Clone, Debug)]
pub struct HostedAsk {
    /// The new job's id.
    pub id: JobId,
    /// Who asks, proven.
    pub principal: String,
    /// The session that asks, which is told of the job.
    pub session: Option<SessionId>,
    /// The asker's own key, which makes asking twice harmless within a principal.
    pub key: Option<String>,
    /// What the agent is asked, as JSON text.
    pub input: String,
    /// What the job shall be allowed to do and spend.
    pub lease: Lease,
    /// The trace that it belongs to: 32 hexadecimal digits.
    pub trace: String,
    /// The longest that it may run, if the asker says so.
    pub runtime_max: Option<Millis>,
    /// The job that delegates it.
    pub parent: Option<JobId>,
    /// That job's own name for it.
    pub delegate: Option<String>,
    /// How many jobs are above it.
    pub depth: u32,
    /// The client's own fields, as JSON text.
    pub extensions: Option<String>,
}

/// Why a job cannot be made of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The input is not what the agent takes.
    #[error("{0}")]
    Input(&'static str),
    /// More was asked for than the agent may be granted.
    #[error("`{}` is more than this agent may be granted", .0.capability)]
    Lease(Wider),
}

/// A job of a hosted agent, ready to be put to the engine.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What must be asked before it, in the same order.
    pub before: Vec<Command>,
    /// The job.
    pub submission: Submission,
    /// What undoes `before` where the job was known already or was refused.
    pub undo: Vec<Command>,
}

/// A hosted agent that was asked for by name: what is made of it stays what it is now.
#[derive(Clone, Debug)]
pub struct Agent {
    pub(super) entry: Arc<Entry>,
    /// How it was called when it was asked for: `name@version`, or the name alone.
    pub(super) asked: String,
    pub(super) grace: Millis,
}

impl Agent {
    /// What it was registered as.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// How it is called: `name@version`, or the name alone.
    #[must_use]
    pub fn reference(&self) -> String {
        self.entry.reference()
    }

    /// The text that a job's process reads on its standard input: to be stored before [`Self::prepare`].
    /// Nothing where it runs no program.
    #[must_use]
    pub fn stdin<'a>(&self, ask: &'a HostedAsk) -> Option<&'a str> {
        matches!(self.entry.work, Work::Command(_)).then_some(&ask.input)
    }

    /// Makes a job of an ask. `stdin` is the stored content of [`Self::stdin`].
    ///
    /// # Errors
    /// [`Unfit`]: the agent cannot be asked so.
    pub fn prepare(&self, ask: HostedAsk, stdin: Option<Blob>) -> Result<Prepared, Unfit> {
        let entry = &*self.entry;
        let lease = within(entry.lease.as_ref(), &ask.lease).map_err(Unfit::Lease)?;
        let (mut before, mut undo) = (Vec::new(), Vec::new());
        let (mut spec, environment) = match &entry.work {
            Work::Task { kind, reruns_max } => {
                let task =
                    Task { kind: kind.clone(), input: "null".to_owned(), reruns_max: *reruns_max };
                let plain = JobSpec::of_task(task);
                let spec = JobSpec { pool: POOL.to_owned(), ..plain };
                (spec, Environment(BTreeMap::new()))
            }
            Work::Command(command) => {
                let (environment, origin) = environment(&entry.env);
                let cwd = entry.cwd.clone().unwrap_or_else(home_folder);
                let plain = JobSpec::new(command.clone(), cwd);
                (JobSpec { stdin, environment: origin, ..plain }, environment)
            }
            Work::Turn { nano_usd_max, .. } => {
                let prompt = prompt(&ask.input)?;
                let (environment, _) = environment(&entry.env);
                let agent = self.agent_spec(&ask);
                let budget =
                    nano_usd_max.map(|most| Budget { nano_usd_max: most, is_asked: false });
                let turn = Turn { agent: agent.name.clone(), prompt, budget, ..Turn::default() };
                let spec = agent.job_spec(turn);
                undo.push(Command::RemoveAgent(agent.name.clone()));
                let (spec_of, replace) = (Box::new(agent), false);
                before.push(Command::AddAgent { spec: spec_of, environment, replace });
                (spec, Environment(BTreeMap::new()))
            }
        };
        if let Some(pool) = &entry.pool {
            spec.pool.clone_from(pool);
        }
        self.bound(&mut spec, ask.runtime_max);
        let (id, session, parent) = (ask.id.clone(), ask.session.clone(), ask.parent.clone());
        let (owner, key) = (ask.principal.clone(), key(&ask));
        spec.hosted = Some(Box::new(self.hosted(ask, lease)));
        let (key, owner) = (key, Some(owner));
        let (project, retry_of) = (None, None);
        let submission =
            Submission { id, spec, environment, key, owner, project, parent, retry_of, session };
        Ok(Prepared { before, submission, undo })
    }

    fn hosted(&self, ask: HostedAsk, lease: Lease) -> Hosted {
        let asked = request(&self.asked, &ask);
        Hosted {
            agent: self.entry.name.clone(),
            version: self.entry.version.clone(),
            input: ask.input,
            lease,
            asked,
            trace: ask.trace,
            delegate: ask.delegate,
            depth: ask.depth,
            credentials: self.entry.credentials.clone(),
            extensions: ask.extensions,
        }
    }

    fn bound(&self, spec: &mut JobSpec, asked: Option<Millis>) {
        let asked = asked.map(|most| most.min(limits::SPAN_MAX));
        spec.timeout = self.entry.timeout.into_iter().chain(asked).min();
        spec.grace = self.entry.grace.unwrap_or(self.grace);
        spec.retry = Retry { max: self.entry.retries, ..spec.retry.clone() };
    }

    /// The agent whose one turn the job is.
    fn agent_spec(&self, ask: &HostedAsk) -> AgentSpec {
        let plain = AgentSpec::default();
        let (kind, model, extra, policy) = match &self.entry.work {
            Work::Turn { kind, model, extra, policy, .. } => {
                (kind.clone(), model.clone(), extra.clone(), policy.clone())
            }
            Work::Command(_) | Work::Task { .. } => unreachable!("only turns have agents"),
        };
        AgentSpec {
            name: format!("hosted.{}", ask.id),
            kind,
            model,
            extra,
            policy,
            cwd: self.entry.cwd.clone().unwrap_or_else(home_folder),
            pool: self.entry.pool.clone(),
            owner: Some(ask.principal.clone()),
            ..plain
        }
    }
}

/// What is granted of what is asked, under the most that may be: a currency that was not asked for is
/// bounded by the most there is of it, and not by nothing.
fn within(most: Option<&Lease>, asked: &Lease) -> Result<Lease, Wider> {
    let Some(most) = most else { return Ok(asked.clone()) };
    let granted = most.narrow(asked)?;
    most.budget().map_or_else(|| Ok(granted.clone()), |most| granted.bounded_by(most))
}

/// The key as the home knows it: principals cannot meet each other's.
pub(super) fn key(ask: &HostedAsk) -> Option<String> {
    let key = ask.key.as_ref()?;
    let mut digest = Sha256::new();
    digest.update((ask.principal.len() as u64).to_le_bytes());
    digest.update(ask.principal.as_bytes());
    digest.update(key.as_bytes());
    Some(format!("hosted/{}", ids::hex(&digest.finalize())))
}

/// What is asked for under a key, in few characters: two asks have the same if they are the same, whatever
/// the agent is when they are looked at.
pub(super) fn request(reference: &str, ask: &HostedAsk) -> Option<String> {
    ask.key.as_ref()?;
    let input = serde_json::from_str(&ask.input).unwrap_or(Value::Null);
    let lease = ask.lease.asked();
    let until = ask.lease.expires_at().map(Timestamp::as_millis);
    let runtime_ms_max = ask.runtime_max.map(Millis::get);
    let whole = serde_json::json!([reference, input, lease, until, runtime_ms_max]);
    let mut digest = ids::hex(&Sha256::digest(canonical::value_text(&whole)));
    digest.truncate(REQUEST_CHARS);
    Some(digest)
}

/// What an agent CLI is told: the input itself if it is a text, or its field `prompt`.
fn prompt(input: &str) -> Result<String, Unfit> {
    let bad = Unfit::Input("the input of this agent is a text, or an object with a text `prompt`");
    let text = match serde_json::from_str(input) {
        Ok(Value::String(text)) => text,
        Ok(Value::Object(mut fields)) => match fields.remove("prompt") {
            Some(Value::String(text)) => text,
            _ => return Err(bad),
        },
        _ => return Err(bad),
    };
    if text.trim().is_empty() { Err(bad) } else { Ok(text) }
}

fn environment(names: &[String]) -> (Environment, EnvironmentOrigin) {
    let all = PLAIN_NAMES.into_iter().chain(names.iter().map(String::as_str));
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let all: BTreeMap<String, String> = all.filter_map(value).collect();
    let names: Vec<String> = all.keys().cloned().collect();
    // None is part of the ask: the daemon's variables may be others when it is repeated.
    let origin = EnvironmentOrigin { inherited: true, set: Vec::new(), names };
    (Environment(all), origin)
}

/// The user's own folder.
fn home_folder() -> String {
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    home.unwrap_or_else(|| "/".to_owned())
}
