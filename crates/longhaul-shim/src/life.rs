//! One attempt from the lock to its outcome, in the order docs/attempt-folder.md gives.
//!
//! Whatever fails before the fork leaves no `pid.json`: the attempt was never begun, and the daemon
//! may start it again. From the fork on the shim does not leave without an outcome.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{WaitStatus, getpid};

use crate::cgroup::Cgroup;
use crate::child::{self, Plan, Streams, Waiting};
use crate::clock::{self, Moment};
use crate::evidence::LOCK_PATIENCE;
use crate::files::{ExitRecord, How, Leftovers, PidRecord, Process, Spec, Stopped, VERSION};
use crate::folder::{Folder, FolderError, try_lock};
use crate::platform::{self, Signals};
use crate::pty::Terminal;
use crate::run::{AWAITED, Ending, Run};
use crate::{failpoint, hint, signals, sweep};

/// Between two tries for a lock that a reader may hold for a moment.
const LOCK_RETRY: Duration = Duration::from_millis(2);
/// Between two tries to write the outcome to a disk that refuses it.
const OUTCOME_RETRY: Duration = Duration::from_secs(1);

/// Holds the attempt in `folder`, if nobody else does or did. `umask` is what the child gets if
/// its spec names none. An error means that nothing was begun.
pub(crate) fn live(folder: &Folder, umask: Mode) -> Result<(), FolderError> {
    let lock = folder.create_lock()?;
    if !take(&lock)? {
        return Ok(());
    }
    failpoint::at("shim.after_lock");
    if folder.has("exit.json") || folder.has("pid.json") {
        return Ok(());
    }
    let Some(spec) = folder.read_spec()? else { return Ok(()) };
    let attempt = Attempt { folder, spec: &spec, reserved: folder.reserve_exit()? };
    let plan = match Plan::of(&spec, umask) {
        Ok(plan) => plan,
        Err(how) => {
            attempt.conclude(attempt.never_ran(how));
            return Ok(());
        }
    };
    attempt.run(&plan, &lock)
}

struct Attempt<'a> {
    folder: &'a Folder,
    spec: &'a Spec,
    reserved: File,
}

