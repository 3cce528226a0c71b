//! Agents: what one shall be, and how it is shown. Values of its environment are never shown.

use super::job::OutcomeView;
use super::money::Usd;
use super::spec::Variables;
use super::time::Time;
use super::units::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What an agent shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentAsk {
    /// Which CLI it is: `claude`, `codex`, `gemini`, `opencode`, `pi`, `omp`, `qwen`, `acp`, `ndjson`
    /// or `plain`.
    pub kind: String,
    /// What it is there for; decides what it owes at the end of its work.
    #[serde(default)]
    pub role: Option<String>,
    /// The agent that it works for.
    #[serde(default)]
    pub parent: Option<String>,
    /// The model, as the CLI names it.
    #[serde(default)]
    pub model: Option<String>,
    /// Absolute path of the directory its turns run in; the home directory of the user if `None`.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Arguments that are passed on; for `acp`, `ndjson` and `plain` the program and its arguments.
    #[serde(default)]
    pub extra: Vec<String>,
    /// What it may do.
    #[serde(default)]
    pub policy: PolicyView,
    /// What all its turns together may cost.
    #[serde(default)]
    pub budget: Option<BudgetAsk>,
    /// What a limit of the vendor does to its turns.
    #[serde(default)]
    pub park: ParkRule,
    /// What a refused resume does to its turns.
    #[serde(default)]
    pub resume: Resume,
    /// When its silence is said, asked about, ended.
    #[serde(default)]
    pub quiet: QuietView,
    /// Whether it works in a git worktree of its own.
    #[serde(default)]
    pub worktree: bool,
    /// Whose slots its turns need; `default` if `None`.
    #[serde(default)]
    pub pool: Option<String>,
    /// The longest that one of its turns may run.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// Sinks that are told of its turns' ends.
    #[serde(default)]
    pub notify: Vec<String>,
    /// Variables set on purpose.
    #[serde(default)]
    pub env: Variables,
    /// The caller's environment. Of it the daemon keeps only what the CLI needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_env: Option<Variables>,
    /// Whom its turns belong to; the user at the project of `cwd` if `None`.
    #[serde(default)]
    pub owner: Option<String>,
    /// The project that they belong to; that of `cwd` if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Whether it may change an agent of that name, which keeps its conversation, mail and turns.
    #[serde(default)]
    pub replace: bool,
}

/// What an agent may do, in its CLI's own names for tools. A pattern may end in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyView {
    /// Tools that may run; as soon as one is named, those that are not may not.
    pub allow_tool: Vec<String>,
    /// Tools that may not, whatever else is said.
    pub deny_tool: Vec<String>,
    /// Tools about which a person is asked each time.
    pub ask_tool: Vec<String>,
    /// Folders below the working directory that may be written in.
    pub write_under: Vec<String>,
    /// Everything, without asking.
    pub everything: bool,
    /// How long a question waits before it is answered with no; for ever if `None`.
    pub ask_for: Option<Span>,
}

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetAsk {
    /// US dollars at most.
    pub usd_max: Usd,
    /// Whether a person is asked before it is stopped for good.
    #[serde(default)]
    pub ask: bool,
}

/// What becomes of a turn that met a limit of the vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkRule {
    /// It fails.
    Never,
    /// It waits until the limit ends, without using up an attempt.
    #[default]
    UntilReset,
    /// It waits until a person says so.
    Ask,
}

/// What becomes of a turn whose conversation could not be resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// A new conversation is begun, once.
    #[default]
    Fresh,
    /// It fails.
    Fail,
}

/// After how long a silence what is done. What is not said is as the agent's role has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuietView {
    /// It is said.
    pub warn: Option<After>,
    /// The agent is sent a message, for its next turn.
    pub nudge: Option<After>,
    /// Its owner is asked.
    pub ask: Option<After>,
    /// The turn is stopped.
    pub stop: Option<After>,
}

/// A span, or never. Written `10m` or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// After this long.
    Span(Span),
    /// Not at all.
    Never,
}

impl FromStr for After {
    type Err = super::units::BadUnit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "never" { Ok(Self::Never) } else { text.parse().map(Self::Span) }
    }
}

impl fmt::Display for After {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(out),
            Self::Never => out.write_str("never"),
        }
    }
}

impl Serialize for After {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How an agent is to be ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopAgentAsk {
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// Without waiting for its turn's grace.
    #[serde(default)]
    pub now: bool,
}

/// All agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agents {
    /// By name.
    pub agents: Vec<AgentView>,
}

/// A git worktree that an agent or a turn works in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceView {
    /// Its top folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
}

