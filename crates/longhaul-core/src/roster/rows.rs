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

    #[cfg(test)]
    pub(super) const fn nobody() -> Self {
        Self { place: u32::MAX, turn: 0 }
    }
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    turn: u32,
    /// Boxed: places stay for ever, and memory of what is gone should not.
    row: Option<Box<Row>>,
}

impl Rows {
    pub(super) const fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, make: impl FnOnce(Key) -> Row) -> Key {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).expect("the limit of jobs is far below")
        });
        let at = &mut self.places[place as usize];
        let key = Key { place, turn: at.turn };
        at.row = Some(Box::new(make(key)));
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&Row> {
        let place = self.places.get(key.place()).filter(|place| place.turn == key.turn)?;
        place.row.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Row> {
        let place = self.places.get_mut(key.place()).filter(|place| place.turn == key.turn)?;
        place.row.as_deref_mut()
    }

    /// The row of a key that is known to be good.
    pub(super) fn at(&self, key: Key) -> &Row {
        self.get(key).expect("keys in the roster's own tables are of rows that are there")
    }

    pub(super) fn at_mut(&mut self, key: Key) -> &mut Row {
        self.get_mut(key).expect("keys in the roster's own tables are of rows that are there")
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Row>> {
        self.get(key)?;
        let place = &mut self.places[key.place()];
        place.turn = place.turn.wrapping_add(1);
        self.free.push(key.place);
        place.row.take()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.places.iter().filter_map(|place| place.row.as_deref()).map(|row| row.key)
    }
}
