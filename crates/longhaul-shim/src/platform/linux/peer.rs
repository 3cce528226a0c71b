//! A handle on the process at the other end of a socket.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A handle on who connected, which cannot come to mean anybody else. `None` where the kernel has no
/// such thing; an error if who connected has ended.
pub(crate) fn peer_handle(socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let mut raw: libc::c_int = -1;
    #[expect(clippy::cast_possible_truncation, reason = "a number's size is a handful of bytes")]
    let mut bytes: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `bytes` bytes to `raw`, which is that long.
    #[expect(unsafe_code, reason = "rustix has no SO_PEERPIDFD")]
    let got = unsafe {
        let value = (&raw mut raw).cast::<libc::c_void>();
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            value,
            &raw mut bytes,
        )
    };
    if got != 0 {
        let error = io::Error::last_os_error();
        // Kernels before 6.5 do not know it.
        return match error.raw_os_error() {
            Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: the call succeeded, so this is an open file that nobody else owns.
    #[expect(unsafe_code, reason = "getsockopt returns a bare number")]
    Ok(Some(unsafe { OwnedFd::from_raw_fd(raw) }))
}
