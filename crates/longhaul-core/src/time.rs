//! Points and stretches of time as plain numbers. Nothing here reads a clock: `now` is an argument
//! everywhere in this crate, and `longhaul/src/clock.rs` is the only place that makes one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in time: UTC milliseconds since 1970. Has no `now()`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A stretch of time in milliseconds, never negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(u64);

impl Timestamp {
    /// The last representable moment: "never" for comparisons.
    pub const MAX: Self = Self(i64::MAX);

    /// Takes UTC milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Gives UTC milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `span` later; stays at [`Timestamp::MAX`] instead of wrapping.
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }

    /// The moment `span` earlier.
    pub const fn minus(self, span: Millis) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// The moment as RFC 3339 in UTC, such as `2026-01-31T12:00:00.000Z`, for texts that leave as they
    /// are. Beyond the years 0 to 9999 it is the nearest that can be written.
    pub fn rfc3339(self) -> String {
        const DAY: i64 = 86_400_000;
        let millis = self.0.clamp(-62_167_219_200_000, 253_402_300_799_999);
        let (days, in_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        // Counted from the first of March of the year 0, so that a leap day ends its year.
        let days = days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = era * 400 + year + next;
        let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (second, milli) = (in_day / 1_000 % 60, in_day % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Millis {
        let span = self.0.saturating_sub(earlier.0);
        Millis(if span < 0 { 0 } else { span.unsigned_abs() })
    }
}

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Takes a number of milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Takes a number of seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Gives the number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This much, `factor` times over; saturates.
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// Both stretches after each other; saturates.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// For people: the two largest units that say something, such as `49m 45s`; rounded down.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let Some(first) = UNITS.iter().position(|(size, _)| self.0 >= *size) else {
            return write!(f, "{}ms", self.0);
        };
        let (size, unit) = UNITS[first];
        write!(f, "{}{unit}", self.0 / size)?;
        match UNITS.get(first + 1).map(|(next, unit)| (self.0 % size / next, unit)) {
            Some((rest, unit)) if rest > 0 => write!(f, " {rest}{unit}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_units_people_use() {
        let told = |ms| Millis::new(ms).to_string();
        assert_eq!([told(0), told(300), told(1_008)], ["0ms", "300ms", "1s"]);
        assert_eq!([told(2_985_096), told(3_600_000)], ["49m 45s", "1h"]);
        assert_eq!([told(3_630_000), told(187_200_000)], ["1h", "2d 4h"]);
    }

    #[test]
    fn a_moment_is_written_as_everybody_writes_it() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).rfc3339(), text);
        }
    }

    #[test]
    fn arithmetic_saturates_and_never_goes_below_zero() {
        let noon = Timestamp::from_millis(1_000);
        assert_eq!(noon.plus(Millis::new(5)).as_millis(), 1_005);
        assert_eq!(Timestamp::MAX.plus(Millis::new(1)), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(5).since(noon), Millis::ZERO);
        assert_eq!(noon.since(Timestamp::from_millis(-500)), Millis::new(1_500));
    }
}
