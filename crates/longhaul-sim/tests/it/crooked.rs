//! A store that bends what is written of sessions, or does not find them, in one way each. The ways
//! that an engine bends commands and answers are named here too.

use longhaul_core::event::NewEvent;
use longhaul_core::feed::{FeedRow, Told};
use longhaul_core::id::HostId;
use longhaul_core::job::Job;
use longhaul_core::port::{Position, Reader, Record, Row, Store, StoreError, Table, Tx};
use longhaul_core::session::Session;
use longhaul_core::time::Timestamp;

/// In which way it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crook {
    LosesRuns,
    BendsRuns,
    ForgetsFollowers,
    ForgetsFollows,
    KeepsFeeds,
    FindsNoSessions,
    LosesTails,
    CountsNothingOpen,
    ForgetsAcknowledgements,
    KeepsOldTokens,
    ForgetsFloors,
    TakesAnyToken,
    TellsNoHistory,
    TellsTooMuch,
    OpensToAll,
    HalvesWindows,
    AcknowledgesTooMuch,
    WakesNobody,
}

impl Crook {
    pub(crate) const ALL: [Self; 18] = [
        Self::LosesRuns,
        Self::BendsRuns,
        Self::ForgetsFollowers,
        Self::ForgetsFollows,
        Self::KeepsFeeds,
        Self::FindsNoSessions,
        Self::LosesTails,
        Self::CountsNothingOpen,
        Self::ForgetsAcknowledgements,
        Self::KeepsOldTokens,
        Self::ForgetsFloors,
        Self::TakesAnyToken,
        Self::TellsNoHistory,
        Self::TellsTooMuch,
        Self::OpensToAll,
        Self::HalvesWindows,
        Self::AcknowledgesTooMuch,
        Self::WakesNobody,
    ];
}

/// A store with a crook in front of it.
pub(crate) struct Crooked<'a> {
    pub(crate) inner: &'a mut dyn Store,
    pub(crate) crook: Crook,
}

impl Store for Crooked<'_> {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        Ok(Box::new(CrookedTx { inner: self.inner.begin()?, crook: self.crook }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn changed<T: Record>(row: &Row, change: impl FnOnce(&mut T)) -> Row {
    let mut value = T::from_row(row).expect("the engine wrote it");
    change(&mut value);
    value.to_row()
}

fn bent_session(crook: Crook, session: &mut Session, before: Option<&Row>) {
    match crook {
        Crook::ForgetsFollows => session.follows.clear(),
        Crook::LosesTails => session.tail = None,
        Crook::CountsNothingOpen => session.open = 0,
        Crook::ForgetsAcknowledgements => session.acked = 0,
        Crook::ForgetsFloors => session.floor = 0,
        Crook::KeepsOldTokens => {
            let before = before.map(|row| Session::from_row(row).expect("the engine wrote it"));
            if let Some(before) = before {
                session.token_sha256 = before.token_sha256;
            }
        }
        _ => {}
    }
}

fn bent_run(crook: Crook, row: &mut FeedRow) {
    if let (Crook::BendsRuns, Told::Job { seq, .. }) = (crook, &mut row.run.what) {
        *seq += 1;
    }
}

struct CrookedTx<'a> {
    inner: Box<dyn Tx + 'a>,
    crook: Crook,
}

impl Tx for CrookedTx<'_> {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        self.inner.load(table, id)
    }

    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        let crook = self.crook;
        let row = match (crook, table) {
            (Crook::LosesRuns, Table::Feed) => return Ok(()),
            (Crook::ForgetsFollowers, Table::Job) => {
                changed::<Job>(row, |job| job.followers.clear())
            }
            (_, Table::Feed) => changed::<FeedRow>(row, |run| bent_run(crook, run)),
            (_, Table::Session) => {
                let before = self.inner.load(table, &row.id)?;
                changed::<Session>(row, |session| bent_session(crook, session, before.as_ref()))
            }
            _ => row.clone(),
        };
        self.inner.save(table, &row, new)
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        let is_kept = self.crook == Crook::KeepsFeeds && table == Table::Feed;
        if is_kept { Ok(()) } else { self.inner.remove(table, id) }
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        self.inner.head()
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.inner.append(events)
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        self.inner.forget(job)
    }

    fn trim_general(&mut self, keep: u32) -> Result<(), StoreError> {
        self.inner.trim_general(keep)
    }

    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError> {
        self.inner.due(me, now, limit)
    }

    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due(me)
    }

    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.runnable(pool, limit)
    }

    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        self.inner.occupied(pool)
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        self.inner.lane_head(lane)
    }

    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.active_on(table, host, after, limit)
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.children(table, parent, limit)
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let is_blind = self.crook == Crook::FindsNoSessions && table == Table::Session;
        self.inner.ids(table, after, if is_blind { 0 } else { limit })
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        self.inner.by_key(key)
    }

    fn oldest_ended(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.oldest_ended(limit)
    }

    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError> {
        self.inner.ended_totals()
    }

    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.next_in_lanes(pool, after, limit)
    }

    fn waiting_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.waiting_in_lane(lane, limit)
    }

    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.open_in_lane(lane, limit)
    }

    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError> {
        self.inner.active_in_pool(pool)
    }

    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError> {
        self.inner.active_in_lane(lane)
    }

    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.unread(mailbox, limit)
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        self.inner.unread_count(mailbox)
    }

    fn oldest_ended_mail(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.oldest_ended_mail(limit)
    }

    fn ended_mail_count(&mut self) -> Result<u64, StoreError> {
        self.inner.ended_mail_count()
    }

    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.open_jobs_in_lane(lane, limit)
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.commit()
    }
}
