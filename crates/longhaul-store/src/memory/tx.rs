//! One step's transaction over the memory twin: it changes the content in place under the lock and
//! remembers how to undo it.

use super::Content;
use crate::rules;
use longhaul_core::event::{Event, NewEvent};
use longhaul_core::id::HostId;
use longhaul_core::port::{Phase, Position, Row, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;
use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::{Arc, MutexGuard};

pub(super) struct MemoryTx<'a> {
    content: MutexGuard<'a, Content>,
    /// How to take everything back, oldest first; empty once committed.
    undo: Vec<Undo>,
}

enum Undo {
    Row { table: Table, id: String, before: Option<Arc<Row>> },
    Append { head: Position },
    Remove { events: Vec<Event> },
}

impl<'a> MemoryTx<'a> {
    pub(super) const fn new(content: MutexGuard<'a, Content>) -> Self {
        Self { content, undo: Vec::new() }
    }

    fn put(&mut self, table: Table, id: &str, after: Option<Arc<Row>>) {
        let before = self.content.put(table, id, after);
        self.undo.push(Undo::Row { table, id: id.to_owned(), before });
    }

    /// Refuses what a unique index would, for a row that is about to be `row`.
    fn check_unique(&self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        let index = &self.content.index;
        let is_other = |id: Option<&String>| id.is_some_and(|id| *id != row.id);
        let key = row.key.clone().is_some_and(|key| is_other(index.key.get(&(table, key))));
        let is_job = table == Table::Job;
        let seq = is_job && is_other(index.seq.get(&row.seq))
            || table == Table::Mail && is_other(index.mail.seq.get(&row.seq));
        let lane = is_job
            && row.phase == Phase::Active
            && row.lane.as_ref().is_some_and(|lane| is_other(index.active_in_lane.get(lane)));
        match (key || seq || lane, new) {
            (false, _) => Ok(()),
            (true, true) => Err(StoreError::Conflict),
            (true, false) => Err(rules::broken(table, row, "another row has its key or its lane")),
        }
    }
}

/// Whether what has an hour is the business of this host.
fn is_due_for(me: &HostId, due: &(&(Timestamp, Table, String), &Option<String>)) -> bool {
    let ((_, table, _), host) = due;
    *table == Table::Delivery || host.as_deref().is_none_or(|host| host == me.as_str())
}

impl Drop for MemoryTx<'_> {
    fn drop(&mut self) {
        for undo in self.undo.drain(..).rev() {
            match undo {
                Undo::Row { table, id, before } => {
                    self.content.put(table, &id, before);
                }
                Undo::Append { head } => self.content.journal.rewind(head),
                Undo::Remove { events } => {
                    for event in events {
                        self.content.journal.put(event);
                    }
                }
            }
        }
    }
}

