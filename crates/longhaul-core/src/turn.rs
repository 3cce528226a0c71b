//! A turn: a job that is one invocation of an agent CLI. What it is asked to be, what it is given
//! when it begins, how far its output has been taken, and how it ended. Which CLI it is and what its
//! output says is for others; here all of that is words and numbers.

mod check;
mod intake;

pub use intake::{Intake, Offsets, Seen, Taking};

use crate::agent::AgentSpec;
use crate::id::{ApprovalId, JobId, MailId};
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// What a turn is asked to be: part of a job's specification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Whose turn.
    pub agent: String,
    /// What the agent is told, beside its mail. Empty for a turn that is only there for mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// The model, if not the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it may do, if not what the agent may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What a limit of the vendor does to it, if not what the agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub park: Option<Park>,
    /// What a refused resume does, if not what the agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeRule>,
    /// Begins a new conversation, whatever the agent's was.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_fresh: bool,
    /// Steps of the model at most, where the CLI can count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_max: Option<u32>,
    /// Runs in a git worktree of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub worktree: bool,
    /// Made by us, because mail waited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_wake: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What an agent may do, in the CLI's own names for tools. A pattern may end in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// What of everything not named below.
    pub base: Base,
    /// Tools that may run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Tools that may not, whatever else is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Tools about which a person is asked each time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<String>,
    /// Folders under the working directory, relative to it, that may be written in. Anywhere that
    /// the CLI lets it if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_under: Vec<String>,
    /// How long a question to a person waits before it is answered with no; for ever if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_for: Option<Millis>,
}

/// What an agent may do that its policy does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// What the CLI is set up to allow without asking. Ours if nothing is said at all.
    #[default]
    AsConfigured,
    /// Nothing. Ours as soon as something is allowed by name.
    Nothing,
    /// Everything, without asking.
    Everything,
}

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Billionths of a US dollar.
    pub nano_usd_max: u64,
    /// Whether a person is asked before it is stopped for good.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_asked: bool,
}

/// What becomes of a turn that met a limit of the vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Park {
    /// It failed.
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
pub enum ResumeRule {
    /// A new conversation is begun, once.
    #[default]
    FreshOnce,
    /// It failed.
    Fail,
}

/// How a turn is going: part of its job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnState {
    /// Mail that it has taken and that is not settled yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<MailId>,
    /// The conversation that the current attempt is in, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Another conversation answered than was to be resumed.
    #[serde(skip_serializing_if = "is_false")]
    pub is_mismatch: bool,
    /// The next attempt goes on after a tool call that was put off.
    #[serde(skip_serializing_if = "is_false")]
    pub is_deferred: bool,
    /// A resume was refused, and a new conversation begun instead.
    #[serde(skip_serializing_if = "is_false")]
    pub is_afresh: bool,
    /// How often it was parked.
    #[serde(skip_serializing_if = "is_zero")]
    pub parks: u32,
    /// When the CLI said that it is done; the process may still be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// What earlier attempts used.
    #[serde(skip_serializing_if = "Used::is_nothing")]
    pub used_before: Used,
    /// What the current attempt used so far, as far as the CLI has said so.
    #[serde(skip_serializing_if = "Used::is_nothing")]
    pub used: Used,
    /// More that it may spend, beyond its budget, because a person said so.
    #[serde(skip_serializing_if = "is_nothing")]
    pub nano_usd_more: u64,
    /// It was told that most of its budget is spent.
    #[serde(skip_serializing_if = "is_false")]
    pub is_warned: bool,
    /// How the last attempt ended, in the CLI's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<TurnEnd>,
    /// The mail by which it said that its agent's work is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<MailId>,
    /// The newest question that it sent by mail, while nobody has answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits: Option<MailId>,
    /// What the newest question waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<ApprovalId>,
    /// What is thought of its silence.
    pub health: Health,
    /// Its agent's kind, when it was last about to be placed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What a limit of the vendor does to the current attempt.
    #[serde(skip_serializing_if = "is_default")]
    pub park: Park,
    /// What a refused resume does to the current attempt.
    #[serde(skip_serializing_if = "is_default")]
    pub resume: ResumeRule,
    /// The next attempt goes on with what the last one began: it is told no more than that.
    #[serde(skip_serializing_if = "is_false")]
    pub is_going_on: bool,
    /// A person is asked about the budget for which it is being stopped.
    #[serde(skip_serializing_if = "is_false")]
    pub is_budget_asked: bool,
    /// Entries of its output in the journal.
    pub events: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_nothing(number: &u64) -> bool {
    *number == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is thought of a turn's silence: an opinion, never an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It showed a sign of life not long ago, or nobody can tell.
    #[default]
    Well,
    /// It has been quiet for long enough to be said.
    Quiet,
    /// It was sent a message about it, for its next turn.
    Nudged,
    /// Its owner was asked.
    Asked,
}

