//! Between fork and exec: only calls that are safe after a fork, no memory taken, no lock.
//!
//! Counterpart of [`crate::child`], which prepares everything that is used here.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use crate::child::{Plan, Streams};
use crate::signals;

/// Bytes of a failure report: the stage and the error number.
pub(crate) const REPORT_BYTES: usize = 5;

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Streams = 1,
    Limits = 2,
    Cwd = 3,
    Exec = 4,
}

/// The pipe ends and files that matter to a child before its exec.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    pub(crate) gate_read: OwnedFd,
    pub(crate) gate_write: &'a OwnedFd,
    pub(crate) report_write: OwnedFd,
    pub(crate) lock: BorrowedFd<'a>,
}

/// Argument lists as `execve` takes them; valid as long as the plan they were made from.
#[derive(Debug)]
pub(crate) struct Pointers {
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
}

impl Pointers {
    /// Points into the strings of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let list = |strings: &[CString]| {
            strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>()
        };
        Self { argv: list(&plan.argv), env: list(&plan.env) }
    }
}

/// Reads a report back.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Stage, i32)> {
    let (stage, errno) = bytes.split_first()?;
    let stage = [Stage::Streams, Stage::Limits, Stage::Cwd, Stage::Exec]
        .into_iter()
        .find(|known| *known as u8 == *stage)?;
    Some((stage, i32::from_ne_bytes(errno.try_into().ok()?)))
}

/// Forks; the child goes to the gate and never comes back from this call.
pub(crate) fn fork_into(
    plan: &Plan,
    pointers: &Pointers,
    streams: &Streams,
    ends: &Ends<'_>,
) -> io::Result<i32> {
    // SAFETY: the process has one thread, so the child finds every lock free; it only makes
    // async-signal-safe calls and ends by exec or _exit.
    #[expect(unsafe_code, reason = "a fork is what a shim is for")]
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => become_program(plan, pointers, streams, ends),
        pid => Ok(pid),
    }
}

fn become_program(plan: &Plan, pointers: &Pointers, streams: &Streams, ends: &Ends<'_>) -> ! {
    // SAFETY: every number is an open file of this process, and these calls only act on them.
    #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
    unsafe {
        // Our copy of the gate's other end would keep it whole after the shim's death.
        libc::close(ends.gate_write.as_raw_fd());
        libc::close(ends.lock.as_raw_fd());
        libc::setsid();
    }
    // Before the gate: a child that is ended while it waits must die of it.
    signals::reset();
    let mut byte = 0_u8;
    // SAFETY: `byte` is one writable byte.
    #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
    let got = unsafe {
        libc::read(ends.gate_read.as_raw_fd(), (&raw mut byte).cast::<libc::c_void>(), 1)
    };
    if got != 1 {
        leave();
    }
    let (stage, errno) = match prepare(plan, streams) {
        Err(failure) => failure,
        Ok(()) => (Stage::Exec, execute(plan, pointers)),
    };
    tell(ends.report_write.as_raw_fd(), stage, errno);
    leave()
}

fn prepare(plan: &Plan, streams: &Streams) -> Result<(), (Stage, i32)> {
    let standard = [(&streams.stdin, 0), (&streams.stdout, 1), (&streams.stderr, 2)];
    for (file, number) in standard {
        // SAFETY: the file is open; the copy replaces one of ours that nobody else uses here.
        #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
        let failed = unsafe { libc::dup2(file.as_raw_fd(), number) } < 0;
        check(failed, Stage::Streams)?;
    }
    if streams.terminal {
        rustix::process::ioctl_tiocsctty(&streams.stdin)
            .map_err(|e| (Stage::Streams, e.raw_os_error()))?;
    }
    if let Some((soft, hard)) = plan.nofile {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        // SAFETY: `limit` is a whole structure that lives through the call.
        #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
        let failed = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } < 0;
        check(failed, Stage::Limits)?;
    }
    rustix::process::umask(plan.umask);
    // SAFETY: `cwd` is a string that ends in NUL.
    #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
    let failed = unsafe { libc::chdir(plan.cwd.as_ptr()) } < 0;
    check(failed, Stage::Cwd)
}

/// Tries the candidates as `execvp` would and returns the error that says most.
fn execute(plan: &Plan, pointers: &Pointers) -> i32 {
    let mut told = libc::ENOENT;
    for program in &plan.programs {
        // SAFETY: the path and both lists end in NUL and point into `plan`, which is still alive.
        #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
        unsafe {
            libc::execve(program.as_ptr(), pointers.argv.as_ptr(), pointers.env.as_ptr());
        }
        match errno() {
            libc::ENOENT | libc::ENOTDIR if plan.programs.len() > 1 => {}
            // A later folder may hold one we are allowed to run.
            libc::EACCES => told = libc::EACCES,
            other => return other,
        }
    }
    told
}

fn check(failed: bool, stage: Stage) -> Result<(), (Stage, i32)> {
    if failed { Err((stage, errno())) } else { Ok(()) }
}

fn errno() -> i32 {
    // Reads a number of this thread; allocates nothing.
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn tell(report: RawFd, stage: Stage, errno: i32) {
    let [a, b, c, d] = errno.to_ne_bytes();
    let bytes: [u8; REPORT_BYTES] = [stage as u8, a, b, c, d];
    // SAFETY: `bytes` is readable for its whole length. If nobody reads any more, nobody asks.
    #[expect(unsafe_code, reason = "between fork and exec only bare calls are safe")]
    unsafe {
        libc::write(report, bytes.as_ptr().cast::<libc::c_void>(), REPORT_BYTES);
    }
}

fn leave() -> ! {
    // SAFETY: ends this process without running anything of the shim's.
    #[expect(unsafe_code, reason = "exit would run the shim's own cleanup in the child")]
    unsafe {
        libc::_exit(127)
    }
}
