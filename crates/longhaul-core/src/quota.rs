//! A vendor's limit, as far as we met it: turns of one kind wait until it ends. Then one goes first,
//! as a probe; what becomes of that decides about the rest.

use crate::id::JobId;
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// That turns of a kind are parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The kind of agents that is concerned.
    pub kind: String,
    /// When it may be tried again.
    pub until: Timestamp,
    /// What the vendor said.
    pub message: String,
    /// How often in a row it was met.
    pub times: u32,
    /// Whether that hour has come: the next turn that could be placed tries.
    #[serde(default)]
    pub is_due: bool,
    /// The turn that tries whether it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<JobId>,
}

impl Quota {
    /// Where turns of a kind wait: out of the way of their pool's other jobs. No pool has such a
    /// name, for names hold no line breaks.
    pub fn waiting_pool(kind: &str) -> String {
        format!("parked\n{kind}")
    }
}

impl Record for Quota {
    const TABLE: Table = Table::Quota;

    fn row_id(&self) -> String {
        self.kind.clone()
    }

    fn to_row(&self) -> Row {
        let due_at = (!self.is_due).then_some(self.until);
        Row { due_at, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}
