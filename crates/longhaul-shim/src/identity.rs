//! Who a process is, and signals that can only reach the one that is meant.
//!
//! A pid is handed out again after its owner is reaped. So every signal goes through a handle
//! (pidfd) that is opened first and compared with the recorded start time second: what the handle
//! names cannot change any more.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::Signal;

use crate::files::{PidRecord, Process};
use crate::folder::Folder;
use crate::platform;

impl Process {
    /// Who has this pid now; `None` if nobody has.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        platform::status_of(pid).map(|status| status.process)
    }

    /// Whether this very process still runs. One that waits to be reaped does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        platform::status_of(self.pid).is_some_and(|s| s.process == self && !s.ended)
    }

    /// Sends a signal to this very process; false if it is gone. An error means that it is there
    /// and may not be signalled.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<bool> {
        platform::signal(self, signal)
    }
}

/// What a daemon may ask of a living shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Ask the child's group to end (SIGTERM).
    End,
    /// End everything that descends from the attempt, by force (SIGUSR1).
    EndByForce,
}

/// Puts an ask to the shim that holds this folder; false if there is no such shim any more.
///
/// Nothing is signalled unless boot, pid namespace, pid and start time are those of the record
/// **and** that process has the folder's `lock` open: a planted record reaches nobody. After
/// `false` look at the folder again. An error means the shim may not be signalled by us.
pub fn ask_shim(folder: &Folder, record: &PidRecord, ask: Ask) -> io::Result<bool> {
    if !is_here(record)? {
        return Ok(false);
    }
    let Some(lock) = folder.open_lock().map_err(io::Error::other)? else { return Ok(false) };
    let lock = lock.metadata()?;
    if !platform::has_open(record.shim.pid, lock.dev(), lock.ino()) {
        return Ok(false);
    }
    record.shim.signal(match ask {
        Ask::End => Signal::TERM,
        Ask::EndByForce => Signal::USR1,
    })
}

/// Whether the record's numbers mean anything here: same boot, same pid namespace.
pub fn is_here(record: &PidRecord) -> io::Result<bool> {
    Ok(record.boot_id == platform::boot_id()? && record.pid_ns == platform::pid_ns()?)
}

/// Id of this boot, for a daemon to remember with what it launches.
pub fn boot_id() -> io::Result<String> {
    platform::boot_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_pid_is_never_signalled() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let now = Process::of(pid).unwrap();
        let before = Process { start_ticks: now.start_ticks - 1, ..now };
        assert!(!before.is_alive());
        assert!(!before.signal(Signal::KILL).unwrap());
        assert!(now.is_alive(), "the one that has the pid now was left alone");
        assert!(now.signal(Signal::KILL).unwrap());
        child.wait().unwrap();
        assert!(!now.signal(Signal::KILL).unwrap());
    }
}
