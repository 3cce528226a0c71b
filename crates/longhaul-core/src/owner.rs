//! Owners and their presences: who is told, and whether they are there. An owner is present while it
//! holds a connection, which the kernel lets go of when its process ends; never by a file's age.

use crate::id::{DeliveryId, HostId, PresenceId};
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// Somebody who is told of jobs. Known from the first notice or presence on, and for as long as
/// either is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name that jobs give.
    pub name: String,
    /// Whether it is there, and if not, since when.
    pub state: OwnerState,
    /// Its connections.
    pub presences: u32,
    /// Notices that it has not settled.
    pub open: u32,
}

/// Whether an owner is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum OwnerState {
    /// It holds a connection.
    Present,
    /// It does not.
    Away {
        /// Since when.
        since: Timestamp,
        /// When others of a project may have its notices; never if `None`.
        open_at: Option<Timestamp>,
    },
    /// It has not for so long that others of a project may have its notices.
    Open {
        /// Since when it is away.
        since: Timestamp,
    },
}

/// One live connection of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Its id, made when it connected.
    pub id: PresenceId,
    /// Whose.
    pub owner: String,
    /// The project whose notices it may take over.
    pub project: Option<String>,
    /// The host that it is connected to.
    pub host: HostId,
    /// Since when.
    pub since: Timestamp,
    /// What it holds: claimed or sent, and not acknowledged.
    pub holds: Vec<DeliveryId>,
}

impl Owner {
    /// An owner nobody has seen.
    pub fn new(name: String, adopt_after: Option<Millis>, now: Timestamp) -> Self {
        let open_at = adopt_after.map(|after| now.plus(after));
        Self { name, state: OwnerState::Away { since: now, open_at }, presences: 0, open: 0 }
    }

    /// One more connection.
    pub fn came(&mut self) {
        self.presences += 1;
        self.state = OwnerState::Present;
    }

    /// One connection fewer. The last one begins the time after which others may step in.
    pub fn went(&mut self, adopt_after: Option<Millis>, now: Timestamp) {
        self.presences = self.presences.saturating_sub(1);
        if self.presences == 0 {
            let open_at = adopt_after.map(|after| now.plus(after));
            self.state = OwnerState::Away { since: now, open_at };
        }
    }

    /// Whether others of a project may have its notices.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, OwnerState::Open { .. })
    }

    /// Whether nothing is left to know of it.
    pub const fn is_forgotten(&self) -> bool {
        self.presences == 0 && self.open == 0
    }

    /// It was away for long enough.
    pub fn on_due(&mut self, now: Timestamp) {
        if let OwnerState::Away { since, open_at: Some(at) } = self.state
            && at <= now
        {
            self.state = OwnerState::Open { since };
        }
    }

    /// A closed lid is no absence.
    pub fn woke(&mut self, slept: Millis) {
        if let OwnerState::Away { open_at: Some(at), .. } = &mut self.state {
            *at = at.plus(slept);
        }
    }
}

impl Record for Owner {
    const TABLE: Table = Table::Owner;

    fn row_id(&self) -> String {
        self.name.clone()
    }

    fn to_row(&self) -> Row {
        let due_at = match self.state {
            OwnerState::Away { open_at, .. } => open_at,
            OwnerState::Present | OwnerState::Open { .. } => None,
        };
        Row { due_at, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

impl Record for Presence {
    const TABLE: Table = Table::Presence;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let parent = Some(self.owner.clone());
        Row { parent, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}
