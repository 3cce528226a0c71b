//! What a job reads on its standard input: a file, or all that the caller's own stdin holds. Either
//! way it is stored before the job is submitted, so the job can start, and start again, without us.

use super::error::CliError;
use rustix::fs::{self, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Opens what `--stdin` names, at its beginning and with a length that no longer changes.
///
/// `-` and pipes are copied to an unnamed file first: their end must be known before the job is
/// submitted, and they may not fit in memory.
pub(super) fn open(path: &Path) -> Result<File, CliError> {
    if path == Path::new("-") {
        return keep(&mut io::stdin().lock());
    }
    let mut file = File::open(path).map_err(|error| {
        CliError::usage(format!("`--stdin {}` cannot be read: {error}", path.display()))
    })?;
    let metadata = file.metadata().map_err(|error| reading(&error))?;
    if metadata.is_dir() {
        return Err(CliError::usage(format!("`--stdin {}` is a directory", path.display())));
    }
    if metadata.is_file() { Ok(file) } else { keep(&mut file) }
}

fn keep(from: &mut impl Read) -> Result<File, CliError> {
    let mut file = unnamed().map_err(|error| {
        CliError::unavailable("unavailable", format!("no room to keep standard input in: {error}"))
            .hint("`TMPDIR` says where temporary files go")
    })?;
    io::copy(from, &mut file).map_err(|error| reading(&error))?;
    file.flush().and_then(|()| file.seek(SeekFrom::Start(0))).map_err(|error| reading(&error))?;
    Ok(file)
}

/// A file that has no name and goes when it is closed, so that a crash leaves no secret behind.
fn unnamed() -> io::Result<File> {
    let folder = std::env::temp_dir();
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match fs::open(&folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => Ok(File::from(file)),
        // Some file systems have no unnamed files: make one and take its name away.
        Err(_) => {
            let path = folder.join(format!("longhaul-stdin-{}", crate::ids::job_id()?));
            let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let file = File::from(fs::open(&path, flags, mode)?);
            fs_err::remove_file(&path)?;
            Ok(file)
        }
    }
}

fn reading(error: &io::Error) -> CliError {
    CliError::unavailable("unavailable", format!("standard input could not be read: {error}"))
}
