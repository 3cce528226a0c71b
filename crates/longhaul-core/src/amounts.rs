//! Money in decimals: what ten times a tenth is, is one. Binary fractions only come in and go out at
//! the edges, by the text that stands for them.
//!
//! Where a result has more digits than can be kept it is rounded against who spends: less is left
//! than there would be, never more. [`account`] is who keeps a budget.

pub mod account;
mod number;
#[cfg(test)]
mod tests;

pub use account::{Account, Debited, Short, charge, exhausted};

use crate::limits;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A unit in which is counted: a letter, then letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

/// So much of one currency. Below zero only where it is what is left of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

/// An amount for each of some currencies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amounts(BTreeMap<Currency, Amount>);

/// A text that is no amount of a currency.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct BadAmount {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A number that nobody can be charged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadCharge {
    /// It is below zero: nobody is paid for spending.
    #[error("a charge is not negative")]
    Negative,
    /// It has no value, or its text is no number.
    #[error("a charge is a finite number")]
    NotFinite,
    /// It has more digits before its point than are kept.
    #[error("a charge has at most {} digits before its point", limits::AMOUNT_DIGITS_MAX)]
    TooLarge,
}

impl Currency {
    /// US dollars, in which vendors of models are paid.
    pub fn usd() -> Self {
        Self("USD".to_owned())
    }

    /// Reads a currency; None unless the text is one, of at most `CURRENCY_BYTES_MAX` bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_currency = text.len() <= limits::CURRENCY_BYTES_MAX
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        is_currency.then(|| Self(text.to_owned()))
    }

    /// Gives the currency as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads digits, and a point with digits after it if there is one: no sign, no exponent.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        number::plain(text).map(Self::of)
    }

    /// Takes billionths of a US dollar; the currency is [`Currency::usd`].
    pub fn from_nano_usd(nano_usd: u64) -> Self {
        Self::of(Decimal::from_i128_with_scale(i128::from(nano_usd), 9))
    }

    /// Takes a number by the text that stands for it, so that `0.1` is a tenth. What is finer than
    /// can be kept is rounded up.
    pub fn from_json(number: &serde_json::Number) -> Result<Self, BadCharge> {
        Self::from_number_text(&number.to_string())
    }

    /// The same for a number that came as text: with a sign or an exponent, too.
    pub fn from_number_text(text: &str) -> Result<Self, BadCharge> {
        number::charge(text).map(Self::of)
    }

    /// The nearest number of those that everybody can read: whole ones without a point.
    pub fn to_json(self) -> serde_json::Number {
        if let (true, Some(whole)) = (self.0.is_integer(), self.0.to_i64()) {
            return whole.into();
        }
        // The text and not the crate's own conversion: that one is off by a last digit at times.
        let nearest = self.to_string().parse().unwrap_or(0.0);
        serde_json::Number::from_f64(nearest).unwrap_or_else(|| 0.into())
    }

    /// Whether there is more than nothing.
    pub fn is_positive(self) -> bool {
        self > Self::ZERO
    }

    /// Both together; None if that has more digits than can be kept.
    pub fn plus(self, other: Self) -> Option<Self> {
        number::sum(self.0, other.0).map(Self::of)
    }

    /// Both together, or a little less.
    fn plus_down(self, other: Self) -> Self {
        Self::of(number::sum_down(self.0, other.0))
    }

    /// What is left without `other`, or a little less.
    fn minus_down(self, other: Self) -> Self {
        self.plus_down(other.negated())
    }

    fn negated(self) -> Self {
        Self::of(-self.0)
    }

    /// One text for one value: no zeros at the end, and none with a sign.
    fn of(value: Decimal) -> Self {
        Self(value.normalize())
    }
}

impl Amounts {
    /// Reads texts such as `USD:1.25`. A currency that stands there twice has the sum.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadAmount> {
        let mut amounts = Self::default();
        for text in texts {
            let bad = |problem| BadAmount { text: text.to_owned(), problem };
            let Some((currency, amount)) = text.split_once(':') else {
                return Err(bad("a budget is written as `USD:1.25`"));
            };
            let Some(currency) = Currency::parse(currency) else {
                return Err(bad("a currency is a letter, then letters, digits, `-` and `_`"));
            };
            let amount = Amount::parse(amount).map_err(bad)?;
            if amounts.add(currency, amount).is_none() {
                return Err(bad("its sum with the others has too many digits"));
            }
        }
        Ok(amounts)
    }

    /// Adds to a currency; None, and nothing is changed, if the sum has more digits than can be kept.
    pub fn add(&mut self, currency: Currency, amount: Amount) -> Option<()> {
        let sum = self.of(&currency).unwrap_or_default().plus(amount)?;
        self.0.insert(currency, sum);
        Some(())
    }

    /// So much there is of a currency, if it is among these.
    pub fn of(&self, currency: &Currency) -> Option<Amount> {
        self.0.get(currency).copied()
    }

    /// All of them, in the order of their currencies.
    pub fn iter(&self) -> impl Iterator<Item = (&Currency, Amount)> {
        self.0.iter().map(|(currency, amount)| (currency, *amount))
    }

    /// Whether there is no currency.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn set(&mut self, currency: &Currency, amount: Amount) {
        self.0.insert(currency.clone(), amount);
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or("no currency: a letter, then letters, digits, `-` and `_`")
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Not derived: how the crate writes a decimal depends on features that any crate of a build can turn
// on, and this is stored.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str(&text).map(Self::of).map_err(serde::de::Error::custom)
    }
}
