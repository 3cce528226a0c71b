//! Money as people and programs write it: US dollars, never rounded to nothing on the way.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Billionths in one dollar.
const NANOS: u64 = 1_000_000_000;
/// Digits after the point that there can be.
const DIGITS: usize = 9;
/// Dollars beyond which nobody's budget is: what is more is a slip of the finger.
const DOLLARS_MAX: u64 = 1_000_000;
/// Characters of a wrong amount that are repeated.
const TEXT_CHARS_SHOWN: usize = 32;

/// An amount of US dollars, in billionths. On the wire a plain number of dollars: exact for every
/// amount that there can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub u64);

/// Says why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of money: write it like `2usd` or `0.50usd`")]
pub struct BadMoney(String);

impl BadMoney {
    fn new(text: &str) -> Self {
        Self(text.chars().take(TEXT_CHARS_SHOWN).collect())
    }
}

impl FromStr for Usd {
    type Err = BadMoney;

    /// Takes `2usd`, `0.50usd`, `$2` or a plain number of dollars, with at most nine digits after
    /// the point.
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let bad = || BadMoney::new(text);
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_suffix("usd").or_else(|| lower.strip_prefix('$'));
        let number = number.unwrap_or(&lower).trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > DIGITS {
            return Err(bad());
        }
        let dollars: u64 = whole.parse().map_err(|_| bad())?;
        let nanos: u64 = format!("{part:0<DIGITS$}").parse().map_err(|_| bad())?;
        if dollars > DOLLARS_MAX {
            return Err(bad());
        }
        Ok(Self(dollars * NANOS + nanos))
    }
}

impl fmt::Display for Usd {
    /// As many digits as the amount has, and at least cents.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:0DIGITS$}", self.0 % NANOS);
        let part = part.trim_end_matches('0');
        write!(out, "${}.{part:0<2}", self.0 / NANOS)
    }
}

impl Serialize for Usd {
    #[expect(clippy::cast_precision_loss, reason = "exact below a million dollars")]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0 as f64 / NANOS as f64)
    }
}

struct Amount;

impl Visitor<'_> for Amount {
    type Value = Usd;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an amount of US dollars, such as 0.5 or \"2usd\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Usd, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, dollars: u64) -> Result<Usd, E> {
        dollars.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, dollars: i64) -> Result<Usd, E> {
        dollars.to_string().parse().map_err(E::custom)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the range is checked; below a billionth nothing is owed"
    )]
    fn visit_f64<E: Error>(self, dollars: f64) -> Result<Usd, E> {
        if !(0.0..=DOLLARS_MAX as f64).contains(&dollars) {
            return Err(E::custom(BadMoney::new(&dollars.to_string())));
        }
        Ok(Usd((dollars * NANOS as f64).round() as u64))
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_as_people_write_it() {
        let known = [
            ("2usd", 2_000_000_000),
            ("0.50USD", 500_000_000),
            ("$3", 3_000_000_000),
            ("0.000000001", 1),
            ("12 usd", 12_000_000_000),
        ];
        for (text, nanos) in known {
            assert_eq!(text.parse(), Ok(Usd(nanos)), "{text}");
        }
        let bad =
            ["", "usd", "-1", "1e3", "2eur", "1.", ".5", "0.0000000001", "99999999999", "$2usd"];
        for text in bad {
            assert!(text.parse::<Usd>().is_err(), "{text:?} passed");
        }
    }

    #[test]
    fn the_smallest_amount_survives_the_wire_and_is_shown() {
        for nanos in [0, 1, 123, 500_000_000, 2_000_000_000, 999_999_999_999_999] {
            let json = serde_json::to_string(&Usd(nanos)).unwrap();
            assert_eq!(serde_json::from_str::<Usd>(&json).unwrap(), Usd(nanos), "{json}");
        }
        assert_eq!(Usd(1).to_string(), "$0.000000001");
        assert_eq!(Usd(2_500_000_000).to_string(), "$2.50");
        assert_eq!(serde_json::from_str::<Usd>("\"2usd\"").unwrap(), Usd(2_000_000_000));
        assert_eq!(serde_json::from_str::<Usd>("2").unwrap(), Usd(2_000_000_000));
        for json in ["-1", "1e99", "\"x\"", "null", "-0.5"] {
            assert!(serde_json::from_str::<Usd>(json).is_err(), "{json} passed");
        }
    }
}
