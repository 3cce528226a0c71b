//! How jobs leave: out of sight when retention ends, forgotten when nothing is owed and no body is
//! left. What could not be told becomes a dead letter of its owner.

use super::owners::OwnerKey;
use super::row::Owed;
use super::views::DeadLetter;
use super::{Key, OwnerName, Refused, Roster, Want};
use crate::limits;
use crate::time::Timestamp;

impl Roster {
    /// The hour of an ended job has come: first its id becomes free, later what is owed is given up.
    pub(super) fn retire(&mut self, key: Key, now: Timestamp) {
        self.unlist(key);
        let owed = self.rows.at(key).owed;
        let dead_at = self.dead_at(key);
        match owed {
            // Of a try under way too: it may fail, and then nobody else would come back to it.
            Owed::Held | Owed::Ready { .. } | Owed::Delayed { .. } | Owed::InFlight { .. }
                if now < dead_at =>
            {
                self.set_due(key, Some(dead_at));
                return;
            }
            Owed::Held | Owed::Ready { .. } | Owed::Delayed { .. } => return self.die(key, now),
            Owed::InFlight { .. } | Owed::Nothing | Owed::Hidden => {}
            Owed::Delivered | Owed::Settled => {}
        }
        // Whoever keeps something out of sight has it; nobody else was promised anything.
        if owed == Owed::Hidden {
            self.set_owed(key, Owed::Settled);
        }
        self.forget_if_done(key);
    }

    /// When a result is no longer tried to be told.
    pub(super) fn dead_at(&self, key: Key) -> Timestamp {
        let ended_at = self.rows.at(key).ended_at;
        ended_at.map_or(Timestamp::MAX, |at| at.plus(self.terms.undelivered_retention))
    }

    /// Gives up telling: the owner finds it among its dead letters.
    pub(super) fn die(&mut self, key: Key, now: Timestamp) {
        let letter = self.letter(key, now);
        let owner = self.rows.at(key).owner;
        let number = self.turn();
        self.dead.insert(number, owner);
        let theirs = self.owners.at_mut(owner);
        theirs.dead.push_back((number, letter));
        if theirs.dead.len() > limits::DEAD_LETTERS_MAX {
            self.drop_oldest_letter(owner);
        }
        if self.dead.len() > limits::DEAD_LETTERS_ALL_MAX {
            let oldest = self.dead.first_key_value().map(|(_, owner)| *owner);
            self.drop_oldest_letter(oldest.expect("there are more than the limit"));
        }
        self.set_owed(key, Owed::Settled);
        self.forget_if_done(key);
    }

    fn drop_oldest_letter(&mut self, owner: OwnerKey) {
        let oldest = self.owners.at_mut(owner).dead.pop_front();
        let (number, letter) = oldest.expect("each number in the table of all has its letter");
        self.dead.remove(&number);
        self.wants.push(Want::Dropped(Box::new(letter)));
        self.owners.tidy(owner);
    }

    fn take_letters_of(&mut self, owner: OwnerKey) -> Vec<DeadLetter> {
        let letters = std::mem::take(&mut self.owners.at_mut(owner).dead);
        for (number, _) in &letters {
            self.dead.remove(number);
        }
        letters.into_iter().map(|(_, letter)| letter).collect()
    }

    pub(super) fn unlist(&mut self, key: Key) {
        if !self.rows.at(key).is_listed {
            return;
        }
        self.change(key, |row| row.is_listed = false);
        let row = self.rows.at(key);
        self.names.give_back(&row.id);
        self.owners.at_mut(row.owner).listed.remove(&row.number);
    }

    /// Forgets a job that is out of sight, unless a body or a debt is left of it.
    pub(super) fn forget_if_done(&mut self, key: Key) {
        let row = self.rows.at(key);
        if row.is_listed || row.is_alive || row.owed.is_open() || !row.is_over() {
            return;
        }
        let owner = row.owner;
        self.set_due(key, None);
        self.rows.remove(key);
        self.owners.at_mut(owner).rows -= 1;
        self.owners.tidy(owner);
    }

    /// The dead letters of this owner, which has them then: they are kept no longer.
    pub fn take_dead_letters(&mut self, owner: &OwnerName) -> Vec<DeadLetter> {
        let Some(key) = self.owners.find(owner) else { return Vec::new() };
        let letters = self.take_letters_of(key);
        self.owners.tidy(key);
        letters
    }

    /// The dead letters of this owner, oldest first.
    pub fn dead_letters(&self, owner: &OwnerName) -> Vec<DeadLetter> {
        let key = self.owners.find(owner);
        key.map(|key| self.owners.at(key).dead.iter().map(|(_, letter)| letter.clone()).collect())
            .unwrap_or_default()
    }

    /// An owner begins anew under its old name: its jobs are stopped and gone from sight, and
    /// nothing of them is told any more. Gives how many bodies are left to end.
    pub fn supersede(&mut self, owner: &OwnerName, now: Timestamp) -> usize {
        let Some(key) = self.owners.find(owner) else { return 0 };
        let theirs = self.owners.at(key);
        let mut jobs: Vec<Key> = theirs.listed.values().copied().collect();
        jobs.extend(theirs.ready.values());
        jobs.extend(theirs.delayed.iter().map(|(_, key)| key));
        jobs.extend(theirs.in_flight.iter().chain(&theirs.held));
        jobs.sort();
        jobs.dedup();
        let mut alive = 0;
        for job in jobs {
            alive += usize::from(self.supersede_one(job, now));
        }
        if let Some(key) = self.owners.find(owner) {
            let letters = self.take_letters_of(key);
            self.wants.extend(letters.into_iter().map(|letter| Want::Dropped(Box::new(letter))));
            self.owners.tidy(key);
        }
        self.admit(now);
        alive
    }

    fn supersede_one(&mut self, key: Key, now: Timestamp) -> bool {
        let row = self.rows.at(key);
        if let Owed::InFlight { .. } = row.owed {
            self.wants.push(Want::Abandon(key, row.tries));
        }
        self.change(key, |row| row.is_released = true);
        if self.rows.at(key).owed.is_open() {
            self.set_owed(key, Owed::Settled);
        }
        self.unlist(key);
        let is_alive = self.rows.at(key).is_alive;
        self.stop(key, super::Stop::Superseded, now);
        if self.rows.get(key).is_some() {
            self.forget_if_done(key);
        }
        is_alive
    }

    /// Registers nothing any more.
    pub const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether [`Self::close`] was asked.
    pub fn check_open(&self) -> Result<(), Refused> {
        if self.is_closed { Err(Refused::Disposed) } else { Ok(()) }
    }

    /// Gives up telling anything: all that is owed, dead letters first. Nothing is owed afterwards.
    pub fn take_undelivered(&mut self, now: Timestamp) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        let owners: Vec<_> = self.owners.keys().collect();
        for owner in owners {
            letters.extend(self.take_letters_of(owner));
            let theirs = self.owners.at(owner);
            let mut owed: Vec<Key> = theirs.ready.values().copied().collect();
            owed.extend(theirs.delayed.iter().map(|(_, key)| key));
            owed.extend(theirs.in_flight.iter().chain(&theirs.held));
            // In the order of the jobs, whatever became of their tries.
            owed.sort_by_key(|key| self.rows.at(*key).number);
            for key in owed {
                let row = self.rows.at(key);
                if let Owed::InFlight { .. } = row.owed {
                    self.wants.push(Want::Abandon(key, row.tries));
                }
                letters.push(self.letter(key, now));
                self.set_owed(key, Owed::Settled);
            }
        }
        letters
    }
}
