//! The job object and what belongs to it, fields in the order in which people read them.

use super::spec::Spec;
use super::time::Time;
use super::turn::TurnView;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One job, as it is shown. `attempts`, `history`, `spec` and `environment` come only when one job
/// is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// A person's name for it.
    pub name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// How it ended, once it has.
    pub outcome: Option<OutcomeView>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Absolute path of the directory it runs in.
    pub cwd: String,
    /// The agent whose turn it is.
    pub agent: Option<String>,
    /// Whose slots it needs.
    pub pool: String,
    /// Its serial key.
    pub lane: Option<String>,
    /// 0–9, higher first.
    pub priority: u8,
    /// Free words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Who asked for it.
    pub owner: Option<String>,
    /// The job that it was submitted from.
    pub parent: Option<String>,
    /// The current or last attempt; zero before the first.
    pub attempt: u32,
    /// What it waits for, in words, while it has no slot.
    pub waiting_for: Option<String>,
    /// When it was accepted.
    pub submitted_at: Time,
    /// When the process of its current or last attempt began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// The child's process id while it runs; for people.
    pub pid: Option<u32>,
    /// The machine it runs or ran on.
    pub host: Option<String>,
    /// Bytes on the standard output of its current or last attempt.
    pub stdout_bytes: u64,
    /// Bytes on the standard error of its current or last attempt.
    pub stderr_bytes: u64,
    /// The ended job that it repeats.
    pub retry_of: Option<String>,
    /// When somebody asked for its end.
    pub cancel_requested_at: Option<Time>,
    /// What is owed after its end.
    pub cleanup: CleanupView,
    /// The task that it is, if it is no process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskView>,
    /// What is told of it beside, if it is an agent's turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Box<TurnView>>,
    /// What its function returned, if it is a task that has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView>,
    /// Its newest attempts, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<AttemptView>>,
    /// What the journal says about it, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<EventView>>,
    /// What it was asked to be; values of its environment are never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Box<Spec>>,
    /// Where its environment came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<OriginView>,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What it needs before it may wait for a slot is being made.
    Preparing,
    /// Waits: for jobs, its lane, its hour, or a slot.
    Queued,
    /// Holds a slot; its attempt is being launched.
    Starting,
    /// Its process runs.
    Running,
    /// Its attempt is being ended.
    Stopping,
    /// Over.
    Ended,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [Self; 6] =
        [Self::Preparing, Self::Queued, Self::Starting, Self::Running, Self::Stopping, Self::Ended];

    /// The name, as in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

/// How a job or an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeView {
    /// Which of the five ends.
    pub kind: OutcomeKind,
    /// The process's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// What narrows the kind; more may be added.
    pub reason: Option<String>,
    /// What happened, in words.
    pub message: Option<String>,
}

/// The five ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
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

impl OutcomeKind {
    /// All ends.
    pub const ALL: [Self; 5] =
        [Self::Succeeded, Self::Failed, Self::Cancelled, Self::TimedOut, Self::Lost];

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

/// A job that is a function of the program that embeds longhaul.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// Under which name its function is registered.
    pub kind: String,
    /// How often it was lost with its process and run again.
    pub reruns: u32,
    /// How often that may be.
    pub reruns_max: u32,
}

/// What a task's function returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// For people and models.
    pub text: String,
    /// For programs.
    pub structured: Option<Value>,
    /// Whether something was left out because it was too large.
    pub is_cut: bool,
}

/// What is owed after a job's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupView {
    /// How far it has come.
    pub state: CleanupState,
    /// What went wrong, each once; repeats as `(3 times)`.
    pub warnings: Vec<String>,
}

/// How far cleaning up after a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanupState {
    /// The job has not ended.
    None,
    /// Being done, or to be done again.
    Pending,
    /// Nothing is owed.
    Done,
    /// Given up; a person must look.
    Stuck,
}

/// One start of a job's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// `starting`, `running`, `stopping` or `ended`.
    pub state: State,
    /// How it ended, taken by itself.
    pub outcome: Option<OutcomeView>,
    /// When its process began.
    pub started_at: Option<Time>,
    /// When it was over.
    pub ended_at: Option<Time>,
    /// The child's process id, for people.
    pub pid: Option<u32>,
    /// Bytes on its standard output.
    pub stdout_bytes: u64,
    /// Bytes on its standard error.
    pub stderr_bytes: u64,
    /// Processor time of all it ran, in milliseconds; zero until it is over.
    pub cpu_ms: u64,
    /// The most memory one of its processes held, in bytes; zero until it is over.
    pub memory_bytes_max: u64,
    /// What it left running.
    pub leftovers: Option<LeftoversView>,
    /// What went wrong around it.
    pub warnings: Vec<String>,
}

/// What a finished attempt left running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoversView {
    /// How many processes were found.
    pub found: u32,
    /// Some of them, as `name(pid)`.
    pub names: Vec<String>,
    /// Whether they were ended.
    pub ended: bool,
}

/// Where a job's environment came from: names only, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginView {
    /// Whether it began as the caller's whole environment.
    pub inherited: bool,
    /// Names that were set on purpose.
    pub set: Vec<String>,
    /// All names, sorted.
    pub names: Vec<String>,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// Its place; ask for events after it to go on from here.
    pub position: u64,
    /// The job it is about, if it is about one.
    pub job: Option<String>,
    /// Its number within that job, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Time,
    /// What kind of fact it is.
    pub kind: String,
    /// The fact's own fields.
    #[serde(flatten)]
    pub fact: Map<String, Value>,
}
