//! Turns: what one shall be, and what is told of one beside what is told of every job.

use super::agent::{
    BudgetAsk, BudgetView, ParkRule, PolicyView, Resume, TurnHow, UsedView, WorkspaceView,
};
use super::spec::Variables;
use super::time::Time;
use super::units::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent is to be told, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnAsk {
    /// The new job's id; the client makes one if there is none, so that asking twice is harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the agent is told, after its mail.
    pub prompt: String,
    /// A person's name for it.
    #[serde(default)]
    pub name: Option<String>,
    /// The model, if not the agent's.
    #[serde(default)]
    pub model: Option<String>,
    /// Whether a new conversation is begun.
    #[serde(default)]
    pub fresh: bool,
    /// What it may do, if not what the agent may.
    #[serde(default)]
    pub policy: Option<PolicyView>,
    /// What it may cost.
    #[serde(default)]
    pub budget: Option<BudgetAsk>,
    /// What a limit of the vendor does to it, if not what the agent says.
    #[serde(default)]
    pub park: Option<ParkRule>,
    /// What a refused resume does to it, if not what the agent says.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Steps of the model at most, where the CLI can count them.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Whether it works in a git worktree of its own.
    #[serde(default)]
    pub worktree: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Jobs that must have succeeded first.
    #[serde(default)]
    pub after: Vec<String>,
    /// Jobs that must have ended first.
    #[serde(default)]
    pub after_any: Vec<String>,
    /// How long after submission it may start.
    #[serde(default)]
    pub delay: Option<Span>,
    /// Before when it may not start.
    #[serde(default)]
    pub at: Option<Time>,
    /// The longest that one attempt may run, if not what the agent says.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// How many more attempts follow a failed one, at most.
    #[serde(default)]
    pub retry: Option<u64>,
    /// Idempotency key.
    #[serde(default)]
    pub key: Option<String>,
    /// Who asks, and is told when it has ended; the agent's owner if `None`.
    #[serde(default)]
    pub owner: Option<String>,
    /// The project whose other owners may be told; the agent's if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job that this one is submitted from.
    #[serde(default)]
    pub parent: Option<String>,
    /// Sinks to tell when it has ended, beside the agent's.
    #[serde(default)]
    pub notify: Vec<String>,
    /// Variables set on purpose, beside the agent's.
    #[serde(default)]
    pub env: Variables,
}

/// What is told of a turn beside what is told of every job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnView {
    /// Whose turn.
    pub agent: String,
    /// What the agent was told beside its mail; only when one job is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The git worktree that it works in, while there is one; only when one job is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceView>,
    /// Whether we made it, because mail waited.
    pub is_wake: bool,
    /// The conversation of the current or last attempt, once that is known.
    pub conversation: Option<String>,
    /// Whether another conversation answered than was to be resumed.
    pub is_mismatch: bool,
    /// What a person types to go on with the conversation by hand.
    pub resume_command: Option<String>,
    /// The model, if it is not the agent's.
    pub model: Option<String>,
    /// What all attempts used, as far as the CLI has said so.
    pub used: UsedView,
    /// What it may cost.
    pub budget: Option<BudgetView>,
    /// Mail that it has taken and that is not settled yet.
    pub mail: Vec<String>,
    /// How often it was parked.
    pub parks: u32,
    /// What is thought of its silence: `well`, `quiet`, `nudged` or `asked`.
    pub health: Health,
    /// When the CLI said that it is done; the process may still be there.
    pub answered_at: Option<Time>,
    /// How the last attempt ended, in the CLI's words.
    pub end: Option<TurnEndView>,
    /// The mail by which it said that its agent's work is done.
    pub terminal: Option<String>,
    /// The question that it asked by mail and waits for.
    pub awaits: Option<String>,
    /// The newest question to a person that it waits for.
    pub asks: Option<String>,
    /// Entries of its output in the journal.
    pub events: u64,
}

/// What is thought of a turn's silence: an opinion, never an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It showed a sign of life not long ago, or nobody can tell.
    Well,
    /// It has been quiet for long enough to be said.
    Quiet,
    /// It was sent a message about it.
    Nudged,
    /// Its owner was asked.
    Asked,
}

impl Health {
    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Quiet => "quiet",
            Self::Nudged => "nudged",
            Self::Asked => "asked",
        }
    }
}

/// How an attempt of a turn ended, in the CLI's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnEndView {
    /// How.
    pub how: TurnHow,
    /// The class of failure, as programs see it.
    pub class: Option<String>,
    /// What went wrong, or does not fit, in words.
    pub message: Option<String>,
    /// The tool about which somebody is asked.
    pub tool: Option<String>,
    /// What the agent said last, shortened.
    pub said: String,
    /// Whether `used` is all of it; it is the least otherwise.
    pub is_used_whole: bool,
    /// Tool calls that were refused.
    pub denied: u64,
    /// The last things that happened, oldest first, in a line each.
    pub last: Vec<String>,
}
