//! What is owed after a job's end: secrets and copies to erase, and one day the job itself. Trying
//! backs off and gives up visibly; a warning that repeats is counted, not repeated.

use super::Job;
use crate::backoff;
use crate::command::{Refused, Retention, Want};
use crate::id::JobId;
use crate::limits;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is owed after a job's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// How far the erasing has come.
    pub state: CleanupState,
    /// What went wrong, each once.
    pub warnings: Vec<Warning>,
    /// How far the removal of the job itself has come.
    pub purge: Purge,
    /// Who still has to be told of the end.
    #[serde(default, skip_serializing_if = "Notices::is_nothing")]
    pub notices: Notices,
}

/// Who still has to be told of a job's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// Deliveries that are neither settled nor given up.
    pub open: u32,
    /// When a sink last took one: the receiver may come to look.
    pub told_at: Option<Timestamp>,
}

impl Notices {
    /// Whether nobody is, or ever was, to be told.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// When the job may go as far as those are concerned who are told; `None` while that is open.
    pub fn free_at(&self) -> Option<Timestamp> {
        let told_at = self.told_at.map(|at| at.plus(limits::TOLD_GRACE));
        (self.open == 0).then(|| told_at.unwrap_or(Timestamp::from_millis(i64::MIN)))
    }
}

/// How far the erasing of secrets and copies has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum CleanupState {
    /// The job has not ended.
    #[default]
    None,
    /// Being done, or to be done again.
    Pending {
        /// When it is tried again: after a failure, or if nothing is heard.
        again_at: Timestamp,
        /// Tries that failed so far.
        tries: u32,
        /// Whether it is being tried now, rather than waited with.
        is_trying: bool,
    },
    /// Nothing is owed.
    Done,
    /// Given up; a person must look.
    Stuck,
}

/// Something that went wrong while cleaning up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// In words.
    pub text: String,
    /// How often.
    pub count: u32,
}

/// How far the removal of an ended job has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Purge {
    /// The job has not ended, or is kept for ever.
    #[default]
    None,
    /// It is kept until then.
    At {
        /// When it may go.
        at: Timestamp,
    },
    /// Its files are being removed.
    Wanted {
        /// When that is tried again: after a failure, or if nothing is heard.
        again_at: Timestamp,
        /// Tries that failed so far.
        tries: u32,
        /// Whether it is being tried now, rather than waited with.
        is_trying: bool,
    },
}

impl Cleanup {
    /// When time alone will change it.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        if let Some(again_at) = self.pending_at() {
            return Some(again_at);
        }
        match (&self.state, &self.purge) {
            (CleanupState::Done, Purge::At { at }) => {
                self.notices.free_at().map(|free_at| free_at.max(*at))
            }
            (_, Purge::Wanted { again_at, .. }) => Some(*again_at),
            _ => None,
        }
    }

    /// The same as far as erasing is concerned.
    pub(super) const fn pending_at(&self) -> Option<Timestamp> {
        match self.state {
            CleanupState::Pending { again_at, .. } => Some(again_at),
            CleanupState::None | CleanupState::Done | CleanupState::Stuck => None,
        }
    }

    pub(super) fn wants(&self, job: JobId, attempt: u32) -> Vec<Want> {
        match (&self.state, &self.purge) {
            (CleanupState::Pending { is_trying: true, .. }, _) => vec![Want::Clean(job, attempt)],
            (CleanupState::Pending { .. }, _) => Vec::new(),
            (_, Purge::Wanted { is_trying: true, .. }) => vec![Want::Purge(job, attempt)],
            _ => Vec::new(),
        }
    }

    /// The wait after a failure is over, or nothing was heard, or its keeping is over: tries again.
    /// Silence is no failure, for the driver may only be slow: it costs no try.
    pub(super) fn on_due(&mut self, key: &str, now: Timestamp) {
        if let CleanupState::Pending { again_at, tries, is_trying } = &mut self.state {
            (*again_at, *is_trying) = (next_try(key, *tries + 1, now), true);
            return;
        }
        let tries = match self.purge {
            Purge::Wanted { tries, .. } => tries,
            Purge::At { .. } | Purge::None => 0,
        };
        let again_at = next_try(key, tries + 1, now);
        self.purge = Purge::Wanted { again_at, tries, is_trying: true };
    }
}

impl Job {
    /// Begins what is owed, in the step that ended it. `None` for `retention` keeps it for ever.
    pub fn begin_aftermath(&mut self, retention: &Retention, now: Timestamp) {
        let outcome = self.outcome().expect("only an ended job has an aftermath");
        let keep = self.spec.keep.unwrap_or_else(|| retention.keep_for(outcome.kind));
        self.cleanup.purge = Purge::At { at: now.plus(keep) };
        // Nothing was ever written for a job that had no attempt, or that was no process.
        self.cleanup.state = if self.attempt == 0 || self.spec.task.is_some() {
            CleanupState::Done
        } else {
            let again_at = next_try(self.id.as_str(), 1, now);
            CleanupState::Pending { again_at, tries: 0, is_trying: true }
        };
    }

