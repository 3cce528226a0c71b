//! A store in one SQLite file. One connection writes; readers have their own. Commits are durable
//! (`synchronous=FULL` in WAL mode) when `commit` returns.

mod deliveries;
mod error;
mod files;
mod list;
mod mail;
mod migrate;
#[cfg(test)]
mod plans;
mod reader;
mod rebuild;
mod row;
mod salvage;
mod sql;
mod tx;

pub use files::quarantine;
pub use migrate::backups;
pub use reader::SqliteReader;
pub use rebuild::{is_replacing, rebuild, replace};
pub use salvage::{Salvaged, salvage};

use error::{corrupt, file_error, store_error};
use longhaul_core::port::{Reader, Store, StoreError, Tx};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// KiB of pages that the writer keeps; the kernel's page cache does the rest.
const CACHE_KIB: i32 = 2_048;
/// How long the writer waits for another process's lock, which there should never be.
const BUSY_MS: u64 = 5_000;
/// Pages in the WAL at which a commit also moves them into the database (16 MiB). Whoever calls
/// [`SqliteStore::checkpoint`] when there is time keeps commits from ever having to.
const WAL_PAGES_MAX: u32 = 4_096;
/// Bytes that the WAL file is cut back to once it has been moved.
const WAL_BYTES_KEPT: u32 = 16 * 1_024 * 1_024;
/// A database larger than this is not read through at open after a crash: it would delay the start.
const QUICK_CHECK_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// Different statements that a step uses, with room to spare.
const STATEMENTS: usize = 160;

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// Whether the WAL may hold copies of secrets that are removed.
    has_traces: Cell<bool>,
}

/// How far a checkpoint came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages that were in the WAL.
    pub pages: u64,
    /// Of those, pages that are in the database now; fewer while a reader still needs the rest.
    pub moved: u64,
}

/// Opens the store at `path`, making it if there never was one; its folder must exist.
///
/// Gives [`StoreError::Corrupt`] if there was a store and it is gone, empty, cut short, or not what
/// it was: ask a person, `quarantine` it, and never start over silently. Gives
/// [`StoreError::Newer`] for a database of a newer version (its text names both), and
/// [`StoreError::Failed`] for a symbolic link and for what the file system refuses.
pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    // SQLite refuses a link anywhere in the path when told not to follow; those above are not ours.
    let folder = files::folder_of(path);
    let folder = fs_err::canonicalize(folder).map_err(|error| file_error(&error))?;
    let name = path.file_name().ok_or_else(|| StoreError::Failed("no file name".into()))?;
    let path = folder.join(name);

    let born = files::read_marker(&path)?;
    let wal = files::size(&files::beside(&path, "-wal"))?;
    match (files::size(&path)?.unwrap_or(0), &born, wal) {
        (0, Some(_), _) => return Err(lost(&path, "there was a store, and its file is gone")),
        (0, None, Some(1..)) => return Err(lost(&path, "there is a WAL without its database")),
        (0, None, _) => return create(&path),
        (size, ..) => files::check_header(&path, size)?,
    }
    files::make_private(&path)?;
    let mut connection = connect(&path)?;
    // A WAL that is there was not put away by a clean close.
    if wal.is_some() && files::size(&path)?.unwrap_or(0) <= QUICK_CHECK_BYTES_MAX {
        quick_check(&connection)?;
    }
    migrate::migrate(&mut connection, &path)?;
    let store_id = store_id(&connection)?;
    match born {
        Some(born) if born == store_id => {}
        Some(_) => return Err(lost(&path, "the file is not the store that was born here")),
        None => files::write_marker(&path, &store_id)?,
    }
    Ok(SqliteStore { connection, path, has_traces: Cell::new(wal.is_some()) })
}

/// The error for a store that is not there as it should be.
fn lost(path: &Path, what: &str) -> StoreError {
    corrupt(&format!("{}: {what}", path.display()))
}

/// Makes a store where none was. A crash on the way leaves no marker, and the next `open` goes on.
fn create(path: &Path) -> Result<SqliteStore, StoreError> {
    files::remove_if_there(path)?;
    files::create_private(path)?;
    let mut connection = connect(path)?;
    migrate::migrate(&mut connection, path)?;
    let store_id = store_id(&connection)?;
    let store = SqliteStore { connection, path: path.to_owned(), has_traces: Cell::new(false) };
    // The marker promises that the file is not empty, so nothing may be in the WAL alone.
    store.truncate_wal()?;
    files::sync_folder_of(path)?;
    files::write_marker(path, &store_id)?;
    Ok(store)
}

