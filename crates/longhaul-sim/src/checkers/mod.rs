//! The laws, and what they are told. None of them asks the machine what it means: what is due, what
//! is wanted and what is answered is stated here a second time, naively.

mod journal;
mod model;
mod naive;
mod notes;
mod notices;
mod rest;
mod rows;
mod standing;
mod step;
mod story;
mod tales;
mod turns;

pub(crate) use rest::{at_rest, restless};

use crate::outside::Outside;
use crate::snapshot::Snapshot;
use journal::Journal;
use longhaul_core::command::{Command, Place};
use longhaul_core::engine::Step;
use longhaul_core::event::Event;
use longhaul_core::id::JobId;
use longhaul_core::outcome::Ending;
use longhaul_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use turns::Absences;

/// A law that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which law.
    pub law: &'static str,
    /// How it was broken.
    pub story: String,
}

/// What kind of step it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A batch of commands.
    Batch,
    /// Every active row was asked.
    Reconcile,
    /// Retention was looked after.
    Retain,
}

/// One committed step, as it looks from outside.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// What kind.
    pub(crate) kind: Kind,
    /// At which host.
    pub(crate) place: &'a Place,
    /// What was put to it.
    pub(crate) batch: &'a [Command],
    /// What it came to.
    pub(crate) step: &'a Step,
    /// The rows before.
    pub(crate) before: &'a Snapshot,
    /// The rows after.
    pub(crate) after: &'a Snapshot,
    /// The entries it added.
    pub(crate) events: &'a [Event],
    /// Its one moment.
    pub(crate) now: Timestamp,
}

/// What the laws remember of a life.
#[derive(Debug, Default)]
pub(crate) struct Checkers {
    journal: Journal,
    absences: Absences,
    /// How each job that ended did, also after it was removed.
    fates: BTreeMap<JobId, Ending>,
    /// Jobs whose acceptance was told to their asker.
    told: BTreeSet<JobId>,
    /// Jobs that were removed.
    removed: BTreeSet<JobId>,
    /// Jobs that were accepted and have ended, ever.
    pub(crate) accepted: u64,
    /// Jobs that ended.
    pub(crate) ended: u64,
}

impl Checkers {
    /// Holds one step against every law.
    ///
    /// # Errors
    /// The first law that does not hold.
    pub(crate) fn check(&mut self, seen: &Seen<'_>, outside: &Outside) -> Result<(), Broken> {
        if let Some(story) = &outside.twins {
            return broken("one live process per job", story.clone());
        }
        model::replies(seen)?;
        self.remember(seen)?;
        rows::check(seen, &self.fates)?;
        step::check(seen)?;
        notices::check(seen, &outside.taken)?;
        turns::check(seen)?;
        self.absences.check(seen)?;
        self.journal.check(seen, outside)?;
        for id in &self.told {
            if !seen.after.jobs.contains_key(id) && !self.removed.contains(id) {
                return broken("nothing acknowledged is lost", id.to_string());
            }
        }
        Ok(())
    }

    /// The asker of this job heard that it is durable.
    pub(crate) fn told(&mut self, id: &JobId) {
        self.told.insert(id.clone());
    }

    fn remember(&mut self, seen: &Seen<'_>) -> Result<(), Broken> {
        for (id, kept) in &seen.after.jobs {
            let before = seen.before.job(id);
            if before.is_none() {
                self.accepted += 1;
                self.removed.remove(id);
            }
            let Some(outcome) = kept.job.outcome() else { continue };
            match before.and_then(|job| job.outcome()) {
                Some(old) if old != outcome => {
                    return broken("an end is for ever", format!("{id}: {old:?}, {outcome:?}"));
                }
                Some(_) => {}
                None => {
                    self.ended += 1;
                    self.fates.insert(id.clone(), outcome.kind);
                }
            }
        }
        for (id, kept) in &seen.before.jobs {
            if seen.after.jobs.contains_key(id) {
                continue;
            }
            if !kept.job.is_purge_wanted() || kept.job.outcome().is_none() {
                return broken("only what is to be removed is removed", id.to_string());
            }
            self.removed.insert(id.clone());
        }
        Ok(())
    }
}

/// The law is broken, and how.
fn broken<T>(law: &'static str, story: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { law, story: story.into() })
}

/// Breaks the law unless it holds.
fn holds(law: &'static str, is_so: bool, story: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_so { Ok(()) } else { broken(law, story()) }
}
