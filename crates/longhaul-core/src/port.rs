//! What core needs of a database: rows with promoted columns and a body, and a journal. The port is
//! synchronous and narrow on purpose, so that a memory twin and a conformance suite can define it.
//! A store never learns what a row means; it keeps, finds and orders them.

pub use crate::filter::{DeliveryFilter, Filter, MailFilter};
pub use crate::table::Table;

use crate::event::{Event, NewEvent};
use crate::id::HostId;
use crate::time::Timestamp;
use std::fmt;

/// How a row stands towards the scheduler; the column that scans go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not scheduled at all: pools, hosts, environments, dependencies, sinks, owners, presences.
    Kept,
    /// Waits for other jobs.
    Blocked,
    /// Waits behind an older job of its lane.
    Behind,
    /// Waits for its hour.
    Delayed,
    /// May start, or go out, as soon as its pool has a slot.
    Ready,
    /// Holds a slot and its lane; has or may have a process, or is being delivered.
    Active,
    /// Over. Holds nothing.
    Ended,
}

impl Phase {
    /// The name a database knows this phase by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Blocked => "blocked",
            Self::Behind => "behind",
            Self::Delayed => "delayed",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }

    /// Reads a name back; `None` for a text that is no phase.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Kept,
            Self::Blocked,
            Self::Behind,
            Self::Delayed,
            Self::Ready,
            Self::Active,
            Self::Ended,
        ]
        .into_iter()
        .find(|phase| phase.name() == name)
    }
}

/// A row as a database sees it: what it is looked up by, and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Unique in its table.
    pub id: String,
    /// How it stands towards the scheduler.
    pub phase: Phase,
    /// What people call its state (`queued`, `running`, …); empty where there is none.
    pub state: String,
    /// When time alone will change it.
    pub due_at: Option<Timestamp>,
    /// Which host holds it.
    pub host: Option<String>,
    /// Its serial key. At most one job per lane is `Active`, and only the oldest that is not
    /// `Ended`. Of deliveries several may be: there a lane is what takes turns with others.
    pub lane: Option<String>,
    /// The row it belongs under (a job's parent; what a dependency waits for; the job that a
    /// delivery tells of; an owner's project; a presence's owner; the agent that one works for; a
    /// message's thread; the job that a question is about).
    pub parent: Option<String>,
    /// Who asked for it.
    pub owner: Option<String>,
    /// Whose slots it needs.
    pub pool: Option<String>,
    /// Higher goes first among `Ready` rows.
    pub priority: u8,
    /// Admission order: unique and growing among jobs, and among messages; growing, with repeats, among
    /// deliveries; zero elsewhere.
    pub seq: u64,
    /// Idempotency key, unique in its table.
    pub key: Option<String>,
    /// A person's name for it; not unique.
    pub name: Option<String>,
    /// How it ended (`succeeded`, …), once it has.
    pub outcome: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Bytes its attempts left on disk, as far as known.
    pub bytes: u64,
    /// A JSON object of text to text, or `None` for no labels.
    pub labels: Option<String>,
    /// Everything, as JSON.
    pub body: String,
}

impl Row {
    /// A row with nothing promoted: not scheduled, never due, found by its id alone.
    pub fn kept(id: String, body: String) -> Self {
        Self {
            id,
            phase: Phase::Kept,
            state: String::new(),
            due_at: None,
            host: None,
            lane: None,
            parent: None,
            owner: None,
            pool: None,
            priority: 0,
            seq: 0,
            key: None,
            name: None,
            outcome: None,
            ended_at: None,
            bytes: 0,
            labels: None,
            body,
        }
    }
}

/// A type that is stored as one row.
pub trait Record: Sized + Clone + PartialEq {
    /// Where its rows lie.
    const TABLE: Table;
    /// Its id as text.
    fn row_id(&self) -> String;
    /// Makes the row; total.
    fn to_row(&self) -> Row;
    /// When time alone changes it: what its row says of it, without making the row where that is much.
    fn hour(&self) -> Option<Timestamp> {
        self.to_row().due_at
    }
    /// Reads the row back; [`Corrupt`] names the row if its body does not parse.
    fn from_row(row: &Row) -> Result<Self, Corrupt>;
}

