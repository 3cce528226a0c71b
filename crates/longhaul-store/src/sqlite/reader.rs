//! Readers: read-only connections beside the writer. Each question is one statement or is bracketed
//! in one read transaction, so it sees whole commits only.

use super::error::store_error;
use super::row::{all, first, from_i64, read, read_event, single, to_i64};
use super::sql;
use super::{deliveries, keep_plans, list, mail};
use longhaul_core::event::Event;
use longhaul_core::port::{
    DeliveryFilter, Filter, MailFilter, Position, Reader, Row, StoreError, Table,
};
use rusqlite::{CachedStatement, Connection, OpenFlags, params};
use std::path::Path;
use std::time::Duration;

/// KiB of pages that a reader keeps; the kernel's page cache does the rest.
const CACHE_KIB: i32 = 256;
/// Different statements that answers need, with room to spare: one that is prepared anew costs more
/// than most answers.
const STATEMENTS: usize = 64;
/// How long a reader waits where SQLite makes it wait: while a crashed writer's WAL is recovered.
const BUSY_MS: u64 = 5_000;

/// Reads what is committed in a SQLite store.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
}

impl SqliteReader {
    /// Opens a reader of the database at `path`, which must exist and have been opened for writing
    /// by this version before.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags).map_err(store_error)?;
        connection.busy_timeout(Duration::from_millis(BUSY_MS)).map_err(store_error)?;
        connection.pragma_update(None, "query_only", true).map_err(store_error)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(store_error)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        keep_plans(&connection)?;
        Ok(Self { connection })
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.connection.prepare_cached(sql).map_err(store_error)
    }
}

impl Reader for SqliteReader {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        first(self.prepare(sql::load(table))?, [id], |row| read(table, row))
    }

    fn list(
        &mut self,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        list::list(&self.connection, filter, before, limit)
    }

    fn list_from(
        &mut self,
        owner: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let after = to_i64(after)?;
        let read_row = |row: &rusqlite::Row<'_>| read(Table::Job, row);
        match owner {
            None => all(self.prepare(sql::OLDEST_FIRST)?, params![after, limit], read_row),
            Some(owner) => {
                let of_owner = self.prepare(sql::OLDEST_FIRST_OF_OWNER)?;
                all(of_owner, params![after, limit, owner], read_row)
            }
        }
    }

    fn by_prefix(
        &mut self,
        table: Table,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let end = format!("{prefix}{}", char::MAX);
        all(self.prepare(sql::by_prefix(table))?, params![prefix, end, limit], single)
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        first(self.prepare(sql::BY_KEY)?, [key], single)
    }

    fn by_name(&mut self, name: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::BY_NAME)?, params![name, limit], single)
    }

    fn events(
        &mut self,
        job: Option<&str>,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let after = to_i64(after.0)?;
        match job {
            None => all(self.prepare(sql::EVENTS)?, params![after, limit], read_event),
            Some(job) => {
                all(self.prepare(sql::EVENTS_OF_JOB)?, params![job, after, limit], read_event)
            }
        }
    }

    fn entries(&mut self, job: &str, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        all(self.prepare(sql::ENTRIES)?, params![job, to_i64(seq)?, limit], read_event)
    }

    fn latest(&mut self, job: &str, limit: u32) -> Result<Vec<Event>, StoreError> {
        let mut events = all(self.prepare(sql::LATEST_OF_JOB)?, params![job, limit], read_event)?;
        events.reverse();
        Ok(events)
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        let head = first(self.prepare(sql::HEAD)?, [], single)?;
        Ok(Position(from_i64(head.unwrap_or(0))?))
    }

    fn counts(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        all(self.prepare(sql::COUNTS)?, [], |row| {
            Ok((single(row)?, from_i64(row.get(1).map_err(store_error)?)?))
        })
    }

    fn pool_load(&mut self, pool: &str) -> Result<(u32, u64), StoreError> {
        let load = first(self.prepare(sql::POOL_LOAD)?, [pool], |row| {
            Ok((single(row)?, from_i64(row.get(1).map_err(store_error)?)?))
        })?;
        Ok(load.unwrap_or((0, 0)))
    }

    fn ahead_of(&mut self, pool: &str, priority: u8, seq: u64) -> Result<u64, StoreError> {
        let arguments = params![pool, priority, to_i64(seq)?];
        from_i64(first(self.prepare(sql::AHEAD_OF)?, arguments, single)?.unwrap_or(0))
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        first(self.prepare(sql::LANE_HEAD)?, [lane], single)
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        all(self.prepare(sql::ids(table))?, params![after, limit], single)
    }

    fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        deliveries::list(&self.connection, filter, before, limit)
    }

    fn open_in_lane(
        &mut self,
        lane: &str,
        after: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let (seq, id) = match after {
            Some((seq, id)) => (to_i64(seq)?, id),
            // No seq is negative.
            None => (-1, String::new()),
        };
        let arguments = params![lane, seq, id, limit];
        all(self.prepare(sql::OPEN_IN_LANE_AFTER)?, arguments, |row| read(Table::Delivery, row))
    }

    fn delivery_counts(&mut self, pool: &str) -> Result<(u64, u64), StoreError> {
        let counts = first(self.prepare(sql::DELIVERY_COUNTS)?, [pool], |row| {
            Ok((from_i64(single(row)?)?, from_i64(row.get(1).map_err(store_error)?)?))
        })?;
        Ok(counts.unwrap_or((0, 0)))
    }

    fn mail(
        &mut self,
        filter: &MailFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        mail::list(&self.connection, filter, before, limit)
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        from_i64(first(self.prepare(sql::UNREAD_COUNT)?, [mailbox], single)?.unwrap_or(0))
    }

    fn rows(
        &mut self,
        table: Table,
        parent: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let read_row = |row: &rusqlite::Row<'_>| read(table, row);
        match parent {
            None => all(self.prepare(sql::rows(table))?, params![after, limit], read_row),
            Some(parent) => {
                all(self.prepare(sql::rows_under(table))?, params![after, limit, parent], read_row)
            }
        }
    }

    fn row_up_to(
        &mut self,
        table: Table,
        parent: &str,
        id: &str,
    ) -> Result<Option<Row>, StoreError> {
        first(self.prepare(sql::row_up_to(table))?, params![parent, id], |row| read(table, row))
    }

    fn dead_deliveries(&mut self) -> Result<u64, StoreError> {
        from_i64(first(self.prepare(sql::DEAD_DELIVERIES)?, [], single)?.unwrap_or(0))
    }

    fn check(&mut self) -> Result<Vec<String>, StoreError> {
        let integrity: Vec<String> = all(self.prepare(sql::INTEGRITY)?, [], single)?;
        let mut wrong: Vec<String> = integrity.into_iter().filter(|line| line != "ok").collect();
        for check in sql::CHECKS {
            wrong.extend(all(self.prepare(check)?, [], single::<String>)?);
        }
        Ok(wrong)
    }
}
