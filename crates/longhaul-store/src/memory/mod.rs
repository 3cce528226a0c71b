//! The memory twin: the same answers as a database, from ordered maps. The simulator's default and
//! the conformance suite's oracle, so it is meant to be read as the definition of every scan.
//!
//! A transaction holds the lock until it is over. A reader on another thread waits; one on the same
//! thread must not be asked while a transaction is open.

mod deliveries;
mod index;
mod journal;
mod mail;
mod reader;
mod tx;

pub use reader::MemoryReader;

use index::Index;
use journal::Journal;
use longhaul_core::port::{Reader, Row, Store, StoreError, Table, Tx};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A store that is gone with the process. Clones share their content, as two handles of one
/// database do: a simulated crash drops one clone and goes on with another.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a reader without a box around it.
    pub fn open_reader(&self) -> MemoryReader {
        MemoryReader::new(self.clone())
    }

    /// Locks the content. A panic in another holder has undone its transaction while unwinding, so
    /// what a poisoned lock guards is whole.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        Ok(Box::new(tx::MemoryTx::new(self.lock())))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.open_reader()))
    }
}

/// Everything that is stored. Rows are shared with the undo log, so changing one copies no body
/// twice.
#[derive(Debug, Default)]
struct Content {
    tables: [BTreeMap<String, Arc<Row>>; Table::ALL.len()],
    index: Index,
    journal: Journal,
}

impl Content {
    fn rows(&self, table: Table) -> &BTreeMap<String, Arc<Row>> {
        &self.tables[table as usize]
    }

    fn load(&self, table: Table, id: &str) -> Option<Row> {
        self.rows(table).get(id).map(|row| Row::clone(row))
    }

    /// Makes the row `id` of `table` be `after` and gives what it was; `None` is no row.
    fn put(&mut self, table: Table, id: &str, after: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let rows = &mut self.tables[table as usize];
        let before = match &after {
            Some(row) => rows.insert(id.to_owned(), Arc::clone(row)),
            None => rows.remove(id),
        };
        self.index.change(table, before.as_deref(), after.as_deref());
        before
    }

    fn ids(&self, table: Table, after: &str, limit: u32) -> Vec<String> {
        use std::ops::Bound::{Excluded, Unbounded};
        let rows = self.rows(table).range::<str, _>((Excluded(after), Unbounded));
        rows.take(limit as usize).map(|(id, _)| id.clone()).collect()
    }

    fn lane_head(&self, lane: &str) -> Option<String> {
        let open = self.index.open_in_lane.range((lane.to_owned(), 0, String::new())..).next();
        open.filter(|(found, ..)| found == lane).map(|(.., id)| id.clone())
    }

    fn occupied(&self, pool: &str) -> u32 {
        let active = self.index.active_in_pool.range((pool.to_owned(), String::new())..);
        let count = active.take_while(|(found, _)| found == pool).count();
        u32::try_from(count).expect("a pool has fewer slots than u32 counts")
    }
}
