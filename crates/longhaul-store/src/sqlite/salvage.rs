//! Reads what can still be read of a damaged database, row by row, for a person to look at. It
//! changes nothing and promises nothing: a row that comes out is one that SQLite could follow to.

use super::error::store_error;
use super::row::{read, read_event};
use super::sql;
use longhaul_core::event::Event;
use longhaul_core::port::{Row, StoreError, Table};
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::Path;

/// What came out of a damaged database.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// Jobs, by `seq`.
    pub jobs: Vec<Row>,
    /// Journal entries, by position.
    pub events: Vec<Event>,
    /// Jobs that were found and did not read as jobs.
    pub jobs_unread: u64,
    /// Entries that were found and did not read as entries.
    pub events_unread: u64,
    /// What SQLite said where a part of the file could not be followed; how many rows lay there is
    /// not known. Empty if everything was reached.
    pub damage: Vec<String>,
}

/// Reads jobs and journal entries from the database at `damaged`, which nobody may have open.
///
/// Gives an error only if the file cannot be opened at all; a file that is no database gives an
/// empty answer with its damage named.
pub fn salvage(damaged: &Path) -> Result<Salvaged, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(damaged, flags).map_err(store_error)?;
    // Without this SQLite refuses a file shorter than its header says; nothing is written, since the
    // connection may only read.
    connection.pragma_update(None, "writable_schema", true).map_err(store_error)?;
    let mut salvaged = Salvaged::default();
    let walk = Walk { connection: &connection, damage: &mut salvaged.damage };
    let jobs = walk.both_ways(sql::SALVAGE_JOBS, 10, |row| read(Table::Job, row));
    let walk = Walk { connection: &connection, damage: &mut salvaged.damage };
    let events = walk.both_ways(sql::SALVAGE_EVENTS, 0, read_event);
    (salvaged.jobs, salvaged.jobs_unread) = jobs;
    (salvaged.events, salvaged.events_unread) = events;
    Ok(salvaged)
}

struct Walk<'a> {
    connection: &'a Connection,
    damage: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// Follows a table from its first row up and, if that breaks off, from its last row down, so
    /// that one damaged stretch costs only itself. `key` is the column that orders the rows.
    fn both_ways<T>(
        self,
        sql: [&str; 2],
        key: usize,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> (Vec<T>, u64) {
        let mut found = BTreeMap::new();
        let Err(error) = one_way(self.connection, sql[0], key, &read, &mut found) else {
            return count(found);
        };
        self.damage.push(error.to_string());
        if let Err(error) = one_way(self.connection, sql[1], key, &read, &mut found) {
            self.damage.push(error.to_string());
        }
        count(found)
    }
}

/// Reads rows until there are no more or SQLite cannot go on.
fn one_way<T>(
    connection: &Connection,
    sql: &str,
    key: usize,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    found: &mut BTreeMap<i64, Option<T>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![])?;
    while let Some(row) = rows.next()? {
        found.insert(row.get(key)?, read(row).ok());
    }
    Ok(())
}

fn count<T>(found: BTreeMap<i64, Option<T>>) -> (Vec<T>, u64) {
    let all = found.len();
    let good: Vec<T> = found.into_values().flatten().collect();
    let unread = (all - good.len()) as u64;
    (good, unread)
}
