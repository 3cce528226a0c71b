//! Rows and entries to and from columns. The order of columns is that of `columns!` in `sql.rs`.

use super::error::{corrupt, store_error};
use longhaul_core::event::Event;
use longhaul_core::id::JobId;
use longhaul_core::port::{Phase, Position, Row, StoreError, Table};
use longhaul_core::time::Timestamp;
use rusqlite::{CachedStatement, Params, params};

/// Takes a count or number that SQLite keeps as `i64`; beyond that is refused.
pub(super) fn to_i64(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number)
        .map_err(|_| StoreError::Failed(format!("{number} is larger than SQLite can hold")))
}

/// Reads a number that a CHECK keeps from being negative.
pub(super) fn from_i64(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt(&format!("{number} stands where none is negative")))
}

/// Runs a statement that writes one row, giving how many rows it wrote.
pub(super) fn write(
    statement: &mut CachedStatement<'_>,
    row: &Row,
) -> Result<rusqlite::Result<usize>, StoreError> {
    let (seq, bytes) = (to_i64(row.seq)?, to_i64(row.bytes)?);
    Ok(statement.execute(params![
        row.id,
        row.phase.name(),
        row.state,
        row.due_at.map(Timestamp::as_millis),
        row.host,
        row.lane,
        row.parent,
        row.owner,
        row.pool,
        row.priority,
        seq,
        row.key,
        row.name,
        row.outcome,
        row.ended_at.map(Timestamp::as_millis),
        bytes,
        row.labels,
        row.body,
    ]))
}

/// Reads the columns of one row.
pub(super) fn read(table: Table, columns: &rusqlite::Row<'_>) -> Result<Row, StoreError> {
    let fields = || -> rusqlite::Result<(Row, String, i64, i64)> {
        let row = Row {
            id: columns.get(0)?,
            phase: Phase::Kept,
            state: columns.get(2)?,
            due_at: columns.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
            host: columns.get(4)?,
            lane: columns.get(5)?,
            parent: columns.get(6)?,
            owner: columns.get(7)?,
            pool: columns.get(8)?,
            priority: columns.get(9)?,
            seq: 0,
            key: columns.get(11)?,
            name: columns.get(12)?,
            outcome: columns.get(13)?,
            ended_at: columns.get::<_, Option<i64>>(14)?.map(Timestamp::from_millis),
            bytes: 0,
            labels: columns.get(16)?,
            body: columns.get(17)?,
        };
        Ok((row, columns.get(1)?, columns.get(10)?, columns.get(15)?))
    };
    let (row, phase, seq, bytes) = fields().map_err(store_error)?;
    let Some(phase) = Phase::parse(&phase) else {
        let text = format!("row {} of table {} is in phase {phase:?}", row.id, table.name());
        return Err(corrupt(&text));
    };
    Ok(Row { phase, seq: from_i64(seq)?, bytes: from_i64(bytes)?, ..row })
}

/// Reads the columns of one entry of the journal.
pub(super) fn read_event(columns: &rusqlite::Row<'_>) -> Result<Event, StoreError> {
    let fields = || -> rusqlite::Result<(i64, Option<String>, i64, i64, String)> {
        Ok((columns.get(0)?, columns.get(1)?, columns.get(2)?, columns.get(3)?, columns.get(4)?))
    };
    let (position, job, seq, at, body) = fields().map_err(store_error)?;
    let job = job
        .map(|text| JobId::parse(&text))
        .transpose()
        .map_err(|bad| corrupt(&format!("entry {position} of the journal: {bad}")))?;
    Ok(Event {
        position: Position(from_i64(position)?),
        job,
        seq: from_i64(seq)?,
        at: Timestamp::from_millis(at),
        body,
    })
}

/// Runs a query and reads every row it gives.
pub(super) fn all<T>(
    mut statement: CachedStatement<'_>,
    arguments: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = statement.query(arguments).map_err(store_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Runs a query that gives at most one row.
pub(super) fn first<T>(
    mut statement: CachedStatement<'_>,
    arguments: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut rows = statement.query(arguments).map_err(store_error)?;
    rows.next().map_err(store_error)?.map(read).transpose()
}

/// Reads the only column of a row.
pub(super) fn single<T: rusqlite::types::FromSql>(
    columns: &rusqlite::Row<'_>,
) -> Result<T, StoreError> {
    columns.get(0).map_err(store_error)
}