/// A named worker, as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its name: mailbox and lane are called after it.
    pub name: String,
    /// Which CLI it is.
    pub kind: String,
    /// What it is there for.
    pub role: Option<String>,
    /// The agent that it works for.
    pub parent: Option<String>,
    /// The model, as the CLI names it; the CLI's own choice if `None`.
    pub model: Option<String>,
    /// Where its turns run.
    pub cwd: String,
    /// What it is doing.
    pub state: AgentState,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// The conversation that its next turn goes on with.
    pub conversation: Option<String>,
    /// What a person types to go on with that conversation by hand.
    pub resume_command: Option<String>,
    /// Turns that were begun so far.
    pub turns: u64,
    /// Messages that it has not read.
    pub unread: u64,
    /// The oldest of its turns that has not ended.
    pub turn: Option<String>,
    /// The newest turn that was begun, and how it ended.
    pub last_turn: Option<LastTurnView>,
    /// What its turns used.
    pub used: UsedView,
    /// What it and all agents below it used.
    pub used_tree: UsedView,
    /// What all its turns together may cost.
    pub budget: Option<BudgetView>,
    /// Agents that work for it, by name.
    pub children: Vec<String>,
    /// What it may do.
    pub policy: PolicyView,
    /// What a limit of the vendor does to its turns.
    pub park: ParkRule,
    /// What a refused resume does to its turns.
    pub resume: Resume,
    /// When its silence is said, asked about, ended; as its role has it where nothing is said.
    pub quiet: QuietView,
    /// Whether it works in a git worktree of its own.
    pub worktree: bool,
    /// That worktree, from when it is made until it is gone.
    pub workspace: Option<WorkspaceView>,
    /// Whose slots its turns need.
    pub pool: String,
    /// The longest that one of its turns may run.
    pub timeout: Option<Span>,
    /// Sinks that are told of its turns' ends.
    pub notify: Vec<String>,
    /// Arguments that are passed on to the CLI.
    pub extra: Vec<String>,
    /// Names of its environment that were set on purpose.
    pub env_set: Vec<String>,
    /// Whom its turns belong to.
    pub owner: Option<String>,
    /// Since when it is there.
    pub added_at: Time,
    /// When its work was over.
    pub ended_at: Option<Time>,
    /// Why it was stopped, in the asker's words.
    pub stop_reason: Option<String>,
    /// The message that said that its work is done.
    pub terminal: Option<String>,
    /// What its CLI cannot be made to keep of what was asked for, in words.
    pub warnings: Vec<String>,
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Nothing: no turn, no mail, no children at work.
    Idle,
    /// Something is open.
    Waiting,
    /// It said that its work is done.
    Finished,
    /// Somebody stopped it.
    Stopped,
}

impl AgentState {
    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// The newest turn of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTurnView {
    /// Which.
    pub job: String,
    /// How the job ended; `null` while it has not, or once it was removed.
    pub outcome: Option<OutcomeView>,
    /// How its last attempt ended, in the CLI's words.
    pub how: Option<TurnHow>,
    /// The class of failure.
    pub class: Option<String>,
    /// What went wrong, in words.
    pub message: Option<String>,
    /// Whether it ended well without the mail that its agent's role owes.
    pub is_silent: bool,
    /// The question that it ended with, by mail, and whose answer its agent waits for.
    pub awaits: Option<String>,
}

/// How an attempt of a turn ended, in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnHow {
    /// The CLI said that it is done.
    Done,
    /// It ended to wait for an answer about a tool call.
    Deferred,
    /// It was asked to end and had not finished before.
    Cancelled,
    /// It failed.
    Failed,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedView {
    /// Tokens read by the model, those from a cache left out.
    pub input_tokens: u64,
    /// Tokens that it wrote.
    pub output_tokens: u64,
    /// Tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens written to a cache.
    pub cache_write_tokens: u64,
    /// Those of `output_tokens` that were thought.
    pub reasoning_tokens: u64,
    /// US dollars; `null` is not zero: the CLI does not say.
    pub cost_usd: Option<Usd>,
}

/// What may be spent, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetView {
    /// US dollars at most, with what a person granted since.
    pub usd_max: Usd,
    /// What of it is not used.
    pub usd_left: Usd,
    /// Whether a person is asked before it is stopped for good.
    pub ask: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_or_never_comes_back_as_it_was_written() {
        for text in ["never", "10m", "500ms"] {
            let after: After = text.parse().unwrap();
            let json = serde_json::to_string(&after).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<After>(&json).unwrap(), after);
        }
        assert!("soon".parse::<After>().is_err());
    }

    #[test]
    fn only_the_kind_is_required_and_unknown_fields_are_refused() {
        let ask: AgentAsk = serde_json::from_str(r#"{"kind":"claude"}"#).unwrap();
        assert_eq!((ask.park, ask.resume), (ParkRule::UntilReset, Resume::Fresh));
        for json in [
            "{}",
            r#"{"kind":"claude","rol":"x"}"#,
            r#"{"kind":"claude","policy":{"alow_tool":[]}}"#,
            r#"{"kind":"claude","quiet":{"warn":"soon"}}"#,
            r#"{"kind":"claude","budget":{"ask":true}}"#,
            r#"{"kind":"claude","park":"later"}"#,
        ] {
            assert!(serde_json::from_str::<AgentAsk>(json).is_err(), "{json} passed");
        }
    }
}
