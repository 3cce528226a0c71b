//! Tells when a file of the attempt folder was written to, without watching every write.
//!
//! Directory notification (`F_NOTIFY`) and not inotify: a user has 128 inotify instances by default
//! and one for every quiet job would use them up, for us and for the user's editor. It is one-shot,
//! so a child that writes at full speed pays for a single event per look.

use std::os::fd::{AsFd, AsRawFd};

use crate::folder::Folder;

/// Of the kernel's `linux/fcntl.h`; the libc crate lacks it.
const DN_MODIFY: libc::c_int = 2;

/// Asks for one SIGIO when something in a folder is next written to.
#[derive(Debug)]
pub(crate) struct Growth;

impl Growth {
    /// The signal that comes; it must be among those that are waited for.
    pub(crate) const SIGNAL: i32 = libc::SIGIO;

    /// Asks for the next one; false where the kernel cannot, so that the caller must sample.
    pub(crate) fn arm(folder: &Folder) -> bool {
        let fd = folder.as_fd().as_raw_fd();
        // SAFETY: the folder's handle is open, and the request takes flags only.
        #[expect(unsafe_code, reason = "rustix has no F_NOTIFY")]
        let failed = unsafe { libc::fcntl(fd, libc::F_NOTIFY, DN_MODIFY) };
        failed == 0
    }
}
