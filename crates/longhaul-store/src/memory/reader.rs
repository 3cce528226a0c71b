//! Readers of the memory twin: each question takes the lock for as long as it is answered.

use super::deliveries::passes as passes_delivery;
use super::index::Index;
use super::mail::passes as passes_mail;
use super::{Content, MemoryStore};
use longhaul_core::event::Event;
use longhaul_core::port::{
    DeliveryFilter, Filter, MailFilter, Position, Reader, Row, StoreError, Table,
};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Reads what is committed in a [`MemoryStore`].
#[derive(Clone, Debug)]
pub struct MemoryReader {
    store: MemoryStore,
}

impl MemoryReader {
    pub(super) const fn new(store: MemoryStore) -> Self {
        Self { store }
    }
}

/// Whether `row` passes every part of `filter` that narrows.
fn passes(filter: &Filter, row: &Row) -> bool {
    let one_of = |wanted: &[String], found: Option<&String>| {
        wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
    };
    let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    one_of(&filter.states, Some(&row.state))
        && one_of(&filter.outcomes, row.outcome.as_ref())
        && is(&filter.pool, &row.pool)
        && is(&filter.lane, &row.lane)
        && is(&filter.owner, &row.owner)
        && is(&filter.parent, &row.parent)
        && has_labels(&filter.labels, row.labels.as_deref())
}

/// Whether a row's labels hold all that are wanted; a text that is no object holds none.
fn has_labels(wanted: &[(String, String)], found: Option<&str>) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let found: Option<BTreeMap<String, String>> =
        found.and_then(|text| serde_json::from_str(text).ok());
    found.is_some_and(|found| wanted.iter().all(|(name, value)| found.get(name) == Some(value)))
}

