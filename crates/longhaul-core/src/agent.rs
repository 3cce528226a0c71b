//! The agent: a named worker with a mailbox, a lane and a conversation.
//!
//! ```text
//!  Idle ⇄ Waiting ──► Finished   (its terminal mail, once the turn that sent it ended well)
//!    └──────┴───────► Stopped    (somebody asked)
//! ```
//! Whether it is idle or waits follows from its jobs, its mail and its children; it is worked out in
//! the step that changes one of them, and never by whoever reads.

use crate::id::{JobId, MailId};
use crate::limits;
use crate::mail::is_reserved;
use crate::policy;
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::spec::{
    self, BadSpec, Environment, EnvironmentOrigin, JobSpec, at_most, bad, check_word,
};
use crate::time::{Millis, Timestamp};
use crate::turn::{Budget, Park, Policy, ResumeRule, Turn, TurnHow, Used};
use serde::{Deserialize, Serialize};

/// What an agent is set up to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSpec {
    /// Its name: mailbox and lane are called after it.
    pub name: String,
    /// Which CLI it is; a word of the adapters'.
    pub kind: String,
    /// What it is there for; decides what it owes at the end of its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The agent that it works for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The model, as the CLI names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where its turns run: an absolute path.
    pub cwd: String,
    /// Arguments that are passed on to the CLI; for kinds without a program of their own, the
    /// program and its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
    /// What it may do.
    pub policy: Policy,
    /// What all its turns together may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What a limit of the vendor does to its turns.
    pub park: Park,
    /// What a refused resume does to its turns.
    pub resume: ResumeRule,
    /// When its silence is said, asked about, ended; the home's rule for its role if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Ladder>,
    /// Runs in a git worktree of its own.
    pub worktree: bool,
    /// The pool its turns need a slot of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Whom its turns belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The project that they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The longest that one of its turns may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// Sinks that are told of its turns' ends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// Names of its environment that were set on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment_set: Vec<String>,
}

impl AgentSpec {
    /// Checks everything that needs no other row.
    ///
    /// # Errors
    /// The first [`BadSpec`].
    pub fn check(&self) -> Result<(), BadSpec> {
        check_name("name", &self.name)?;
        check_word("kind", &self.kind)?;
        if let Some(role) = &self.role {
            check_name("role", role)?;
            if is_reserved(role) {
                return Err(bad("role", "is the name of a group"));
            }
        }
        if self.parent.as_deref() == Some(self.name.as_str()) {
            return Err(bad("parent", "is the agent itself"));
        }
        let words = [("model", &self.model), ("pool", &self.pool), ("owner", &self.owner)];
        for (field, word) in words.into_iter().filter_map(|(f, w)| w.as_ref().map(|w| (f, w))) {
            check_word(field, word)?;
        }
        if self.owner.as_deref().is_some_and(is_reserved) {
            return Err(bad("owner", "is the name of a group"));
        }
        self.project.as_deref().map_or(Ok(()), spec::check_project)?;
        self.check_spans()?;
        policy::check(&self.policy)?;
        self.budget.map_or(Ok(()), |budget| budget.check())?;
        at_most("extra", "arguments", self.extra.len(), limits::ARGUMENTS_MAX - 1)?;
        let bytes = self.extra.iter().map(String::len).sum();
        at_most("extra", "bytes", bytes, limits::COMMAND_BYTES_MAX)?;
        if self.extra.iter().any(|word| word.contains('\0')) {
            return Err(bad("extra", "holds a NUL character"));
        }
        // The rest is what any job of its lane must obey.
        let turn = Turn { agent: self.name.clone(), is_wake: true, ..Turn::default() };
        self.job_spec(turn).check()
    }

    fn check_spans(&self) -> Result<(), BadSpec> {
        let Ladder { warn_after, nudge_after, ask_after, stop_after } =
            self.ladder.unwrap_or_default();
        for (field, span) in [
            ("warn_after", warn_after),
            ("nudge_after", nudge_after),
            ("ask_after", ask_after),
            ("stop_after", stop_after),
        ] {
            if span.is_some_and(|span| span < limits::STALL_MIN || span > limits::SPAN_MAX) {
                return Err(bad(field, "is not between one second and ten years"));
            }
        }
        Ok(())
    }

