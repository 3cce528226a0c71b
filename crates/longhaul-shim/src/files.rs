//! What the files of an attempt folder say: the contract between a daemon and its shims.
//!
//! A shim outlives upgrades, so these shapes only grow: readers ignore fields they do not know,
//! new fields have a default, and a file of a higher version is refused instead of guessed at.
//! How the files are opened, checked and replaced is [`crate::folder`]'s business.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The version of every file this release writes, and the highest it reads.
pub const VERSION: u32 = 1;

/// The environment entry that proves a process belongs to an attempt once its shim is dead.
pub const TOKEN_VARIABLE: &str = "LONGHAUL_JOB_TOKEN";

/// What to run: `spec.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Version of the file, [`VERSION`] when written by this release.
    pub version: u32,
    /// The job's id; at most [`crate::folder::JOB_BYTES_MAX`] bytes.
    pub job: String,
    /// Which attempt of the job this is: the fence.
    pub attempt: u32,
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of `env`,
    /// a relative one is taken from `cwd`.
    pub argv: Vec<String>,
    /// Where the child starts.
    pub cwd: PathBuf,
    /// The child's whole environment, in order.
    pub env: Vec<(String, String)>,
    /// Whether `in` is the child's standard input; otherwise `/dev/null` is.
    #[serde(default)]
    pub stdin: bool,
    /// Size of the terminal to run the child on; `None` for plain spools.
    #[serde(default)]
    pub pty: Option<Pty>,
    /// Bytes that each of `out` and `err` may reach before the attempt is stopped.
    #[serde(default)]
    pub output_bytes_max: Option<u64>,
    /// Bytes of memory the whole tree may hold before the attempt is stopped.
    #[serde(default)]
    pub memory_bytes_max: Option<u64>,
    /// What to do with processes that outlive the child.
    #[serde(default)]
    pub leftovers: LeftoversPolicy,
    /// Where hints go; hints may be lost, so a wrong path is not an error.
    #[serde(default)]
    pub hint_socket: Option<PathBuf>,
    /// Whether a cgroup of its own may be made for the attempt where that is possible.
    #[serde(default)]
    pub cgroup: bool,
    /// Soft and hard limit of open files the child gets; `None` keeps the shim's own.
    #[serde(default)]
    pub nofile: Option<(u64, u64)>,
    /// The child's file mode mask; `None` keeps the one the shim was started with.
    #[serde(default)]
    pub umask: Option<u16>,
}

/// The size of a child's terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pty {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// What becomes of processes that outlive the child when nobody stopped the attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftoversPolicy {
    /// They are ended by force.
    #[default]
    Kill,
    /// They are named in `exit.json` and left running.
    Report,
}

/// Who the shim and the child are: `pid.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PidRecord {
    /// Version of the file.
    pub version: u32,
    /// The boot in which both were started; in any other boot neither lives.
    pub boot_id: String,
    /// Inode of the pid namespace the numbers belong to.
    pub pid_ns: u64,
    /// The process that holds the lock.
    pub shim: Process,
    /// The child; leader of its own session and group.
    pub child: Process,
    /// UTC milliseconds when the child was let through the gate.
    pub started_wall_ms: i64,
    /// The same moment in milliseconds since boot, suspended time included.
    pub started_boot_ms: i64,
}

/// One process of one boot: a pid alone may be anybody's tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the namespace of the record.
    pub pid: i32,
    /// When it started, in the kernel's clock ticks since boot.
    pub start_ticks: u64,
}

/// How an attempt ended: `exit.json`. Once it exists nothing of the attempt changes any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Version of the file.
    pub version: u32,
    /// The job's id.
    pub job: String,
    /// The attempt that is over.
    pub attempt: u32,
    /// What the child's end was.
    pub how: How,
    /// Who ended the attempt before it ended by itself; `None` when nobody did.
    pub stopped: Option<Stopped>,
    /// Processor time of the child and all its reaped descendants, in milliseconds.
    pub cpu_ms: u64,
    /// Largest resident size any single process of the attempt reached, in bytes.
    pub rss_bytes_max: u64,
    /// Final size of `out`.
    pub stdout_bytes: u64,
    /// Final size of `err`.
    pub stderr_bytes: u64,
    /// UTC milliseconds of the start; 0 if there was none.
    pub started_wall_ms: i64,
    /// Milliseconds since boot of the start; 0 if there was none.
    pub started_boot_ms: i64,
    /// UTC milliseconds when nothing of the attempt was left (or was given up on).
    pub ended_wall_ms: i64,
    /// The same moment in milliseconds since boot.
    pub ended_boot_ms: i64,
    /// What outlived the child.
    pub leftovers: Leftovers,
}

/// What the child's end was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It ended by itself with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It never became the program asked for.
    SpawnFailed {
        /// The system's error number.
        errno: i32,
        /// For people: which thing could not be used, and why.
        message: String,
    },
    /// No shim began this attempt and none ever will: a tombstone.
    NeverStarted,
    /// The shim died; what the child's end was is not known.
    Lost {
        /// For people: what was found and what was done about it.
        message: String,
    },
}

/// Who ended an attempt before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The daemon, through SIGTERM or SIGUSR1 to the shim, while the child was still running.
    Asked,
    /// The shim: the spools outgrew `output_bytes_max`.
    OutputLimit,
    /// The shim or the kernel: the tree outgrew `memory_bytes_max`.
    Oom,
}

/// Processes that outlived the child by more than a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// How many there were when they were first counted.
    pub found: u32,
    /// The first of them, as `comm(pid)`.
    pub names: Vec<String>,
    /// Whether all of them are proven gone. False only under [`LeftoversPolicy::Report`], or when
    /// a leftover runs under another user and may not be ended by us.
    pub ended: bool,
}

impl Leftovers {
    /// Nothing outlived the child.
    #[must_use]
    pub const fn none() -> Self {
        Self { found: 0, names: Vec::new(), ended: true }
    }
}
