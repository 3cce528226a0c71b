//! What may be spent, against what is. Money only: tokens have no price that core could know.

use crate::limits::BUDGET_WARN_PERCENT;
use crate::turn::Budget;

/// How far a budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not so far that it would be worth a word.
    Within,
    /// Most of it.
    Near,
    /// All of it, or more.
    Over,
}

/// A budget together with what a person added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Billionths of a US dollar that may be spent.
    pub nano_usd_max: u64,
    /// Whether a person is asked at its end.
    pub is_asked: bool,
}

impl Allowance {
    /// A budget with `nano_usd_more` on top.
    pub const fn of(budget: Budget, nano_usd_more: u64) -> Self {
        let nano_usd_max = budget.nano_usd_max.saturating_add(nano_usd_more);
        Self { nano_usd_max, is_asked: budget.is_asked }
    }

    /// How far it is spent. What is not known is not spent.
    pub fn reach(&self, spent: Option<u64>) -> Reach {
        let spent = spent.unwrap_or(0);
        let is_near = u128::from(spent) * 100
            >= u128::from(self.nano_usd_max) * u128::from(BUDGET_WARN_PERCENT);
        if spent >= self.nano_usd_max {
            Reach::Over
        } else if is_near {
            Reach::Near
        } else {
            Reach::Within
        }
    }

    /// What is left of it.
    pub fn left(&self, spent: Option<u64>) -> u64 {
        self.nano_usd_max.saturating_sub(spent.unwrap_or(0))
    }
}

/// An amount for people, in US dollars and cents, rounded down; parts of a cent where it is less.
pub fn in_usd(nano_usd: u64) -> String {
    let (dollars, rest) = (nano_usd / 1_000_000_000, nano_usd % 1_000_000_000);
    if dollars == 0 && (1..10_000_000).contains(&rest) {
        return format!("$0.{:06}", rest / 1_000);
    }
    format!("${dollars}.{:02}", rest / 10_000_000)
}
