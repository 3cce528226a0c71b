//! Chance that comes from a seed. Two forms: a stream, for writing a script; and a roll by name, for
//! what happens while it is played, so that leaving one thing out does not change all the others.

/// A stream of numbers that a seed fixes (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of all.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to below `end`, which must not be 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from `from` to below `end`.
    pub(crate) const fn between(&mut self, from: u64, end: u64) -> u64 {
        from + self.below(end - from)
    }

    /// True in `percent` of a hundred cases.
    pub(crate) const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(from.len() as u64)).expect("less than a length");
        &from[index]
    }
}

/// A number that depends on the seed and on `parts` alone.
pub(crate) fn roll(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(mix(seed ^ 0x5851_f42d_4c95_7f2d), |state, part| {
        mix(state.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ part.wrapping_add(0x9e37_79b9_7f4a_7c15))
    })
}

const fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
