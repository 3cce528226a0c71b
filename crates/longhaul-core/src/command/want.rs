//! What rows would have true in the outside world.

use crate::id::{DeliveryId, JobId};

/// What a row would have true in the outside world. Drivers are idempotent per attempt, so a want
/// may be told twice; the engine asks again every few seconds, so one may be lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// The attempt shall run: launch it unless evidence shows that it was.
    Start(JobId, u32),
    /// Somebody shall watch the attempt and report how it ends.
    Watch(JobId, u32),
    /// The attempt belongs to an earlier boot of this machine: report what its record says, and
    /// `Lost` if there is none.
    Conclude(JobId, u32),
    /// The launch takes too long: bar it if nothing has begun and report `NeverStarted`; report
    /// `Started` if it has begun after all. Kills nothing.
    CallOff(JobId, u32),
    /// The attempt shall end; killed if `by_force`. Report the end only with proof.
    Stop {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
        /// Killed rather than asked.
        by_force: bool,
    },
    /// Secrets and copies in the folders of all its attempts (1 to this number) shall be gone.
    Clean(JobId, u32),
    /// All its files shall be gone (attempts 1 to this number).
    Purge(JobId, u32),
}

impl Want {
    /// The job that it is about.
    pub const fn job(&self) -> &JobId {
        match self {
            Self::Start(job, _)
            | Self::Watch(job, _)
            | Self::Conclude(job, _)
            | Self::CallOff(job, _)
            | Self::Stop { job, .. }
            | Self::Clean(job, _)
            | Self::Purge(job, _) => job,
        }
    }
}

/// What the courier of a host would have true: this try of this notice is told to its sink, and how
/// that went is reported once. Told twice it is one try; lost, it is wanted again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deliver {
    /// Which notice, to which sink.
    pub delivery: DeliveryId,
    /// Which try.
    pub number: u32,
}