/// Tokens and money. `input` leaves out what came from a cache; `reasoning` is part of `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// Tokens read by the model, those from a cache left out.
    pub input: u64,
    /// Tokens that it wrote.
    pub output: u64,
    /// Tokens read from a cache.
    pub cache_read: u64,
    /// Tokens written to a cache.
    pub cache_write: u64,
    /// Tokens of `output` that were thought.
    pub reasoning: u64,
    /// Billionths of a US dollar. Nothing is not zero: it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_usd: Option<u64>,
}

impl Used {
    /// Whether nothing was used, or nothing is known.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        let nano_usd = match (self.nano_usd, more.nano_usd) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        Self {
            input: self.input.saturating_add(more.input),
            output: self.output.saturating_add(more.output),
            cache_read: self.cache_read.saturating_add(more.cache_read),
            cache_write: self.cache_write.saturating_add(more.cache_write),
            reasoning: self.reasoning.saturating_add(more.reasoning),
            nano_usd,
        }
    }

    /// What was added since `before`; nothing where a count went down.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let nano_usd = match (self.nano_usd, before.nano_usd) {
            (None, _) => None,
            (Some(now), then) => Some(now.saturating_sub(then.unwrap_or(0))),
        };
        Self {
            input: self.input.saturating_sub(before.input),
            output: self.output.saturating_sub(before.output),
            cache_read: self.cache_read.saturating_sub(before.cache_read),
            cache_write: self.cache_write.saturating_sub(before.cache_write),
            reasoning: self.reasoning.saturating_sub(before.reasoning),
            nano_usd,
        }
    }
}

/// How an attempt of a turn ended: the adapter's verdict, in core's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnEnd {
    /// How.
    pub how: TurnHow,
    /// The conversation, for the next turn and for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Whether another conversation answered than was to be resumed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_mismatch: bool,
    /// What the agent said last, shortened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// What the attempt used.
    #[serde(default, skip_serializing_if = "Used::is_nothing")]
    pub used: Used,
    /// Whether `used` is all of it; it is the least otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_used_whole: bool,
    /// What the next turn of the conversation is to be given, as JSON text of the adapter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<String>,
    /// Tool calls that were refused.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub denied: u64,
    /// The command with which a person goes on with the conversation by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_command: Option<String>,
    /// The last things that happened, oldest first, in a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<String>,
}

impl TurnEnd {
    /// An end of which nothing is known but how it came about.
    pub const fn of(how: TurnHow) -> Self {
        Self {
            how,
            conversation: None,
            is_mismatch: false,
            said: String::new(),
            used: Used {
                input: 0,
                output: 0,
                cache_read: 0,
                cache_write: 0,
                reasoning: 0,
                nano_usd: None,
            },
            is_used_whole: false,
            carry: None,
            denied: 0,
            resume_command: None,
            last: Vec::new(),
        }
    }
}

/// How an attempt of a turn ended, in kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TurnHow {
    /// The CLI said that it is done.
    Done {
        /// An exit that does not fit, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        despite: Option<String>,
    },
    /// It ended to wait for an answer about a tool call; resuming asks again.
    Deferred {
        /// The call.
        call: String,
        /// The tool.
        tool: String,
    },
    /// We asked it to end, and it had not finished before.
    Cancelled,
    /// It failed.
    Failed {
        /// The class of failure, as programs see it.
        class: String,
        /// In words.
        message: String,
        /// What is to be done about it.
        remedy: Remedy,
    },
}

/// What is to be done about a failed turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Remedy {
    /// Set it aside until the vendor's limit ends; that is no attempt.
    Park {
        /// When that is, if it was told.
        until: Option<Timestamp>,
    },
    /// Try again later; that is an attempt.
    Retry,
    /// The conversation cannot be had: begin a new one.
    Afresh,
    /// Trying again would fail again: somebody has to do something first.
    Ask,
    /// It went as far as it was allowed to.
    Stop,
}

/// What the current attempt of a turn is given, fixed when it was placed: a relaunch is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Whose.
    pub job: JobId,
    /// For which attempt.
    pub attempt: u32,
    /// The agent as it was then.
    pub agent: AgentSpec,
    /// All that it is told: mail, then the prompt.
    pub prompt: String,
    /// Which conversation it belongs to.
    pub conversation: Conversation,
    /// What the last turn of the conversation handed on, as JSON text of the adapter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<String>,
}

/// Which conversation an attempt belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversation {
    /// A new one.
    #[default]
    New,
    /// This one goes on.
    Resume(String),
    /// This one goes on at the tool call that was put off; nothing new is said.
    Deferred(String),
}

impl Record for Input {
    const TABLE: Table = Table::Input;

    fn row_id(&self) -> String {
        self.job.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        Row::kept(self.row_id(), body(self))
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}
