//! The way of a result to its owner's sink: oldest first, a few at once, again after a while. Every
//! owner has a line of its own, so that none waits for another.

use super::owners::{OwnerKey, OwnerName, SinkKey};
use super::row::{Owed, Row};
use super::{Key, Roster, Want, bounds};
use crate::backoff;
use crate::limits;
use crate::time::{Millis, Timestamp};

/// What registering a sink changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkChange {
    /// The new registration.
    pub added: SinkKey,
    /// The one it took the place of.
    pub replaced: Option<SinkKey>,
}

impl Roster {
    /// Gives an owner its sink; the last one given counts. Its backlog is wanted at once.
    pub fn add_sink(&mut self, owner: &OwnerName, now: Timestamp) -> SinkChange {
        let added = SinkKey(self.turn());
        let owner = self.owners.find_or_make(owner);
        let theirs = self.owners.at_mut(owner);
        let replaced = theirs.sink.replace(added);
        if replaced.is_none() {
            self.owing.stranded -= theirs.ready.len();
        }
        self.pump(owner, now);
        SinkChange { added, replaced }
    }

    /// Takes a sink away. False if another has taken its place, or it is gone already.
    pub fn remove_sink(&mut self, owner: &OwnerName, sink: SinkKey) -> bool {
        let Some(owner) = self.owners.find(owner) else { return false };
        let theirs = self.owners.at_mut(owner);
        if theirs.sink != Some(sink) {
            return false;
        }
        theirs.sink = None;
        self.owing.stranded += theirs.ready.len();
        self.owners.tidy(owner);
        true
    }

    /// The sink took it. False if that is no news: the try ran out, or was abandoned.
    pub fn delivered(&mut self, key: Key, number: u32, now: Timestamp) -> bool {
        if !self.is_current(key, number) {
            return false;
        }
        let owner = self.rows.at(key).owner;
        self.set_owed(key, Owed::Delivered);
        self.consumed(key, now);
        self.forget_if_done(key);
        self.pump(owner, now);
        true
    }

    /// The sink did not take it. False if that is no news.
    pub fn failed(&mut self, key: Key, number: u32, answer: &str, now: Timestamp) -> bool {
        if !self.is_current(key, number) {
            return false;
        }
        let dead_at = self.dead_at(key);
        let row = self.rows.at_mut(key);
        let owner = row.owner;
        row.failures += 1;
        let (answer, _) = bounds::clip_text(answer.to_owned(), limits::MESSAGE_BYTES_MAX);
        row.trouble = Some(answer.into());
        let Owed::InFlight { turn, .. } = row.owed else { return false };
        let is_unwanted = row.is_acknowledged || row.is_released;
        let is_watched = row.watchers > 0;
        let delay = again_after(row);
        if is_unwanted {
            self.set_owed(key, Owed::Settled);
            self.forget_if_done(key);
        } else if now >= dead_at {
            self.die(key, now);
        } else if is_watched {
            self.set_owed(key, Owed::Held);
        } else {
            self.set_owed(key, Owed::Delayed { turn, at: now.plus(delay) });
        }
        self.pump(owner, now);
        true
    }

    /// Whether this try is still being made: its sink may go on, and its report counts.
    pub fn is_current(&self, key: Key, number: u32) -> bool {
        let row = self.rows.get(key);
        row.is_some_and(|row| row.tries == number && matches!(row.owed, Owed::InFlight { .. }))
    }

    /// The verdict fell: its owner is owed the news, unless nobody is to be told.
    pub(super) fn owe(&mut self, key: Key, now: Timestamp) {
        let row = self.rows.at(key);
        if !row.is_to_be_told() {
            return;
        }
        if row.is_foreground {
            self.set_owed(key, Owed::Hidden);
        } else if row.watchers > 0 {
            self.set_owed(key, Owed::Held);
        } else {
            self.line_up(key, now);
        }
    }

    /// Puts it last in its owner's line.
    pub(super) fn line_up(&mut self, key: Key, now: Timestamp) {
        let turn = self.turn();
        self.set_owed(key, Owed::Ready { turn });
        self.pump(self.rows.at(key).owner, now);
    }

