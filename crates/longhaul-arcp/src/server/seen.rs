//! Which frames have been seen: a client that is not sure whether one arrived sends it again.

use crate::id::Seed;
use crate::limits::SEEN_IDS_MAX;
use std::collections::{BTreeSet, VecDeque};

/// The newest ids of a connection, as hashes: a client that made two of its own collide would only
/// have one of its own frames passed over. Older ones are forgotten.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: BTreeSet<u128>,
    order: VecDeque<u128>,
}

impl Seen {
    /// Takes an id in; false if it was seen before.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        let mark = Seed::new(id).mark();
        if !self.known.insert(mark) {
            return false;
        }
        self.order.push_back(mark);
        if self.order.len() > SEEN_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ids_are_known_and_no_more_are_kept() {
        let mut seen = Seen::default();
        for number in 0..3 * SEEN_IDS_MAX {
            assert!(seen.is_new(&number.to_string()));
            assert!(!seen.is_new(&number.to_string()));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (SEEN_IDS_MAX, SEEN_IDS_MAX));
        assert!(seen.is_new("0"));
    }
}
