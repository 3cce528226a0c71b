//! Owners: each with its jobs, its line of what it is owed, its sink, and what could not be told.

use super::Key;
use super::views::DeadLetter;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Names one owner while it has jobs, a sink or dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnerKey(u32);

/// Names one registration of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkKey(pub(super) u64);

/// Whose job it is. Jobs of nobody form an owner of their own.
pub type OwnerName = Option<Arc<str>>;

#[derive(Debug, Default)]
pub(super) struct Owner {
    pub(super) name: OwnerName,
    pub(super) sink: Option<SinkKey>,
    /// Jobs that have its ids, oldest first.
    pub(super) listed: BTreeMap<u64, Key>,
    /// All rows, also those that are out of sight.
    pub(super) rows: usize,
    /// Visible jobs without a verdict, and how many of them are watched.
    pub(super) active: usize,
    pub(super) active_watched: usize,
    pub(super) ready: BTreeMap<u64, Key>,
    pub(super) delayed: BTreeSet<(Timestamp, Key)>,
    pub(super) in_flight: BTreeSet<Key>,
    pub(super) held: BTreeSet<Key>,
    /// With their numbers in the table of all.
    pub(super) dead: VecDeque<(u64, DeadLetter)>,
}

#[derive(Debug, Default)]
pub(super) struct Owners {
    by_name: BTreeMap<OwnerName, OwnerKey>,
    places: Vec<Option<Box<Owner>>>,
    free: Vec<u32>,
}

impl Owners {
    pub(super) fn find(&self, name: &OwnerName) -> Option<OwnerKey> {
        self.by_name.get(name).copied()
    }

    pub(super) fn find_or_make(&mut self, name: &OwnerName) -> OwnerKey {
        if let Some(key) = self.find(name) {
            return key;
        }
        let owner = Some(Box::new(Owner { name: name.clone(), ..Owner::default() }));
        let place = if let Some(place) = self.free.pop() {
            self.places[place as usize] = owner;
            place
        } else {
            self.places.push(owner);
            u32::try_from(self.places.len() - 1).expect("owners have jobs, and jobs have a limit")
        };
        self.by_name.insert(name.clone(), OwnerKey(place));
        OwnerKey(place)
    }

    pub(super) fn get(&self, key: OwnerKey) -> Option<&Owner> {
        self.places[key.0 as usize].as_deref()
    }

    pub(super) fn at(&self, key: OwnerKey) -> &Owner {
        let owner = self.places[key.0 as usize].as_deref();
        owner.expect("an owner stays while it has rows, a sink or dead letters")
    }

    pub(super) fn at_mut(&mut self, key: OwnerKey) -> &mut Owner {
        let owner = self.places[key.0 as usize].as_deref_mut();
        owner.expect("an owner stays while it has rows, a sink or dead letters")
    }

    /// Forgets an owner that nothing keeps.
    pub(super) fn tidy(&mut self, key: OwnerKey) {
        let owner = self.at(key);
        if owner.rows == 0 && owner.sink.is_none() && owner.dead.is_empty() {
            self.by_name.remove(&owner.name.clone());
            self.places[key.0 as usize] = None;
            self.free.push(key.0);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = OwnerKey> + '_ {
        self.by_name.values().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}
