//! Tool calls that ask whether they may run, and questions that wait for a person.

use super::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// May this tool call run? Asked by the hook of a turn's CLI, proven by the token of its attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeAsk {
    /// In which attempt: `LONGHAUL_ATTEMPT`.
    pub attempt: u32,
    /// The tool, as the CLI names it.
    pub tool: String,
    /// The call, as the CLI names it.
    #[serde(default)]
    pub call: String,
    /// Whether the CLI asks again under the same name of the call after it was put off. Otherwise
    /// calls that would do the same are one question.
    #[serde(default)]
    pub asks_again: bool,
    /// The shell command that it would run, if it is one that runs commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Absolute paths that it would write.
    #[serde(default)]
    pub writes: Vec<String>,
    /// Absolute paths that it would read.
    #[serde(default)]
    pub reads: Vec<String>,
    /// URLs that it would fetch.
    #[serde(default)]
    pub fetches: Vec<String>,
    /// Its arguments.
    #[serde(default)]
    pub input: Value,
}

/// What a tool call may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeAnswer {
    /// The answer.
    pub decision: ToolDecision,
    /// Why not, for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The question that a person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// What is decided about a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolDecision {
    /// It may run.
    Allowed,
    /// It may not.
    Denied,
    /// A person is asked.
    Asked,
    /// The policy has no opinion: the CLI goes by its own rules.
    Unsaid,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalView {
    /// Its id.
    pub id: String,
    /// The turn that it is about.
    pub job: String,
    /// Whose turn.
    pub agent: String,
    /// Who is asked.
    pub owner: Option<String>,
    /// In which attempt it was first asked.
    pub attempt: u32,
    /// What is asked: `tool`, `budget`, `limit` or `silence`.
    pub about: String,
    /// In a sentence.
    pub question: String,
    /// The tool, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The call, as the CLI names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What it would do; text if it had to be shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Where it is in its life.
    pub state: ApprovalState,
    /// When it was asked.
    pub asked_at: Time,
    /// When it is answered with no; never if `null`.
    pub give_up_at: Option<Time>,
    /// When it was answered, or lapsed.
    pub ended_at: Option<Time>,
    /// Who answered.
    pub by: Option<String>,
    /// Why not, or why it lapsed.
    pub reason: Option<String>,
}

/// Where a question is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// It waits for an answer.
    Asked,
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// Nobody answered in time, or it is of no use any more.
    Lapsed,
}

impl ApprovalState {
    /// All, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Asked, Self::Allowed, Self::Denied, Self::Lapsed];

    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
        }
    }
}

/// Some questions, by id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalsPage {
    /// The questions.
    pub approvals: Vec<ApprovalView>,
    /// Ask with this as `cursor` for those after; `null` at the end.
    pub next_cursor: Option<String>,
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAsk {
    /// Yes or no.
    pub allow: bool,
    /// Why; the agent is told.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who says so; the home's owner if `null`.
    #[serde(default)]
    pub by: Option<String>,
}
