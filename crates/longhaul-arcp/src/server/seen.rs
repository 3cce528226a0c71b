//! Which frames have been seen: a client that is not sure whether one arrived sends it again.

use crate::limits::SEEN_IDS_MAX;
use std::collections::{BTreeSet, VecDeque};

/// The newest ids of a connection. Older ones are forgotten.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Takes an id in; false if it was seen before.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
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
