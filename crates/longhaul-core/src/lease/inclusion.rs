//! Whether one pattern matches no more than another: both machines walk together over every text
//! that the first accepts, and the second must accept it too.
//!
//! The second may stand at many places at once, and there can be exponentially many such sets. The
//! walk is therefore paid for, and who cannot pay is told no.

use super::pattern::Glob;
use std::collections::BTreeSet;

/// How many places may still be looked at.
#[derive(Debug)]
pub(super) struct Work(u64);

impl Work {
    pub(super) const fn new(places: u64) -> Self {
        Self(places)
    }

    /// Takes some of it; false if there is not so much.
    fn take(&mut self, places: usize) -> bool {
        let left = self.0.checked_sub(places as u64);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Whether `outer` is shown to match all that `inner` does.
pub(super) fn is_within(inner: &Glob, outer: &Glob, work: &mut Work) -> bool {
    let bytes = alphabet(inner, outer);
    let start = outer.start();
    let mut open: Vec<(usize, Vec<usize>)> =
        inner.start().into_iter().map(|place| (place, start.clone())).collect();
    let mut seen: BTreeSet<(usize, Vec<usize>)> = open.iter().cloned().collect();
    while let Some((place, at)) = open.pop() {
        if inner.accepts(&[place]) && !outer.accepts(&at) {
            return false;
        }
        for byte in &bytes {
            let Some(next) = inner.next(place, *byte) else { continue };
            if !work.take(at.len() + 1) {
                return false;
            }
            let reached = outer.after(&at, *byte);
            // Every place of a pattern can still be walked to its end, so here the first accepts
            // something that the second has given up on.
            if reached.is_empty() {
                return false;
            }
            for place in inner.closed(std::iter::once(next)) {
                if !work.take(reached.len() + 1) {
                    return false;
                }
                let pair = (place, reached.clone());
                if seen.insert(pair.clone()) {
                    open.push(pair);
                }
            }
        }
    }
    true
}

/// One byte of each kind that the two can tell apart, with one for all that neither names.
fn alphabet(inner: &Glob, outer: &Glob) -> Vec<u8> {
    let mut bytes: BTreeSet<u8> = inner.bytes().chain(outer.bytes()).collect();
    bytes.insert(b'/');
    let other = (0..=u8::MAX).find(|byte| !bytes.contains(byte));
    bytes.extend(other);
    bytes.into_iter().collect()
}
