//! The processes that descend from one, and what they use together.

use crate::files::{PidRecord, Process};
use crate::identity;
use crate::platform::{self, Status};

/// What the living processes of an attempt use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in milliseconds, with that of descendants already reaped by their parents.
    pub cpu_ms: u64,
    /// Resident memory in bytes; a page that two processes share counts twice.
    pub rss_bytes: u64,
    /// How many processes there are.
    pub processes: u32,
}

/// What an attempt uses now, without its shim; `None` once the recorded shim is gone.
#[must_use]
pub fn usage(record: &PidRecord) -> Option<Usage> {
    if !identity::is_here(record).ok()? || !record.shim.is_alive() {
        return None;
    }
    let mut usage = Usage::default();
    let mut ticks = 0;
    for status in descendants(record.shim) {
        ticks += status.cpu_ticks;
        usage.rss_bytes += status.rss_bytes;
        usage.processes += 1;
    }
    usage.cpu_ms = ticks * 1000 / platform::ticks_per_second().max(1);
    Some(usage)
}

/// Everything alive that descends from `root`, parents before children.
///
/// A process is listed only if its parent was itself when the child named it, so no stranger with
/// a recycled pid slips in. While the tree changes some may be missing: ask again until none come.
/// What keeps jobs of its own is left out, with all below it; see [`family`].
pub(crate) fn descendants(root: Process) -> Vec<Status> {
    family(root).members
}

/// What descends from a process, and what only lives below it.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// Everything alive that belongs to it.
    pub(crate) members: Vec<Status>,
    /// Whether a daemon, or a shim of another attempt, was passed by.
    pub(crate) has_keepers: bool,
}

/// As [`descendants`]. A daemon that a job started by using us lives below that job's shim, and
/// so do the shims it starts: they are other jobs' lives, and no part of this one.
pub(crate) fn family(root: Process) -> Family {
    let mut found = Family::default();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let children: Vec<Status> = platform::children_of(parent.pid)
            .into_iter()
            .filter_map(platform::status_of)
            .filter(|child| child.parent == parent.pid)
            .collect();
        if Process::of(parent.pid) != Some(parent) {
            continue;
        }
        for child in children {
            if platform::is_keeper(child.process.pid) {
                found.has_keepers = true;
                continue;
            }
            parents.push(child.process);
            if !child.ended {
                found.members.push(child);
            }
        }
    }
    found
}
