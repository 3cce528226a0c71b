//! Signals as a file to wait on, signals to others through a pidfd, and the subreaper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::files::Process;

/// The signals the shim lives by, taken out of the kernel one by one.
#[derive(Debug)]
pub(crate) struct Signals {
    file: OwnedFd,
}

impl Signals {
    /// Blocks `signals` and makes them readable instead.
    pub(crate) fn block(signals: &[i32]) -> io::Result<Self> {
        let set = crate::signals::set_of(signals);
        crate::signals::block(&set)?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: `set` is an initialised signal set; -1 asks for a new file.
        #[expect(unsafe_code, reason = "rustix has no signalfd")]
        let raw = unsafe { libc::signalfd(-1, &raw const set, flags) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the file is open and nobody else owns it.
        #[expect(unsafe_code, reason = "signalfd returns a bare number")]
        let file = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Self { file })
    }

    /// The next signal that came; `None` if none did.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
        let got = rustix::io::retry_on_intr(|| rustix::io::read(&self.file, &mut bytes)).ok()?;
        // The signal's number is the first field of the structure.
        let number = bytes.get(..got)?.first_chunk::<4>()?;
        i32::try_from(u32::from_ne_bytes(*number)).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Gives a signal its default meaning; numbers that are not signals are passed over.
///
/// Past the C library, which refuses to touch the two signals it keeps for itself: an ignored one
/// would be inherited all the same.
pub(crate) fn default_disposition(signal: i32) {
    // The kernel's own structure is at most this long, and all zeros in it mean "default".
    let default = [0_usize; 8];
    let set_bytes: usize = 8;
    // SAFETY: the kernel reads the structure, writes nothing, and will call no code of ours.
    #[expect(unsafe_code, reason = "rustix has no sigaction outside its runtime feature")]
    unsafe {
        let none = std::ptr::null_mut::<usize>();
        libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, set_bytes);
    }
}

/// Makes us the parent of every orphan among our descendants, daemonised or not.
pub(crate) fn become_subreaper() -> io::Result<()> {
    let on: libc::c_ulong = 1;
    let zero: libc::c_ulong = 0;
    // SAFETY: this option takes one flag and touches no memory of ours.
    #[expect(unsafe_code, reason = "rustix takes a pid where the kernel takes a flag")]
    let failed = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, on, zero, zero, zero) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to exactly this process; false if it is gone.
pub(crate) fn signal(process: Process, signal: Signal) -> io::Result<bool> {
    let Some(pid) = Pid::from_raw(process.pid).filter(|_| process.pid > 0) else {
        return Ok(false);
    };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    // The handle is open, so if the pid is the recorded one's now, the handle is too.
    if Process::of(process.pid) != Some(process) {
        return Ok(false);
    }
    match pidfd_send_signal(&handle, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
