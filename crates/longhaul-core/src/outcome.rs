//! How a job or an attempt ended. `lost` means its fate is unknown and cannot be known; it is never
//! a guess.

use serde::{Deserialize, Serialize};

/// The one recorded end of a job, or the end of one of its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which of the five ends.
    pub kind: Ending,
    /// The process's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// What narrows the kind.
    pub reason: Option<Reason>,
    /// For people: what happened, in words.
    pub message: Option<String>,
}

/// The five ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited with code 0 and nobody had stopped it.
    Succeeded,
    /// It ended in any other way by itself, or could not be run.
    Failed,
    /// Somebody asked for it to end, and it did.
    Cancelled,
    /// It ran too long, or stood still too long.
    TimedOut,
    /// Nobody can know.
    Lost,
}

impl Ending {
    /// The name, as in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

/// What narrows an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The longest running time it was given ran out.
    Runtime,
    /// It wrote nothing, used no processor and reported nothing for too long.
    Stall,
    /// It wrote more than it may.
    OutputLimit,
    /// It, or something it started, used more memory than it may.
    Oom,
    /// Its program could not be started.
    Spawn,
    /// A job it waited for did not succeed.
    Dependency,
    /// The machine restarted, or what watched it was killed.
    HostLost,
    /// What it, or its agent, may cost is spent.
    Budget,
    /// The authority that it was given has expired.
    Lease,
    /// The credentials that it needs could not be made.
    Credentials,
    /// It met a limit of the vendor, and may not wait for its end.
    RateLimit,
    /// Its conversation could not be resumed.
    ResumeFailed,
    /// Its agent's program ended without saying how the turn went.
    NoResult,
    /// Its agent's program said that it failed.
    AgentFailed,
}

impl Outcome {
    /// An ending with nothing further to say.
    pub const fn plain(kind: Ending) -> Self {
        Self { kind, exit_code: None, signal: None, reason: None, message: None }
    }

    /// An ending with a reason and words for people.
    pub const fn because(kind: Ending, reason: Reason, message: Option<String>) -> Self {
        Self { kind, exit_code: None, signal: None, reason: Some(reason), message }
    }

    /// The end of a process that exited: succeeded for code 0, failed otherwise.
    pub const fn exited(code: i32) -> Self {
        let kind = if code == 0 { Ending::Succeeded } else { Ending::Failed };
        Self { kind, exit_code: Some(code), signal: None, reason: None, message: None }
    }

    /// The end of a process that a signal ended.
    pub const fn signaled(signal: i32) -> Self {
        Self {
            kind: Ending::Failed,
            exit_code: None,
            signal: Some(signal),
            reason: None,
            message: None,
        }
    }

    /// This ending, with how the process itself went taken from `process`.
    pub fn with_process(mut self, process: &Self) -> Self {
        self.exit_code = process.exit_code;
        self.signal = process.signal;
        self
    }

    /// Whether this is the good end.
    pub const fn is_success(&self) -> bool {
        matches!(self.kind, Ending::Succeeded)
    }
}