/// Opens the writing connection and sets what holds for each of its transactions.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(store_error)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS)).map_err(store_error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection)?;
    let set = |pragma: &str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update(None, pragma, value).map_err(store_error)
    };
    set("journal_mode", &"wal")?;
    set("synchronous", &"full")?;
    // Environments are secrets: what is deleted is overwritten, not only let go.
    set("secure_delete", &"on")?;
    set("cache_size", &-CACHE_KIB)?;
    set("temp_store", &"memory")?;
    set("trusted_schema", &false)?;
    set("wal_autocheckpoint", &WAL_PAGES_MAX)?;
    set("journal_size_limit", &WAL_BYTES_KEPT)?;
    Ok(connection)
}

/// Has a plan made once for a statement and never for what is bound to it. Otherwise SQLite looks at
/// the number behind each `LIMIT ?` and prepares the statement anew every time that it is bound, which
/// costs several times what the question does.
fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    stable.map(|_| ()).map_err(store_error)
}

fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(store_error)?;
    if found == "ok" { Ok(()) } else { Err(corrupt(&found)) }
}

fn store_id(connection: &Connection) -> Result<String, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = 'store_id'";
    connection.query_row(sql, [], |row| row.get(0)).map_err(store_error)
}

impl SqliteStore {
    /// The database file, with symbolic links above it resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a reader without a box around it.
    pub fn open_reader(&self) -> Result<SqliteReader, StoreError> {
        SqliteReader::open(&self.path)
    }

    /// Moves what it can from the WAL into the database, without waiting for readers. For quiet
    /// moments: it costs two syncs, which a commit otherwise pays when the WAL has grown.
    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.run_checkpoint("PRAGMA wal_checkpoint(PASSIVE)")
    }

    fn run_checkpoint(&self, sql: &str) -> Result<Checkpoint, StoreError> {
        let done = self.connection.query_row(sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        // SQLite says -1 where it could not begin because somebody else is at it.
        match done.map_err(store_error)? {
            (0, pages, moved) if pages >= 0 && moved >= 0 => {
                Ok(Checkpoint { pages: row::from_i64(pages)?, moved: row::from_i64(moved)? })
            }
            _ => Err(StoreError::Conflict),
        }
    }

    fn truncate_wal(&self) -> Result<(), StoreError> {
        self.run_checkpoint("PRAGMA wal_checkpoint(TRUNCATE)").map(|_| ())
    }

    /// Empties the WAL if a removed secret may still be in it, else moves what it can out of it, so
    /// that no commit has to. A reader in the middle of an answer
    /// keeps it; it is not waited for.
    fn erase_traces(&self) -> Result<(), StoreError> {
        if !self.has_traces.get() {
            return match self.checkpoint() {
                Err(error @ StoreError::Corrupt(_)) => Err(error),
                // Only a courtesy to later commits: one of them does it, and says what is wrong.
                Ok(_) | Err(_) => Ok(()),
            };
        }
        let wait =
            |ms| self.connection.busy_timeout(Duration::from_millis(ms)).map_err(store_error);
        wait(0)?;
        let emptied = self.truncate_wal();
        wait(BUSY_MS)?;
        emptied?;
        self.has_traces.set(false);
        Ok(())
    }

    /// Lets the database grow to this many pages of 4 KiB; growing further is [`StoreError::Full`].
    /// For a home with a quota of its own, and for tests of a full disk.
    pub fn limit_pages(&self, pages_max: u32) -> Result<(), StoreError> {
        // SQLite's own ceiling is a little below `u32::MAX`; asking for more gives that.
        let set = self.connection.pragma_update(None, "max_page_count", pages_max);
        set.map_err(store_error)
    }

    /// Puts everything into the database file and closes it. With no reader left, SQLite removes
    /// the files beside it, and that is how the next `open` knows of a clean end: drop readers first.
    pub fn close(self) -> Result<(), StoreError> {
        // A reader in the middle of an answer keeps the WAL from being emptied. That is no loss, and
        // nothing to wait for at the end.
        self.connection.busy_timeout(Duration::ZERO).map_err(store_error)?;
        match self.truncate_wal() {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        self.connection.close().map_err(|(_, error)| store_error(error))
    }
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        Ok(Box::new(tx::SqliteTx::begin(&self.connection, &self.has_traces)?))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.open_reader()?))
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        self.erase_traces()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Self::close(*self)
    }
}
