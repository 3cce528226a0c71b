//! The process that holds one attempt and outlives the daemon.
//!
//! Everything a daemon may know about an attempt lies in one folder (docs/attempt-folder.md). The
//! shim writes it, the daemon reads it through [`folder`] and [`evidence`], and neither needs the
//! other alive. Sync, single-threaded, no crate of ours: its files are a contract with other
//! releases, and its few pages stay resident for as long as a job runs.

pub mod evidence;
pub mod files;
pub mod folder;
pub mod identity;
pub mod kin;
pub mod orphans;
pub mod tree;

mod cgroup;
mod child;
mod clock;
mod detach;
mod exec;
pub mod failpoint;
mod hint;
mod life;
mod memory;
mod platform;
mod pty;
mod record;
mod run;
mod signals;
mod sweep;

use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::Mode;

use crate::detach::Side;
use crate::folder::Folder;

/// Runs the shim of the attempt in `dir`: `longhaul shim <dir>`.
///
/// Must be called before the process has a second thread. Forks: the caller's process gets its exit
/// code at once, 0 for "a shim is on its way" (which proves nothing; look at the folder) and 1 for
/// "the folder cannot be used or no process can be made". The other side holds the attempt and comes
/// back from here when it is over.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    // Whoever started us may have blocked or ignored signals, and that survives an exec.
    signals::reset();
    let Ok(folder) = Folder::open(dir) else { return ExitCode::FAILURE };
    match detach::fork() {
        Err(_) => return ExitCode::FAILURE,
        Ok(Side::Starter) => return ExitCode::SUCCESS,
        Ok(Side::Shim) => {}
    }
    let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
    let began = match detach::leave_starter(folder.as_fd()) {
        Ok(()) => life::live(&folder, umask).is_ok(),
        Err(_) => false,
    };
    // Nobody waits for this code; it is for a person who traces the shim.
    if began { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
