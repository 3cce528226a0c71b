//! SQLite's errors by what the caller should do.

use longhaul_core::port::StoreError;
use rusqlite::{ErrorCode, ffi};

/// Sorts an error into the port's kinds.
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error().copied() else {
        // A column that does not hold what the schema promises was not written by us.
        return match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => StoreError::Corrupt(error.to_string()),
            other => StoreError::Failed(other.to_string()),
        };
    };
    match (code.code, code.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Conflict,
        // SQLite says FULL for ENOSPC only; a quota or a size limit is a plain write error to it, and
        // so is a mapping of the WAL's index that cannot grow.
        (ErrorCode::DiskFull, _)
        | (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
            StoreError::Full(error.to_string())
        }
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
            StoreError::Corrupt(error.to_string())
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether an insert met a row that has its id, seq, key or lane: somebody else was first.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|code| {
        matches!(
            code.extended_code,
            ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID
        )
    })
}

/// Something in the database that no version of this store writes.
pub(super) fn corrupt(text: &str) -> StoreError {
    StoreError::Corrupt(text.to_owned())
}

/// What the file system refused.
pub(super) fn file_error(error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::Full(error.to_string())
        }
        _ => StoreError::Failed(error.to_string()),
    }
}
