//! What this process can run and what it does run.

use super::{Body, Closure, TaskToken};
use longhaul_core::command::{Command, Exit};
use longhaul_core::id::JobId;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Registry {
    pub(super) kinds: BTreeMap<String, Body>,
    pub(super) closures: BTreeMap<JobId, Closure>,
    pub(super) running: BTreeMap<JobId, Entry>,
    /// No body begins any more.
    pub(super) is_ending: bool,
}

/// An attempt that is this process's.
pub(super) struct Entry {
    pub(super) attempt: u32,
    pub(super) token: TaskToken,
    pub(super) stage: Stage,
    /// The last details of its progress.
    pub(super) details: Option<Value>,
    /// When details were last reported, by the clock that does not count sleep.
    pub(super) told_at: Option<u64>,
    /// Whether the last details were not reported.
    pub(super) is_untold: bool,
    /// What is to be reported before its end.
    pub(super) first: Vec<Command>,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Its start is not committed: its body has not begun.
    Begins,
    /// Its body runs.
    Runs,
    /// Its body is gone; kept until that is committed.
    Over(Box<Exit>),
}

impl Registry {
    /// The entry of this very attempt.
    pub(super) fn entry(&mut self, job: &JobId, attempt: u32) -> Option<&mut Entry> {
        self.running.get_mut(job).filter(|entry| entry.attempt == attempt)
    }

    /// Takes an attempt in. False if it is there already.
    pub(super) fn enter(&mut self, job: &JobId, attempt: u32) -> Option<TaskToken> {
        if self.entry(job, attempt).is_some() {
            return None;
        }
        let token = TaskToken::default();
        let entry = Entry {
            attempt,
            token: token.clone(),
            stage: Stage::Begins,
            details: None,
            told_at: None,
            is_untold: false,
            first: Vec::new(),
        };
        self.running.insert(job.clone(), entry);
        Some(token)
    }

    /// Lets go of an attempt of which nothing is left to say.
    pub(super) fn leave(&mut self, job: &JobId, attempt: u32) {
        if self.entry(job, attempt).is_some() {
            self.running.remove(job);
        }
    }
}
