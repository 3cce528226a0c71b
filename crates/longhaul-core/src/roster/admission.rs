//! Slots: a body counts from its admission until it is gone, however it was admitted and whatever
//! was decided about it meanwhile.

use super::id::Id;
use super::owners::OwnerName;
use super::row::{Ask, Row, State, Waiting};
use super::{Key, Refused, Roster, Want};
use crate::time::Timestamp;

/// The answer to a body that asks to be running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It has a slot.
    Admitted,
    /// [`Want::Admit`] will say when it has one.
    Waits,
    /// It is to stop instead.
    Over,
}

impl Roster {
    /// Registers a job whose body begins now. It is there, counted and has its id before its body
    /// does anything.
    pub fn register(
        &mut self,
        owner: &OwnerName,
        ask: Ask,
        now: Timestamp,
    ) -> Result<(Key, Id), Refused> {
        if self.is_closed {
            return Err(Refused::Disposed);
        }
        if self.rows.len() >= self.terms.jobs_max {
            return Err(Refused::TooMany { jobs: self.terms.jobs_max });
        }
        // Whoever waits goes before whoever comes: after the slots grew some may still wait.
        self.admit(now);
        if !ask.queued && self.running >= self.slots {
            return Err(Refused::AtCapacity { running: self.running, slots: self.slots });
        }
        let id = self.names.choose(ask.id.as_deref())?;
        let owner = self.owners.find_or_make(owner);
        self.numbered += 1;
        let number = self.numbered;
        let key = self.rows.insert(|key| Row::new(key, id.clone(), owner, ask, now));
        self.names.take(id.clone(), key);
        let row = self.rows.at_mut(key);
        row.number = number;
        let (is_running, is_counted) = (row.has_slot, !row.is_foreground);
        let theirs = self.owners.at_mut(owner);
        theirs.listed.insert(number, key);
        theirs.rows += 1;
        theirs.active += usize::from(is_counted);
        self.alive += 1;
        if is_running {
            self.running += 1;
            self.watch_the_clock(key, now);
        }
        Ok((key, id))
    }

    /// A queued body asks to be running. Asking again changes nothing.
    pub fn mark_running(&mut self, key: Key, attempt: u32, now: Timestamp) -> Admission {
        let Some(row) = self.rows.get(key).filter(|row| row.attempt == attempt && row.is_alive)
        else {
            return Admission::Over;
        };
        match row.state {
            State::Running => Admission::Admitted,
            State::Stopping(_) | State::Ended => Admission::Over,
            State::Queued(Waiting::Body) => {
                let turn = self.turn();
                self.rows.at_mut(key).state = State::Queued(Waiting::Slot(turn));
                self.waiting.insert(turn, key);
                self.admit(now);
                match self.rows.at(key).state {
                    State::Running => {
                        // The asker has its answer; nobody has to tell it again.
                        self.wants.retain(|want| *want != Want::Admit(key));
                        Admission::Admitted
                    }
                    _ => Admission::Waits,
                }
            }
            State::Queued(_) => Admission::Waits,
        }
    }

    /// Says how many bodies may run. Fewer than run now stop nobody.
    pub fn set_slots(&mut self, slots: u32, now: Timestamp) {
        self.slots = slots.max(1) as usize;
        self.admit(now);
    }

    /// Gives free slots to whoever waits, longest first.
    pub(super) fn admit(&mut self, now: Timestamp) {
        while self.running < self.slots {
            let Some((_, key)) = self.waiting.pop_first() else { return };
            let row = self.rows.at_mut(key);
            let is_again = !row.is_alive;
            row.state = State::Running;
            row.has_slot = true;
            row.started_at.get_or_insert(now);
            if is_again {
                row.is_alive = true;
                row.attempt += 1;
                self.alive += 1;
                self.wants.push(Want::Run(key, row.attempt));
            } else {
                self.wants.push(Want::Admit(key));
            }
            self.running += 1;
            self.watch_the_clock(key, now);
        }
    }

    fn watch_the_clock(&mut self, key: Key, now: Timestamp) {
        let timeout = self.rows.at(key).timeout;
        if timeout.is_some() {
            self.set_due(key, timeout.map(|span| now.plus(span)));
        }
    }
}
