//! Puts what was salvaged into a new database, and that in the place of the damaged one. Until the
//! new one is whole the damaged one stays where it is; from then on the home reads as damaged until
//! the change is complete, so no crash on the way passes for an empty store.

use super::error::{file_error, store_error};
use super::row::to_i64;
use super::tx::SqliteTx;
use super::{connect, files, open, sql, store_id};
use longhaul_core::event::Event;
use longhaul_core::id::JobId;
use longhaul_core::port::{Row, StoreError, Table, Tx};
use rusqlite::params;
use std::path::{Path, PathBuf};

/// Makes a database at `path`, where none may be, of these rows and entries. Positions up to `floor`
/// are never used again. Gives what a rule of the schema refused, a line each.
///
/// Gives an error, and leaves nothing usable, if the disk refuses.
pub fn rebuild(
    path: &Path,
    rows: &[(Table, Row)],
    events: &[Event],
    floor: u64,
) -> Result<Vec<String>, StoreError> {
    let store = open(path)?;
    let mut refused = Vec::new();
    let mut tx = SqliteTx::begin(&store.connection, &store.has_traces)?;
    for (table, row) in rows {
        // A rule that says no undoes its own statement and nothing else.
        match tx.save(*table, row, true) {
            Ok(()) => {}
            Err(StoreError::Conflict | StoreError::Failed(_)) => {
                refused.push(format!("row {} of table {}", row.id, table.name()));
            }
            Err(error) => return Err(error),
        }
    }
    for event in events {
        let (job, position) = (event.job.as_ref().map(JobId::as_str), to_i64(event.position.0)?);
        let (seq, at) = (to_i64(event.seq)?, event.at.as_millis());
        let mut append = store.connection.prepare_cached(sql::APPEND).map_err(store_error)?;
        match append.execute(params![position, job, seq, at, event.body]).map_err(store_error) {
            Ok(_) => {}
            Err(StoreError::Conflict | StoreError::Failed(_)) => {
                refused.push(format!("entry {position} of the journal"));
            }
            Err(error) => return Err(error),
        }
    }
    store.connection.execute(sql::RAISE_FLOOR, [to_i64(floor)?]).map_err(store_error)?;
    Box::new(tx).commit()?;
    store.close()?;
    Ok(refused)
}

/// Puts the database at `fresh`, which nobody has open, in the place of the one at `path`, whose
/// files go into the folder `into`. Gives where they went. Can be called again after a crash.
pub fn replace(path: &Path, fresh: &Path, into: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let rename = |from: &Path, to: &Path| fs_err::rename(from, to).map_err(|e| file_error(&e));
    files::make_folder(into)?;
    let marker = files::marker(fresh);
    // With the new marker beside it the old database is no store any more, and neither is none.
    if files::size(&marker)?.is_some() {
        rename(&marker, &files::marker(path))?;
        files::sync_folder_of(path)?;
    }
    let moved = files::move_aside(path, &["-wal", "-shm", ""], into)?;
    rename(fresh, path)?;
    files::sync_folder_of(path)?;
    Ok(moved)
}

/// Whether a [`replace`] of `path` by `fresh` was begun and not finished: then it must be.
pub fn is_replacing(path: &Path, fresh: &Path) -> Result<bool, StoreError> {
    if files::size(fresh)?.is_none() || files::size(&files::marker(fresh))?.is_some() {
        return Ok(false);
    }
    let Some(born) = files::read_marker(path)? else { return Ok(false) };
    // A new database that was never finished may not even have an id.
    let id = connect(fresh).and_then(|connection| store_id(&connection));
    Ok(id.is_ok_and(|id| id == born))
}
