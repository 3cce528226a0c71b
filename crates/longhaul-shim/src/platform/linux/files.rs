//! New files that are closed on exec from their first moment, which not every system can do.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, openpt};

/// The unit in which the system counts a process's largest size.
pub(crate) const RSS_UNIT_BYTES: u64 = 1024;

/// A pipe: where to read, where to write.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    pipe_with(PipeFlags::CLOEXEC)
}

/// A datagram socket that never waits.
pub(crate) fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
}

/// The shim's end of a new terminal.
pub(crate) fn open_terminal() -> Result<OwnedFd, Errno> {
    openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
}

/// An address for a path of any length; valid while the file that may come with it is open.
pub(crate) fn reach_socket(path: &Path) -> Result<(SocketAddrUnix, Option<OwnedFd>), Errno> {
    // An address holds about a hundred bytes; a longer path is reached through its folder.
    match (SocketAddrUnix::new(path), path.parent(), path.file_name()) {
        (Err(Errno::NAMETOOLONG), Some(parent), Some(name)) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(parent, flags, Mode::empty())?;
            let mut short = OsString::from(format!("/proc/self/fd/{}/", folder.as_raw_fd()));
            short.push(name);
            Ok((SocketAddrUnix::new(Path::new(&short))?, Some(folder)))
        }
        (address, _, _) => Ok((address?, None)),
    }
}