impl Attempt<'_> {
    fn run(&self, plan: &Plan, lock: &File) -> Result<(), FolderError> {
        let begin = |source| FolderError::Io { name: ".", source };
        signals::ignore(&[libc::SIGINT, libc::SIGHUP, libc::SIGPIPE]);
        let awaited = Signals::block(&AWAITED).map_err(begin)?;
        platform::become_subreaper().map_err(begin)?;
        let (streams, terminal) = self.open_streams()?;
        let waiting = match plan.fork(&streams, lock.as_fd()) {
            Ok(waiting) => waiting,
            Err(e) => {
                let errno = e.raw_os_error().unwrap_or(libc::EAGAIN);
                let message = format!("could not make a process: {}", child::reason(errno));
                self.conclude(self.never_ran(child::failed(errno, message)));
                return Ok(());
            }
        };
        // The child's end of a terminal must not stay open here, or its end would never be seen.
        drop(streams);
        failpoint::at("shim.after_spawn");
        let started = clock::now();
        let me = match self.introduce(&waiting, started) {
            Ok(me) => me,
            Err(e) => {
                turn_away(waiting);
                return Err(e);
            }
        };
        let pid = waiting.pid;
        let mut run = Run::new(self.folder, self.spec, &awaited, me, pid);
        run.terminal = terminal;
        if let Some(cgroup) = Cgroup::make(self.spec).filter(|cgroup| cgroup.take(pid)) {
            run.limit_by(cgroup);
        }
        let report = waiting.open_gate();
        hint::send(self.spec);
        let Ending { status, stopped, leftovers } = run.until_over();
        let how = report.why_not(self.spec).unwrap_or_else(|| end_of(status));
        self.conclude(self.record(how, started, stopped, leftovers));
        Ok(())
    }

    /// Writes `pid.json`.
    fn introduce(&self, waiting: &Waiting, started: Moment) -> Result<Process, FolderError> {
        let begin = |source| FolderError::Io { name: "pid.json", source };
        let gone = || begin(io::Error::other("a process of the attempt is not in /proc"));
        let shim = Process::of(getpid().as_raw_nonzero().get()).ok_or_else(gone)?;
        let child = Process::of(waiting.pid).ok_or_else(gone)?;
        self.folder.write_pid(&PidRecord {
            version: VERSION,
            boot_id: platform::boot_id().map_err(begin)?,
            pid_ns: platform::pid_ns().map_err(begin)?,
            shim,
            child,
            started_wall_ms: started.wall_ms,
            started_boot_ms: started.boot_ms,
        })?;
        Ok(shim)
    }

    fn open_streams(&self) -> Result<(Streams, Option<Terminal>), FolderError> {
        let (out, err) = (self.folder.open_spool("out")?, self.folder.open_spool("err")?);
        let input = if self.spec.stdin {
            // A missing `in` is not an empty one: the daemon has not finished its part.
            Some(self.folder.open_file("in")?.ok_or(FolderError::Missing)?)
        } else {
            None
        };
        let begin = |source| FolderError::Io { name: "out", source };
        if let Some(size) = self.spec.pty {
            let (terminal, stdin) = Terminal::open(size, input, out).map_err(begin)?;
            let stdout = stdin.try_clone().map_err(begin)?;
            let stderr = stdin.try_clone().map_err(begin)?;
            let streams = Streams { stdin, stdout, stderr, terminal: true };
            return Ok((streams, Some(terminal)));
        }
        let stdin = match input {
            Some(file) => file.into(),
            None => null().map_err(|e| begin(e.into()))?,
        };
        let streams = Streams { stdin, stdout: out.into(), stderr: err.into(), terminal: false };
        Ok((streams, None))
    }

    fn never_ran(&self, how: How) -> ExitRecord {
        self.record(how, Moment { wall_ms: 0, boot_ms: 0 }, None, Leftovers::none())
    }

    fn record(
        &self,
        how: How,
        started: Moment,
        stopped: Option<Stopped>,
        leftovers: Leftovers,
    ) -> ExitRecord {
        let (cpu_ms, rss_bytes_max) = signals::usage_of_children();
        let ended = clock::now();
        ExitRecord {
            version: VERSION,
            job: self.spec.job.clone(),
            attempt: self.spec.attempt,
            // A child that could not be started was not ended by us, whatever was asked.
            stopped: stopped.filter(|_| !matches!(how, How::SpawnFailed { .. })),
            how,
            cpu_ms,
            rss_bytes_max,
            stdout_bytes: self.folder.spool_bytes("out"),
            stderr_bytes: self.folder.spool_bytes("err"),
            started_wall_ms: started.wall_ms,
            started_boot_ms: started.boot_ms,
            ended_wall_ms: ended.wall_ms,
            ended_boot_ms: ended.boot_ms,
            leftovers,
        }
    }

    /// Writes the outcome, however long the disk refuses it, while the lock is held: without it
    /// the attempt would be lost, and its daemon can wait.
    fn conclude(&self, record: ExitRecord) {
        failpoint::at("shim.before_exit_json");
        while let Err(e) = self.folder.write_exit(&self.reserved, &record) {
            if !may_pass(&e) {
                return;
            }
            thread::sleep(OUTCOME_RETRY);
        }
        hint::send(self.spec);
    }
}

fn take(lock: &File) -> Result<bool, FolderError> {
    let give_up_at = clock::boot_ms() + i64::try_from(LOCK_PATIENCE.as_millis()).unwrap_or(0);
    loop {
        if try_lock(lock, true)? {
            return Ok(true);
        }
        if clock::boot_ms() >= give_up_at {
            return Ok(false);
        }
        thread::sleep(LOCK_RETRY);
    }
}

/// Breaks the gate and waits for the child to have gone without running anything.
fn turn_away(waiting: Waiting) {
    let pid = waiting.pid;
    drop(waiting);
    while !sweep::reap(pid).none_left {
        thread::sleep(LOCK_RETRY);
    }
}

/// A full or failing disk may recover; a folder that was removed does not come back.
fn may_pass(e: &FolderError) -> bool {
    let FolderError::Io { source, .. } = e else { return false };
    matches!(
        source.raw_os_error(),
        Some(libc::ENOSPC | libc::EDQUOT | libc::EIO | libc::EINTR | libc::ENOMEM)
    )
}

fn end_of(status: WaitStatus) -> How {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => How::Exited(code),
        (None, Some(signal)) => How::Signaled(signal),
        (None, None) => How::Lost { message: format!("unknown wait status {status:?}") },
    }
}

fn null() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
