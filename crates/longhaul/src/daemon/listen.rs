//! The home's sockets. Made under the home's lock only, so what lies in their place is stale.

use super::DaemonError;
use crate::home::Home;
use rustix::fs::{FileType, Mode};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tokio::net::{UnixDatagram, UnixListener};

/// Connections that may wait to be accepted: a burst of clients that were all started at once.
const BACKLOG: i32 = 1_024;

/// Binds the socket that clients connect to, for this user only.
pub(super) fn clients(home: &Home) -> Result<UnixListener, DaemonError> {
    let path = home.socket();
    let bound = || {
        let socket = bind_private(&path, SocketType::STREAM)?;
        // Nobody can connect before this, so nobody connects before the mode is right.
        listen(&socket, BACKLOG)?;
        UnixListener::from_std(socket.into())
    };
    bound().map_err(|source| DaemonError::io(&path, source))
}

/// Binds the socket that shims send hints to. Without it everything works, only later: so a failure
/// is told and gone on from.
pub(super) fn hints(home: &Home) -> Option<UnixDatagram> {
    let path = home.hints();
    let bound = || UnixDatagram::from_std(bind_private(&path, SocketType::DGRAM)?.into());
    match bound() {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "shims cannot send hints");
            None
        }
    }
}

/// Takes the sockets away, so that clients see at once that nobody is there.
pub(super) fn remove(home: &Home) {
    for path in [home.socket(), home.hints()] {
        if let Err(error) = unlink_stale(&path) {
            tracing::warn!(path = %path.display(), %error, "a socket could not be removed");
        }
    }
}

fn bind_private(path: &Path, kind: SocketType) -> io::Result<OwnedFd> {
    unlink_stale(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, Mode::from_raw_mode(0o600))?;
    Ok(socket)
}

fn unlink_stale(path: &Path) -> io::Result<()> {
    let about = match path.symlink_metadata() {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if FileType::from_raw_mode(about.mode()) != FileType::Socket {
        return Err(io::Error::other("something that is no socket is in its place"));
    }
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_anything_else_is_not() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        drop(clients(&home).unwrap());
        let listener = clients(&home).unwrap();
        assert_eq!(home.socket().metadata().unwrap().mode() & 0o777, 0o600);
        drop(listener);
        remove(&home);
        assert!(!home.socket().exists());
        std::fs::write(home.socket(), "").unwrap();
        clients(&home).unwrap_err();
    }
}
