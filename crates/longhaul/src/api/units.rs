//! Durations and sizes as people write them: `500ms`, `30s`, `10m`, `2h`, `7d`; `64K`, `10M`, `2G`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A duration, in milliseconds. Written with the largest unit that leaves no remainder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// A size, in bytes; `K`, `M`, `G` and `T` are powers of 1024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Says why a text is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: write it like {example}")]
pub struct BadUnit {
    text: String,
    kind: &'static str,
    example: &'static str,
}

const SPAN_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 5] =
    [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10), ("", 1)];

/// A value that does not come back the same after 32 characters is a mistake, not a duration.
const TEXT_BYTES_SHOWN: usize = 32;

impl BadUnit {
    fn new(text: &str, kind: &'static str, example: &'static str) -> Self {
        // A text of a megabyte shall not become a message of a megabyte.
        let text = text.chars().take(TEXT_BYTES_SHOWN).collect();
        Self { text, kind, example }
    }
}

/// Splits the leading digits off; `None` without any, or for a number that does not fit.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

impl FromStr for Span {
    type Err = BadUnit;

    /// Takes one or more numbers with a unit each: `90s`, `1h30m`. A number alone is refused,
    /// because half of its readers would guess the other unit.
    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit::new(text, "duration", "`500ms`, `30s`, `10m`, `2h` or `7d`");
        let mut rest = text;
        let mut total: u64 = 0;
        loop {
            let (number, after) = leading_number(rest).ok_or_else(bad)?;
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, next) = after.split_at(letters);
            let (_, factor) = SPAN_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
            let part = number.checked_mul(*factor).ok_or_else(bad)?;
            total = total.checked_add(part).ok_or_else(bad)?;
            if next.is_empty() {
                return Ok(Self(total));
            }
            rest = next;
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("0s");
        }
        write_exact(out, self.0, &SPAN_UNITS)
    }
}

impl FromStr for Size {
    type Err = BadUnit;

    /// Takes a number of bytes, or a number with `K`, `M`, `G` or `T`.
    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit::new(text, "size", "`512`, `64K`, `10M` or `2G`");
        let (number, unit) = leading_number(text).ok_or_else(bad)?;
        let (_, factor) =
            SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(bad)?;
        number.checked_mul(*factor).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("0");
        }
        write_exact(out, self.0, &SIZE_UNITS)
    }
}

fn write_exact(out: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let (name, factor) = units
        .iter()
        .find(|(_, factor)| value.is_multiple_of(*factor))
        .expect("the last unit is one");
    write!(out, "{}{name}", value / factor)
}

macro_rules! text_on_the_wire {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use text_on_the_wire;

text_on_the_wire!(Span);
text_on_the_wire!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        let known = [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("0s", 0),
            ("90s", 90_000),
        ];
        for (text, millis) in known {
            assert_eq!(text.parse(), Ok(Span(millis)), "{text}");
            assert_eq!(Span(millis).to_string().parse(), Ok(Span(millis)));
        }
        assert_eq!("1h30m".parse(), Ok(Span(5_400_000)));
        assert_eq!(Span(90_000).to_string(), "90s");
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for text in ["", "5", "s", "-1s", "1.5h", "5 s", "5y", "99999999999999999999s", "1s "] {
            assert!(text.parse::<Span>().is_err(), "{text:?} passed");
        }
        let long = "x".repeat(1_000_000);
        assert!(long.parse::<Span>().unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        let known = [("512", 512), ("64K", 65_536), ("10M", 10_485_760), ("2G", 2_147_483_648)];
        for (text, bytes) in known {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), text);
        }
        for text in ["", "K", "-1", "1.5M", "10X", "99999999999G"] {
            assert!(text.parse::<Size>().is_err(), "{text:?} passed");
        }
    }
}
