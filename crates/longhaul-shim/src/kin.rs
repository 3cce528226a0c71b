//! Whether a process that speaks to the daemon descends from an attempt.
//!
//! The same user is not the same authority: what a job runs may reach the daemon's socket as its
//! person can. A shim is the subreaper of all that runs below it, so whoever forks twice, or leads
//! a session of its own, still has the shim above. Nothing that it could unset or rename counts.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::files::Process;
use crate::folder::Folder;
use crate::{identity, platform};

/// Processes above one that are looked at; more would be a loop in what we read.
const ANCESTORS_MAX: usize = 512;
/// Times a walk is begun again because a process on the way ended meanwhile.
const WALKS_MAX: usize = 16;

/// Where a process comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descent {
    /// From no attempt of this home.
    Outside,
    /// From the attempt whose folder has this name; the nearest, if there are several.
    Below(String),
    /// It has ended, or its ancestors change faster than they can be read: nobody can tell.
    Unknown,
}

/// Where the process at the other end of a connection comes from.
///
/// `pid` is who connected, as the kernel noted it then; 0 or less is somebody in a namespace that is
/// not below ours, where no job of ours can be. `attempts` is the folder of all attempt folders.
#[must_use]
pub fn descent_of_peer(socket: impl AsFd, pid: i32, attempts: &Path) -> Descent {
    if pid <= 0 {
        return Descent::Outside;
    }
    let Ok(handle) = platform::peer_handle(socket.as_fd()) else { return Descent::Unknown };
    let descent = descent(pid, attempts);
    // The pid was its own all the while only if it is still there now.
    if handle.as_ref().is_some_and(has_ended) { Descent::Unknown } else { descent }
}

/// Whether the process was started with exactly this environment entry, such as an attempt's token.
/// A second proof, for what no longer has its shim above it.
#[must_use]
pub fn carries(pid: i32, entry: &str) -> bool {
    platform::environment_holds(pid, entry)
}

/// The value of one variable that the process was started with; `None` if that cannot be told.
#[must_use]
pub fn variable_of(pid: i32, name: &str) -> Option<String> {
    platform::variable_of(pid, name)
}

/// Goes up from a process to the first shim of a folder below `attempts`.
fn descent(pid: i32, attempts: &Path) -> Descent {
    (0..WALKS_MAX).find_map(|_| walk(pid, attempts)).unwrap_or(Descent::Unknown)
}

/// One walk; `None` if a process on the way was gone when its turn came, so that whoever it left
/// behind has another parent by now.
fn walk(pid: i32, attempts: &Path) -> Option<Descent> {
    let ourselves = rustix::process::getpid().as_raw_nonzero().get();
    let mut at = pid;
    let mut below: Option<Process> = None;
    for _ in 0..ANCESTORS_MAX {
        let Some(status) = platform::status_of(at) else {
            return below.is_none().then_some(Descent::Unknown);
        };
        // A parent is older than its child; a younger one was given a dead parent's pid.
        if below.is_some_and(|child| child.start_ticks < status.process.start_ticks) {
            return None;
        }
        // What the daemon runs itself is no job's, even if a job was the one to start the daemon.
        if at == ourselves {
            return Some(Descent::Outside);
        }
        if let Some(name) = folder_held_by(status.process, attempts) {
            return Some(Descent::Below(name));
        }
        if status.parent <= 0 {
            return Some(Descent::Outside);
        }
        (at, below) = (status.parent, Some(status.process));
    }
    Some(Descent::Unknown)
}

/// The name of the attempt folder that this process holds as its shim. What it says of itself only
/// tells where to look: the record in the folder must name this very process.
fn folder_held_by(process: Process, attempts: &Path) -> Option<String> {
    let said = platform::shim_argument(process.pid)?;
    let name = Path::new(&said).file_name()?.to_str()?.to_owned();
    let folder = Folder::open(&attempts.join(&name)).ok()?;
    let record = folder.read_pid().ok()??;
    let is_it = record.shim == process && identity::is_here(&record).ok()?;
    is_it.then_some(name)
}

/// Whether the process of this handle has ended: then its pid may be anybody's.
fn has_ended(handle: &OwnedFd) -> bool {
    let mut waited = [PollFd::new(handle, PollFlags::IN)];
    // An error says nothing about it, so it is taken for the worse.
    poll(&mut waited, Some(&Timespec::default())).map_or(true, |ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn ourselves() -> i32 {
        rustix::process::getpid().as_raw_nonzero().get()
    }

    #[test]
    fn what_we_run_ourselves_and_who_cannot_be_seen_is_outside() {
        let root = tempfile::tempdir().unwrap();
        let (here, _there) = UnixStream::pair().unwrap();
        for pid in [ourselves(), 0, -1] {
            assert_eq!(descent_of_peer(&here, pid, root.path()), Descent::Outside, "{pid}");
        }
    }

    #[test]
    fn nobody_can_tell_of_one_who_has_gone() {
        let root = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(descent(pid, root.path()), Descent::Unknown);
    }

    #[test]
    fn a_process_that_only_calls_itself_a_shim_is_none() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("job_1.1");
        Folder::create(&path).unwrap();
        let script = "sleep 60; true";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script, "shim"])
            .arg(&path)
            .spawn()
            .unwrap();
        let process = Process::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert_eq!(folder_held_by(process, root.path()), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_handle_knows_when_its_process_has_ended() {
        let (here, _there) = UnixStream::pair().unwrap();
        if let Ok(Some(handle)) = platform::peer_handle(here.as_fd()) {
            assert!(!has_ended(&handle), "we are still here");
        }
    }
}
