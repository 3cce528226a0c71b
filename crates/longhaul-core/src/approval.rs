//! Approvals: a question to a person that waits as long as it is told to, through restarts.
//!
//! ```text
//!  Asked ──► Allowed | Denied | Lapsed (its time is over, or what it was about has ended)
//! ```

use crate::id::{ApprovalId, JobId};
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id; follows from what it is about, so that nothing is asked twice.
    pub id: ApprovalId,
    /// The turn that it is about.
    pub job: JobId,
    /// The attempt in which it was first asked.
    pub attempt: u32,
    /// Whose turn.
    pub agent: String,
    /// Who is asked.
    pub owner: Option<String>,
    /// What is asked.
    pub question: Question,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is answered with no; never if `None`.
    pub give_up_at: Option<Timestamp>,
    /// What became of it.
    pub state: ApprovalState,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Question {
    /// May this tool call run?
    Tool {
        /// The call, as the CLI names it.
        call: String,
        /// The tool.
        tool: String,
        /// What it would do, shortened: JSON text.
        input: String,
    },
    /// May it go on although its budget is spent?
    Budget {
        /// What was spent, in billionths of a US dollar.
        nano_usd: u64,
    },
    /// May it go on now that the vendor's limit was met?
    Limit {
        /// What the vendor said.
        message: String,
    },
    /// It is quiet: is it to be left alone (allow) or stopped (deny)?
    Silence {
        /// For how long, in milliseconds.
        quiet_ms: u64,
    },
}

impl Question {
    /// The name of its kind, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tool { .. } => "tool",
            Self::Budget { .. } => "budget",
            Self::Limit { .. } => "limit",
            Self::Silence { .. } => "silence",
        }
    }
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ApprovalState {
    /// Waits for an answer.
    Asked,
    /// Yes.
    Allowed {
        /// When.
        at: Timestamp,
        /// Who said so.
        by: String,
    },
    /// No.
    Denied {
        /// When.
        at: Timestamp,
        /// Who said so.
        by: String,
        /// Why; the agent is told.
        reason: Option<String>,
    },
    /// Nobody answered in time, or it is of no use any more.
    Lapsed {
        /// When.
        at: Timestamp,
        /// Why, in words.
        because: String,
    },
}

impl ApprovalState {
    /// What people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Allowed { .. } => "allowed",
            Self::Denied { .. } => "denied",
            Self::Lapsed { .. } => "lapsed",
        }
    }
}

impl Approval {
    /// Whether it waits for an answer.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, ApprovalState::Asked)
    }
}

impl Record for Approval {
    const TABLE: Table = Table::Approval;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let ended_at = match self.state {
            ApprovalState::Asked => None,
            ApprovalState::Allowed { at, .. }
            | ApprovalState::Denied { at, .. }
            | ApprovalState::Lapsed { at, .. } => Some(at),
        };
        Row {
            phase: if ended_at.is_some() { Phase::Ended } else { Phase::Kept },
            state: self.state.name().to_owned(),
            due_at: self.give_up_at.filter(|_| self.is_open()),
            parent: Some(self.job.as_str().to_owned()),
            owner: self.owner.clone(),
            outcome: ended_at.map(|_| self.state.name().to_owned()),
            ended_at,
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}
