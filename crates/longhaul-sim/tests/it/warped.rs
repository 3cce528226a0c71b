//! A store that lies in one way: the hand in which most mutants of the checkers' own test lie.

use longhaul_core::event::NewEvent;
use longhaul_core::id::HostId;
use longhaul_core::port::{Phase, Position, Reader, Row, Store, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;

/// In which way a store lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    LosesStartedEntries,
    LosesDependencies,
    KeepsDependencies,
    OrdersReadyBackwards,
    SeesNobodyInSlots,
    SeesOneMoreInSlots,
    LosesHours,
    KeepsSecrets,
    FindsNothingDue,
    ForgetsTheNextHour,
    FindsNoLane,
    FindsNoKey,
    FindsNothingActive,
    FindsNoDependents,
    KeepsEntriesOfTheRemoved,
    CountsOneEndedTooMany,
    LosesCommits,
    SavesNoPools,
    LosesInboxRows,
    DoublesNotices,
    DropsDeadLetters,
    KeepsNoticesOfTheRemoved,
    ForgetsFailures,
    TakesLapsesForFailures,
    HurriesAfterFailures,
    FindsTheYoungestFirst,
    SeesNoTries,
    SeesOneMoreTry,
    NeverForgivesTrouble,
    KeepsHolds,
    LosesHolds,
    OpensInboxesAtOnce,
    CountsOneOpenTooMany,
    FindsNothingOpen,
    FindsNoClaims,
    FindsNoNoticeDue,
    FindsOwnNoticesDue,
    LosesSettledEntries,
    ForgetsWhoIsToBeTold,
}

/// A store with a lie in front of it.
pub(crate) struct Warped<'a> {
    pub(crate) inner: &'a mut dyn Store,
    pub(crate) lie: Lie,
    /// Grows with each transaction.
    pub(crate) turns: &'a mut u64,
}

impl Store for Warped<'_> {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        *self.turns += 1;
        Ok(Box::new(WarpedTx { inner: self.inner.begin()?, lie: self.lie, turn: *self.turns }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

struct WarpedTx<'a> {
    inner: Box<dyn Tx + 'a>,
    lie: Lie,
    turn: u64,
}

impl Tx for WarpedTx<'_> {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        let row = self.inner.load(table, id)?;
        Ok(row.map(|row| crate::untrue::loaded(self.lie, table, row)))
    }

    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        match (self.lie, table) {
            (Lie::LosesDependencies, Table::Dependency) => Ok(()),
            (Lie::SavesNoPools, Table::Pool) if !new => Ok(()),
            (Lie::LosesHours, Table::Job) if row.phase == Phase::Active => {
                self.inner.save(table, &Row { due_at: None, ..row.clone() }, new)
            }
            (lie, _) => crate::untrue::save(&mut *self.inner, lie, table, row, new),
        }
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        match (self.lie, table) {
            (Lie::KeepsSecrets, Table::Environment) => Ok(()),
            (Lie::KeepsDependencies, Table::Dependency) => Ok(()),
            (Lie::KeepsNoticesOfTheRemoved, Table::Delivery) => Ok(()),
            _ => self.inner.remove(table, id),
        }
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let lost = match self.lie {
            Lie::LosesStartedEntries => "\"started\"",
            Lie::LosesSettledEntries => "\"notice_settled\"",
            _ => return self.inner.append(events),
        };
        let is_kept = |event: &&NewEvent| !event.body.contains(lost);
        let kept: Vec<NewEvent> = events.iter().filter(is_kept).cloned().collect();
        self.inner.append(&kept)
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        if self.lie == Lie::KeepsEntriesOfTheRemoved { Ok(()) } else { self.inner.forget(job) }
    }

    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError> {
        let limit = if self.lie == Lie::FindsNothingDue { 0 } else { limit };
        let mut due = self.inner.due(me, now, limit)?;
        match self.lie {
            Lie::FindsNoNoticeDue => due.retain(|(table, _)| *table != Table::Delivery),
            Lie::FindsOwnNoticesDue => due.retain(|(table, id)| {
                let row = self.inner.load(*table, id).ok().flatten();
                row.and_then(|row| row.host).is_none_or(|host| host == me.as_str())
            }),
            _ => {}
        }
        Ok(due)
    }

    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError> {
        if self.lie == Lie::ForgetsTheNextHour { Ok(None) } else { self.inner.next_due(me) }
    }

    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        if self.lie != Lie::OrdersReadyBackwards {
            return self.inner.runnable(pool, limit);
        }
        let mut all = self.inner.runnable(pool, u32::MAX)?;
        all.reverse();
        all.truncate(limit as usize);
        Ok(all)
    }

    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        let found = self.inner.occupied(pool)?;
        Ok(match self.lie {
            Lie::SeesNobodyInSlots => 0,
            Lie::SeesOneMoreInSlots => found + 1,
            _ => found,
        })
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        if self.lie == Lie::FindsNoLane { Ok(None) } else { self.inner.lane_head(lane) }
    }

    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let blind = self.lie == Lie::FindsNothingActive
            || (self.lie == Lie::FindsNoClaims && table == Table::Delivery);
        let limit = if blind { 0 } else { limit };
        self.inner.active_on(table, host, after, limit)
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let blind = self.lie == Lie::FindsNoDependents && table == Table::Dependency;
        self.inner.children(table, parent, after, if blind { 0 } else { limit })
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        if self.lie == Lie::FindsNoKey { Ok(None) } else { self.inner.by_key(key) }
    }

    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError> {
        let (jobs, bytes) = self.inner.ended_totals()?;
        Ok((jobs + u64::from(self.lie == Lie::CountsOneEndedTooMany), bytes))
    }

    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut heads = self.inner.next_in_lanes(pool, after, limit)?;
        if self.lie == Lie::FindsTheYoungestFirst {
            for (lane, id) in &mut heads {
                *id = self.inner.waiting_in_lane(lane, u32::MAX)?.pop().expect("it has a head");
            }
        }
        Ok(heads)
    }

    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let limit = if self.lie == Lie::FindsNothingOpen { 0 } else { limit };
        self.inner.open_in_lane(lane, limit)
    }

    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError> {
        let found = self.inner.active_in_pool(pool)?;
        Ok(crate::untrue::counted(self.lie, found))
    }

    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError> {
        let found = self.inner.active_in_lane(lane)?;
        Ok(crate::untrue::counted(self.lie, found))
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        // Says that it is durable, and drops it.
        let is_lost = self.lie == Lie::LosesCommits && self.turn.is_multiple_of(9);
        if is_lost { Ok(()) } else { self.inner.commit() }
    }

    longhaul_store::tx_passes_on! {
        head, trim_general, ids, oldest_ended, waiting_in_lane, unread, unread_count,
        oldest_ended_mail, ended_mail_count, open_jobs_in_lane
    }
}
