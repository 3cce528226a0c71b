//! How far the output of turns has been taken, and the report that takes more of it.

use super::Used;
use crate::id::JobId;
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use serde::{Deserialize, Serialize};

/// How far a turn's output has been taken. Written in the commit of what it said, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intake {
    /// Whose.
    pub job: JobId,
    /// Of which attempt.
    pub attempt: u32,
    /// Up to where.
    pub taken: Offsets,
    /// What the adapter remembers, as JSON text; at most
    /// [`MEMORY_BYTES_MAX`](crate::limits::MEMORY_BYTES_MAX) bytes.
    pub memory: String,
}

/// Bytes of both spools that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets {
    /// Of standard output.
    pub out: u64,
    /// Of standard error.
    pub err: u64,
    /// Whether both were taken to their ends, and nothing follows.
    #[serde(default)]
    pub is_closed: bool,
}

/// A report: this much more of an attempt's output was read, and this is what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// Whose.
    pub job: JobId,
    /// Of which attempt.
    pub attempt: u32,
    /// From where. Refused unless it was taken up to just there.
    pub from: Offsets,
    /// To where.
    pub to: Offsets,
    /// What the adapter remembers now.
    pub memory: String,
    /// What was said: bodies of entries for the journal, as JSON text with a `kind`.
    pub events: Vec<String>,
    /// What else follows from it.
    pub seen: Seen,
}

/// What an attempt's output came to so far. Cumulative, so that saying it twice says the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The conversation, once the CLI has named it.
    pub conversation: Option<String>,
    /// Whether it is another than was to be resumed.
    pub is_mismatch: bool,
    /// What the attempt used.
    pub used: Used,
    /// Whether the CLI has said how the turn ended.
    pub is_answered: bool,
}

impl Record for Intake {
    const TABLE: Table = Table::Intake;

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