/// A stored row that cannot be read: a defect or a damaged disk, never a user's mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {id} of table {table} cannot be read: {message}", table = .table.name())]
pub struct Corrupt {
    /// Where it lies.
    pub table: Table,
    /// Its id.
    pub id: String,
    /// What the parser said.
    pub message: String,
}

/// What can go wrong with a database, by what the caller should do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote in between: run the step again.
    #[error("the store was changed by someone else meanwhile")]
    Conflict,
    /// No space or quota left: refuse asks, keep reports coming back until there is.
    #[error("the store has no space left: {0}")]
    Full(String),
    /// Made by a newer version of this program: leave it alone.
    #[error("{0}")]
    Newer(String),
    /// Damaged: stop, report, and let a person decide; never start over silently.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Anything else the disk or the database did.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl From<Corrupt> for StoreError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt.to_string())
    }
}

/// A place in the journal, growing by one with each entry; zero is before the first.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// A database: gives out transactions to the one writer and readers to everybody else.
pub trait Store: Send {
    /// Begins the transaction of one step. Dropping it without `commit` undoes everything.
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError>;
    /// Opens another reader, which sees whole commits only.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
    /// Sees to it that what was removed can be read nowhere any more, if that is still to be done,
    /// and does now what a later commit would otherwise have to do beside its own work.
    /// For quiet moments: it may cost syncs. [`StoreError::Conflict`] says that a reader still needs
    /// an old copy: ask again later.
    fn erase(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Puts everything in its place and ends; readers should have ended before. Without it nothing
    /// that was committed is lost, only the next opening has more to do.
    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One step's transaction. Every scan is ordered with a unique tie-break, so that all stores agree,
/// and sees what was saved earlier in the same transaction.
pub trait Tx {
    /// Loads one row.
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError>;
    /// Writes one row. `new` says it must not exist yet: a racing insert is a [`StoreError::Conflict`],
    /// never an overwrite; without it the row must exist.
    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError>;
    /// Removes one row; removing what is not there does nothing.
    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError>;
    /// The position of the newest entry of the journal.
    fn head(&mut self) -> Result<Position, StoreError>;
    /// Adds entries after the head, one position each, in order; gives the new head.
    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError>;
    /// Removes all entries of one job.
    fn forget(&mut self, job: &str) -> Result<(), StoreError>;
    /// Removes the oldest entries that belong to no job, beyond the newest `keep`.
    fn trim_general(&mut self, keep: u32) -> Result<(), StoreError>;
    /// Rows whose `due_at` is at or before `now` and which belong to `me` or to no host, by
    /// (`due_at`, table in the order of [`Table::TIMED`], id). Deliveries are due whoever holds them: a
    /// claim runs out although its host may never come back.
    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError>;
    /// The earliest `due_at` of rows that belong to `me` or to no host, and of deliveries.
    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError>;
    /// Ids of `Ready` jobs of one pool, highest priority first, then by `seq`.
    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many jobs of a pool are `Active`.
    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError>;
    /// The oldest job (by `seq`) of a lane that is not `Ended`.
    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError>;
    /// Ids of a host's `Active` jobs, deliveries or credentials after `after` (all if empty), by id.
    /// Other tables have none.
    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;
    /// Ids of rows under `parent` after the id `after`, by id.
    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;
    /// All ids of a table after `after`, by id. For small tables.
    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// The job that was given this idempotency key.
    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError>;
    /// Ids of `Ended` jobs, those that ended first first (then by id).
    fn oldest_ended(&mut self, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many jobs are `Ended`, and the sum of their `bytes`.
    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError>;
    /// The oldest `Ready` delivery (by `seq`, then id) of each lane of a pool, in order of the lanes,
    /// for lanes after `after` only: `(lane, id)`. Costs what it gives, however many wait.
    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError>;
    /// Ids of `Ready` deliveries of a lane, oldest (by `seq`, then id) first.
    fn waiting_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// Ids of deliveries of a lane that are not `Ended`, oldest (by `seq`, then id) first.
    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many deliveries of a pool are `Active`.
    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError>;
    /// How many deliveries of a lane are `Active`.
    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError>;
    /// Ids of `Ready` messages of a mailbox, oldest (by `seq`) first.
    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many messages of a mailbox are `Ready`. Costs the same however many there are.
    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError>;
    /// Ids of `Ended` messages, the oldest (by `seq`) first.
    fn oldest_ended_mail(&mut self, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many messages are `Ended`. Costs the same however many there are.
    fn ended_mail_count(&mut self) -> Result<u64, StoreError>;
    /// Ids of jobs of a lane that are not `Ended`, oldest (by `seq`) first.
    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// Makes everything durable, or gives an error and leaves nothing behind.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Reads committed rows beside the writer. Never writes.
pub trait Reader: Send {
    /// Loads one row.
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError>;
    /// Jobs, newest (highest `seq`) first, with `seq` below `before` if given.
    fn list(
        &mut self,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// Jobs, oldest (lowest `seq`) first, with `seq` above `after`; of one owner if given.
    fn list_from(
        &mut self,
        owner: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// Ids of a table that start with `prefix`, by id.
    fn by_prefix(
        &mut self,
        table: Table,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;
    /// The job that was given this idempotency key.
    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError>;
    /// Ids of jobs with this name, newest first.
    fn by_name(&mut self, name: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// The journal after a position, in order; of one job if given.
    fn events(
        &mut self,
        job: Option<&str>,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
    /// Entries of one job from the number `seq` on, in order.
    fn entries(&mut self, job: &str, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// The newest entries of one job, oldest first.
    fn latest(&mut self, job: &str, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// The position of the newest entry of the journal.
    fn head(&mut self) -> Result<Position, StoreError>;
    /// How many jobs are in each state.
    fn counts(&mut self) -> Result<Vec<(String, u64)>, StoreError>;
    /// How many jobs of a pool are `Active`, and how many `Ready`.
    fn pool_load(&mut self, pool: &str) -> Result<(u32, u64), StoreError>;
    /// How many `Ready` jobs of the pool go before one with this priority and `seq`.
    fn ahead_of(&mut self, pool: &str, priority: u8, seq: u64) -> Result<u64, StoreError>;
    /// The oldest job of a lane that is not `Ended`.
    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError>;
    /// All ids of a table after `after`, by id.
    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// Deliveries, newest (highest `seq`, then highest id) first, with `(seq, id)` below `before` if
    /// given.
    fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// Deliveries of a lane that are not `Ended`, oldest (by `seq`, then id) first, with `(seq, id)`
    /// above `after` if given.
    fn open_in_lane(
        &mut self,
        lane: &str,
        after: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// How many deliveries of a pool are not `Ended`, and how many have the outcome `dead`.
    fn delivery_counts(&mut self, pool: &str) -> Result<(u64, u64), StoreError>;
    /// Messages, newest (highest `seq`) first, with `seq` below `before` if given.
    fn mail(
        &mut self,
        filter: &MailFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// How many messages of a mailbox are `Ready`. Costs the same however many there are.
    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError>;
    /// Rows of a table after the id `after`, by id; under `parent` if given. For small tables.
    fn rows(
        &mut self,
        table: Table,
        parent: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError>;
    /// The row under `parent` with the highest id that is not above `id`.
    fn row_up_to(
        &mut self,
        table: Table,
        parent: &str,
        id: &str,
    ) -> Result<Option<Row>, StoreError>;
    /// How many deliveries have the outcome `dead`.
    fn dead_deliveries(&mut self) -> Result<u64, StoreError>;
    /// Looks the whole store over; each line is one thing that is wrong. Slow: for `doctor`.
    fn check(&mut self) -> Result<Vec<String>, StoreError>;
}
