//! Systems other than Linux, so far macOS: compiled, not yet run anywhere.
//!
//! What is missing and not pretended: there is no subreaper, so a daemonised grandchild escapes;
//! environments cannot be read, so what a dead shim left is not ended; memory is not measured, so
//! its limit is not kept; spools are sampled. Between the check of a start time and a signal a pid
//! may in theory change hands.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::OpenptFlags;

use crate::files::Process;
use crate::folder::Folder;

/// What the system says of a process.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) process: Process,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    pub(crate) comm: String,
    pub(crate) ended: bool,
    /// Not measured here.
    pub(crate) cpu_ticks: u64,
    /// Not measured here.
    pub(crate) rss_bytes: u64,
}

/// There is no notice of growth; the shim samples.
#[derive(Debug)]
pub(crate) struct Growth;

impl Growth {
    pub(crate) const SIGNAL: i32 = libc::SIGIO;

    pub(crate) fn arm(_folder: &Folder) -> bool {
        false
    }
}

/// The write end that the signal handler uses; -1 before there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(signal: i32) {
    let byte = u8::try_from(signal).unwrap_or(0);
    // SAFETY: `write` may be called in a handler; the byte lives through the call.
    #[expect(unsafe_code, reason = "a handler may only make bare calls")]
    unsafe {
        libc::write(WAKE.load(Ordering::Relaxed), (&raw const byte).cast::<libc::c_void>(), 1);
    }
}

/// The signals the shim lives by, through a pipe that their handler writes to.
#[derive(Debug)]
pub(crate) struct Signals {
    file: OwnedFd,
}

impl Signals {
    pub(crate) fn block(signals: &[i32]) -> io::Result<Self> {
        let (file, wake) = pipe()?;
        ioctl_fionbio(&file, true)?;
        ioctl_fionbio(&wake, true)?;
        // Kept for the life of the process: a handler may run at any time.
        WAKE.store(wake.into_raw_fd(), Ordering::Relaxed);
        let handler = on_signal as extern "C" fn(i32);
        for signal in signals {
            // SAFETY: the handler makes one async-signal-safe call and touches one atomic.
            #[expect(unsafe_code, reason = "there is no signalfd here")]
            unsafe {
                libc::signal(*signal, handler as libc::sighandler_t);
            }
        }
        Ok(Self { file })
    }

    pub(crate) fn next(&self) -> Option<i32> {
        let mut byte = [0];
        let got = rustix::io::retry_on_intr(|| rustix::io::read(&self.file, &mut byte)).ok()?;
        (got == 1).then_some(i32::from(byte[0]))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

pub(crate) fn boot_id() -> io::Result<String> {
    let mut bytes = [0_u8; 64];
    let mut length = bytes.len();
    // SAFETY: the kernel writes at most `length` bytes into the buffer and sets it.
    #[expect(unsafe_code, reason = "rustix has no sysctl")]
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            bytes.as_mut_ptr().cast::<libc::c_void>(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// There are no pid namespaces.
pub(crate) fn pid_ns() -> io::Result<u64> {
    Ok(0)
}

pub(crate) fn status_of(pid: i32) -> Option<Status> {
    let bytes = i32::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    let mut said = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    // SAFETY: the buffer is as long as said; all zeros is a valid structure of numbers.
    #[expect(unsafe_code, reason = "rustix has no proc_pidinfo")]
    let (got, said) = unsafe {
        let buffer = said.as_mut_ptr().cast::<libc::c_void>();
        (libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, buffer, bytes), said.assume_init())
    };
    if got != bytes {
        return None;
    }
    let comm: Vec<u8> =
        said.pbi_comm.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    // Microseconds: finer than Linux's ticks, and as good for telling two processes apart.
    let start_ticks = said.pbi_start_tvsec * 1_000_000 + said.pbi_start_tvusec;
    let session = Pid::from_raw(pid).and_then(|pid| rustix::process::getsid(Some(pid)).ok());
    Some(Status {
        process: Process { pid, start_ticks },
        parent: i32::try_from(said.pbi_ppid).ok()?,
        session: session.map_or(0, |session| session.as_raw_nonzero().get()),
        comm: String::from_utf8_lossy(&comm).replace(char::is_control, "?"),
        ended: said.pbi_status == libc::SZOMB,
        cpu_ticks: 0,
        rss_bytes: 0,
    })
}

pub(crate) fn everyone() -> io::Result<Vec<Status>> {
    let mut pids = vec![0_i32; 65_536];
    let bytes = i32::try_from(size_of_val(pids.as_slice())).unwrap_or(i32::MAX);
    // SAFETY: the buffer is as long as said.
    #[expect(unsafe_code, reason = "rustix has no proc_listallpids")]
    let got = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast::<libc::c_void>(), bytes) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    Ok(pids.into_iter().take(got).filter_map(status_of).collect())
}

pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    let everyone = everyone().unwrap_or_default().into_iter();
    everyone.filter(|status| status.parent == pid).map(|status| status.process.pid).collect()
}

/// Cannot be told here, so nobody is proven ours.
pub(crate) fn environment_holds(_pid: i32, _entry: &str) -> bool {
    false
}

/// Cannot be told here.
pub(crate) fn variable_of(_pid: i32, _name: &str) -> Option<String> {
    None
}

/// Cannot be told here, and without a subreaper it would prove little: everybody is outside.
pub(crate) fn shim_argument(_pid: i32) -> Option<String> {
    None
}

/// There is no such handle.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn peer_handle(_socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Without a subreaper nothing of others ever lives below a shim.
pub(crate) fn is_keeper(_pid: i32) -> bool {
    false
}

/// Cannot be told here; the start time in microseconds has to do as proof.
pub(crate) fn has_open(_pid: i32, _device: u64, _inode: u64) -> bool {
    true
}

/// Not measured here.
pub(crate) fn private_bytes(_pid: i32) -> Option<u64> {
    None
}

pub(crate) fn ticks_per_second() -> u64 {
    1_000_000
}

/// There is none.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

pub(crate) fn default_disposition(signal: i32) {
    // SAFETY: with SIG_DFL no code of ours is ever called by the kernel.
    #[expect(unsafe_code, reason = "rustix has no sigaction outside its runtime feature")]
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

pub(crate) fn signal(process: Process, signal: Signal) -> io::Result<bool> {
    let pid = Pid::from_raw(process.pid).filter(|_| process.pid > 0);
    let Some(pid) = pid.filter(|_| Process::of(process.pid) == Some(process)) else {
        return Ok(false);
    };
    match kill_process(pid, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The unit in which the system counts a process's largest size.
pub(crate) const RSS_UNIT_BYTES: u64 = 1;

pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = rustix::pipe::pipe()?;
    fcntl_setfd(&read, FdFlags::CLOEXEC)?;
    fcntl_setfd(&write, FdFlags::CLOEXEC)?;
    Ok((read, write))
}

pub(crate) fn socket() -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

pub(crate) fn open_terminal() -> Result<OwnedFd, Errno> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    Ok(master)
}

/// A path longer than an address holds gets no hints.
pub(crate) fn reach_socket(path: &Path) -> Result<(SocketAddrUnix, Option<OwnedFd>), Errno> {
    Ok((SocketAddrUnix::new(path)?, None))
}