    /// What a turn of this agent is as a job, where nothing else is said.
    pub fn job_spec(&self, turn: Turn) -> JobSpec {
        let environment =
            EnvironmentOrigin { inherited: false, set: Vec::new(), names: Vec::new() };
        let spec = JobSpec::new(vec![self.kind.clone()], self.cwd.clone());
        JobSpec {
            lane: Some(Agent::lane(&self.name)),
            pool: self.pool.clone().unwrap_or(spec.pool),
            timeout: self.timeout,
            notify: self.notify.clone(),
            environment,
            turn: Some(turn),
            ..spec
        }
    }
}

/// Checks what becomes part of addresses and lanes: letters, digits, `.`, `_` and `-`, and not first
/// what begins a group or an option.
fn check_name(field: &'static str, name: &str) -> Result<(), BadSpec> {
    check_word(field, name)?;
    at_most(field, "bytes", name.len(), limits::AGENT_NAME_BYTES_MAX)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.starts_with('-') || !name.bytes().all(is_plain) {
        return Err(bad(field, "may hold letters, digits, `.`, `_` and, not first, `-`"));
    }
    Ok(())
}

/// After how long a silence what is done; `None` is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ladder {
    /// It is said.
    pub warn_after: Option<Millis>,
    /// The agent is sent a message, for its next turn.
    pub nudge_after: Option<Millis>,
    /// Its owner is asked.
    pub ask_after: Option<Millis>,
    /// The turn is stopped.
    pub stop_after: Option<Millis>,
}

/// A named worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// What it is set up to be.
    pub spec: AgentSpec,
    /// Since when it is there.
    pub added_at: Timestamp,
    /// What it is doing.
    pub standing: Standing,
    /// The conversation that its next turn goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// What the next turn of that conversation is to be given, as JSON text of the adapter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<String>,
    /// Turns that were placed so far.
    #[serde(default)]
    pub turns: u64,
    /// What they used.
    #[serde(default)]
    pub used: Used,
    /// It was told that most of its budget is spent.
    #[serde(default)]
    pub is_warned: bool,
    /// More that it may spend, beyond its budget, because a person said so: in billionths of a US
    /// dollar.
    #[serde(default)]
    pub nano_usd_more: u64,
    /// The newest turn that was placed, and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastTurn>,
    /// It has ended with more unread mail than one step returns; the next step returns more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
}

/// The newest turn of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTurn {
    /// Which.
    pub job: JobId,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<TurnHow>,
    /// It ended well, and its agent's role would have owed a mail that says so.
    #[serde(default)]
    pub is_silent: bool,
    /// The question that it ended with, by mail; its agent waits for the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<MailId>,
}

/// What an agent is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Standing {
    /// Nothing: no turn, no mail, no children at work.
    Idle,
    /// Something is open.
    Waiting {
        /// What, in words.
        because: String,
    },
    /// It said that its work is done.
    Finished {
        /// When.
        at: Timestamp,
        /// In which mail.
        mail: MailId,
        /// In which turn.
        turn: JobId,
    },
    /// Somebody stopped it.
    Stopped {
        /// When.
        at: Timestamp,
        /// Why, in the asker's words.
        reason: Option<String>,
    },
}

impl Standing {
    /// What people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting { .. } => "waiting",
            Self::Finished { .. } => "finished",
            Self::Stopped { .. } => "stopped",
        }
    }
}

/// The environment of an agent's turns. A secret: never printed, erased with the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentEnvironment {
    /// Whose.
    pub agent: String,
    /// The secret.
    pub environment: Environment,
}

impl Agent {
    /// An agent that has just been added.
    pub fn new(spec: AgentSpec, now: Timestamp) -> Self {
        Self {
            spec,
            added_at: now,
            standing: Standing::Idle,
            conversation: None,
            carry: None,
            turns: 0,
            used: Used::default(),
            is_warned: false,
            nano_usd_more: 0,
            last: None,
            again_at: None,
        }
    }

