//! Mail: what is sent, and how it is shown. Who sends is never said by the sender: it follows from the
//! turn that proves itself, or from the person whose socket it is.

use super::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The turn that asks, proven by its token in `Authorization: Bearer …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByTurn {
    /// Which job: `LONGHAUL_JOB_ID`.
    pub job: String,
    /// Which attempt: `LONGHAUL_ATTEMPT`.
    pub attempt: u32,
}

/// A letter, before its groups are expanded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailAsk {
    /// The letter's id; the client makes one if there is none, so that sending twice is harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Agents and groups: `@all`, `@ROLE`, `@parent`, `@children`, `@OWNER`. May be left out in a
    /// reply.
    #[serde(default)]
    pub to: Vec<String>,
    /// What it is about. May be left out in a reply.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it says.
    #[serde(default)]
    pub body: String,
    /// What kind of message; `status` if `None`.
    #[serde(default)]
    pub kind: Option<String>,
    /// How much it presses.
    #[serde(default)]
    pub priority: MailPriority,
    /// What it says to programs; checked by its kind.
    #[serde(default)]
    pub payload: Option<Value>,
    /// The message that it answers.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// The turn that sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<ByTurn>,
    /// The person who sends, where no turn does; the user at the home directory if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// How much a message presses. Shown; order is by when it was sent alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailPriority {
    /// Whenever.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Soon.
    High,
    /// Now.
    Urgent,
}

impl MailPriority {
    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// Whose unread mail is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailCheckAsk {
    /// The agent; that of the turn, or the person's own box, if `None`.
    #[serde(default)]
    pub agent: Option<String>,
    /// How many at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The turn that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<ByTurn>,
    /// The person who asks, where no turn does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Who has read a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailReadAsk {
    /// The turn that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<ByTurn>,
    /// The person who read it, where no turn did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Messages that were sent or handed out, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailBatch {
    /// The messages.
    pub mail: Vec<MailView>,
}

/// Some messages, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailPage {
    /// The messages.
    pub mail: Vec<MailView>,
    /// Ask with this as `cursor` for those after; `null` at the end.
    pub next_cursor: Option<String>,
}

/// One message in one mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailView {
    /// Its id.
    pub id: String,
    /// Who sent it: an agent, `@OWNER`, or `@longhaul`.
    pub from: String,
    /// The turn that sent it, if one did.
    pub from_turn: Option<String>,
    /// The mailbox: an agent, or `@OWNER`.
    pub to: String,
    /// What kind of message it is.
    pub kind: String,
    /// How much it presses.
    pub priority: MailPriority,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub body: String,
    /// What it says to programs.
    pub payload: Option<Value>,
    /// The first message of its thread.
    pub thread: String,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// When it was sent.
    pub sent_at: Time,
    /// Where it is in its life.
    pub state: MailState,
    /// The turn that has it, or in which it was read.
    pub turn: Option<String>,
    /// Turns that took it and failed.
    pub tries: u32,
    /// When it was read or returned.
    pub ended_at: Option<Time>,
    /// Why it was returned, in words.
    pub returned_because: Option<String>,
}

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// Waits for a turn, or for whoever it is for to look.
    Unread,
    /// A turn has it; how that ends decides.
    Taken,
    /// Whom it is for has read it.
    Read,
    /// It could not be delivered, and its sender was told.
    Returned,
}

impl MailState {
    /// All, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Unread, Self::Taken, Self::Read, Self::Returned];

    /// The name, as in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Taken => "taken",
            Self::Read => "read",
            Self::Returned => "returned",
        }
    }
}
