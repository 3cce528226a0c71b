//! In-process jobs: who is registered, who runs, who is owed news of what. The machine below
//! `longhaul::embed`, which runs the bodies and calls the sinks.
//!
//! Reports and asks are methods with `now`; what should happen outside is drained as [`Want`]s. All
//! that is asked again and again costs O(log n): nothing scans all jobs but what lists all jobs.
//!
//! ```text
//!             admitted           ended
//!   queued ─────────────► running ─────► ended ──► out of sight ──► forgotten
//!     ▲ │                   │ │ cancel, due ▲         (its id is free; what is owed lives on)
//!     │ └─────► stopping ◄──┘ │             │
//!     │            │ └────────┼─────────────┘  at the latest when it has ignored its
//!     └────────────┼── retry ─┘                cancellation for too long: an orphan, which
//!                  └► ended ◄─┘                has its slot until it is gone
//! ```

mod admission;
mod bounds;
mod delivery;
mod id;
mod life;
mod owners;
mod retention;
mod row;
mod rows;
mod suppression;
#[cfg(test)]
mod tests;
mod timers;
mod views;
mod waits;

pub use admission::Admission;
pub use bounds::slots_of;
pub use delivery::SinkChange;
pub use id::Id;
pub use owners::{OwnerName, SinkKey};
pub use row::{Ask, Notify, Output, Report, Stop, Verdict};
pub use rows::Key;
pub use views::{
    DeadLetter, DeliveryStanding, Left, News, Owing, Scope, Snapshot, Standing, Totals,
};
pub use waits::{Node, WaitKey};

use crate::limits;
use crate::time::{Millis, Timestamp};
use owners::{OwnerKey, Owners};
use row::Row;
use std::collections::{BTreeMap, BTreeSet};

/// What a roster is told once, at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long an ended job keeps its id and stays in lists.
    pub retention: Millis,
    /// The same, after somebody has its result.
    pub consumed_retention: Millis,
    /// How long a result is tried to be told before it is a dead letter; at least `retention`.
    pub undelivered_retention: Millis,
    /// How long one try at telling may take.
    pub try_ms_max: Millis,
    /// Tries for one owner at once.
    pub tries_at_once_max: usize,
    /// How long a body may ignore its cancellation before it is called an orphan.
    pub orphan_after: Millis,
    /// Jobs, those that are only owed included.
    pub jobs_max: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            retention: limits::TASK_RETENTION,
            consumed_retention: limits::TASK_CONSUMED_RETENTION,
            undelivered_retention: limits::TASK_RETENTION,
            try_ms_max: limits::TASK_TRY_MAX,
            tries_at_once_max: limits::TASK_TRIES_AT_ONCE_MAX,
            orphan_after: limits::TASK_ORPHAN_AFTER,
            jobs_max: limits::TASKS_MAX,
        }
    }
}

/// Why something cannot be. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The roster was disposed of.
    #[error("no job can be registered: these jobs were disposed of")]
    Disposed,
    /// As many bodies as may are running.
    #[error(
        "{running} jobs are running and at most {slots} may; wait for one to end, or register it as queued"
    )]
    AtCapacity {
        /// Bodies that have a slot, those that ignore their cancellation included.
        running: usize,
        /// Slots there are.
        slots: usize,
    },
    /// As many jobs as may are known.
    #[error("{jobs} jobs are kept, which is the limit; consume results or shorten the retention")]
    TooMany {
        /// The limit.
        jobs: usize,
    },
    /// The preferred id is too long.
    #[error("an id of {bytes} bytes is too long; it may have {}", limits::WORD_BYTES_MAX)]
    IdTooLong {
        /// Its length.
        bytes: usize,
    },
    /// There is no such job, or it is somebody else's.
    #[error("there is no job `{0}`; ended jobs are forgotten after a while")]
    UnknownJob(String),
    /// All that would be waited for waits, in the end, for the one who asks.
    #[error("waiting would never end: {0}")]
    Deadlock(String),
}

