//! A store that bends what is written of sessions, or does not find them, in one way each. The ways
//! that an engine bends commands and answers are named here too.

use longhaul_core::event::NewEvent;
use longhaul_core::feed::{FeedRow, Told};
use longhaul_core::job::Job;
use longhaul_core::port::{Position, Reader, Record, Row, Store, StoreError, Table, Tx};
use longhaul_core::session::Session;

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
    DetachesAll,
    AsksOthers,
    KeepsJournals,
    ForgetsTooMuch,
    CutsFeeds,
    CallsAllOpen,
    CallsAllOver,
    FollowsWhatIsOver,
    BelievesItsEyes,
    MisnumbersEnds,
    HidesFollowers,
}

impl Crook {
    pub(crate) const ALL: [Self; 29] = [
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
        Self::DetachesAll,
        Self::AsksOthers,
        Self::KeepsJournals,
        Self::ForgetsTooMuch,
        Self::CutsFeeds,
        Self::CallsAllOpen,
        Self::CallsAllOver,
        Self::FollowsWhatIsOver,
        Self::BelievesItsEyes,
        Self::MisnumbersEnds,
        Self::HidesFollowers,
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
    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        let crook = self.crook;
        let row = match (crook, table) {
            (Crook::LosesRuns, Table::Feed) => return Ok(()),
            (Crook::ForgetsFollowers, Table::Job) => {
                changed::<Job>(row, |job| job.followers.clear())
            }
            (Crook::MisnumbersEnds, Table::Job) => {
                changed::<Job>(row, |job| job.told_at += u64::from(job.outcome().is_some()))
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

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let mut events = events.to_vec();
        if self.crook == Crook::HidesFollowers {
            for event in &mut events {
                event.body = event.body.replace(r#""kind":"followed""#, r#""kind":"unfollowed""#);
            }
        }
        self.inner.append(&events)
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        match self.crook {
            Crook::KeepsJournals => return Ok(()),
            Crook::ForgetsTooMuch => {
                for other in self.inner.ids(Table::Job, "", 1)? {
                    self.inner.forget(&other)?;
                }
            }
            Crook::CutsFeeds => {
                for id in self.inner.ids(Table::Feed, "", u32::MAX)? {
                    let run = self.inner.load(Table::Feed, &id)?.map(|row| FeedRow::from_row(&row));
                    let is_of = |told: &Told| matches!(told, Told::Job { job: of, .. } if of.as_str() == job);
                    if run.is_some_and(|run| is_of(&run.expect("the engine wrote it").run.what)) {
                        self.inner.remove(Table::Feed, &id)?;
                    }
                }
            }
            _ => {}
        }
        self.inner.forget(job)
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let is_blind = self.crook == Crook::FindsNoSessions && table == Table::Session;
        self.inner.ids(table, after, if is_blind { 0 } else { limit })
    }

    longhaul_store::tx_passes_on! {
        load, head, trim_general, due, next_due, runnable, occupied, lane_head,
        active_on, children, by_key, oldest_ended, ended_totals, next_in_lanes, waiting_in_lane,
        open_in_lane, active_in_pool, active_in_lane, unread, unread_count, oldest_ended_mail,
        ended_mail_count, open_jobs_in_lane, commit
    }
}
