//! The job machine: one unit of supervised work, for ever identified.
//!
//! ```text
//!  Preparing (only what needs credentials) ──minted──► Queued; due, cancel: Ended
//!
//!           place          started          exited
//!  Queued ────────► Starting ─────► Running ───────► Ended
//!   ▲  │ cancel        │ due, cancel   │ due, cancel,   ▲
//!   │  └──► Ended      ▼               ▼ quiet          │
//!   │               Stopping ◄─────────┘                │
//!   │ exited: retry,  │ │ due: again, by force          │
//!   └─────────────────┘ └──── exited ───────────────────┘
//! ```
//! Only evidence (`exited`) leads out of Starting, Running and Stopping. Verbs that were asked are
//! imperative, reports are past participles. A method that gives `Err` has changed nothing.
//! A turn may also wait where it would have ended: for the end of a vendor's limit, or for an answer.
//! [`life`] holds the verbs up to the end, [`turning`] those that only turns have, [`aftermath`] what
//! follows the end, [`hours`] what time alone changes, [`preparing`] what comes before the queue.

mod aftermath;
mod hours;
mod life;
mod preparing;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod turn_tests;
mod turning;

pub use aftermath::{Cleanup, CleanupState, Notices, Purge, Warning};
pub use life::AfterExit;
pub use stream::ResultStream;
pub(crate) use turning::parked_until;
pub use turning::{Limit, PutOff};

use crate::amounts::Account;
use crate::command::{Artifact, Submission, Want};
use crate::delegation::Delegations;
use crate::event::Leftovers;
use crate::feed::Span;
use crate::id::{HostId, JobId, SessionId};
use crate::limits;
use crate::outcome::Outcome;
use crate::port::Phase;
use crate::quota::Quota;
use crate::spec::JobSpec;
use crate::task::{Task, TaskResult};
use crate::time::{Millis, Timestamp};
use crate::turn::TurnState;
use serde::{Deserialize, Serialize};

/// One unit of supervised work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, made by whoever submitted it.
    pub id: JobId,
    /// Admission order, unique and growing. Order is never taken from a clock.
    pub seq: u64,
    /// What it was asked to be.
    pub spec: JobSpec,
    /// Idempotency key.
    pub key: Option<String>,
    /// Who asked for it.
    pub owner: Option<String>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job that it was submitted from.
    pub parent: Option<JobId>,
    /// The ended job that it repeats.
    pub retry_of: Option<JobId>,
    /// Where it is in its life.
    pub state: JobState,
    /// The current or last attempt; zero before the first. The fence of every report.
    pub attempt: u32,
    /// Attempts that failed and were, or will be, followed by another.
    pub failures: u32,
    /// Launches in a row that never began.
    pub launches: u32,
    /// Attempts that were lost with their process and were, or will be, followed by another.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reruns: u32,
    /// Jobs it still waits for.
    pub blocked_on: u32,
    /// Whether an older job of its lane has not ended.
    pub behind: bool,
    /// Which host its attempt belongs to.
    pub host: Option<HostId>,
    /// In which boot of that host the attempt was launched.
    pub boot: Option<String>,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// Asked for its end, by whom and when. Never taken back.
    pub cancel: Option<CancelIntent>,
    /// The newest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Entries that it has in the journal.
    pub events: u64,
    /// Entries that were left out because its history is full.
    pub events_dropped: u64,
    /// Reports that it made about itself; a sign of life.
    pub emitted: u64,
    /// Files it left.
    pub artifacts: Vec<Artifact>,
    /// What its last attempt gave back, if it is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// The session that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Sessions that are told of it, whoever asked for it first; nobody once it is over and told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<SessionId>,
    /// Which of its entries followers are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Span>,
    /// The number that the newest of them has in the session that asked for it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub told_at: u64,
    /// Entries that its attempts told; facts are counted apart.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub tellings: u64,
    /// What it may still spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The jobs that it has delegated.
    #[serde(default, skip_serializing_if = "Delegations::is_nothing")]
    pub delegations: Delegations,
    /// The result that it tells in pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<ResultStream>,
    /// The name of the one that the attempt before told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_before: Option<String>,
    /// How it is going, if it is a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnState>,
    /// What is owed after its end.
    pub cleanup: Cleanup,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_nothing(number: &u64) -> bool {
    *number == 0
}

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum JobState {
    /// Its credentials are being made.
    Preparing {
        /// When it fails for want of them.
        give_up_at: Timestamp,
    },
    /// Waits: for jobs, its lane, its hour, or a slot.
    Queued {
        /// Before when it may not start.
        not_before: Timestamp,
        /// Whether that hour has come.
        is_due: bool,
        /// What the hour is for.
        because: Waiting,
    },
    /// Holds a slot; its attempt is being launched.
    Starting {
        /// When the launch is called off.
        give_up_at: Timestamp,
    },
    /// Its process runs.
    Running {
        /// When its longest running time is over.
        stop_at: Option<Timestamp>,
    },
    /// Its attempt is being ended; nothing but proof of the end leads out.
    Stopping {
        /// What follows.
        then: Then,
        /// Whether it is killed rather than asked.
        by_force: bool,
        /// When it is killed, or killed again.
        again_at: Timestamp,
    },
    /// Over.
    Ended {
        /// The one recorded outcome.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

/// What a queued job's hour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// It is new; the hour is the one it asked for.
    New,
    /// An attempt failed; the hour spaces the attempts.
    Retry,
    /// A launch came to nothing; the hour spaces the launches.
    Launch,
    /// A task was lost with its process; the hour spaces the attempts.
    Rerun,
    /// Its hour has come, but no process here runs tasks of its kind.
    Kind,
    /// A vendor's limit was met; the hour is that of its end.
    RateLimited,
    /// A vendor's limit was met by another turn of its kind, and has not ended.
    Parked,
    /// A person was asked; their answer, or the end of the question, ends the wait.
    Approval,
}

/// What follows when a stopping attempt is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The job ends like this (or its retries go on, for what is worth a retry).
    End(Outcome),
    /// The turn said how it ended, and only its process is still there.
    Answered,
    /// The launch is made again: it was called off before anything ran.
    Again,
}

