//! What can be seen: jobs, deliveries, totals. Looking changes nothing.

use super::owners::{Owner, OwnerName};
use super::row::{Owed, Row, State, Verdict};
use super::{Id, Key, Roster};
use crate::limits;
use crate::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Whose jobs are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner; of nobody, for those without.
    Owner(OwnerName),
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no slot yet, or waits to be run again.
    Queued,
    /// Its body has a slot.
    Running,
    /// It is to end, and its body has not.
    Stopping,
    /// It is over.
    Ended,
}

/// Where the telling of a result stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStanding {
    /// There is nothing to tell.
    Nothing,
    /// Somebody watches, and will fetch it.
    Watched,
    /// It waits for its turn, or for a sink.
    Pending,
    /// It is tried again at this hour.
    Delayed(Timestamp),
    /// A try is being made.
    Delivering,
    /// The sink took it.
    Delivered,
    /// The owner knew of it before.
    Settled,
}

/// One job, as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub owner: OwnerName,
    /// The kind of its body, if that was registered.
    pub kind: Option<Arc<str>>,
    /// For people.
    pub label: Option<Box<str>>,
    /// The agent whose work it is.
    pub agent: Option<Arc<str>>,
    /// Where it stands. An orphan is still stopping, with its verdict.
    pub standing: Standing,
    /// The attempt that runs or ran last, from 1.
    pub attempt: u32,
    /// Whether a body of it takes a slot.
    pub has_slot: bool,
    /// Its body ignored its cancellation for too long and has not ended yet.
    pub is_orphan: bool,
    /// Whether somebody watches it.
    pub is_watched: bool,
    /// Whether its result was fetched or delivered; the output is left out then.
    pub is_consumed: bool,
    /// What its body said last of its progress.
    pub details: Option<Value>,
    /// Its end. Without output once consumed.
    pub verdict: Option<Verdict>,
    /// Where the telling stands.
    pub delivery: DeliveryStanding,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its body first had a slot.
    pub started_at: Option<Timestamp>,
    /// When its verdict fell.
    pub ended_at: Option<Timestamp>,
}

/// What a sink is given: the end of one job, whole, whatever has become of the job meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Stable over all tries, and given to no other result: whoever has it can drop doubles.
    pub delivery: u64,
    /// Which try this is, from 1.
    pub number: u32,
    /// The job's id, which another may have by now.
    pub id: Id,
    /// Who is told.
    pub owner: OwnerName,
    /// The kind of its body, if that was registered.
    pub kind: Option<Arc<str>>,
    /// For people.
    pub label: Option<Box<str>>,
    /// The agent whose work it was.
    pub agent: Option<Arc<str>>,
    /// How it ended.
    pub verdict: Verdict,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its verdict fell.
    pub ended_at: Timestamp,
}

/// A result that could not be told.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// What should have been told.
    pub news: News,
    /// Why it was not: what the last try came to, or that there was none.
    pub because: Box<str>,
    /// When it was given up.
    pub at: Timestamp,
}

/// Counts of what is owed, kept up with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owing {
    /// In a line.
    pub ready: usize,
    /// Of those, in a line without a sink.
    pub stranded: usize,
    /// Between two tries.
    pub delayed: usize,
    /// Being tried.
    pub in_flight: usize,
    /// Held back by watchers.
    pub held: usize,
}

/// What is left to tell, and when something happens about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Results that wait, are being tried, or are tried again.
    pub pending: usize,
    /// Of those, the ones whose owner has no sink.
    pub without_sink: usize,
    /// Of those, the ones being tried now.
    pub delivering: usize,
    /// Results that somebody watches: they are not pending, and not delivered either.
    pub watched: usize,
    /// When the next failed one is tried again.
    pub next_try_at: Option<Timestamp>,
    /// The first ids of those that are pending.
    pub pending_ids: Vec<Id>,
    /// Dead letters that nobody took.
    pub dead: usize,
}

/// The whole roster in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bodies that have a slot.
    pub running: usize,
    /// Slots there are.
    pub slots: usize,
    /// Bodies that have not ended, with a slot or without.
    pub alive: usize,
    /// Of those, the ones that ignored their cancellation for too long.
    pub orphans: usize,
    /// Jobs that are kept, those that are only owed included.
    pub jobs: usize,
    /// Owners that have jobs, a sink or dead letters.
    pub owners: usize,
    /// What is owed.
    pub owing: Owing,
}