impl Reader for MemoryReader {
    fn load(&mut self, table: Table, id: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.store.lock().load(table, id))
    }

    fn list(
        &mut self,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let newest_first = content.index.seq.range(..before.unwrap_or(u64::MAX)).rev();
        let rows = newest_first.filter_map(|(_, id)| content.rows(Table::Job).get(id));
        let rows = rows.filter(|row| passes(filter, row)).take(limit as usize);
        Ok(rows.map(|row| Row::clone(row)).collect())
    }

    fn list_from(
        &mut self,
        owner: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let oldest_first = content.index.seq.range(after.saturating_add(1)..);
        let rows = oldest_first.filter_map(|(_, id)| content.rows(Table::Job).get(id));
        let rows = rows.filter(|row| owner.is_none() || row.owner.as_deref() == owner);
        Ok(rows.take(limit as usize).map(|row| Row::clone(row)).collect())
    }

    fn by_prefix(
        &mut self,
        table: Table,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let content = self.store.lock();
        let rows = content.rows(table).range(prefix.to_owned()..);
        let ids = rows.map(|(id, _)| id).take_while(|id| id.starts_with(prefix));
        Ok(ids.take(limit as usize).cloned().collect())
    }

    fn by_key(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.store.lock().index.key.get(&(Table::Job, key.to_owned())).cloned())
    }

    fn by_name(&mut self, name: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let content = self.store.lock();
        let first = (name.to_owned(), 0, String::new());
        let last = (name.to_owned(), u64::MAX, String::new());
        let newest_first = content.index.name.range(first..last).rev();
        Ok(newest_first.take(limit as usize).map(|(.., id)| id.clone()).collect())
    }

    fn events(
        &mut self,
        job: Option<&str>,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        Ok(self.store.lock().journal.after(job, after, limit))
    }

    fn entries(&mut self, job: &str, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        Ok(self.store.lock().journal.entries(job, seq, limit))
    }

    fn latest(&mut self, job: &str, limit: u32) -> Result<Vec<Event>, StoreError> {
        Ok(self.store.lock().journal.latest(job, limit))
    }

    fn head(&mut self) -> Result<Position, StoreError> {
        Ok(self.store.lock().journal.head())
    }

    fn counts(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let content = self.store.lock();
        Ok(content.index.states.iter().map(|(state, count)| (state.clone(), *count)).collect())
    }

    fn pool_load(&mut self, pool: &str) -> Result<(u32, u64), StoreError> {
        let content = self.store.lock();
        let first = (pool.to_owned(), Reverse(u8::MAX), 0, String::new());
        let ready = content.index.ready.range(first..).take_while(|(found, ..)| found == pool);
        Ok((content.occupied(pool), ready.count() as u64))
    }

    fn ahead_of(&mut self, pool: &str, priority: u8, seq: u64) -> Result<u64, StoreError> {
        let content = self.store.lock();
        let first = (pool.to_owned(), Reverse(u8::MAX), 0, String::new());
        let me = (pool.to_owned(), Reverse(priority), seq, String::new());
        Ok(content.index.ready.range(first..me).count() as u64)
    }

    fn lane_head(&mut self, lane: &str) -> Result<Option<String>, StoreError> {
        Ok(self.store.lock().lane_head(lane))
    }

    fn ids(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.store.lock().ids(table, after, limit))
    }

    fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let newest_first = content.index.deliveries.newest(before);
        let rows = newest_first.filter_map(|id| content.rows(Table::Delivery).get(id));
        let rows = rows.filter(|row| passes_delivery(filter, row)).take(limit as usize);
        Ok(rows.map(|row| Row::clone(row)).collect())
    }

    fn open_in_lane(
        &mut self,
        lane: &str,
        after: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let ids = content.index.deliveries.open_after(lane, after);
        let rows = ids.filter_map(|id| content.rows(Table::Delivery).get(id));
        Ok(rows.take(limit as usize).map(|row| Row::clone(row)).collect())
    }

    fn delivery_counts(&mut self, pool: &str) -> Result<(u64, u64), StoreError> {
        Ok(self.store.lock().index.deliveries.counts(pool))
    }

    fn mail(
        &mut self,
        filter: &MailFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let newest_first = content.index.mail.newest(before);
        let rows = newest_first.filter_map(|id| content.rows(Table::Mail).get(id));
        let rows = rows.filter(|row| passes_mail(filter, row)).take(limit as usize);
        Ok(rows.map(|row| Row::clone(row)).collect())
    }

    fn unread_count(&mut self, mailbox: &str) -> Result<u64, StoreError> {
        Ok(self.store.lock().index.mail.unread_count(mailbox))
    }

    fn rows(
        &mut self,
        table: Table,
        parent: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let content = self.store.lock();
        let rows = content.rows(table).iter().filter(|(id, _)| id.as_str() > after);
        let rows = rows.filter(|(_, row)| parent.is_none() || row.parent.as_deref() == parent);
        Ok(rows.take(limit as usize).map(|(_, row)| Row::clone(row)).collect())
    }

    fn row_up_to(
        &mut self,
        table: Table,
        parent: &str,
        id: &str,
    ) -> Result<Option<Row>, StoreError> {
        let content = self.store.lock();
        let mut rows = content.rows(table).range(..=id.to_owned()).rev().map(|(_, row)| row);
        let found = rows.find(|row| row.parent.as_deref() == Some(parent));
        Ok(found.map(|row| Row::clone(row)))
    }

    fn dead_deliveries(&mut self) -> Result<u64, StoreError> {
        Ok(self.store.lock().index.deliveries.dead())
    }

    fn check(&mut self) -> Result<Vec<String>, StoreError> {
        let content: &Content = &self.store.lock();
        let mut rebuilt = Index::default();
        for table in Table::ALL {
            for row in content.rows(table).values() {
                rebuilt.change(table, None, Some(row));
            }
        }
        let differs = rebuilt != content.index;
        Ok(differs.then(|| "the indexes do not match the rows".to_owned()).into_iter().collect())
    }
}
