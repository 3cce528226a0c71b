//! The files around a database: the database itself and SQLite's two beside it, the marker that
//! says one was born here, copies. All are private (0600), and none may be a symbolic link.
//!
//! SQLite takes a missing or empty file for a new database. The marker is how a lost or truncated
//! one is told from a first start: it is written once the database has been, and names it.

use super::error::{corrupt, file_error};
use fs_err::os::unix::fs::OpenOptionsExt;
use longhaul_core::port::StoreError;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What every SQLite file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes of SQLite's header that are looked at.
const HEADER_BYTES: usize = 100;

/// `path` with `suffix` after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The marker of the database at `path`.
pub(super) fn marker(path: &Path) -> PathBuf {
    beside(path, ".born")
}

/// The folder that `path` lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Bytes in the file at `path`; `None` if there is no such file. Refuses what is no plain file.
pub(super) fn size(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs_err::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found.len())),
        Ok(_) => Err(StoreError::Failed(format!("{} is not a plain file", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(&error)),
    }
}

/// Makes an empty file that only its owner may read; refuses if anything is there, a symbolic link
/// included.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| file_error(&error))?;
    Ok(())
}

/// Takes away what others may do with the file, as after a copy made by hand.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    let mode = fs_err::symlink_metadata(path).map_err(|error| file_error(&error))?.permissions();
    if mode.mode() & 0o077 != 0 {
        let private = std::fs::Permissions::from_mode(0o600);
        fs_err::set_permissions(path, private).map_err(|error| file_error(&error))?;
    }
    Ok(())
}

/// Removes a file; that there is none is fine.
pub(super) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error(&error)),
        _ => Ok(()),
    }
}

/// Makes a file's content durable.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    let file = fs_err::File::open(path).map_err(|error| file_error(&error))?;
    file.sync_all().map_err(|error| file_error(&error))
}

/// Makes names made, changed or removed beside `path` durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    sync(folder_of(path))
}

/// The store id that the marker names; `None` if there is no marker.
pub(super) fn read_marker(path: &Path) -> Result<Option<String>, StoreError> {
    let marker = marker(path);
    if size(&marker)?.is_none() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&marker).map_err(|error| file_error(&error))?;
    Ok(Some(text.trim().to_owned()))
}

/// Writes the marker, durable before this returns.
pub(super) fn write_marker(path: &Path, store_id: &str) -> Result<(), StoreError> {
    let unfinished = beside(path, ".born-unfinished");
    remove_if_there(&unfinished)?;
    create_private(&unfinished)?;
    let write = || {
        let mut file = fs_err::OpenOptions::new().write(true).open(&unfinished)?;
        file.write_all(format!("{store_id}\n").as_bytes())?;
        file.sync_all()?;
        fs_err::rename(&unfinished, marker(path))
    };
    write().map_err(|error| file_error(&error))?;
    sync_folder_of(path)
}

/// Refuses a file that cannot be a whole database: not SQLite's, or shorter than its header says.
///
/// The length is only meaningful without a WAL: after a crash the rest may lie there.
pub(super) fn check_header(path: &Path, size: u64) -> Result<(), StoreError> {
    let mut header = [0; HEADER_BYTES];
    let mut file = fs_err::File::open(path).map_err(|error| file_error(&error))?;
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(corrupt(&format!("{} has only {size} bytes", path.display())));
        }
        Err(error) => return Err(file_error(&error)),
    }
    if !header.starts_with(MAGIC) {
        return Err(corrupt(&format!("{} is not a database", path.display())));
    }
    let number =
        |at: usize| header[at..].iter().take(4).fold(0, |sum, &b| (sum << 8) | u64::from(b));
    // A page of 65,536 bytes is written as 1, since the field has 16 bits.
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    // The count of pages is only to be trusted if it was written with the last change.
    let is_counted = number(24) == number(92);
    let should = page * number(28);
    if is_counted && size < should && self::size(&beside(path, "-wal"))?.unwrap_or(0) == 0 {
        let text = format!("{} is cut short: {size} of {should} bytes", path.display());
        return Err(corrupt(&text));
    }
    Ok(())
}

/// Moves the database at `path` and all that belongs to it into the folder `into`, which is made if
/// it is missing, and gives where each file went. Refuses to overwrite anything there. The next
/// `open` makes a new, empty store.
///
/// No process may have the database open.
pub fn quarantine(path: &Path, into: &Path) -> Result<Vec<PathBuf>, StoreError> {
    make_folder(into)?;
    // The marker goes last: until then an interrupted move still reads as a damaged store.
    move_aside(path, &["-wal", "-shm", "", ".born"], into)
}

/// Makes a private folder, unless it is there.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs_err::create_dir_all(folder).map_err(|error| file_error(&error))?;
    let private = std::fs::Permissions::from_mode(0o700);
    fs_err::set_permissions(folder, private).map_err(|error| file_error(&error))
}

/// Moves the files beside `path` with these suffixes, in this order, and overwrites none.
pub(super) fn move_aside(
    path: &Path,
    suffixes: &[&str],
    into: &Path,
) -> Result<Vec<PathBuf>, StoreError> {
    let all: Vec<PathBuf> = suffixes.iter().map(|suffix| beside(path, suffix)).collect();
    let mut moves = Vec::new();
    for from in all.iter().filter(|from| from.symlink_metadata().is_ok()) {
        let name = from.file_name().ok_or_else(|| StoreError::Failed("no file name".into()))?;
        let to = into.join(name);
        if to.symlink_metadata().is_ok() {
            return Err(StoreError::Failed(format!("{} is already there", to.display())));
        }
        moves.push((from, to));
    }
    for (from, to) in &moves {
        fs_err::rename(from, to).map_err(|error| file_error(&error))?;
    }
    sync(into)?;
    sync_folder_of(path)?;
    Ok(moves.into_iter().map(|(_, to)| to).collect())
}