impl Refused {
    /// The code that programs branch on; each has its section in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disposed => "disposed",
            Self::AtCapacity { .. } => "at_capacity",
            Self::TooMany { .. } => "too_many_jobs",
            Self::IdTooLong { .. } => "id_too_long",
            Self::UnknownJob(_) => "unknown_job",
            Self::Deadlock(_) => "deadlock",
        }
    }
}

/// What should happen outside. Handed out once each, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// Run the body again, as this attempt.
    Run(Key, u32),
    /// The body that asked for a slot has one.
    Admit(Key),
    /// Tell the body that it shall stop.
    Cancel(Key, Stop),
    /// Make this try at telling the sink; report once.
    Deliver(Key, u32, SinkKey),
    /// Drop this try: its report would come to nothing.
    Abandon(Key, u32),
    /// The verdict fell: tell those who wait. What is delivered is wanted before.
    Ended(Key, Verdict),
    /// The body ignores its cancellation; it has its slot until it is gone.
    Orphaned(Key),
    /// There is no more room for this dead letter.
    Dropped(Box<DeadLetter>),
}

/// All in-process jobs of one program. Pure: time comes in, wants go out.
#[derive(Debug)]
pub struct Roster {
    terms: Terms,
    rows: rows::Rows,
    names: id::Names,
    owners: Owners,
    slots: usize,
    running: usize,
    alive: usize,
    /// Who waits for a slot, by turn.
    waiting: BTreeMap<u64, Key>,
    orphans: BTreeSet<Key>,
    timers: timers::Timers,
    waits: waits::Waits,
    owing: Owing,
    /// Whose dead letters there are, oldest first; the number is the letter's.
    dead: BTreeMap<u64, OwnerKey>,
    numbered: u64,
    turns: u64,
    is_closed: bool,
    wants: Vec<Want>,
}

impl Roster {
    /// An empty roster with one slot.
    pub fn new(terms: Terms) -> Self {
        let undelivered_retention = terms.undelivered_retention.max(terms.retention);
        Self {
            terms: Terms { undelivered_retention, ..terms },
            rows: rows::Rows::default(),
            names: id::Names::default(),
            owners: Owners::default(),
            slots: 1,
            running: 0,
            alive: 0,
            waiting: BTreeMap::new(),
            orphans: BTreeSet::new(),
            timers: timers::Timers::default(),
            waits: waits::Waits::default(),
            owing: Owing::default(),
            dead: BTreeMap::new(),
            numbered: 0,
            turns: 0,
            is_closed: false,
            wants: Vec::new(),
        }
    }

    /// Hands over what is wanted since the last call.
    pub fn take_wants(&mut self) -> Vec<Want> {
        std::mem::take(&mut self.wants)
    }

    /// When [`Self::on_due`] has something to do, if time alone will bring it.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.timers.first()
    }

    const fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Changes a row and keeps the counts of its owner right.
    fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut Row) -> T) -> T {
        let row = self.rows.at_mut(key);
        let counts = |row: &Row| {
            let active = row.is_visible() && !row.is_over();
            (active, active && row.watchers > 0)
        };
        let before = counts(row);
        let result = change(row);
        let after = counts(row);
        if before != after {
            let owner = self.owners.at_mut(row.owner);
            owner.active = owner.active + usize::from(after.0) - usize::from(before.0);
            owner.active_watched =
                owner.active_watched + usize::from(after.1) - usize::from(before.1);
        }
        result
    }

    /// The visible job of this owner with this id. Another owner's does not exist.
    fn find_visible(&self, owner: &OwnerName, id: &Id) -> Option<Key> {
        let key = self.names.find(id)?;
        let row = self.rows.at(key);
        (row.is_visible() && self.owners.at(row.owner).name == *owner).then_some(key)
    }
}
