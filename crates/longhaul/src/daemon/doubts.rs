//! Attempts that nothing can be done about: their folders prove nothing that may be acted on.

use longhaul_core::id::JobId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Attempts in doubt, and why. They are looked at again every few seconds; a person may have to
/// help. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    shared: Arc<Mutex<BTreeMap<(JobId, u32), String>>>,
}

impl Doubts {
    /// All of them: which attempt of which job, and why.
    #[must_use]
    pub fn list(&self) -> Vec<(JobId, u32, String)> {
        self.lock()
            .iter()
            .map(|((job, attempt), why)| (job.clone(), *attempt, why.clone()))
            .collect()
    }

    pub(super) fn raise(&self, job: &JobId, attempt: u32, why: &str) {
        let before = self.lock().insert((job.clone(), attempt), why.to_owned());
        // The same doubt every few seconds is told once.
        if before.as_deref() != Some(why) {
            tracing::warn!(%job, attempt, why, "nothing can be done about an attempt");
        }
    }

    pub(super) fn settle(&self, job: &JobId, attempt: u32) {
        self.lock().remove(&(job.clone(), attempt));
    }

    pub(super) fn forget(&self, job: &JobId) {
        self.lock().retain(|(doubted, _), _| doubted != job);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(JobId, u32), String>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