impl Roster {
    /// The job of this owner. Another owner's does not exist.
    pub fn get(&self, owner: &OwnerName, id: &Id) -> Option<Snapshot> {
        self.find_visible(owner, id).map(|key| self.shown(self.rows.at(key)))
    }

    /// The job of this owner, to be asked about by key from then on.
    pub fn find(&self, owner: &OwnerName, id: &Id) -> Option<Key> {
        self.find_visible(owner, id)
    }

    /// One job by its key, in sight or not; none once it is forgotten.
    pub fn look(&self, key: Key) -> Option<Snapshot> {
        self.rows.get(key).map(|row| self.shown(row))
    }

    /// The verdict on one job, with its output.
    pub fn verdict(&self, key: Key) -> Option<Verdict> {
        self.rows.get(key)?.verdict.clone()
    }

    /// The jobs in `scope`, newest first.
    pub fn list(&self, scope: &Scope) -> Vec<Snapshot> {
        let mut rows: Vec<&Row> = match scope {
            Scope::All => self.rows.keys().map(|key| self.rows.at(key)).collect(),
            Scope::Owner(name) => {
                let owner = self.owners.find(name).map(|key| self.owners.at(key));
                let listed = owner.into_iter().flat_map(|owner| owner.listed.values());
                listed.map(|key| self.rows.at(*key)).collect()
            }
        };
        rows.retain(|row| row.is_visible());
        rows.sort_by_key(|row| std::cmp::Reverse(row.number));
        rows.into_iter().map(|row| self.shown(row)).collect()
    }

    /// The jobs of this owner that have a verdict nobody has fetched, oldest first.
    pub fn unfetched(&self, owner: &OwnerName) -> Vec<Key> {
        let owner = self.owners.find(owner).map(|key| self.owners.at(key));
        let listed = owner.into_iter().flat_map(|owner| owner.listed.values()).copied();
        listed.filter(|key| is_unfetched(self.rows.at(*key))).collect()
    }

    /// The visible jobs of this owner that have no verdict, oldest first.
    pub fn open(&self, owner: &OwnerName) -> Vec<Key> {
        let owner = self.owners.find(owner).map(|key| self.owners.at(key));
        let listed = owner.into_iter().flat_map(|owner| owner.listed.values()).copied();
        let is_open = |row: &Row| row.is_visible() && !row.is_over();
        listed.filter(|key| is_open(self.rows.at(*key))).collect()
    }

    /// How many visible jobs of this owner have no verdict; and how many of those are watched.
    pub fn active(&self, owner: &OwnerName) -> (usize, usize) {
        let owner = self.owners.find(owner).map(|key| self.owners.at(key));
        owner.map_or((0, 0), |owner| (owner.active, owner.active_watched))
    }

    /// Whether the verdict on this job has fallen, or it is forgotten.
    pub fn is_judged(&self, key: Key) -> bool {
        self.rows.get(key).is_none_or(Row::is_over)
    }

    /// Whether a body of this job has not ended.
    pub fn is_alive(&self, key: Key) -> bool {
        self.rows.get(key).is_some_and(|row| row.is_alive)
    }

    /// The jobs in `scope` of which a body has not ended. Of one owner only those with their ids.
    pub fn alive(&self, scope: &Scope) -> Vec<Key> {
        let keys: Vec<Key> = match scope {
            Scope::All => self.rows.keys().collect(),
            Scope::Owner(name) => {
                let owner = self.owners.find(name).map(|key| self.owners.at(key));
                owner.map(|owner| owner.listed.values().copied().collect()).unwrap_or_default()
            }
        };
        keys.into_iter().filter(|key| self.is_alive(*key)).collect()
    }

    /// Whether this is a verdict that its owner does not have.
    pub fn is_unfetched(&self, key: Key) -> bool {
        self.rows.get(key).is_some_and(is_unfetched)
    }

    /// What is left to tell in `scope`.
    pub fn left(&self, scope: &Scope) -> Left {
        match scope {
            Scope::All => {
                let Owing { ready, stranded, delayed, in_flight, held } = self.owing;
                Left {
                    pending: ready + delayed + in_flight,
                    without_sink: stranded,
                    delivering: in_flight,
                    watched: held,
                    next_try_at: self.timers.again.first().map(|(at, _)| *at),
                    pending_ids: Vec::new(),
                    dead: self.dead.len(),
                }
            }
            Scope::Owner(name) => {
                let owner = self.owners.find(name).map(|key| self.owners.at(key));
                owner.map(|owner| self.left_of(owner)).unwrap_or_default()
            }
        }
    }