impl Tx for MemoryTx<'_> {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.content.load(table, id))
    }

    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        rules::check_hour(table, row)?;
        let before = self.content.rows(table).get(&row.id);
        match (before, new) {
            (Some(_), true) => return Err(StoreError::Conflict),
            (None, false) => {
                return Err(rules::broken(table, row, "it is not there to be changed"));
            }
            (before, _) => rules::check_row(table, before.map(AsRef::as_ref), row)?,
        }
        self.check_unique(table, row, new)?;
        self.put(table, &row.id, Some(Arc::new(row.clone())));
        Ok(())
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        if self.content.rows(table).contains_key(id) {
            self.put(table, id, None);
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        Ok(self.content.journal.head())
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.undo.push(Undo::Append { head: self.content.journal.head() });
        for event in events {
            self.content.journal.append(event)?;
        }
        Ok(self.content.journal.head())
    }

    fn forget(&mut self, job: &str) -> Result<(), StoreError> {
        let events = self.content.journal.forget(job);
        self.undo.push(Undo::Remove { events });
        Ok(())
    }

    fn trim_general(&mut self, keep: u32) -> Result<(), StoreError> {
        let events = self.content.journal.trim_general(keep);
        self.undo.push(Undo::Remove { events });
        Ok(())
    }

    fn due(
        &mut self,
        me: &HostId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Table, String)>, StoreError> {
        let due = self.content.index.due.iter().take_while(|((due_at, ..), _)| *due_at <= now);
        let mine = due.filter(|due| is_due_for(me, due));
        Ok(mine.take(limit as usize).map(|((_, table, id), _)| (*table, id.clone())).collect())
    }

    fn next_due(&mut self, me: &HostId) -> Result<Option<Timestamp>, StoreError> {
        let mut due = self.content.index.due.iter();
        let mine = due.find(|due| is_due_for(me, due));
        Ok(mine.map(|((due_at, ..), _)| *due_at))
    }

    fn runnable(&mut self, pool: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let first = (pool.to_owned(), Reverse(u8::MAX), 0, String::new());
        let ready = self.content.index.ready.range(first..);
        let ready = ready.take_while(|(found, ..)| found == pool);
        Ok(ready.take(limit as usize).map(|(.., id)| id.clone()).collect())
    }

    fn occupied(&mut self, pool: &str) -> Result<u32, StoreError> {
        Ok(self.content.occupied(pool))
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        Ok(self.content.lane_head(lane))
    }

    fn active_on(
        &mut self,
        table: Table,
        host: &HostId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let from = (host.as_str().to_owned(), after.to_owned());
        let index = &self.content.index;
        let active = match table {
            Table::Job => &index.active_on_host,
            Table::Delivery => &index.deliveries.active_on_host,
            Table::Credential => &index.active_credentials,
            Table::Environment
            | Table::Dependency
            | Table::Pool
            | Table::Host
            | Table::Sink
            | Table::Owner
            | Table::Presence
            | Table::Agent
            | Table::AgentEnvironment
            | Table::Mail
            | Table::Input
            | Table::Intake
            | Table::Approval
            | Table::Quota
            | Table::Session
            | Table::Feed
            | Table::Token => return Ok(Vec::new()),
        };
        let active = active.range(from..);
        let active = active.take_while(|(found, _)| found == host.as_str());
        let ids = active.map(|(_, id)| id).filter(|id| id.as_str() > after);
        Ok(ids.take(limit as usize).cloned().collect())
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let from = Bound::Excluded((table, parent.to_owned(), after.to_owned()));
        let under = self.content.index.parent.range((from, Bound::Unbounded));
        let under = under.take_while(|(in_table, found, _)| *in_table == table && found == parent);
        Ok(under.take(limit as usize).map(|(.., id)| id.clone()).collect())
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.content.ids(table, after, limit))
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.content.index.key.get(&(Table::Job, key.to_owned())).cloned())
    }

    fn oldest_ended(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        let ended = self.content.index.ended.iter();
        Ok(ended.take(limit as usize).map(|(_, id)| id.clone()).collect())
    }

    fn ended_totals(&mut self) -> Result<(u64, u64), StoreError> {
        Ok((self.content.index.ended.len() as u64, self.content.index.ended_bytes))
    }

    fn next_in_lanes(
        &mut self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.content.index.deliveries.next_in_lanes(pool, after, limit))
    }

    fn waiting_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.content.index.deliveries.waiting_in_lane(lane, limit))
    }

    fn open_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.content.index.deliveries.open_in_lane(lane, limit))
    }

    fn active_in_pool(&mut self, pool: &str) -> Result<u32, StoreError> {
        Ok(self.content.index.deliveries.active_in_pool(pool))
    }

    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.content.index.mail.unread(mailbox, limit))
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        Ok(self.content.index.mail.unread_count(mailbox))
    }

    fn oldest_ended_mail(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.content.index.mail.oldest_ended(limit))
    }

    fn ended_mail_count(&mut self) -> Result<u64, StoreError> {
        Ok(self.content.index.mail.ended_count())
    }

    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let open = self.content.index.open_in_lane.range((lane.to_owned(), 0, String::new())..);
        let open = open.take_while(|(found, ..)| found == lane);
        Ok(open.take(limit as usize).map(|(.., id)| id.clone()).collect())
    }

    fn active_in_lane(&mut self, lane: &str) -> Result<u32, StoreError> {
        Ok(self.content.index.deliveries.active_in_lane(lane))
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.undo.clear();
        Ok(())
    }
}
