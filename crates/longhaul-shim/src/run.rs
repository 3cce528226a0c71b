//! The wait: from the open gate to the end of the child, and then of all it left running.
//!
//! One thread, one `poll`, woken by signals, by a terminal's bytes and by its own timers. A quiet
//! job without a memory limit has no timer at all.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitStatus, kill_process, kill_process_group, waitid,
};

use crate::cgroup::Cgroup;
use crate::clock::boot_ms;
use crate::files::{Leftovers, LeftoversPolicy, Process, Spec, Stopped};
use crate::folder::Folder;
use crate::memory;
use crate::platform::{Growth, Signals};
use crate::pty::Terminal;
use crate::{record, sweep, tree};

/// From the shim's own TERM to its KILL, in milliseconds.
const STOP_GRACE_MS: i64 = 2000;
/// Between two looks at growing spools: a child that writes at full speed is not slowed by it.
const GROWTH_PACE_MS: i64 = 50;
/// The same where the kernel cannot tell us of growth and we must look by ourselves.
const GROWTH_SAMPLE_MS: i64 = 500;
/// How long what outlived the child may take to end by itself; many pipelines do.
const LEFTOVER_GRACE_MS: i64 = 100;
/// Between two rounds of force while something resists.
const FORCE_PACE_MS: i64 = 20;
/// How long leftovers of other users, which we may not end, hold the outcome back.
const DENIED_GRACE_MS: i64 = 5000;
/// Until a terminal's bytes are tried again on a disk that took none.
const DISK_RETRY_MS: i64 = 200;
/// Most names of leftovers in the record, and the longest of them in bytes.
const NAMES_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 64;

/// The signals a running shim waits for.
pub(crate) const AWAITED: [i32; 4] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGUSR1, Growth::SIGNAL];

/// Everything the wait looks at.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    folder: &'a Folder,
    spec: &'a Spec,
    signals: &'a Signals,
    me: Process,
    child: i32,
    pub(crate) terminal: Option<Terminal>,
    cgroup: Option<Cgroup>,
    end: Option<WaitStatus>,
    none_left: bool,
    stopped: Option<Stopped>,
    asked: bool,
    force: bool,
    force_at: Option<i64>,
    growth_at: Option<i64>,
    memory_at: Option<i64>,
}

/// What the wait ends with.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: WaitStatus,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) leftovers: Leftovers,
}

impl<'a> Run<'a> {
    /// Begins to watch a child whose gate is open.
    pub(crate) fn new(
        folder: &'a Folder,
        spec: &'a Spec,
        signals: &'a Signals,
        me: Process,
        child: i32,
    ) -> Self {
        let now = boot_ms();
        Self {
            folder,
            spec,
            signals,
            me,
            child,
            terminal: None,
            cgroup: None,
            end: None,
            none_left: false,
            stopped: None,
            asked: false,
            force: false,
            force_at: None,
            growth_at: spec.output_bytes_max.map(|_| now),
            memory_at: spec.memory_bytes_max.map(|_| now),
        }
    }

    /// Leaves the memory limit to the kernel.
    pub(crate) fn limit_by(&mut self, cgroup: Cgroup) {
        self.cgroup = Some(cgroup);
        self.memory_at = None;
    }

