//! Ends what a dead shim left behind, going by proof and never by a pid.
//!
//! The daemon puts a secret entry in the environment of every attempt. A process is ours if it was
//! started with exactly that entry, or descends from one that was. Whatever cannot be proven ours
//! is left alone: better an orphan than a stranger's process ended.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::clock;
use crate::files::{Process, TOKEN_VARIABLE};
use crate::platform;
use crate::tree;

/// What came of [`end_by_token`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many processes were ended.
    pub ended: usize,
    /// Those that were proven ours and still live: not ours to signal, or stuck in the kernel.
    pub left: Vec<Process>,
}

/// Ends by force every process that carries the token of a dead shim's attempt, and its descendants.
///
/// They are first stopped, until a look finds no new ones, so that none can fork past us. Takes at
/// most `patience`; ask again if something was `left`. Call it only after [`crate::evidence::look`]
/// said `ShimDied`: it blocks, and it would end a living attempt as well. An error means `/proc`
/// could not be read and nothing is known.
pub fn end_by_token(token: &str, patience: Duration) -> io::Result<Ended> {
    if token.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty token proves nothing"));
    }
    let entry = format!("{TOKEN_VARIABLE}={token}");
    let give_up_at = clock::boot_ms() + i64::try_from(patience.as_millis()).unwrap_or(i64::MAX / 2);
    let mut seen = BTreeSet::new();
    loop {
        let ours = ours(&entry)?;
        let new = ours.iter().filter(|process| seen.insert(**process)).count();
        let signal = if new > 0 { Signal::STOP } else { Signal::KILL };
        for process in &ours {
            // One we may not signal shows up again and is reported as left.
            let _ = process.signal(signal);
        }
        if ours.is_empty() || clock::boot_ms() >= give_up_at {
            return Ok(Ended { ended: seen.len() - ours.len(), left: ours });
        }
        if new == 0 {
            // What was killed needs a moment to go; its end sends us nothing.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn ours(entry: &str) -> io::Result<Vec<Process>> {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = BTreeSet::new();
    for status in platform::everyone()? {
        // The identity was read before the environment, and a signal is checked against it.
        if !status.ended && platform::environment_holds(status.process.pid, entry) {
            found.insert(status.process);
            found.extend(tree::descendants(status.process).into_iter().map(|s| s.process));
        }
    }
    // A daemon that a job started by itself would carry that job's token.
    found.retain(|process| process.pid != me);
    Ok(found.into_iter().collect())
}
