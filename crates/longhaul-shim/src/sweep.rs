//! Ends everything that descends from the shim, and proves it.
//!
//! The shim is the subreaper: whatever its descendants leave behind becomes its own child. So
//! "no child left" (ECHILD) is the proof that nothing is, daemonised or not.

use std::collections::BTreeSet;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus, getpid, wait};

use crate::files::Process;
use crate::tree;

/// Looks for new processes this often in one round; more than a fork storm lasts once each process
/// that is seen is stopped.
const LOOKS_MAX: u32 = 1000;

/// What one round of force found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Processes it could signal.
    pub(crate) ours: usize,
    /// Processes that live and may not be signalled by us.
    pub(crate) denied: usize,
}

/// Stops all descendants, so that none can fork past us, then kills them.
pub(crate) fn round() -> Round {
    let Some(me) = Process::of(getpid().as_raw_nonzero().get()) else { return Round::default() };
    let mut stopped = BTreeSet::new();
    for _ in 0..LOOKS_MAX {
        let mut new = false;
        for status in tree::descendants(me) {
            if stopped.insert(status.process) {
                new = true;
                // Denied or gone: counted below.
                let _ = status.process.signal(Signal::STOP);
            }
        }
        if !new {
            break;
        }
    }
    let mut round = Round::default();
    for process in stopped {
        match process.signal(Signal::KILL) {
            Ok(true) => round.ours += 1,
            Ok(false) => {}
            Err(_) => round.denied += 1,
        }
    }
    round
}

/// What one call of [`reap`] saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    /// How the child of interest ended, if it was among them.
    pub(crate) child: Option<WaitStatus>,
    /// Whether nothing that descends from us is left.
    pub(crate) none_left: bool,
}

/// Takes note of every descendant that has ended, without waiting.
pub(crate) fn reap(child: i32) -> Reaped {
    let mut ended = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == child => ended = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Reaped { child: ended, none_left: false },
            Err(_) => return Reaped { child: ended, none_left: true },
        }
    }
}
