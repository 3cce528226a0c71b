//! Rows of one table as a step knows them: loaded once, undone when a command is refused, written
//! back only where they differ.

use crate::port::{Record, StoreError, Table, Tx};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One row as the step knows it; `None` is "there is no such row".
pub(super) struct Slot<R> {
    /// As it was when the step began.
    pub(super) at_begin: Option<R>,
    /// As the transaction has it.
    pub(super) written: Option<R>,
    /// As the step would have it.
    pub(super) current: Option<R>,
    /// As it was before the command that is being decided, if that touched it.
    pub(super) before: Option<Option<R>>,
}

impl<R: Record> Slot<R> {
    /// Makes the transaction have the row as the step has it.
    fn write(&mut self, tx: &mut dyn Tx, id: &str) -> Result<(), StoreError> {
        if self.put(tx, id)? {
            self.written = self.current.clone();
        }
        Ok(())
    }

    /// Writes the row if it differs; gives whether it did.
    fn put(&self, tx: &mut dyn Tx, id: &str) -> Result<bool, StoreError> {
        match (&self.written, &self.current) {
            (written, current) if written == current => return Ok(false),
            (_, None) => tx.remove(R::TABLE, id)?,
            (written, Some(record)) => {
                tx.save(R::TABLE, &record.to_row(), written.is_none())?;
            }
        }
        Ok(true)
    }
}

/// The rows of one table that a step has touched.
pub(super) struct Rows<R> {
    pub(super) slots: BTreeMap<String, Slot<R>>,
    /// Rows that the command which is being decided touched.
    touched: Vec<String>,
    /// Rows that may differ from what was written: a scan must not cost the whole step again.
    unwritten: BTreeSet<String>,
}

impl<R: Record> Rows<R> {
    pub(super) const fn new() -> Self {
        Self { slots: BTreeMap::new(), touched: Vec::new(), unwritten: BTreeSet::new() }
    }

    pub(super) fn slot(&mut self, tx: &mut dyn Tx, id: &str) -> Result<&mut Slot<R>, StoreError> {
        if !self.slots.contains_key(id) {
            let row = tx.load(R::TABLE, id)?;
            let record = row.as_ref().map(R::from_row).transpose()?;
            let (at_begin, written) = (record.clone(), record.clone());
            let slot = Slot { at_begin, written, current: record, before: None };
            self.slots.insert(id.to_owned(), slot);
        }
        Ok(self.slots.get_mut(id).expect("it was put there above"))
    }

    /// The row for changing; what it was is kept until the command is over.
    pub(super) fn change(
        &mut self,
        tx: &mut dyn Tx,
        id: &str,
    ) -> Result<&mut Option<R>, StoreError> {
        if self.slot(tx, id)?.before.is_none() {
            self.touched.push(id.to_owned());
        }
        self.unwritten.insert(id.to_owned());
        let slot = self.slots.get_mut(id).expect("it was loaded above");
        if slot.before.is_none() {
            slot.before = Some(slot.current.clone());
        }
        Ok(&mut slot.current)
    }

    /// A refused command is undone in the transaction, too, where a scan of it wrote something: the
    /// next command may ask for a key or an id that only the refused one had.
    pub(super) fn close_command(
        &mut self,
        tx: &mut dyn Tx,
        is_refused: bool,
    ) -> Result<(), StoreError> {
        for id in self.touched.drain(..) {
            let slot = self.slots.get_mut(&id).expect("what was touched is there");
            let before = slot.before.take().expect("what was touched has a before");
            if is_refused {
                slot.current = before;
                slot.write(tx, &id)?;
            }
        }
        Ok(())
    }

    /// Writes one row that is loaded; see [`Rows::flush`].
    pub(super) fn write(&mut self, tx: &mut dyn Tx, id: &str) -> Result<(), StoreError> {
        self.slots.get_mut(id).map_or(Ok(()), |slot| slot.write(tx, id))
    }

    /// Rows that may differ from what was written.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = &Slot<R>> {
        self.unwritten.iter().filter_map(|id| self.slots.get(id))
    }

    pub(super) fn is_unwritten(&self, id: &str) -> bool {
        self.unwritten.contains(id)
    }

    /// Whether the hour of one of them has come.
    pub(super) fn has_due(&self, now: Timestamp) -> bool {
        let hours = self.unwritten().filter_map(|slot| slot.current.as_ref()?.hour());
        Table::TIMED.contains(&R::TABLE) && hours.into_iter().any(|hour| hour <= now)
    }

    /// Writes the rest, before a commit: nobody asks any more what was written.
    pub(super) fn flush_last(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        while let Some(id) = self.unwritten.pop_first() {
            self.slots.get(&id).map_or(Ok(false), |slot| slot.put(tx, &id))?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        while let Some(id) = self.unwritten.pop_first() {
            self.write(tx, &id)?;
        }
        Ok(())
    }
}
