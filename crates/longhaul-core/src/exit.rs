//! How an attempt ended, as evidence has it.

use crate::event::Leftovers;
use crate::task::TaskResult;
use crate::time::Timestamp;
use crate::turn::TurnEnd;
use serde::{Deserialize, Serialize};

/// How an attempt ended: what the exit record says, in core's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What happened to the process.
    pub how: How,
    /// Who ended it before it ended by itself.
    pub stopped: Option<StoppedBy>,
    /// When the process began, if it did.
    pub started_at: Option<Timestamp>,
    /// When the attempt was over.
    pub ended_at: Timestamp,
    /// Bytes on its standard output.
    pub stdout_bytes: u64,
    /// Bytes on its standard error.
    pub stderr_bytes: u64,
    /// Processor time of all it ran, in milliseconds.
    pub cpu_ms: u64,
    /// The most memory one of its processes held, in bytes.
    pub rss_bytes_max: u64,
    /// What it left running.
    pub leftovers: Option<Leftovers>,
    /// Files that match its artifact patterns.
    pub artifacts: Vec<Artifact>,
    /// What went wrong around it, for people.
    pub warnings: Vec<String>,
    /// What its output says about how it ended, if it is a turn.
    pub turn: Option<Box<TurnEnd>>,
}

impl Exit {
    /// An end of which nothing is known but how it came about, and when.
    pub const fn bare(how: How, stopped: Option<StoppedBy>, ended_at: Timestamp) -> Self {
        Self {
            how,
            stopped,
            started_at: None,
            ended_at,
            stdout_bytes: 0,
            stderr_bytes: 0,
            cpu_ms: 0,
            rss_bytes_max: 0,
            leftovers: None,
            artifacts: Vec::new(),
            warnings: Vec::new(),
            turn: None,
        }
    }
}

/// What happened to an attempt's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// Its program could not be started.
    SpawnFailed(String),
    /// Proof that it will never begin; why, if that is known.
    NeverStarted(Option<String>),
    /// It is gone, and how cannot be known.
    Lost(String),
    /// A task's function returned.
    Returned {
        /// What went wrong, if something did.
        error: Option<String>,
        /// What it gave back, also where something went wrong.
        result: Option<TaskResult>,
    },
}

/// Who ended an attempt before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// The shim, because it was asked to.
    Asked,
    /// The shim, because a stream grew too large.
    OutputLimit,
    /// The shim or the kernel, because it used too much memory.
    Oom,
}

/// A file that a job left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its path, relative to the job's `cwd`.
    pub name: String,
    /// Its length in bytes when the job ended.
    pub size: u64,
    /// SHA-256 of its content then, in hexadecimal.
    pub sha256: String,
}
