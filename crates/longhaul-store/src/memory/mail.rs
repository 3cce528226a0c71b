//! What the memory twin finds messages by, and the scans that only mail has.

use super::index::swap_set;
use longhaul_core::port::{MailFilter, Phase, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

/// All ways to find a message but by its id, its thread and its key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MailIndex {
    /// Mailbox, seq and id of those that are ready.
    ready: BTreeSet<(String, u64, String)>,
    /// How many are ready in each mailbox that has any.
    unread: BTreeMap<String, u64>,
    /// Seq and id of those that have ended.
    ended: BTreeSet<(u64, String)>,
    /// All, in the order they were sent.
    pub(super) seq: BTreeMap<u64, String>,
}

impl MailIndex {
    /// Takes note that a message was `before` and is `after`; `None` is no row.
    pub(super) fn change(&mut self, before: Option<&Row>, after: Option<&Row>) {
        swap_set(&mut self.ready, before, after, |row| {
            Some((ready_in(row)?.to_owned(), row.seq, row.id.clone()))
        });
        if let Some(mailbox) = before.and_then(ready_in) {
            let left = self.unread.get_mut(mailbox).expect("it was counted when it came");
            *left -= 1;
            if *left == 0 {
                self.unread.remove(mailbox);
            }
        }
        if let Some(mailbox) = after.and_then(ready_in) {
            *self.unread.entry(mailbox.to_owned()).or_default() += 1;
        }
        swap_set(&mut self.ended, before, after, |row| {
            (row.phase == Phase::Ended).then(|| (row.seq, row.id.clone()))
        });
        if let Some(row) = before {
            self.seq.remove(&row.seq);
        }
        if let Some(row) = after {
            self.seq.insert(row.seq, row.id.clone());
        }
    }

    pub(super) fn unread(&self, mailbox: &str, limit: u32) -> Vec<String> {
        let from = self.ready.range((mailbox.to_owned(), 0, String::new())..);
        let ready = from.take_while(|(of, ..)| of == mailbox).map(|(.., id)| id);
        ready.take(limit as usize).cloned().collect()
    }

    pub(super) fn unread_count(&self, mailbox: &str) -> u64 {
        self.unread.get(mailbox).copied().unwrap_or(0)
    }

    pub(super) fn oldest_ended(&self, limit: u32) -> Vec<String> {
        self.ended.iter().take(limit as usize).map(|(_, id)| id.clone()).collect()
    }

    pub(super) fn ended_count(&self) -> u64 {
        self.ended.len() as u64
    }

    /// All ids below `before`, newest first.
    pub(super) fn newest(&self, before: Option<u64>) -> impl Iterator<Item = &String> {
        let end = before.map_or(Unbounded, Excluded);
        self.seq.range((Unbounded, end)).rev().map(|(_, id)| id)
    }
}

/// The mailbox in which a message waits.
fn ready_in(row: &Row) -> Option<&str> {
    row.lane.as_deref().filter(|_| row.phase == Phase::Ready)
}

/// Whether `row` passes every part of `filter` that narrows.
pub(super) fn passes(filter: &MailFilter, row: &Row) -> bool {
    let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    (filter.states.is_empty() || filter.states.contains(&row.state))
        && is(&filter.to, &row.lane)
        && is(&filter.from, &row.pool)
        && is(&filter.thread, &row.parent)
        && is(&filter.kind, &row.name)
}
