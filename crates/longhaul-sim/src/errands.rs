//! What a driver of tasks does about a want: the same in all lives in which bodies are tasks.

use longhaul_core::command::{How, Want};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use std::rc::Rc;

/// What is to be done.
pub(crate) enum Errand {
    /// It goes on, and is let.
    Nothing,
    /// A body is to begin.
    Start(JobId, u32),
    /// A body that is alive is asked to end.
    Stop(JobId, u32),
    /// There is no such body here: it is over, and so.
    Over(JobId, u32, How),
    /// There is nothing to clean up.
    Clean(JobId),
    /// Its files go.
    Purge(JobId),
}

/// What a host does; `is_alive` says whether it has this body, `row` is the job as it stands.
pub(crate) fn errand(
    want: Want,
    is_alive: impl Fn(&JobId, u32) -> bool,
    row: impl Fn(&JobId) -> Option<Rc<Job>>,
) -> Errand {
    let is_stop = matches!(want, Want::Stop { .. });
    match want {
        Want::Clean(job, _) => Errand::Clean(job),
        Want::Purge(job, _) => Errand::Purge(job),
        Want::Start(job, attempt)
        | Want::Watch(job, attempt)
        | Want::Conclude(job, attempt)
        | Want::CallOff(job, attempt)
        | Want::Stop { job, attempt, .. }
            if is_alive(&job, attempt) =>
        {
            if is_stop {
                Errand::Stop(job, attempt)
            } else {
                Errand::Nothing
            }
        }
        Want::Start(job, attempt) => Errand::Start(job, attempt),
        Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
            Errand::Over(job, attempt, How::Lost("gone".to_owned()))
        }
        Want::CallOff(job, attempt) => Errand::Over(job, attempt, How::NeverStarted(None)),
        Want::Stop { job, attempt, .. } => {
            let row = row(&job);
            let current = row.as_ref().and_then(|job| job.current());
            let has_begun = current.is_some_and(|attempt| attempt.started_at.is_some());
            let lost = How::Lost("gone".to_owned());
            Errand::Over(job, attempt, if has_begun { lost } else { How::NeverStarted(None) })
        }
    }
}
