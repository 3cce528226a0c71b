//! Who has the news already, or will fetch it: watchers, and those who acknowledge or consume.

use super::owners::OwnerName;
use super::row::Owed;
use super::{Id, Key, Refused, Roster};
use crate::time::Timestamp;
use std::collections::BTreeSet;

impl Roster {
    /// Holds back what these jobs have to tell until [`Self::unwatch`]. Counted: each watcher holds
    /// by itself. Refuses if one is not there, and then holds none.
    pub fn watch<'a>(
        &mut self,
        owner: &OwnerName,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Key>, Refused> {
        let mut keys = BTreeSet::new();
        for id in ids.into_iter().map(Id::parse).filter(|id| !id.is_blank()) {
            let key = self.find_visible(owner, &id);
            keys.insert(key.ok_or_else(|| Refused::UnknownJob(id.to_string()))?);
        }
        for key in &keys {
            self.watch_one(*key);
        }
        Ok(keys.into_iter().collect())
    }

    fn watch_one(&mut self, key: Key) {
        self.change(key, |row| row.watchers += 1);
        match self.rows.at(key).owed {
            Owed::Ready { .. } | Owed::Delayed { .. } => self.set_owed(key, Owed::Held),
            // A try that is under way is not called back.
            Owed::InFlight { .. } | Owed::Held => {}
            Owed::Nothing | Owed::Hidden | Owed::Delivered | Owed::Settled => {}
        }
    }

    /// Lets go of what one [`Self::watch`] held. What is still owed is told now, once.
    pub fn unwatch(&mut self, keys: &[Key], now: Timestamp) {
        for key in keys {
            let is_watched = self.rows.get(*key).is_some_and(|row| row.watchers > 0);
            if !is_watched {
                continue;
            }
            let is_free = self.change(*key, |row| {
                row.watchers -= 1;
                row.watchers == 0
            });
            if is_free && self.rows.at(*key).owed == Owed::Held {
                self.line_up(*key, now);
            }
        }
    }

    /// The owner knows of these ends: they are not told, or not again. Gives how many were about to
    /// be. Of jobs that have not ended nothing can be known yet: their end is told as ever.
    pub fn acknowledge<'a>(
        &mut self,
        owner: &OwnerName,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> usize {
        let keys = self.ended_of(owner, ids);
        keys.into_iter().filter(|key| self.acknowledge_one(*key)).count()
    }

    /// The owner has these results: as [`Self::acknowledge`], and they go out of sight sooner. Gives
    /// how many were not consumed before.
    pub fn consume<'a>(
        &mut self,
        owner: &OwnerName,
        ids: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> usize {
        let keys = self.ended_of(owner, ids);
        keys.into_iter().filter(|key| self.consume_key(*key, now)).count()
    }

    /// Consumes one job by its key, if it has ended and was not consumed.
    pub fn consume_key(&mut self, key: Key, now: Timestamp) -> bool {
        if self.rows.get(key).is_none_or(|row| !row.is_over()) {
            return false;
        }
        self.acknowledge_one(key);
        let is_new = !self.rows.at(key).is_consumed;
        if is_new {
            self.consumed(key, now);
            self.forget_if_done(key);
        }
        is_new
    }

    fn acknowledge_one(&mut self, key: Key) -> bool {
        let row = self.rows.at_mut(key);
        row.is_acknowledged = true;
        match row.owed {
            Owed::Ready { .. } | Owed::Delayed { .. } => {
                self.set_owed(key, Owed::Settled);
                true
            }
            Owed::Held | Owed::Hidden => {
                self.set_owed(key, Owed::Settled);
                false
            }
            Owed::InFlight { .. } | Owed::Nothing | Owed::Delivered | Owed::Settled => false,
        }
    }

    fn ended_of<'a>(
        &self,
        owner: &OwnerName,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<Key> {
        let ids = ids.into_iter().map(Id::parse);
        let keys = ids.filter_map(|id| self.find_visible(owner, &id));
        keys.filter(|key| self.rows.at(*key).is_over()).collect()
    }
}
