//! The memory twin's journal: entries by position, and where those of one job lie.

use crate::rules;
use longhaul_core::event::{Event, NewEvent};
use longhaul_core::port::{Position, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

/// Entries in order; positions are never used twice, also after the newest entry was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Journal {
    head: u64,
    entries: BTreeMap<u64, Event>,
    by_job: BTreeMap<(String, u64), u64>,
    general: BTreeSet<u64>,
}

impl Journal {
    pub(super) const fn head(&self) -> Position {
        Position(self.head)
    }

    /// Adds one entry after the head; refuses a number that the job has used.
    pub(super) fn append(&mut self, new: &NewEvent) -> Result<(), StoreError> {
        rules::check_event(new)?;
        let numbered = new.job.as_ref().map(|job| (job.as_str().to_owned(), new.seq));
        if numbered.as_ref().is_some_and(|numbered| self.by_job.contains_key(numbered)) {
            let text = format!("entry {} of a job is written twice", new.seq);
            return Err(StoreError::Failed(text));
        }
        self.put(Event {
            position: Position(self.head + 1),
            job: new.job.clone(),
            seq: new.seq,
            at: new.at,
            body: new.body.clone(),
        });
        self.head += 1;
        Ok(())
    }

    /// Puts an entry where it says it belongs; also how a removal is undone.
    pub(super) fn put(&mut self, event: Event) {
        let position = event.position.0;
        match &event.job {
            Some(job) => {
                self.by_job.insert((job.as_str().to_owned(), event.seq), position);
            }
            None => {
                self.general.insert(position);
            }
        }
        self.entries.insert(position, event);
    }

    fn take(&mut self, position: u64) -> Option<Event> {
        let event = self.entries.remove(&position)?;
        match &event.job {
            Some(job) => {
                self.by_job.remove(&(job.as_str().to_owned(), event.seq));
            }
            None => {
                self.general.remove(&position);
            }
        }
        Some(event)
    }

    /// Takes back everything after `head`, as if it had never been appended.
    pub(super) fn rewind(&mut self, head: Position) {
        while self.head > head.0 {
            self.take(self.head);
            self.head -= 1;
        }
    }

    /// Removes all entries of a job and gives them back for undoing.
    pub(super) fn forget(&mut self, job: &str) -> Vec<Event> {
        let positions: Vec<u64> = self.positions_of(job).collect();
        positions.into_iter().filter_map(|position| self.take(position)).collect()
    }

    /// Removes the oldest entries without a job beyond `keep` and gives them back for undoing.
    pub(super) fn trim_general(&mut self, keep: u32) -> Vec<Event> {
        let excess = self.general.len().saturating_sub(keep as usize);
        let positions: Vec<u64> = self.general.iter().copied().take(excess).collect();
        positions.into_iter().filter_map(|position| self.take(position)).collect()
    }

    /// The newest entries of a job, oldest first.
    pub(super) fn latest(&self, job: &str, limit: u32) -> Vec<Event> {
        let newest = self.positions_of(job).rev().take(limit as usize);
        let mut found: Vec<Event> =
            newest.filter_map(|position| self.entries.get(&position).cloned()).collect();
        found.reverse();
        found
    }

    /// Entries of a job from the number `seq` on.
    pub(super) fn entries(&self, job: &str, seq: u64, limit: u32) -> Vec<Event> {
        let numbered = self.by_job.range((job.to_owned(), seq)..=(job.to_owned(), u64::MAX));
        let found = numbered.take(limit as usize);
        found.filter_map(|(_, position)| self.entries.get(position).cloned()).collect()
    }

    fn positions_of(&self, job: &str) -> impl DoubleEndedIterator<Item = u64> {
        self.by_job
            .range((job.to_owned(), 0)..=(job.to_owned(), u64::MAX))
            .map(|(_, &position)| position)
    }

    pub(super) fn after(&self, job: Option<&str>, after: Position, limit: u32) -> Vec<Event> {
        let limit = limit as usize;
        match job {
            None => {
                let newer = self.entries.range((Excluded(after.0), Unbounded));
                newer.take(limit).map(|(_, event)| event.clone()).collect()
            }
            // A job's numbers and positions grow together, so number order is position order.
            Some(job) => self
                .positions_of(job)
                .filter(|&position| position > after.0)
                .take(limit)
                .filter_map(|position| self.entries.get(&position).cloned())
                .collect(),
        }
    }
}
