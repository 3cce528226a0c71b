//! What becomes of a job: stop, end, retry, orphan.

use super::owners::OwnerName;
use super::row::{Output, Owed, Report, State, Stop, Verdict, Waiting};
use super::views::Scope;
use super::{Id, Key, Roster, Want, bounds};
use crate::backoff;
use crate::limits;
use crate::outcome::Ending;
use crate::time::{Millis, Timestamp};
use serde_json::Value;
use std::sync::Arc;

impl Roster {
    /// Cancels the job of this owner. False if there is none, or it is stopping or over already.
    pub fn cancel(&mut self, owner: &OwnerName, id: &Id, stop: Stop, now: Timestamp) -> bool {
        self.find_visible(owner, id).is_some_and(|key| self.stop(key, stop, now))
    }

    /// Cancels every job in `scope` that has not ended, also those out of sight. Gives their keys.
    pub fn cancel_all(&mut self, scope: &Scope, stop: &Stop, now: Timestamp) -> Vec<Key> {
        let keys: Vec<Key> = match scope {
            Scope::All => self.rows.keys().collect(),
            Scope::Owner(name) => {
                let owner = self.owners.find(name).map(|owner| self.owners.at(owner));
                owner.map(|owner| owner.listed.values().copied().collect()).unwrap_or_default()
            }
        };
        keys.into_iter().filter(|key| self.stop(*key, stop.clone(), now)).collect()
    }

    /// Cancels one job by its key: for whoever holds it, in sight or not.
    pub fn stop(&mut self, key: Key, stop: Stop, now: Timestamp) -> bool {
        let Some(row) = self.rows.get(key) else { return false };
        match row.state {
            State::Stopping(_) | State::Ended => return false,
            State::Queued(Waiting::Hour(_)) => {}
            State::Queued(Waiting::Slot(turn) | Waiting::Again(turn)) => {
                self.waiting.remove(&turn);
            }
            State::Queued(Waiting::Body) | State::Running => {}
        }
        if self.rows.at(key).is_alive {
            self.wants.push(Want::Cancel(key, stop.clone()));
            self.rows.at_mut(key).state = State::Stopping(stop);
            self.set_due(key, Some(now.plus(self.terms.orphan_after)));
        } else {
            let because = Some(Arc::from(stop.words()));
            let ending = stop.ending();
            self.judge(key, Verdict { ending, because, output: None, is_orphan: false }, now);
        }
        true
    }

    /// The body of this attempt is gone. False if that is no news.
    pub fn ended(&mut self, key: Key, attempt: u32, report: Report, now: Timestamp) -> bool {
        let is_news = |row: &&super::row::Row| row.attempt == attempt && row.is_alive;
        if self.rows.get(key).filter(is_news).is_none() {
            return false;
        }
        let row = self.rows.at_mut(key);
        row.is_alive = false;
        self.alive -= 1;
        if std::mem::take(&mut row.has_slot) {
            self.running -= 1;
        }
        if let State::Queued(Waiting::Slot(turn)) = row.state {
            self.waiting.remove(&turn);
        }
        if row.is_over() {
            // Its verdict fell long ago; what it says now changes nothing.
            self.orphans.remove(&key);
            self.forget_if_done(key);
        } else if self.may_retry(key, &report) {
            self.retry_later(key, now);
        } else {
            let verdict = self.verdict_on(key, report);
            self.judge(key, verdict, now);
        }
        self.admit(now);
        true
    }

    fn may_retry(&self, key: Key, report: &Report) -> bool {
        let row = self.rows.at(key);
        let is_stopping = matches!(row.state, State::Stopping(_));
        let has_failed = matches!(report, Report::Failed { .. });
        has_failed && !is_stopping && !self.is_closed && row.attempt <= row.retries
    }

    fn retry_later(&mut self, key: Key, now: Timestamp) {
        let row = self.rows.at_mut(key);
        let most = limits::RETRY_DELAY_MAX;
        let delay = backoff::delay(&row.id.to_string(), row.attempt, row.retry_delay, most);
        let at = now.plus(delay);
        row.state = State::Queued(Waiting::Hour(at));
        self.set_due(key, Some(at));
    }

