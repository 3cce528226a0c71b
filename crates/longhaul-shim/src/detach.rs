//! Leaves whoever started us: own session, no terminal, no file of theirs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};

/// Which side of the fork we are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that was started and is waited for.
    Starter,
    /// The one that stays.
    Shim,
}

/// Forks; both sides go on.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: this runs before any thread exists, so the child finds every lock free.
    #[expect(unsafe_code, reason = "a fork is what a shim is for")]
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Shim),
        _ => Ok(Side::Starter),
    }
}

/// Makes a session, closes every inherited file but `kept`, points the standard streams nowhere
/// and stands in `/`, so that nothing of the starter's is held for as long as the job runs.
pub(crate) fn leave_starter(kept: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::chdir("/")?;
    let kept = u32::try_from(kept.as_raw_fd()).unwrap_or(u32::MAX);
    close_range(3, kept.saturating_sub(1));
    close_range(kept.saturating_add(1).max(3), u32::MAX);
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(null.as_fd())?;
    rustix::stdio::dup2_stdout(null.as_fd())?;
    rustix::stdio::dup2_stderr(null.as_fd())?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn close_range(first: u32, last: u32) {
    if first > last {
        return;
    }
    // SAFETY: nothing in this process owns a file in the range; only `kept` was opened by us.
    #[expect(unsafe_code, reason = "closing what we do not own is unsafe by nature")]
    let failed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0;
    if failed {
        // Kernels before 5.9; numbers above this are unheard of there.
        close_each(first, last.min(65_536));
    }
}

#[cfg(not(target_os = "linux"))]
fn close_range(first: u32, last: u32) {
    close_each(first, last.min(10_240));
}

fn close_each(first: u32, last: u32) {
    for number in first..=last {
        let Ok(number) = i32::try_from(number) else { return };
        // SAFETY: as above: nothing in this process owns a file in the range.
        #[expect(unsafe_code, reason = "closing what we do not own is unsafe by nature")]
        unsafe {
            libc::close(number);
        }
    }
}
