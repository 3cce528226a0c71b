//! How many files the daemon may have open: as many as it is ever let, while its jobs get what it
//! was started with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Gives both as they were, for jobs, and how
/// many the daemon may open.
pub(super) fn raise_descriptors() -> (Option<(u64, u64)>, u64) {
    let found = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let (soft, hard) = (number(found.current), number(found.maximum));
    let raised = Rlimit { current: found.maximum, maximum: found.maximum };
    let may_open = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, "the limit of open files stays as it is");
            soft
        }
    };
    (Some((soft, hard)), may_open)
}