/// Somebody asked for the job's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelIntent {
    /// When.
    pub at: Timestamp,
    /// Why; the first reason stays.
    pub reason: Option<String>,
}

/// One start of a job's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it was given its slot.
    pub placed_at: Timestamp,
    /// When its process began.
    pub started_at: Option<Timestamp>,
    /// The child's process id, for people.
    pub pid: Option<u32>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How it ended, taken by itself.
    pub outcome: Option<Outcome>,
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
    /// What went wrong around it.
    pub warnings: Vec<String>,
    /// How the machine slept between its slot and the news of its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slept: Option<Slept>,
}

/// Sleeps of the machine, taken together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slept {
    /// For how long, all of them.
    pub span: Millis,
    /// When that of the last was known.
    pub until: Timestamp,
}

impl Job {
    /// A job as it is accepted: queued, waiting for `blocked_on` others, perhaps behind its lane.
    pub fn new(
        submission: Submission,
        seq: u64,
        blocked_on: u32,
        behind: bool,
        now: Timestamp,
    ) -> Self {
        let spec = submission.spec;
        let is_turn = spec.turn.is_some();
        let budget = spec.hosted.as_ref().and_then(|hosted| hosted.lease.budget());
        let account = budget.map(|budget| Account::new(budget.clone()));
        let state = preparing::first_state(&spec, now);
        Self {
            id: submission.id,
            seq,
            spec,
            key: submission.key,
            owner: submission.owner,
            project: submission.project,
            parent: submission.parent,
            retry_of: submission.retry_of,
            state,
            attempt: 0,
            failures: 0,
            launches: 0,
            reruns: 0,
            blocked_on,
            behind,
            host: None,
            boot: None,
            submitted_at: now,
            cancel: None,
            attempts: Vec::new(),
            events: 0,
            events_dropped: 0,
            emitted: 0,
            artifacts: Vec::new(),
            result: None,
            followers: submission.session.iter().cloned().collect(),
            session: submission.session,
            told: Vec::new(),
            told_at: 0,
            tellings: 0,
            account,
            delegations: Delegations::default(),
            stream: None,
            stream_before: None,
            turn: is_turn.then(TurnState::default),
            cleanup: Cleanup::default(),
        }
    }

