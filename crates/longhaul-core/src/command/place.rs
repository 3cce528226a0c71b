//! Where an engine is, and what the home's rules are.

use crate::id::HostId;
use crate::outcome::Ending;
use crate::time::Millis;

/// The engine's place: which host it is, in which boot of the machine, and what the home's rules are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// This host.
    pub host: HostId,
    /// This boot of the machine, as the kernel names it.
    pub boot: String,
    /// Slots of the pool `default` when it is first made.
    pub default_slots: u32,
    /// How long ended jobs are kept, and how many.
    pub retention: Retention,
    /// How long an owner is away before others of a project may have its notices; never if `None`.
    pub adopt_after: Option<Millis>,
}

/// How long ended jobs are kept. The first rule that is met removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Succeeded and cancelled jobs, after they ended.
    pub keep: Millis,
    /// Failed, timed out and lost jobs, after they ended.
    pub keep_failed: Millis,
    /// More ended jobs than this: the oldest go.
    pub jobs_max: u64,
    /// More bytes of output than this in ended jobs: the oldest go.
    pub bytes_max: u64,
}

impl Retention {
    /// How long a job that ended like this is kept.
    pub const fn keep_for(&self, kind: Ending) -> Millis {
        match kind {
            Ending::Succeeded | Ending::Cancelled => self.keep,
            Ending::Failed | Ending::TimedOut | Ending::Lost => self.keep_failed,
        }
    }
}
