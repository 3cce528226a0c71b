//! What the memory twin finds rows by: one ordered map for each question of the port, kept by a
//! single function that is told of every change, so that undoing is the same call turned round.

use super::deliveries::DeliveryIndex;
use super::mail::MailIndex;
use longhaul_core::port::{Phase, Row, Table};
use longhaul_core::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// All ways to find a row but by its id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// What has an hour, in the order of [`due`](longhaul_core::port::Tx::due); and who holds it.
    pub(super) due: BTreeMap<(Timestamp, Table, String), Option<String>>,
    /// Pool, priority and seq of jobs that are ready.
    pub(super) ready: BTreeSet<(String, Reverse<u8>, u64, String)>,
    /// Pool and id of jobs that are active.
    pub(super) active_in_pool: BTreeSet<(String, String)>,
    /// Host and id of jobs that are active.
    pub(super) active_on_host: BTreeSet<(String, String)>,
    /// Lane of a job that is active; at most one each.
    pub(super) active_in_lane: BTreeMap<String, String>,
    /// Lane and seq of jobs that have not ended.
    pub(super) open_in_lane: BTreeSet<(String, u64, String)>,
    /// Parent and id.
    pub(super) parent: BTreeSet<(Table, String, String)>,
    /// Idempotency keys.
    pub(super) key: BTreeMap<(Table, String), String>,
    /// Names and seq of jobs.
    pub(super) name: BTreeSet<(String, u64, String)>,
    /// Jobs in admission order.
    pub(super) seq: BTreeMap<u64, String>,
    /// Jobs that have ended, in the order they did.
    pub(super) ended: BTreeSet<(Option<Timestamp>, String)>,
    /// Bytes of all jobs that have ended.
    pub(super) ended_bytes: u64,
    /// How many jobs are in each state.
    pub(super) states: BTreeMap<String, u64>,
    /// Host and id of credentials that are active.
    pub(super) active_credentials: BTreeSet<(String, String)>,
    /// Deliveries alone.
    pub(super) deliveries: DeliveryIndex,
    /// Messages alone.
    pub(super) mail: MailIndex,
}

impl Index {
    /// Takes note that a row of `table` was `before` and is `after`; `None` is no row.
    pub(super) fn change(&mut self, table: Table, before: Option<&Row>, after: Option<&Row>) {
        swap(&mut self.due, before, after, |row| {
            Some(((row.due_at?, table, row.id.clone()), row.host.clone()))
        });
        swap_set(&mut self.parent, before, after, |row| {
            Some((table, row.parent.clone()?, row.id.clone()))
        });
        swap(&mut self.key, before, after, |row| Some(((table, row.key.clone()?), row.id.clone())));
        match table {
            Table::Job => self.change_job(before, after),
            Table::Delivery => self.deliveries.change(before, after),
            Table::Mail => self.mail.change(before, after),
            Table::Credential => swap_set(&mut self.active_credentials, before, after, |row| {
                Some((row.host.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
            }),
            Table::Environment
            | Table::Dependency
            | Table::Pool
            | Table::Host
            | Table::Sink
            | Table::Owner
            | Table::Presence
            | Table::Agent
            | Table::AgentEnvironment
            | Table::Input
            | Table::Intake
            | Table::Approval
            | Table::Quota
            | Table::Session
            | Table::Feed
            | Table::Token => {}
        }
    }

    fn change_job(&mut self, before: Option<&Row>, after: Option<&Row>) {
        swap_set(&mut self.ready, before, after, |row| {
            let pool = row.pool.clone().filter(|_| row.phase == Phase::Ready)?;
            Some((pool, Reverse(row.priority), row.seq, row.id.clone()))
        });
        swap_set(&mut self.active_in_pool, before, after, |row| {
            Some((row.pool.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap_set(&mut self.active_on_host, before, after, |row| {
            Some((row.host.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap(&mut self.active_in_lane, before, after, |row| {
            Some((row.lane.clone().filter(|_| row.phase == Phase::Active)?, row.id.clone()))
        });
        swap_set(&mut self.open_in_lane, before, after, |row| {
            let lane = row.lane.clone().filter(|_| row.phase != Phase::Ended)?;
            Some((lane, row.seq, row.id.clone()))
        });
        swap_set(&mut self.name, before, after, |row| {
            Some((row.name.clone()?, row.seq, row.id.clone()))
        });
        swap(&mut self.seq, before, after, |row| Some((row.seq, row.id.clone())));
        let is_ended = |row: &&Row| row.phase == Phase::Ended;
        swap_set(&mut self.ended, before.filter(is_ended), after.filter(is_ended), |row| {
            Some((row.ended_at, row.id.clone()))
        });
        self.ended_bytes -= before.filter(is_ended).map_or(0, |row| row.bytes);
        self.ended_bytes += after.filter(is_ended).map_or(0, |row| row.bytes);
        self.count(before, after);
    }

    fn count(&mut self, before: Option<&Row>, after: Option<&Row>) {
        if before.map(|row| &row.state) == after.map(|row| &row.state) {
            return;
        }
        if let Some(row) = before {
            let left = self.states.get_mut(&row.state).expect("every row was counted when it came");
            *left -= 1;
            if *left == 0 {
                self.states.remove(&row.state);
            }
        }
        if let Some(row) = after {
            *self.states.entry(row.state.clone()).or_default() += 1;
        }
    }
}

/// Moves one entry; most saves change few of a row's entries, so equal ones are left alone.
fn swap<K: Ord, V: PartialEq>(
    map: &mut BTreeMap<K, V>,
    before: Option<&Row>,
    after: Option<&Row>,
    entry: impl Fn(&Row) -> Option<(K, V)>,
) {
    let (before, after) = (before.and_then(&entry), after.and_then(&entry));
    if before == after {
        return;
    }
    if let Some((key, _)) = before {
        map.remove(&key);
    }
    if let Some((key, value)) = after {
        map.insert(key, value);
    }
}

/// [`swap`] for entries that are all key.
pub(super) fn swap_set<K: Ord>(
    set: &mut BTreeSet<K>,
    before: Option<&Row>,
    after: Option<&Row>,
    entry: impl Fn(&Row) -> Option<K>,
) {
    let (before, after) = (before.and_then(&entry), after.and_then(&entry));
    if before == after {
        return;
    }
    if let Some(key) = before {
        set.remove(&key);
    }
    if let Some(key) = after {
        set.insert(key);
    }
}
