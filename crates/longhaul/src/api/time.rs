//! Points in time as RFC 3339 in UTC with milliseconds, the only form that leaves the daemon.

use super::units::text_on_the_wire;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// UTC milliseconds since 1970, written as `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

/// Says why a text is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it like `2026-01-31T12:00:00Z`")]
pub struct BadTime;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

impl FromStr for Time {
    type Err = BadTime;

    /// Takes RFC 3339 with any offset; what is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let time: jiff::Timestamp = text.parse().map_err(|_| BadTime)?;
        Ok(Self(time.as_millisecond()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the year 9999 there is no text; "never" is shown as the last there is.
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        out.write_str(&PRINTER.timestamp_to_string(&time))
    }
}

text_on_the_wire!(Time);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_z() {
        let known =
            [(0, "1970-01-01T00:00:00.000Z"), (1_700_000_000_123, "2023-11-14T22:13:20.123Z")];
        for (millis, text) in known {
            assert_eq!(Time(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(Time(millis)));
        }
        assert_eq!("2023-11-14T23:13:20.123+01:00".parse(), Ok(Time(1_700_000_000_123)));
    }

    #[test]
    fn any_number_can_be_written_and_only_times_are_read() {
        for millis in [i64::MIN, -1, i64::MAX] {
            assert!(Time(millis).to_string().ends_with('Z'));
        }
        for text in ["", "now", "2023-11-14", "12:00", "2023-11-14T22:13:20"] {
            assert!(text.parse::<Time>().is_err(), "{text:?} passed");
        }
    }
}
