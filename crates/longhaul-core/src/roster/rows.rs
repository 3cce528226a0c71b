//! The table of jobs: by place, so that nothing has to be searched. A place is used again; the turn
//! in the key tells its users apart.

use super::row::Row;

/// Names one job for as long as the roster lives, also after another has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    place: u32,
    turn: u32,
}

impl Key {
    /// Where the job stands, for tables beside the roster.
    pub const fn place(self) -> usize {
        self.place as usize
    }

    /// Names no job, and never will.
    pub const fn nobody() -> Self {
        Self { place: u32::MAX, turn: 0 }
    }
}

/// Rows in one block. They lie side by side: one by one they would be scattered among what bodies
/// use for a moment, and hold on to twice the memory.
const BLOCK_ROWS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Rows {
    blocks: Vec<Block>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Block {
    /// Empty while none of them is used, so that memory of what is gone is given back.
    places: Vec<Place>,
    used: usize,
    /// No key of this block that was given out has this turn or a later one, while it is empty.
    next_turn: u32,
}

#[derive(Debug)]
struct Place {
    turn: u32,
    row: Option<Row>,
}

impl Rows {
    pub(super) const fn len(&self) -> usize {
        self.blocks.len() * BLOCK_ROWS - self.free.len()
    }

    pub(super) fn insert(&mut self, make: impl FnOnce(Key) -> Row) -> Key {
        if self.free.is_empty() {
            let first = self.blocks.len() * BLOCK_ROWS;
            let places = (first..first + BLOCK_ROWS).rev().map(u32::try_from);
            self.free.extend(places.map(|place| place.expect("the limit of jobs is far below")));
            self.blocks.push(Block::default());
        }
        let place = self.free.pop().expect("there is a free place in a new block");
        let block = &mut self.blocks[place as usize / BLOCK_ROWS];
        if block.places.is_empty() {
            let turn = block.next_turn;
            block.places = (0..BLOCK_ROWS).map(|_| Place { turn, row: None }).collect();
        }
        block.used += 1;
        let at = &mut block.places[place as usize % BLOCK_ROWS];
        let key = Key { place, turn: at.turn };
        at.row = Some(make(key));
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&Row> {
        let place = self.blocks.get(key.place() / BLOCK_ROWS)?.places.get(key.place() % BLOCK_ROWS);
        place.filter(|place| place.turn == key.turn)?.row.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Row> {
        let block = self.blocks.get_mut(key.place() / BLOCK_ROWS)?;
        let place = block.places.get_mut(key.place() % BLOCK_ROWS);
        place.filter(|place| place.turn == key.turn)?.row.as_mut()
    }

    /// The row of a key that is known to be good.
    pub(super) fn at(&self, key: Key) -> &Row {
        self.get(key).expect("keys in the roster's own tables are of rows that are there")
    }

    pub(super) fn at_mut(&mut self, key: Key) -> &mut Row {
        self.get_mut(key).expect("keys in the roster's own tables are of rows that are there")
    }

    /// Removes the row of a key that is known to be good.
    pub(super) fn remove(&mut self, key: Key) {
        let block = &mut self.blocks[key.place() / BLOCK_ROWS];
        let place = &mut block.places[key.place() % BLOCK_ROWS];
        assert!(place.turn == key.turn && place.row.is_some(), "a row is removed once");
        place.row = None;
        place.turn = place.turn.wrapping_add(1);
        block.used -= 1;
        if block.used == 0 {
            let turns = block.places.iter().map(|place| place.turn);
            block.next_turn = turns.max().unwrap_or_default();
            block.places = Vec::new();
        }
        self.free.push(key.place);
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let places = self.blocks.iter().flat_map(|block| &block.places);
        places.filter_map(|place| place.row.as_ref()).map(|row| row.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::{Ask, Roster, Terms};
    use crate::time::Timestamp;

    #[test]
    fn a_key_stays_that_of_its_job_also_after_its_block_was_given_back() {
        let mut roster = Roster::new(Terms::default());
        let (now, owner) = (Timestamp::from_millis(0), None);
        let mut old = Vec::new();
        for _ in 0..2 * BLOCK_ROWS + 1 {
            let (key, _) =
                roster.register(&owner, Ask { queued: true, ..Ask::default() }, now).unwrap();
            old.push(key);
        }
        assert_eq!(roster.rows.len(), old.len());
        roster.supersede(&owner, now);
        for key in &old {
            roster.ended(*key, 1, crate::roster::Report::Dropped, now);
        }
        assert_eq!(roster.rows.len(), 0);
        assert!(roster.rows.blocks.iter().all(|block| block.places.capacity() == 0));
        let (new, _) =
            roster.register(&owner, Ask { queued: true, ..Ask::default() }, now).unwrap();
        assert!(!old.contains(&new) && old.iter().all(|key| roster.look(*key).is_none()));
        assert_eq!(roster.rows.keys().collect::<Vec<_>>(), [new]);
    }
}
