//! What the memory twin finds deliveries by, and the scans that only deliveries have.

use super::index::swap_set;
use crate::rules::DEAD;
use longhaul_core::port::{DeliveryFilter, Phase, Row};
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A lane or pool, and a delivery's place in it by age.
type Queue = BTreeSet<(String, u64, String)>;

/// All ways to find a delivery but by its id, its parent, its key and its hour.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeliveryIndex {
    /// Pool, lane, seq and id of those that are ready.
    ready_in_pool: BTreeSet<(String, String, u64, String)>,
    /// Lane, seq and id of those that are ready.
    ready_in_lane: Queue,
    /// Lane, seq and id of those that have not ended.
    open_in_lane: Queue,
    /// Pool and id of those that have not ended.
    open_in_pool: BTreeSet<(String, String)>,
    /// Pool and id of those that are active.
    active_in_pool: BTreeSet<(String, String)>,
    /// Lane and id of those that are active.
    active_in_lane: BTreeSet<(String, String)>,
    /// Host and id of those that are active.
    pub(super) active_on_host: BTreeSet<(String, String)>,
    /// Pool (or none) and id of those that are dead.
    dead: BTreeSet<(Option<String>, String)>,
    /// Seq and id of all.
    age: BTreeSet<(u64, String)>,
}

impl DeliveryIndex {
    /// Takes note that a delivery was `before` and is `after`; `None` is no row.
    pub(super) fn change(&mut self, before: Option<&Row>, after: Option<&Row>) {
        swap_set(&mut self.ready_in_pool, before, after, |row| {
            let pool = row.pool.clone().filter(|_| row.phase == Phase::Ready)?;
            Some((pool, row.lane.clone()?, row.seq, row.id.clone()))
        });
        swap_set(&mut self.ready_in_lane, before, after, |row| {
            let lane = row.lane.clone().filter(|_| row.phase == Phase::Ready)?;
            Some((lane, row.seq, row.id.clone()))
        });
        swap_set(&mut self.open_in_lane, before, after, |row| {
            let lane = row.lane.clone().filter(|_| row.phase != Phase::Ended)?;
            Some((lane, row.seq, row.id.clone()))
        });
        swap_set(&mut self.open_in_pool, before, after, |row| {
            Some((row.pool.clone().filter(|_| row.phase != Phase::Ended)?, row.id.clone()))
        });
        swap_set(&mut self.active_in_pool, before, after, |row| {
            Some((row.pool.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap_set(&mut self.active_in_lane, before, after, |row| {
            Some((row.lane.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap_set(&mut self.active_on_host, before, after, |row| {
            Some((row.host.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap_set(&mut self.dead, before, after, |row| {
            let is_dead = row.outcome.as_deref() == Some(DEAD);
            is_dead.then(|| (row.pool.clone(), row.id.clone()))
        });
        swap_set(&mut self.age, before, after, |row| Some((row.seq, row.id.clone())));
    }

    /// The oldest ready delivery of each lane of a pool after `after`. The first text that is
    /// greater than a lane is the lane with a zero behind it: from there the next lane is found
    /// without passing what else waits in this one.
    pub(super) fn next_in_lanes(
        &self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        while found.len() < limit as usize {
            let last = found.last().map_or(after, |(lane, _)| lane);
            let from = (pool.to_owned(), format!("{last}\0"), 0, String::new());
            let Some((of, lane, _, id)) = self.ready_in_pool.range(from..).next() else { break };
            if of != pool {
                break;
            }
            found.push((lane.clone(), id.clone()));
        }
        found
    }

    pub(super) fn waiting_in_lane(&self, lane: &str, limit: u32) -> Vec<String> {
        oldest(&self.ready_in_lane, lane).take(limit as usize).cloned().collect()
    }

    pub(super) fn open_in_lane(&self, lane: &str, limit: u32) -> Vec<String> {
        oldest(&self.open_in_lane, lane).take(limit as usize).cloned().collect()
    }

    /// Ids of a lane's open deliveries above `after`, oldest first.
    pub(super) fn open_after(
        &self,
        lane: &str,
        after: Option<(u64, String)>,
    ) -> impl Iterator<Item = &String> {
        let from = match after {
            Some((seq, id)) => Excluded((lane.to_owned(), seq, id)),
            None => Included((lane.to_owned(), 0, String::new())),
        };
        let newer = self.open_in_lane.range((from, Unbounded));
        newer.take_while(move |(of, ..)| of == lane).map(|(.., id)| id)
    }

    pub(super) fn active_in_pool(&self, pool: &str) -> u32 {
        small(count(&self.active_in_pool, pool))
    }

    pub(super) fn active_in_lane(&self, lane: &str) -> u32 {
        small(count(&self.active_in_lane, lane))
    }

    /// How many of a pool are open, and how many dead.
    pub(super) fn counts(&self, pool: &str) -> (u64, u64) {
        let first = (Some(pool.to_owned()), String::new());
        let dead =
            self.dead.range(first..).take_while(|(of, _)| of.as_deref() == Some(pool)).count();
        (count(&self.open_in_pool, pool) as u64, dead as u64)
    }

    pub(super) fn dead(&self) -> u64 {
        self.dead.len() as u64
    }

    /// All ids below `before`, newest first.
    pub(super) fn newest(&self, before: Option<(u64, String)>) -> impl Iterator<Item = &String> {
        let end = before.map_or(Unbounded, Excluded);
        self.age.range((Unbounded, end)).rev().map(|(_, id)| id)
    }
}

/// Ids of one lane, oldest first.
fn oldest<'a>(queue: &'a Queue, lane: &'a str) -> impl Iterator<Item = &'a String> {
    let from = queue.range((lane.to_owned(), 0, String::new())..);
    from.take_while(move |(of, ..)| of == lane).map(|(.., id)| id)
}

fn count(set: &BTreeSet<(String, String)>, of: &str) -> usize {
    set.range((of.to_owned(), String::new())..).take_while(|(found, _)| found == of).count()
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("fewer deliveries are under way than u32 counts")
}

/// Whether `row` passes every part of `filter` that narrows.
pub(super) fn passes(filter: &DeliveryFilter, row: &Row) -> bool {
    let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    (filter.states.is_empty() || filter.states.contains(&row.state))
        && is(&filter.job, &row.parent)
        && is(&filter.owner, &row.owner)
        && is(&filter.pool, &row.pool)
}