    fn left_of(&self, owner: &Owner) -> Left {
        let ready = owner.ready.values();
        let delayed = owner.delayed.iter().map(|(_, key)| key);
        let pending = owner.in_flight.iter().chain(ready).chain(delayed);
        let ids = pending.take(limits::PENDING_IDS_MAX).map(|key| self.rows.at(*key).id.clone());
        let stranded = if owner.sink.is_none() { owner.ready.len() } else { 0 };
        Left {
            pending: owner.ready.len() + owner.delayed.len() + owner.in_flight.len(),
            without_sink: stranded,
            delivering: owner.in_flight.len(),
            watched: owner.held.len(),
            next_try_at: owner.delayed.first().map(|(at, _)| *at),
            pending_ids: ids.collect(),
            dead: owner.dead.len(),
        }
    }

    /// The whole in numbers.
    pub fn totals(&self) -> Totals {
        Totals {
            running: self.running,
            slots: self.slots,
            alive: self.alive,
            orphans: self.orphans.len(),
            jobs: self.rows.len(),
            owners: self.owners.len(),
            owing: self.owing,
        }
    }

    /// Bodies that ignored their cancellation for too long and have not ended.
    pub fn orphans(&self) -> Vec<Snapshot> {
        self.orphans.iter().map(|key| self.shown(self.rows.at(*key))).collect()
    }

    /// What the sink is given in this try; none if the try is not being made any more.
    pub fn news(&self, key: Key, number: u32) -> Option<News> {
        self.is_current(key, number).then(|| self.news_of(key))
    }

    pub(super) fn letter(&self, key: Key, now: Timestamp) -> DeadLetter {
        let row = self.rows.at(key);
        let has_sink = self.owners.at(row.owner).sink.is_some();
        let because = match &row.trouble {
            Some(trouble) => trouble.clone(),
            None if has_sink => "it was not fetched by those who watched it".into(),
            None => "its owner had no sink".into(),
        };
        DeadLetter { news: self.news_of(key), because, at: now }
    }

    fn news_of(&self, key: Key) -> News {
        let row = self.rows.at(key);
        News {
            delivery: row.number,
            number: row.tries,
            id: row.id.clone(),
            owner: self.owners.at(row.owner).name.clone(),
            kind: row.kind.clone(),
            label: row.label.clone(),
            agent: row.agent.clone(),
            verdict: row.verdict.clone().expect("only what has ended is owed"),
            created_at: row.created_at,
            ended_at: row.ended_at.expect("only what has ended is owed"),
        }
    }

    fn shown(&self, row: &Row) -> Snapshot {
        let mut verdict = row.verdict.clone();
        if row.is_consumed
            && let Some(verdict) = &mut verdict
        {
            verdict.output = None;
        }
        Snapshot {
            id: row.id.clone(),
            owner: self.owners.at(row.owner).name.clone(),
            kind: row.kind.clone(),
            label: row.label.clone(),
            agent: row.agent.clone(),
            standing: standing(row),
            attempt: row.attempt,
            has_slot: row.has_slot,
            is_orphan: row.is_over() && row.is_alive,
            is_watched: row.watchers > 0,
            is_consumed: row.is_consumed,
            details: row.details.as_deref().cloned(),
            verdict,
            delivery: delivery(row),
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

const fn is_unfetched(row: &Row) -> bool {
    row.is_visible() && row.is_over() && !row.is_consumed && !row.is_acknowledged
}

const fn standing(row: &Row) -> Standing {
    match row.state {
        State::Queued(_) => Standing::Queued,
        State::Running => Standing::Running,
        State::Stopping(_) => Standing::Stopping,
        State::Ended if row.is_alive => Standing::Stopping,
        State::Ended => Standing::Ended,
    }
}

const fn delivery(row: &Row) -> DeliveryStanding {
    match row.owed {
        Owed::Nothing | Owed::Hidden => DeliveryStanding::Nothing,
        Owed::Held => DeliveryStanding::Watched,
        Owed::Ready { .. } => DeliveryStanding::Pending,
        Owed::Delayed { at, .. } => DeliveryStanding::Delayed(at),
        Owed::InFlight { .. } => DeliveryStanding::Delivering,
        Owed::Delivered => DeliveryStanding::Delivered,
        Owed::Settled => DeliveryStanding::Settled,
    }
}
