//! Ends what a dead shim left behind, going by proof and never by a pid.
//!
//! The daemon puts a secret entry in the environment of every attempt. A process is ours if it was
//! started with exactly that entry, descends from one that was, or is in the session of one: nobody
//! can join a session, so the whole session comes from our child. Whatever cannot be proven ours is
//! left alone: better an orphan than a stranger's process ended.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::clock;
use crate::files::{Process, TOKEN_VARIABLE};
use crate::platform::{self, Status};
use crate::tree;

/// What came of [`end_by_token`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many processes were ended.
    pub ended: usize,
    /// Those that were proven ours and still live: not ours to signal, or stuck in the kernel.
    pub left: Vec<Process>,
}

/// Ends by force every process that is proven to be of a dead shim's attempt by its token.
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
    let everyone = platform::everyone()?;
    // Each identity was read before its environment, and a signal is checked against it.
    let carries = |status: &&Status| platform::environment_holds(status.process.pid, entry);
    // A daemon that a job started by itself carries that job's token, and is not to end itself.
    let proven = everyone.iter().filter(|s| !s.ended && s.process.pid != me).filter(carries);
    let proven: Vec<&Status> = proven.collect();
    let sessions = proven.iter().map(|status| status.session);
    // 0 is what a session outside of our pid namespace looks like: any of them.
    let sessions: BTreeSet<i32> = sessions.filter(|session| *session > 0).collect();
    let mut found: BTreeSet<Process> = everyone
        .iter()
        .filter(|status| !status.ended && sessions.contains(&status.session))
        .map(|status| status.process)
        .collect();
    for status in proven {
        found.extend(tree::descendants(status.process).into_iter().map(|s| s.process));
    }
    found.retain(|process| process.pid != me);
    Ok(found.into_iter().collect())
}