    /// Waits until the child is over and what it left is dealt with.
    pub(crate) fn until_over(mut self) -> Ending {
        let status = loop {
            self.take_signals();
            self.reap();
            if let Some(status) = self.end {
                break status;
            }
            self.check_limits();
            self.use_force();
            self.wait(None);
        };
        if self.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory) {
            self.stopped.get_or_insert(Stopped::Oom);
        }
        let leftovers = self.settle();
        if let Some(terminal) = &mut self.terminal {
            terminal.copy();
        }
        // A disk that is full holds the outcome back, unless somebody asked for the end.
        while !self.asked && self.terminal.as_ref().is_some_and(|t| t.wants().later) {
            self.wait(None);
            self.take_signals();
        }
        Ending { status, stopped: self.stopped, leftovers }
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                libc::SIGTERM => {
                    self.asked = true;
                    if self.child_runs() && terminate(self.child) {
                        self.stopped.get_or_insert(Stopped::Asked);
                    }
                }
                libc::SIGUSR1 => {
                    self.asked = true;
                    self.stop_by_force(Stopped::Asked);
                }
                Growth::SIGNAL => self.growth_at = Some(boot_ms() + GROWTH_PACE_MS),
                _ => {}
            }
        }
    }

    fn reap(&mut self) {
        let reaped = sweep::reap(self.child);
        self.end = self.end.or(reaped.child);
        self.none_left = reaped.none_left;
        if !self.none_left && self.end.is_some() {
            // "No child" cannot be waited for when a daemon that the job started lives below us.
            let family = tree::family(self.me);
            self.none_left = family.has_keepers && family.members.is_empty();
        }
    }

    /// Whether the child has not ended: what we do to it from now on is what ends it. One that
    /// ended by itself, and only was not reaped yet, keeps its own outcome.
    fn child_runs(&self) -> bool {
        let Some(pid) = Pid::from_raw(self.child).filter(|_| self.end.is_none()) else {
            return false;
        };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(pid), look), Ok(None))
    }

    fn stop_by_force(&mut self, why: Stopped) {
        if self.child_runs() {
            self.stopped.get_or_insert(why);
        }
        self.force = true;
        self.force_at = Some(boot_ms());
    }

    fn check_limits(&mut self) {
        let now = boot_ms();
        if let (Some(at), Some(bytes_max)) = (self.growth_at, self.spec.output_bytes_max)
            && at <= now
        {
            // Asked for before the look, so that no growth falls between the two.
            let told = Growth::arm(self.folder);
            self.growth_at = if told { None } else { Some(now + GROWTH_SAMPLE_MS) };
            let bytes = self.folder.spool_bytes("out").max(self.folder.spool_bytes("err"));
            if bytes > bytes_max && self.stopped.is_none() && self.child_runs() {
                self.stopped = Some(Stopped::OutputLimit);
                terminate(self.child);
                self.force_at = Some(now + STOP_GRACE_MS);
            }
        }
        if let (Some(at), Some(bytes_max)) = (self.memory_at, self.spec.memory_bytes_max)
            && at <= now
        {
            self.memory_at = Some(now + memory::SAMPLE_MS);
            if memory::is_over(self.me, bytes_max) {
                self.memory_at = None;
                self.stop_by_force(Stopped::Oom);
            }
        }
    }

    /// One round of force, if it is time for one.
    fn use_force(&mut self) -> sweep::Round {
        if self.force_at.is_none_or(|at| at > boot_ms()) {
            return sweep::Round::default();
        }
        self.force = true;
        self.force_at = Some(boot_ms() + FORCE_PACE_MS);
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        sweep::round()
    }

    /// Deals with what outlived the child.
    fn settle(&mut self) -> Leftovers {
        (self.growth_at, self.memory_at) = (None, None);
        let patience_ends = boot_ms() + LEFTOVER_GRACE_MS;
        while !self.none_left && !self.force && boot_ms() < patience_ends {
            self.wait(Some(patience_ends));
            self.take_signals();
            self.reap();
        }
        let mut leftovers = Leftovers::none();
        if self.none_left {
            return leftovers;
        }
        let living = tree::descendants(self.me);
        leftovers.found = u32::try_from(living.len()).unwrap_or(u32::MAX);
        leftovers.names = living.into_iter().take(NAMES_MAX).map(|s| name(&s)).collect();
        let on_purpose = self.stopped.is_some() || self.asked;
        if self.spec.leftovers == LeftoversPolicy::Report && !on_purpose {
            leftovers.ended = false;
            return leftovers;
        }
        leftovers.ended = self.end_all();
        leftovers
    }

    /// Uses force until nothing is left, however long that takes; false only if all that is left
    /// runs under other users, nobody asked for a stop, and time has passed.
    fn end_all(&mut self) -> bool {
        let give_up_at = boot_ms() + DENIED_GRACE_MS;
        self.force_at = Some(boot_ms());
        loop {
            let round = self.use_force();
            self.take_signals();
            self.reap();
            if self.none_left {
                return true;
            }
            let on_purpose = self.stopped.is_some() || self.asked;
            if round.denied > 0 && round.ours == 0 && !on_purpose && boot_ms() >= give_up_at {
                return false;
            }
            self.wait(None);
        }
    }

    /// Sleeps until something happens or the next timer is due.
    fn wait(&mut self, until: Option<i64>) {
        let wants = self.terminal.as_ref().map(Terminal::wants);
        let retry_at = wants.filter(|w| w.later).map(|_| boot_ms() + DISK_RETRY_MS);
        let due = [until, self.force_at, self.growth_at, self.memory_at, retry_at];
        let timeout = due.into_iter().flatten().min().map(|at| {
            let ms = (at - boot_ms()).max(0);
            Timespec { tv_sec: ms / 1000, tv_nsec: (ms % 1000) * 1_000_000 }
        });
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, wants.is_some_and(|w| w.read));
        flags.set(PollFlags::OUT, wants.is_some_and(|w| w.write));
        let mut files = vec![PollFd::new(self.signals, PollFlags::IN)];
        if let Some(terminal) = self.terminal.as_ref().filter(|_| !flags.is_empty()) {
            files.push(PollFd::new(terminal, flags));
        }
        // An interrupted or failed wait only means an early look.
        let _ = poll(&mut files, timeout.as_ref());
        if let Some(terminal) = &mut self.terminal {
            terminal.copy();
        }
    }
}

/// Asks a child's group to end; false if that reached nobody. The group's number cannot be anybody
/// else's, because its leader has not been reaped.
fn terminate(child: i32) -> bool {
    let Some(group) = Pid::from_raw(child) else { return false };
    // A child that has only just been forked has not made its group yet, and the ask comes once:
    // sent to the child alone it waits there until the child lets signals through.
    let reached = kill_process_group(group, Signal::TERM)
        .or_else(|_| kill_process(group, Signal::TERM))
        .is_ok();
    // A stopped process would not see the TERM before somebody continues it.
    let _ = kill_process_group(group, Signal::CONT);
    reached
}

fn name(status: &crate::platform::Status) -> String {
    let mut name = format!("{}({})", status.comm, status.process.pid);
    record::limit(&mut name, NAME_BYTES_MAX);
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::terminate;

    #[test]
    fn a_child_that_has_no_group_of_its_own_yet_hears_the_ask() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(terminate(i32::try_from(child.id()).unwrap()));
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}
