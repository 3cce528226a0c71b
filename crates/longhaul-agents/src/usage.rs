//! Tokens and money. Some CLIs report a turn, some the whole conversation so far; what leaves this
//! crate is always the turn.

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// Billionths of a US dollar: whole numbers add up without error.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash,
)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    /// From dollars as a CLI prints them; nothing from what is no amount.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked; below a billionth nothing is owed"
    )]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let nanos = (dollars * 1e9).round();
        (0.0..9e18).contains(&nanos).then_some(Self(nanos as u64))
    }

    /// In dollars, for people and for the wire.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact below nine million dollars")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }

    pub(crate) fn number(self) -> Number {
        Number::from_f64(self.dollars()).unwrap_or_else(|| Number::from(0))
    }
}

/// What was used. `input` leaves out what came from a cache; `reasoning` is part of `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read by the model, those from a cache left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub input: u64,
    /// Tokens that it wrote.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub output: u64,
    /// Tokens read from a cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Tokens written to a cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Tokens of `output` that were thought, where the CLI tells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning: u64,
    /// Money, where the CLI tells. Nothing is not zero: it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Usage {
    /// Whether nothing at all was used or known.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, more: &Self) {
        for (mine, theirs) in self.counts_mut().into_iter().zip(more.counts()) {
            *mine = mine.saturating_add(theirs);
        }
        if let Some(cost) = more.cost {
            self.cost = Some(NanoUsd(self.cost.unwrap_or_default().0.saturating_add(cost.0)));
        }
    }

    /// What was added since `before`. If any count went down, the CLI began to count anew, and
    /// everything is new.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let fell = self.counts().iter().zip(before.counts()).any(|(now, then)| *now < then)
            || self.cost.unwrap_or_default() < before.cost.unwrap_or_default();
        if fell {
            return *self;
        }
        let mut delta = *self;
        for (mine, theirs) in delta.counts_mut().into_iter().zip(before.counts()) {
            *mine -= theirs;
        }
        delta.cost = self.cost.map(|cost| NanoUsd(cost.0 - before.cost.unwrap_or_default().0));
        delta
    }

    /// Each number that is not zero, as a metric: name, value, unit.
    pub(crate) fn metrics(&self) -> Vec<(&'static str, Number, &'static str)> {
        let names = [
            "tokens.input",
            "tokens.output",
            "tokens.cache_read",
            "tokens.cache_write",
            "tokens.reasoning",
        ];
        let tokens = names.into_iter().zip(self.counts()).filter(|(_, count)| *count > 0);
        let mut found: Vec<_> =
            tokens.map(|(name, count)| (name, Number::from(count), "tokens")).collect();
        if let Some(cost) = self.cost.filter(|cost| cost.0 > 0) {
            found.push(("cost.inference", cost.number(), "USD"));
        }
        found
    }

    fn counts(&self) -> [u64; 5] {
        [self.input, self.output, self.cache_read, self.cache_write, self.reasoning]
    }

    fn counts_mut(&mut self) -> [&mut u64; 5] {
        [
            &mut self.input,
            &mut self.output,
            &mut self.cache_read,
            &mut self.cache_write,
            &mut self.reasoning,
        ]
    }
}

/// What one turn hands to the next of its conversation: the totals that a CLI counts from.
/// Kept with the conversation, and given back with whichever turn resumes or forks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// All that the conversation used, by the CLI's own count.
    pub total: Usage,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64, dollars: f64) -> Usage {
        Usage { input, output, cost: NanoUsd::from_dollars(dollars), ..Usage::default() }
    }

    #[test]
    fn a_turn_is_what_was_added() {
        let first = usage(1_000, 50, 0.00554);
        let second = usage(3_000, 150, 0.01662);
        assert_eq!(second.since(&first), usage(2_000, 100, 0.01108));
        assert_eq!(second.since(&Usage::default()), second);
    }

    #[test]
    fn a_count_that_fell_began_anew() {
        assert_eq!(usage(10, 1, 0.1).since(&usage(1_000, 0, 0.0)), usage(10, 1, 0.1));
    }

    #[test]
    fn amounts_are_exact_and_nonsense_is_none() {
        assert_eq!(NanoUsd::from_dollars(0.00554), Some(NanoUsd(5_540_000)));
        for nonsense in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(NanoUsd::from_dollars(nonsense), None);
        }
    }
}