    /// The attempt that is current or was the last.
    pub fn current(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.number == self.attempt)
    }

    /// How it ended, if it has.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            JobState::Ended { outcome, .. } => Some(outcome),
            JobState::Preparing { .. }
            | JobState::Queued { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Stopping { .. } => None,
        }
    }

    /// When it ended, if it has.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match &self.state {
            JobState::Ended { at, .. } => Some(*at),
            JobState::Preparing { .. }
            | JobState::Queued { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Stopping { .. } => None,
        }
    }

    /// Entries that it has in the journal, without those of its output.
    pub fn facts(&self) -> u64 {
        let said = self.turn.as_ref().map_or(0, |turn| turn.events.min(limits::TURN_EVENTS_MAX));
        self.events.saturating_sub(said + self.tellings)
    }

    /// Notes that these entries are told to followers. Beyond so many spans the newest takes in what is
    /// between: better one entry too many than one that is lost.
    pub(crate) fn tell(&mut self, span: Span) {
        let is_full = self.told.len() >= limits::TOLD_SPANS_MAX;
        match self.told.last_mut() {
            Some(last) if last.end() == span.seq || is_full => last.count = span.end() - last.seq,
            _ => self.told.push(span),
        }
    }

    /// What people call its state.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            JobState::Preparing { .. } => "preparing",
            JobState::Queued { .. } => "queued",
            JobState::Starting { .. } => "starting",
            JobState::Running { .. } => "running",
            JobState::Stopping { .. } => "stopping",
            JobState::Ended { .. } => "ended",
        }
    }

    /// Whether it is being killed, rather than asked to end.
    pub const fn is_forced(&self) -> bool {
        matches!(self.state, JobState::Stopping { by_force: true, .. })
    }

    /// How it stands towards the scheduler.
    pub const fn phase(&self) -> Phase {
        match self.state {
            // To the scheduler there is no difference: something has to come first.
            JobState::Preparing { .. } => Phase::Blocked,
            JobState::Queued { .. } if self.blocked_on > 0 => Phase::Blocked,
            JobState::Queued { .. } if self.behind => Phase::Behind,
            JobState::Queued { is_due: false, .. } => Phase::Delayed,
            JobState::Queued { .. } => Phase::Ready,
            JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. } => {
                Phase::Active
            }
            JobState::Ended { .. } => Phase::Ended,
        }
    }

    /// The pool in which the scheduler looks for it.
    pub fn waits_in(&self) -> String {
        match (&self.state, &self.spec.task, &self.turn) {
            (JobState::Queued { because: Waiting::Kind, .. }, Some(task), _) => {
                Task::waiting_pool(&task.kind)
            }
            (JobState::Queued { because: Waiting::Parked, .. }, _, Some(turn)) => {
                Quota::waiting_pool(&turn.kind)
            }
            _ => self.spec.pool.clone(),
        }
    }

    /// Sets it aside, out of the way of its pool's other jobs, for [`Waiting::Kind`] or
    /// [`Waiting::Parked`]; takes it up again for [`Waiting::New`].
    pub(crate) const fn set_aside(&mut self, why: Waiting) {
        if let JobState::Queued { because, .. } = &mut self.state {
            *because = why;
        }
    }

    /// Before when it may not start, if it waits for its hour.
    pub const fn waits_until(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Queued { not_before, .. } => Some(not_before),
            JobState::Preparing { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Stopping { .. }
            | JobState::Ended { .. } => None,
        }
    }

    /// What should be true of the outside world, given what it is now and which boot this is.
    pub fn wants(&self, boot: &str) -> Vec<Want> {
        let (id, attempt) = (self.id.clone(), self.attempt);
        // Whoever does not run a task knows that it is gone; which boot ran it says nothing more.
        let is_this_boot = self.spec.task.is_some() || self.boot.as_deref() == Some(boot);
        match &self.state {
            JobState::Preparing { .. } | JobState::Queued { .. } => Vec::new(),
            JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. }
                if !is_this_boot =>
            {
                vec![Want::Conclude(id, attempt)]
            }
            JobState::Starting { .. } => vec![Want::Start(id, attempt)],
            JobState::Running { .. } => vec![Want::Watch(id, attempt)],
            JobState::Stopping { then: Then::Again, .. } => vec![Want::CallOff(id, attempt)],
            JobState::Stopping { then: Then::End(_) | Then::Answered, by_force, .. } => {
                vec![Want::Stop { job: id, attempt, by_force: *by_force }]
            }
            JobState::Ended { .. } => self.cleanup.wants(id, attempt),
        }
    }

    /// Bytes its kept attempts left on disk, as far as is known.
    pub fn bytes(&self) -> u64 {
        self.attempts.iter().map(|attempt| attempt.stdout_bytes + attempt.stderr_bytes).sum()
    }
}