    fn verdict_on(&self, key: Key, report: Report) -> Verdict {
        let stop = match &self.rows.at(key).state {
            State::Stopping(stop) => Some(stop),
            State::Queued(_) | State::Running | State::Ended => None,
        };
        let share = |output: Output| {
            // Nothing needs no room.
            (output != Output::default()).then(|| Arc::new(bounds::clip_output(output)))
        };
        let (ending, because, output) = match report {
            Report::Returned(output) => (Ending::Succeeded, None, share(output)),
            Report::Failed { error, output } => {
                let error = bounds::clip_text(error, limits::MESSAGE_BYTES_MAX).0;
                (Ending::Failed, Some(Arc::from(error)), output.and_then(share))
            }
            Report::Dropped => {
                (Ending::Lost, Some(Arc::from("its body was dropped before it was done")), None)
            }
        };
        let Some(stop) = stop else {
            return Verdict { ending, because, output, is_orphan: false };
        };
        // What a body says while it is stopped is kept, but decides nothing.
        let said = because.filter(|_| ending == Ending::Failed);
        let because = said.or_else(|| Some(Arc::from(stop.words())));
        Verdict { ending: stop.ending(), because, output, is_orphan: false }
    }

    /// The verdict falls: retention begins, the owner is owed the news, waiters are told.
    fn judge(&mut self, key: Key, verdict: Verdict, now: Timestamp) {
        self.change(key, |row| {
            row.state = State::Ended;
            row.ended_at = Some(now);
            row.verdict = Some(verdict.clone());
        });
        self.set_due(key, Some(now.plus(self.terms.retention)));
        if self.rows.at(key).is_released {
            self.unlist(key);
        }
        self.owe(key, now);
        self.wants.push(Want::Ended(key, verdict));
        self.forget_if_done(key);
    }

    pub(super) fn life_due(&mut self, key: Key, now: Timestamp) {
        match &self.rows.at(key).state {
            State::Queued(Waiting::Hour(_)) => {
                let turn = self.turn();
                self.rows.at_mut(key).state = State::Queued(Waiting::Again(turn));
                self.waiting.insert(turn, key);
            }
            State::Running => {
                self.stop(key, Stop::Timeout, now);
            }
            State::Stopping(stop) => {
                let (ending, because) = (stop.ending(), Some(Arc::from(stop.words())));
                self.orphans.insert(key);
                self.wants.push(Want::Orphaned(key));
                self.judge(key, Verdict { ending, because, output: None, is_orphan: true }, now);
            }
            State::Ended => self.retire(key, now),
            // These have no timer.
            State::Queued(Waiting::Body | Waiting::Slot(_) | Waiting::Again(_)) => {}
        }
    }

    /// The body says how far it is. True if whoever listens should hear it: not more often than the
    /// limit says. The last details are kept, within bounds.
    pub fn progressed(&mut self, key: Key, attempt: u32, details: Value, now: Timestamp) -> bool {
        let row = self.rows.get_mut(key);
        let Some(row) = row.filter(|row| row.attempt == attempt && row.is_alive) else {
            return false;
        };
        row.details = Some(Box::new(bounds::clip_details(details)));
        let quiet: Option<Millis> = row.told_details_at.map(|at| now.since(at));
        let is_time = quiet.is_none_or(|quiet| quiet >= limits::TASK_PROGRESS_EVERY);
        if is_time {
            row.told_details_at = Some(now);
        }
        is_time
    }

    /// What was hidden becomes an ordinary job, and is told if it has ended already.
    pub fn promote(&mut self, key: Key, now: Timestamp) -> bool {
        // Out of retention there is nothing left to tell, though a body may still be there.
        let is_hidden =
            |row: &&super::row::Row| row.is_foreground && !row.is_released && row.is_listed;
        if self.rows.get(key).filter(is_hidden).is_none() {
            return false;
        }
        self.change(key, |row| row.is_foreground = false);
        if self.rows.at(key).owed == Owed::Hidden {
            self.line_up(key, now);
        }
        true
    }

    /// What was hidden stays so: it is never listed, never told, and gone once it has ended.
    pub fn release(&mut self, key: Key) -> bool {
        let is_hidden = |row: &&super::row::Row| row.is_foreground && !row.is_released;
        if self.rows.get(key).filter(is_hidden).is_none() {
            return false;
        }
        self.change(key, |row| row.is_released = true);
        if self.rows.at(key).is_over() {
            self.set_owed(key, Owed::Settled);
            self.unlist(key);
            self.forget_if_done(key);
        }
        true
    }
}
