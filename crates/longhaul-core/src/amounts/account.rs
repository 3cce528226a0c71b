//! Who keeps a budget: what was granted, what is left, and what is set aside for children.
//!
//! A charge tells of what is spent already, so it is never turned down for being too much: what is
//! left goes below zero. What a child spends beyond its own is its parent's to pay, at once, so that
//! no coin is counted twice.

use super::{Amount, Amounts, BadCharge, Currency};
use crate::id::JobId;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A twentieth of what was granted is worth telling of, but not less than one.
const TELL_SHARE: Decimal = Decimal::from_parts(5, 0, 0, false, 2);

/// The budget of one job. Currencies that it does not name are not its to count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    initial: Amounts,
    remaining: Amounts,
    /// What was left when that was last told.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    told: Amounts,
    /// What was taken out of it for each child that has not ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reserved: BTreeMap<JobId, Amounts>,
    /// What its parent paid because there was not enough here.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    paid_above: Amounts,
}

/// What a charge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debited {
    /// What is left; below zero if more was spent than there was.
    pub remaining: Amount,
    /// Whether this charge used up the last of it.
    pub crossed: bool,
    /// Whether what is left has changed enough to be told.
    pub must_tell: bool,
    /// How much of the charge was more than there was. The parent pays it; see [`charge`].
    pub over: Amount,
}

/// There is not enough of a currency, or it is not budgeted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is not enough {currency} left")]
pub struct Short {
    /// The first such currency.
    pub currency: Currency,
}

impl Account {
    /// Nothing of it is spent.
    pub fn new(initial: Amounts) -> Self {
        Self { remaining: initial.clone(), initial, ..Self::default() }
    }

    /// What was granted.
    pub const fn initial(&self) -> &Amounts {
        &self.initial
    }

    /// What is left, without what is set aside for children.
    pub const fn remaining(&self) -> &Amounts {
        &self.remaining
    }

    /// What goes back to the parent when nobody can spend it any more: with what the parent paid. A
    /// child's refund can come after that, and would fill a hole that is filled already.
    pub fn rest(&self) -> Amounts {
        let mut rest = self.remaining.clone();
        for (currency, amount) in self.paid_above.iter() {
            let left = rest.of(currency).unwrap_or_default();
            rest.set(currency, left.plus_down(amount));
        }
        rest
    }

    /// What is set aside for children that have not ended.
    pub const fn reserved(&self) -> &BTreeMap<JobId, Amounts> {
        &self.reserved
    }

    /// Takes what was spent. None, and nothing is changed, if the currency is not budgeted here; then
    /// the parent's account may know it.
    ///
    /// Refuses negative amounts. When [`Debited::must_tell`] is set, the account counts it as told.
    pub fn debit(
        &mut self,
        currency: &Currency,
        amount: Amount,
    ) -> Result<Option<Debited>, BadCharge> {
        if amount < Amount::ZERO {
            return Err(BadCharge::Negative);
        }
        let Some(before) = self.remaining.of(currency) else { return Ok(None) };
        let remaining = before.minus_down(amount);
        let over = amount.min(remaining.negated()).max(Amount::ZERO);
        let must_tell = self.is_worth_telling(currency, remaining);
        self.remaining.set(currency, remaining);
        if must_tell {
            self.told.set(currency, remaining);
        }
        let crossed = before.is_positive() && !remaining.is_positive();
        Ok(Some(Debited { remaining, crossed, must_tell, over }))
    }

    /// The first currency of which nothing is left. One that was granted as zero is so from the start.
    pub fn is_exhausted(&self) -> Option<&Currency> {
        self.remaining.iter().find(|(_, left)| !left.is_positive()).map(|(currency, _)| currency)
    }

    /// Sets aside what a child was granted: all of it, or nothing and the first that is short.
    ///
    /// # Panics
    /// If something is set aside for that child already: it would be counted twice.
    pub fn reserve(&mut self, child: &JobId, amounts: &Amounts) -> Result<(), Short> {
        assert!(!self.reserved.contains_key(child), "a child is given its budget once");
        let is_short = |(currency, amount): &(&Currency, Amount)| {
            self.remaining.of(currency).is_none_or(|left| *amount > left || *amount < Amount::ZERO)
        };
        if let Some((currency, _)) = amounts.iter().find(is_short) {
            return Err(Short { currency: currency.clone() });
        }
        for (currency, amount) in amounts.iter() {
            let left = self.remaining.of(currency).unwrap_or_default();
            self.remaining.set(currency, left.minus_down(amount));
        }
        self.reserved.insert(child.clone(), amounts.clone());
        Ok(())
    }

    /// Takes back what an ended child has left: never more than was set aside for it, and once. What
    /// it spent beyond was charged when it was spent.
    pub fn refund(&mut self, child: &JobId, rest: &Amounts) {
        let Some(reserved) = self.reserved.remove(child) else { return };
        for (currency, amount) in reserved.iter() {
            let back = rest.of(currency).unwrap_or_default().min(amount).max(Amount::ZERO);
            let left = self.remaining.of(currency).unwrap_or_default();
            self.remaining.set(currency, left.plus_down(back));
        }
    }

    fn was_helped(&mut self, currency: &Currency, amount: Amount) {
        let before = self.paid_above.of(currency).unwrap_or_default();
        self.paid_above.set(currency, before.plus_down(amount));
    }

    /// The first change, one that is large enough since the last that was told, and any that uses up
    /// the last or brings some back.
    fn is_worth_telling(&self, currency: &Currency, remaining: Amount) -> bool {
        let Some(told) = self.told.of(currency) else { return true };
        let initial = self.initial.of(currency).unwrap_or_default();
        let enough = (initial.0 * TELL_SHARE).max(Decimal::ONE);
        let change =
            if told > remaining { told.minus_down(remaining) } else { remaining.minus_down(told) };
        change.0 >= enough || told.is_positive() != remaining.is_positive()
    }
}

/// Charges a job with what it spent. `chain` is its account, if it has one, then its parent's and so
/// on. The first that budgets the currency pays, and what it has not got is paid by the next that does.
/// Gives who paid, by place in the chain.
pub fn charge(
    chain: &mut [&mut Account],
    currency: &Currency,
    amount: Amount,
) -> Result<Vec<(usize, Debited)>, BadCharge> {
    let mut paid: Vec<(usize, Debited)> = vec![];
    let mut due = amount;
    for place in 0..chain.len() {
        if let Some(debited) = chain[place].debit(currency, due)? {
            if let Some((helped, _)) = paid.last() {
                chain[*helped].was_helped(currency, due);
            }
            paid.push((place, debited));
            due = debited.over;
            if !due.is_positive() {
                break;
            }
        }
    }
    Ok(paid)
}

/// The first currency of which a job has nothing left. `chain` is as for [`charge`]: an account
/// further up counts for the currencies that none before it budgets.
pub fn exhausted<'a>(chain: &[&'a Account]) -> Option<&'a Currency> {
    let mut seen = BTreeSet::new();
    chain.iter().find_map(|account| {
        account.remaining.iter().find_map(|(currency, left)| {
            (seen.insert(currency) && !left.is_positive()).then_some(currency)
        })
    })
}