    /// Cleaning up came to an end, well or badly. Gives whether a new warning is to be told.
    /// Refuses `Repeat` when nothing is owed.
    pub fn cleaned(&mut self, failure: Option<&str>, now: Timestamp) -> Result<bool, Refused> {
        let CleanupState::Pending { tries, is_trying, .. } = self.cleanup.state else {
            return Err(Refused::Repeat);
        };
        let Some(text) = failure else {
            self.cleanup.state = CleanupState::Done;
            return Ok(false);
        };
        if !is_trying {
            return Err(Refused::Repeat);
        }
        let tries = tries + 1;
        self.cleanup.state = if tries >= limits::CLEANUP_TRIES_MAX {
            CleanupState::Stuck
        } else {
            let again_at = next_try(self.id.as_str(), tries, now);
            CleanupState::Pending { again_at, tries, is_trying: false }
        };
        Ok(self.warn(text))
    }

    /// Asks for it to be removed now. Refuses `NotEnded`, `NotCleaned` while something is owed, and
    /// `StillOwed` while somebody is to be told of it or was told only just now.
    pub fn purge(&mut self, now: Timestamp) -> Result<(), Refused> {
        if self.outcome().is_none() {
            return Err(Refused::NotEnded { job: self.id.clone(), state: self.state_name() });
        }
        if let CleanupState::Pending { .. } = self.cleanup.state {
            let owes = match self.cleanup.warnings.last() {
                Some(warning) => warning.text.clone(),
                None => "it is being done".to_owned(),
            };
            return Err(Refused::NotCleaned { job: self.id.clone(), owes });
        }
        let open = self.delegations.open;
        let owes = match self.cleanup.notices.free_at() {
            _ if self.is_needed() => Some(format!("{open} job(s) that it delegated go on")),
            None => Some(format!("{} notice(s) about it wait", self.cleanup.notices.open)),
            Some(at) if at > now => {
                Some(format!("a sink was told of it; it may go in {}", at.since(now)))
            }
            Some(_) => None,
        };
        if let Some(owes) = owes {
            return Err(Refused::StillOwed { job: self.id.clone(), owes });
        }
        if !matches!(self.cleanup.purge, Purge::Wanted { .. }) {
            let again_at = next_try(self.id.as_str(), 1, now);
            self.cleanup.purge = Purge::Wanted { again_at, tries: 0, is_trying: true };
        }
        Ok(())
    }

    /// Its files could not be removed. Gives whether a new warning is to be told. Refuses `Repeat`
    /// when its removal was not wanted. After the last try it is left for a person to see.
    pub fn purge_failed(&mut self, failure: &str, now: Timestamp) -> Result<bool, Refused> {
        let Purge::Wanted { tries, is_trying: true, .. } = self.cleanup.purge else {
            return Err(Refused::Repeat);
        };
        if tries + 1 >= limits::CLEANUP_TRIES_MAX {
            self.cleanup.state = CleanupState::Stuck;
            self.cleanup.purge = Purge::None;
        } else {
            let again_at = next_try(self.id.as_str(), tries + 1, now);
            self.cleanup.purge = Purge::Wanted { again_at, tries: tries + 1, is_trying: false };
        }
        Ok(self.warn(failure))
    }

    /// Whether its removal is wanted.
    pub const fn is_purge_wanted(&self) -> bool {
        matches!(self.cleanup.purge, Purge::Wanted { .. })
    }

    /// Whether retention may take it before its own time is over.
    pub fn is_purgeable(&self, now: Timestamp) -> bool {
        !self.is_needed()
            && self.is_kept_for_notices()
            && self.cleanup.notices.free_at().is_some_and(|at| at <= now)
    }

    /// Whether retention may take it but for those who are to be told of it.
    pub const fn is_kept_for_notices(&self) -> bool {
        matches!(self.cleanup.state, CleanupState::Done | CleanupState::Stuck)
            && matches!(self.cleanup.purge, Purge::At { .. })
    }

    fn warn(&mut self, text: &str) -> bool {
        let text = crate::decide::clip(text, limits::MESSAGE_BYTES_MAX);
        let warnings = &mut self.cleanup.warnings;
        if let Some(known) = warnings.iter_mut().find(|warning| warning.text == text) {
            known.count = known.count.saturating_add(1);
            return false;
        }
        if warnings.len() == limits::CLEANUP_WARNINGS_MAX {
            warnings.remove(0);
        }
        warnings.push(Warning { text, count: 1 });
        true
    }
}

fn next_try(key: &str, tries: u32, now: Timestamp) -> Timestamp {
    now.plus(backoff::delay(key, tries, limits::CLEANUP_DELAY, limits::CLEANUP_DELAY_MAX))
}