    pub(super) fn try_again(&mut self, key: Key, now: Timestamp) {
        let row = self.rows.at(key);
        let owner = row.owner;
        let Owed::Delayed { turn, .. } = row.owed else {
            unreachable!("the timer of a retry goes with its state")
        };
        self.set_owed(key, Owed::Ready { turn });
        self.pump(owner, now);
    }

    pub(super) fn try_ran_out(&mut self, key: Key, now: Timestamp) {
        let number = self.rows.at(key).tries;
        self.wants.push(Want::Abandon(key, number));
        let told = format!("no answer within {}", self.terms.try_ms_max);
        self.failed(key, number, &told, now);
    }

    /// Wants as many tries as there is room for, oldest first.
    pub(super) fn pump(&mut self, owner: OwnerKey, now: Timestamp) {
        loop {
            // What was settled just now may have been the last that kept its owner.
            let Some(theirs) = self.owners.get(owner) else { return };
            let Some(sink) = theirs.sink else { return };
            if theirs.in_flight.len() >= self.terms.tries_at_once_max.max(1) {
                return;
            }
            let Some((turn, key)) = theirs.ready.first_key_value() else { return };
            let (turn, key) = (*turn, *key);
            let until = now.plus(self.terms.try_ms_max);
            self.set_owed(key, Owed::InFlight { turn, until });
            let row = self.rows.at_mut(key);
            row.tries += 1;
            self.wants.push(Want::Deliver(key, row.tries, sink));
        }
    }

    /// The one place where a debt changes its state, so that lines, timers and counts agree.
    pub(super) fn set_owed(&mut self, key: Key, owed: Owed) {
        let row = self.rows.at_mut(key);
        let before = std::mem::replace(&mut row.owed, owed);
        let owner = self.owners.at_mut(row.owner);
        match before {
            Owed::Nothing | Owed::Hidden | Owed::Delivered | Owed::Settled => {}
            Owed::Held => {
                owner.held.remove(&key);
                self.owing.held -= 1;
            }
            Owed::Ready { turn } => {
                owner.ready.remove(&turn);
                self.owing.ready -= 1;
                self.owing.stranded -= usize::from(owner.sink.is_none());
            }
            Owed::Delayed { at, .. } => {
                owner.delayed.remove(&(at, key));
                self.timers.again.remove(&(at, key));
                self.owing.delayed -= 1;
            }
            Owed::InFlight { until, .. } => {
                owner.in_flight.remove(&key);
                self.timers.untils.remove(&(until, key));
                self.owing.in_flight -= 1;
            }
        }
        match owed {
            Owed::Nothing | Owed::Hidden | Owed::Delivered | Owed::Settled => {}
            Owed::Held => {
                owner.held.insert(key);
                self.owing.held += 1;
            }
            Owed::Ready { turn } => {
                owner.ready.insert(turn, key);
                self.owing.ready += 1;
                self.owing.stranded += usize::from(owner.sink.is_none());
            }
            Owed::Delayed { at, .. } => {
                owner.delayed.insert((at, key));
                self.timers.again.insert((at, key));
                self.owing.delayed += 1;
            }
            Owed::InFlight { until, .. } => {
                owner.in_flight.insert(key);
                self.timers.untils.insert((until, key));
                self.owing.in_flight += 1;
            }
        }
    }

    /// Somebody has the result: it goes out of sight sooner.
    pub(super) fn consumed(&mut self, key: Key, now: Timestamp) {
        let row = self.rows.at_mut(key);
        row.is_consumed = true;
        let (is_listed, due_at) = (row.is_listed, row.due_at);
        if is_listed {
            let soon = now.plus(self.terms.consumed_retention);
            self.set_due(key, Some(due_at.map_or(soon, |at| at.min(soon))));
        }
    }
}

/// Half a second, doubling to thirty, and up to a fifth of a second more so that many do not come
/// back together.
fn again_after(row: &Row) -> Millis {
    let (first, most) = (limits::TASK_AGAIN_FIRST.get(), limits::TASK_AGAIN_MAX.get());
    let doubled = first << (row.failures - 1).min(8);
    let spread = backoff::spread(row.number, row.failures, limits::TASK_AGAIN_SPREAD_MS);
    Millis::new(most.min(doubled + spread))
}