    /// The lane of its turns.
    pub fn lane(name: &str) -> String {
        format!("agent/{name}")
    }

    /// Whether it will have no more turns.
    pub const fn is_ended(&self) -> bool {
        matches!(self.standing, Standing::Finished { .. } | Standing::Stopped { .. })
    }

    /// When its life ended, if it has.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Finished { at, .. } | Standing::Stopped { at, .. } => Some(at),
            Standing::Idle | Standing::Waiting { .. } => None,
        }
    }
}

impl Record for Agent {
    const TABLE: Table = Table::Agent;

    fn row_id(&self) -> String {
        self.spec.name.clone()
    }

    fn to_row(&self) -> Row {
        let is_ended = self.is_ended();
        Row {
            phase: if is_ended { Phase::Ended } else { Phase::Kept },
            state: self.standing.name().to_owned(),
            due_at: self.again_at,
            parent: self.spec.parent.clone(),
            owner: self.spec.owner.clone(),
            name: self.spec.role.clone(),
            outcome: is_ended.then(|| self.standing.name().to_owned()),
            ended_at: self.ended_at(),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

impl Record for AgentEnvironment {
    const TABLE: Table = Table::AgentEnvironment;

    fn row_id(&self) -> String {
        self.agent.clone()
    }

    fn to_row(&self) -> Row {
        Row::kept(self.row_id(), body(&self.environment))
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        let environment = serde_json::from_str(&row.body)
            // The parser's own words might quote a secret.
            .map_err(|_| Corrupt {
                table: Self::TABLE,
                id: row.id.clone(),
                message: "not an environment".to_owned(),
            })?;
        Ok(Self { agent: row.id.clone(), environment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AgentSpec {
        let (name, kind) = ("builder-1".to_owned(), "plain".to_owned());
        AgentSpec { name, kind, cwd: "/w".into(), ..AgentSpec::default() }
    }

    #[test]
    fn a_plain_agent_passes_and_so_does_each_plain_name() {
        assert_eq!(spec().check(), Ok(()));
        for name in ["a", "A.b_c-9", ".", "_", "9", &"x".repeat(64)] {
            assert_eq!(AgentSpec { name: name.into(), ..spec() }.check(), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_bad_field_is_named() {
        type Spoil = fn(&mut AgentSpec);
        let breaks: [(&str, Spoil); 23] = [
            ("name", |s| s.name.clear()),
            ("name", |s| s.name = "@all".into()),
            ("name", |s| s.name = "-x".into()),
            ("name", |s| s.name = "a/b".into()),
            ("name", |s| s.name = "a b".into()),
            ("name", |s| s.name = "ä".into()),
            ("name", |s| s.name = "x".repeat(65)),
            ("kind", |s| s.kind.clear()),
            ("role", |s| s.role = Some("@lead".into())),
            ("role", |s| s.role = Some("children".into())),
            ("parent", |s| s.parent = Some("builder-1".into())),
            ("model", |s| s.model = Some("a\nb".into())),
            ("cwd", |s| s.cwd = "w".into()),
            ("cwd", |s| s.cwd.clear()),
            ("extra", |s| s.extra = vec!["a\0b".into()]),
            ("pool", |s| s.pool = Some(" ".into())),
            ("owner", |s| s.owner = Some(String::new())),
            ("owner", |s| s.owner = Some("longhaul".into())),
            ("project", |s| s.project = Some("p".into())),
            ("timeout", |s| s.timeout = Some(Millis::ZERO)),
            ("notify", |s| s.notify = vec!["s".into(); limits::NOTIFY_MAX + 1]),
            ("budget", |s| s.budget = Some(Budget { nano_usd_max: 0, is_asked: false })),
            ("nudge_after", |s| {
                s.ladder = Some(Ladder { nudge_after: Some(Millis::ZERO), ..Ladder::default() });
            }),
        ];
        for (field, spoil) in breaks {
            let mut spec = spec();
            spoil(&mut spec);
            assert_eq!(spec.check().err().map(|bad| bad.field), Some(field), "{spec:?}");
        }
    }
}
