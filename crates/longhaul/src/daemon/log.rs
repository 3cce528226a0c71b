//! Where the daemon's own words go: to the terminal in the foreground, else to a file in the home
//! that is put aside once when it has grown large.

use crate::home::Home;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of one log file; two are kept.
const LOG_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// A line that cannot be written is dropped. To tell of it on standard error would panic where that
/// cannot be written either: on the full disk that the log lies on, or when the terminal has gone.
const TELL_OF_FAILURES: bool = false;

/// Writes to the terminal. Does nothing if somebody set a subscriber already.
pub(super) fn to_terminal() {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .log_internal_errors(TELL_OF_FAILURES)
        .with_writer(io::stderr);
    // In tests several daemons share a process, and the first one's choice.
    let _ = subscriber.try_init();
}

/// Leaves the terminal: from here on everything goes to the home's log.
pub(super) fn to_file(home: &Home) -> io::Result<()> {
    let log = LogFile::open(home.log())?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(false)
        .log_internal_errors(TELL_OF_FAILURES)
        .with_writer(log);
    let _ = subscriber.try_init();
    Ok(())
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("LONGHAUL_LOG").unwrap_or_else(|_| EnvFilter::new("info"))
}

/// The log, which is this process's standard output and error as well: a panic is written there too.
#[derive(Clone, Debug)]
struct LogFile {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let (file, bytes) = open_log(&path)?;
        Ok(Self { open: Arc::new(Mutex::new(Open { path, file, bytes })) })
    }
}

fn open_log(path: &PathBuf) -> io::Result<(File, u64)> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    let file = File::from(rustix::fs::open(path, flags | OFlags::NOFOLLOW, mode)?);
    let bytes = file.metadata()?.len();
    rustix::stdio::dup2_stdout(&file)?;
    rustix::stdio::dup2_stderr(&file)?;
    Ok((file, bytes))
}

impl Open {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes >= LOG_BYTES_MAX {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            (self.file, self.bytes) = open_log(&self.path)?;
        }
        self.bytes += line.len() as u64;
        self.file.write_all(line)
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).write(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
