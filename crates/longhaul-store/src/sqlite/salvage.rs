//! Reads what can still be read of a damaged database, row by row. It changes nothing and promises
//! nothing: a row that comes out is one that SQLite could follow to. What comes out is put back by
//! `rebuild`, once core has made it whole.

use super::error::store_error;
use super::row::{read, read_event};
use super::{migrate, sql};
use longhaul_core::event::Event;
use longhaul_core::port::{Row, StoreError, Table};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::Path;

/// Positions left free after the last that was found: more than a page of lost entries, and more
/// than a store takes in the time between two looks of a follower.
const POSITIONS_UNKNOWN: u64 = 1 << 20;

/// What came out of a damaged database.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// Jobs, by `seq`.
    pub jobs: Vec<Row>,
    /// Journal entries, by position.
    pub events: Vec<Event>,
    /// Rows of the other tables, by table and id. Environments are secrets.
    pub others: Vec<(Table, Row)>,
    /// No position at or below this may be used again. If a part could not be followed this leaves
    /// room for what may have been there.
    pub floor: u64,
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
    let jobs = walk.both_ways::<i64, _>(sql::SALVAGE_JOBS, 10, |row| read(Table::Job, row));
    let walk = Walk { connection: &connection, damage: &mut salvaged.damage };
    let events = walk.both_ways::<i64, _>(sql::SALVAGE_EVENTS, 0, read_event);
    (salvaged.jobs, salvaged.jobs_unread) = jobs;
    (salvaged.events, salvaged.events_unread) = events;
    let version = migrate::version(&connection);
    let is_there = |table: &Table| *table != Table::Job && migrate::since(*table) <= version;
    for table in Table::ALL.into_iter().filter(is_there) {
        let walk = Walk { connection: &connection, damage: &mut salvaged.damage };
        let (rows, _) = walk.both_ways::<String, _>(sql::salvage(table), 0, |row| read(table, row));
        salvaged.others.extend(rows.into_iter().map(|row| (table, row)));
    }
    salvaged.floor = floor(&connection, &salvaged);
    Ok(salvaged)
}

fn floor(connection: &Connection, salvaged: &Salvaged) -> u64 {
    let noted = connection.query_row(sql::SALVAGE_FLOOR, [], |row| row.get::<_, i64>(0));
    let noted = noted.ok().and_then(|floor| u64::try_from(floor).ok()).unwrap_or(0);
    let jobs = salvaged.jobs.iter().map(|job| job.seq);
    let events = salvaged.events.iter().map(|event| event.position.0);
    let found = jobs.chain(events).chain([noted]).max().unwrap_or(0);
    let is_whole =
        salvaged.damage.is_empty() && (salvaged.jobs_unread, salvaged.events_unread) == (0, 0);
    if is_whole { found } else { found.saturating_add(POSITIONS_UNKNOWN) }
}

struct Walk<'a> {
    connection: &'a Connection,
    damage: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// Follows a table from its first row up and, if that breaks off, from its last row down, so
    /// that one damaged stretch costs only itself. `key` is the column that orders the rows.
    fn both_ways<K: FromSql + Ord, T>(
        self,
        sql: [&str; 2],
        key: usize,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> (Vec<T>, u64) {
        let mut found: BTreeMap<K, Option<T>> = BTreeMap::new();
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
fn one_way<K: FromSql + Ord, T>(
    connection: &Connection,
    sql: &str,
    key: usize,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    found: &mut BTreeMap<K, Option<T>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![])?;
    while let Some(row) = rows.next()? {
        found.insert(row.get(key)?, read(row).ok());
    }
    Ok(())
}

fn count<K, T>(found: BTreeMap<K, Option<T>>) -> (Vec<T>, u64) {
    let all = found.len();
    let good: Vec<T> = found.into_values().flatten().collect();
    let unread = (all - good.len()) as u64;
    (good, unread)
}
