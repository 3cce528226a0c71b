//! Mail: a message from one agent, or a person, to an agent.
//!
//! ```text
//!           take              the turn ended well
//!  Unread ───────► Taken(turn) ───────────► Read
//!    ▲               │ the turn failed     (or read by a person)
//!    └───────────────┴──────► Returned: tried often enough, or its recipient has ended
//! ```
//! Order is that of `seq`, never of a clock. What is Returned is told to its sender.

use crate::id::{JobId, MailId};
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One message to one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// Order: unique and growing.
    pub seq: u64,
    /// Who sent it: an agent, or [`person_box`] of an owner, or [`OURSELVES`].
    pub from: String,
    /// The turn that sent it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_turn: Option<JobId>,
    /// The mailbox: an agent, or [`person_box`] of an owner.
    pub to: String,
    /// The other mailboxes that the letter went to. Kept on the first of its messages alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_to: Vec<String>,
    /// What kind of message it is; see [`crate::mail_kind`].
    pub kind: String,
    /// How much it presses. Shown; order is by `seq` alone.
    pub priority: MailPriority,
    /// What it is about.
    pub subject: String,
    /// What it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What it says to programs, as JSON text; checked by its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The first message of its thread; itself if it is that.
    pub thread: MailId,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MailId>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Turns that took it and failed.
    #[serde(default)]
    pub tries: u32,
    /// Where it is in its life.
    pub state: MailState,
}

/// What a message is from that we send ourselves.
pub const OURSELVES: &str = "@longhaul";

/// Names that are of groups and of ourselves, so that nobody's box, and no role, is called like them.
const RESERVED: [&str; 4] = ["all", "parent", "children", "longhaul"];

/// Whether `name` stands for a group, or for ourselves: no person who writes or reads mail, and no
/// role, may have it.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The mailbox of a person: of whoever owns agents.
pub fn person_box(owner: &str) -> String {
    format!("@{owner}")
}

impl Mail {
    /// A message from ourselves, as yet without a body or a place in the order.
    pub fn ours(id: MailId, to: String, kind: &str, subject: String, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            seq: 0,
            from: OURSELVES.to_owned(),
            from_turn: None,
            to,
            also_to: Vec::new(),
            kind: kind.to_owned(),
            priority: MailPriority::Normal,
            subject,
            body: String::new(),
            payload: None,
            thread: id,
            reply_to: None,
            sent_at: now,
            tries: 0,
            state: MailState::Unread,
        }
    }
}

/// How much a message presses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// Where a message is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum MailState {
    /// Waits for a turn, or for whoever it is for to look.
    Unread,
    /// A turn has it; how that ends decides.
    Taken {
        /// Which.
        turn: JobId,
    },
    /// Whom it is for has read it.
    Read {
        /// When that was known.
        at: Timestamp,
        /// In which turn, if in one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<JobId>,
    },
    /// It could not be delivered, and its sender was told.
    Returned {
        /// When.
        at: Timestamp,
        /// Why, in words.
        because: String,
    },
}

impl MailState {
    /// What people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Taken { .. } => "taken",
            Self::Read { .. } => "read",
            Self::Returned { .. } => "returned",
        }
    }
}

/// A message as it is handed in, before its groups are expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The id of the first message that comes of it; the others' follow from it. Made by the asker,
    /// which makes sending twice harmless.
    pub id: MailId,
    /// Who sends: an agent, or [`person_box`] of an owner; [`OURSELVES`] for our own drivers alone.
    pub from: String,
    /// The turn that sends, proven by its token.
    pub turn: Option<(JobId, u32)>,
    /// Agents and groups: `@all`, `@ROLE` (also with an `s`), `@parent`, `@children`.
    pub to: Vec<String>,
    /// What kind of message; `status` where nothing is said, also for replies.
    pub kind: String,
    /// How much it presses.
    pub priority: MailPriority,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub body: String,
    /// What it says to programs, as JSON text.
    pub payload: Option<String>,
    /// The message that it answers; recipients may then be left out.
    pub reply_to: Option<MailId>,
}

impl Record for Mail {
    const TABLE: Table = Table::Mail;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let (phase, ended_at) = match self.state {
            MailState::Unread => (Phase::Ready, None),
            MailState::Taken { .. } => (Phase::Active, None),
            MailState::Read { at, .. } | MailState::Returned { at, .. } => (Phase::Ended, Some(at)),
        };
        Row {
            phase,
            state: self.state.name().to_owned(),
            lane: Some(self.to.clone()),
            parent: Some(self.thread.as_str().to_owned()),
            pool: Some(self.from.clone()),
            seq: self.seq,
            name: Some(self.kind.clone()),
            outcome: ended_at.map(|_| self.state.name().to_owned()),
            ended_at,
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}
