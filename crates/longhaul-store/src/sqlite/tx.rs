//! One step's transaction: `BEGIN IMMEDIATE` on the one writing connection, undone when dropped.

use super::error::{is_taken, store_error};
use super::row::{all, first, from_i64, read, single, to_i64, write};
use super::sql;
use crate::rules;
use longhaul_core::event::NewEvent;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::port::{Position, Row, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, params};
use std::cell::Cell;

pub(super) struct SqliteTx<'a> {
    connection: &'a Connection,
    has_traces: &'a Cell<bool>,
    is_open: bool,
    /// The head, once it was asked for: nobody else adds entries while this is open, and removing some
    /// leaves it where it is.
    head: Option<Position>,
}

impl<'a> SqliteTx<'a> {
    /// Begins; waits for the busy timeout if another process writes, then gives `Conflict`.
    /// `has_traces` is set once a secret has been removed.
    pub(super) fn begin(
        connection: &'a Connection,
        has_traces: &'a Cell<bool>,
    ) -> Result<Self, StoreError> {
        let mut begin = connection.prepare_cached("BEGIN IMMEDIATE").map_err(store_error)?;
        begin.execute([]).map_err(store_error)?;
        Ok(Self { connection, has_traces, is_open: true, head: None })
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        self.connection.prepare_cached(sql).map_err(store_error)
    }

    fn insert(&self, table: Table, row: &Row) -> Result<(), StoreError> {
        let mut insert = self.prepare(sql::insert(table))?;
        match write(&mut insert, row)? {
            Ok(_) => Ok(()),
            Err(error) if is_taken(&error) => Err(StoreError::Conflict),
            Err(error) => Err(store_error(error)),
        }
    }

    /// The earliest hour in each table.
    fn next_dues(&self, me: &HostId) -> Result<[Option<i64>; Table::TIMED.len()], StoreError> {
        let next = first(self.prepare(sql::NEXT_DUES)?, [me.as_str()], |row| {
            let mut next = [None; Table::TIMED.len()];
            for (column, due_at) in next.iter_mut().enumerate() {
                *due_at = row.get(column).map_err(store_error)?;
            }
            Ok(next)
        })?;
        Ok(next.unwrap_or_default())
    }

    fn update(&self, table: Table, row: &Row) -> Result<(), StoreError> {
        for statement in [sql::update_life(table), sql::update(table)] {
            if write(&mut self.prepare(statement)?, row)?.map_err(store_error)? == 1 {
                return Ok(());
            }
        }
        Err(rules::broken(table, row, "it is not there to be changed, or had another seq"))
    }
}

impl Drop for SqliteTx<'_> {
    fn drop(&mut self) {
        // After some errors (a full disk, a failed write) SQLite has rolled back by itself.
        if self.is_open
            && !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

impl Tx for SqliteTx<'_> {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        first(self.prepare(sql::load(table))?, [id], |row| read(table, row))
    }

    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        rules::check_hour(table, row)?;
        // What a changed environment held before lies in the WAL still.
        if table == Table::AgentEnvironment && !new {
            self.has_traces.set(true);
        }
        if new { self.insert(table, row) } else { self.update(table, row) }
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        self.prepare(sql::remove(table))?.execute([id]).map_err(store_error)?;
        if matches!(table, Table::Environment | Table::AgentEnvironment) {
            self.has_traces.set(true);
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        let head = first(self.prepare(sql::HEAD)?, [], single)?;
        let head = Position(from_i64(head.unwrap_or(0))?);
        self.head = Some(head);
        Ok(head)
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let mut head = self.head()?;
        let mut append = self.prepare(sql::APPEND)?;
        for event in events {
            let position = Position(head.0 + 1);
            let job = event.job.as_ref().map(JobId::as_str);
            let (seq, at) = (to_i64(event.seq)?, event.at.as_millis());
            let values = params![to_i64(position.0)?, job, seq, at, event.body];
            append.execute(values).map_err(store_error)?;
            head = position;
        }
        self.head = Some(head);
        Ok(head)
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        self.prepare(sql::FORGET)?.execute([job]).map_err(store_error)?;
        Ok(())
    }

    fn trim_general(&mut self, keep: u32) -> Result<(), StoreError> {
        self.prepare(sql::TRIM_GENERAL)?.execute([keep]).map_err(store_error)?;
        Ok(())
    }

    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError> {
        let mut due: Vec<(i64, Table, String)> = Vec::new();
        let next = self.next_dues(me)?;
        let has_due = |next: &Option<i64>| next.is_some_and(|due_at| due_at <= now.as_millis());
        for (table, _) in Table::TIMED.into_iter().zip(next).filter(|(_, next)| has_due(next)) {
            let arguments = params![me.as_str(), now.as_millis(), limit];
            due.extend(all(self.prepare(sql::due(table))?, arguments, |row| {
                Ok((single(row)?, table, row.get(1).map_err(store_error)?))
            })?);
        }
        due.sort();
        due.truncate(limit as usize);
        Ok(due.into_iter().map(|(_, table, id)| (table, id)).collect())
    }

    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError> {
        let next = self.next_dues(me)?.into_iter().flatten().min();
        Ok(next.map(Timestamp::from_millis))
    }

    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::RUNNABLE)?, params![pool, limit], single)
    }

    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        Ok(first(self.prepare(sql::OCCUPIED)?, [pool], single)?.unwrap_or(0))
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        first(self.prepare(sql::LANE_HEAD)?, [lane], single)
    }

    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        if !matches!(table, Table::Job | Table::Delivery | Table::Credential) {
            return Ok(Vec::new());
        }
        all(self.prepare(sql::active_on(table))?, params![host.as_str(), after, limit], single)
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::children(table))?, params![parent, after, limit], single)
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::ids(table))?, params![after, limit], single)
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        first(self.prepare(sql::BY_KEY)?, [key], single)
    }

    fn oldest_ended(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::OLDEST_ENDED)?, [limit], single)
    }

    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError> {
        let totals = first(self.prepare(sql::ENDED_TOTALS)?, [], |row| {
            Ok((from_i64(single(row)?)?, from_i64(row.get(1).map_err(store_error)?)?))
        })?;
        Ok(totals.unwrap_or((0, 0)))
    }

    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        all(self.prepare(sql::NEXT_IN_LANES)?, params![pool, after, limit], |row| {
            Ok((single(row)?, row.get(1).map_err(store_error)?))
        })
    }

    fn waiting_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::WAITING_IN_LANE)?, params![lane, limit], single)
    }

    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::OPEN_IN_LANE)?, params![lane, limit], single)
    }

    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError> {
        Ok(first(self.prepare(sql::ACTIVE_IN_POOL)?, [pool], single)?.unwrap_or(0))
    }

    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError> {
        Ok(first(self.prepare(sql::ACTIVE_IN_LANE)?, [lane], single)?.unwrap_or(0))
    }

    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::UNREAD)?, params![mailbox, limit], single)
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        from_i64(first(self.prepare(sql::UNREAD_COUNT)?, [mailbox], single)?.unwrap_or(0))
    }

    fn oldest_ended_mail(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::OLDEST_ENDED_MAIL)?, [limit], single)
    }

    fn ended_mail_count(&mut self) -> Result<u64, StoreError> {
        from_i64(first(self.prepare(sql::ENDED_MAIL_COUNT)?, [], single)?.unwrap_or(0))
    }

    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::OPEN_JOBS_IN_LANE)?, params![lane, limit], single)
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let mut commit = self.prepare("COMMIT")?;
        commit.execute([]).map_err(store_error)?;
        self.is_open = false;
        Ok(())
    }
}
