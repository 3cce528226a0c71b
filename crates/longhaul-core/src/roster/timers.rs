//! When time alone changes something: lives, tries that run out, and tries that come again.

use super::{Key, Roster};
use crate::limits;
use crate::time::Timestamp;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Timers {
    lives: BTreeSet<(Timestamp, Key)>,
    pub(super) untils: BTreeSet<(Timestamp, Key)>,
    pub(super) again: BTreeSet<(Timestamp, Key)>,
}

impl Timers {
    pub(super) fn first(&self) -> Option<Timestamp> {
        let all = [&self.lives, &self.untils, &self.again];
        all.into_iter().filter_map(|table| table.first()).map(|(at, _)| *at).min()
    }

    fn pop(table: &mut BTreeSet<(Timestamp, Key)>, now: Timestamp) -> Option<Key> {
        let first = table.first().filter(|(at, _)| *at <= now)?;
        let key = first.1;
        table.pop_first();
        Some(key)
    }
}

impl Roster {
    /// Does what time brings. A bounded part of it: what is left is still due afterwards, so that
    /// others get their turn in between.
    pub fn on_due(&mut self, now: Timestamp) {
        for _ in 0..limits::TASKS_DUE_AT_ONCE_MAX {
            if let Some(key) = Timers::pop(&mut self.timers.again, now) {
                self.try_again(key, now);
            } else if let Some(key) = Timers::pop(&mut self.timers.untils, now) {
                self.try_ran_out(key, now);
            } else if let Some(key) = Timers::pop(&mut self.timers.lives, now) {
                self.rows.at_mut(key).due_at = None;
                self.life_due(key, now);
            } else {
                break;
            }
        }
        self.admit(now);
    }

    pub(super) fn set_due(&mut self, key: Key, due_at: Option<Timestamp>) {
        let row = self.rows.at_mut(key);
        if let Some(before) = row.due_at {
            self.timers.lives.remove(&(before, key));
        }
        row.due_at = due_at;
        if let Some(at) = due_at {
            self.timers.lives.insert((at, key));
        }
    }
}
