//! When a limit ends, out of what vendors write: `resets 3pm (Europe/Berlin)`, `try again in 2 days
//! 4 hours`, `retry-after-ms=1000`. There is no clock here, so a time of day stays one.

use serde::{Deserialize, Serialize};

/// When a limit ends, as precisely as it was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// At a moment: milliseconds since 1970, UTC.
    AtMs(u64),
    /// So many milliseconds after the line was written.
    AfterMs(u64),
    /// The next time that a clock shows this.
    Clock(Clock),
}

/// A time of day, on a day if one was named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// Month, 1 to 12, and day, 1 to 31; the next such moment otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<(u8, u8)>,
    /// The zone as written, mostly an IANA name; the machine's own otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Bytes of a zone's name.
const ZONE_BYTES_MAX: usize = 40;

/// What comes before a length of time or a time of day.
const MARKERS: &[&str] = &[
    "retry in",
    "again in",
    "again at",
    "reset at",
    "reset after",
    "retry after",
    "resets in",
    "resets at",
    "resets",
    "reset in",
];

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970 that a reset may plausibly be at: 2001 to 2286. Ten digits.
const EPOCH_S: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;

/// Finds when a limit ends in what a vendor wrote about it.
pub(crate) fn find(text: &str) -> Option<Reset> {
    let small = text.to_ascii_lowercase();
    number_after(&small, "limit reached|")
        .or_else(|| number_after(&small, "resets_at\":"))
        .or_else(|| number_after(&small, "resetsat\":"))
        .and_then(at_epoch)
        .or_else(|| seconds(number_after(&small, "resets_in_seconds\":")?))
        .or_else(|| number_after(&small, "retry-after-ms=").map(Reset::AfterMs))
        .or_else(|| number_after(&small, "retry-after-ms: ").map(Reset::AfterMs))
        .or_else(|| seconds(number_after(&small, "retry-after: ")?))
        .or_else(|| seconds(number_after(&small, "retry-after\":\"")?))
        .or_else(|| MARKERS.iter().find_map(|marker| after(&small, text, marker)))
}

/// The moment, from seconds or milliseconds since 1970.
pub(crate) fn at_epoch(number: u64) -> Option<Reset> {
    if EPOCH_S.contains(&number) {
        return Some(Reset::AtMs(number * 1_000));
    }
    EPOCH_S.contains(&(number / 1_000)).then_some(Reset::AtMs(number))
}

fn seconds(number: u64) -> Option<Reset> {
    number.checked_mul(1_000).map(Reset::AfterMs)
}

fn number_after(text: &str, marker: &str) -> Option<u64> {
    let rest = &text[text.find(marker)? + marker.len()..];
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn after(small: &str, text: &str, marker: &str) -> Option<Reset> {
    let start = small.find(marker)? + marker.len();
    duration(&small[start..]).or_else(|| clock(&small[start..], &text[start..]))
}

/// `2 days 17 hours 14 minutes`, `13h5m20s`, `34.07s`: as many parts as stand there.
fn duration(text: &str) -> Option<Reset> {
    let mut rest = text.trim_start_matches([' ', ':', '=', '~']);
    let mut total: u64 = 0;
    let mut parts = 0;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..end].parse::<f64>() else { break };
        let unit = rest[end..].trim_start();
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let Some(ms) = unit_ms(&unit[..letters]) else { break };
        total = total.saturating_add(scaled(number, ms)?);
        parts += 1;
        rest = unit[letters..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    (parts > 0).then_some(Reset::AfterMs(total))
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        _ => return None,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn scaled(number: f64, by: f64) -> Option<u64> {
    let scaled = (number * by).round();
    (0.0..1e15).contains(&scaled).then_some(scaled as u64)
}

/// `3pm (Europe/Berlin)`, `11:30pm`, `feb 3 at 10am`, `nov 12th, 2026 12:16 pm`.
fn clock(small: &str, text: &str) -> Option<Reset> {
    let until = small.find(['\n', '"']).unwrap_or(small.len());
    let (small, text) = (&small[..until], &text[..until]);
    let mut found = Clock { zone: zone(text), ..Clock::default() };
    let before_zone = small.split('(').next().unwrap_or(small);
    let words: Vec<&str> =
        before_zone.split([' ', ',']).filter(|word| !word.is_empty()).take(8).collect();
    for (index, word) in words.iter().enumerate() {
        if let Some(month) = MONTHS.iter().position(|month| word.starts_with(month)) {
            let day = words.get(index + 1)?.trim_end_matches(|c: char| !c.is_ascii_digit());
            let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
            found.day = Some((u8::try_from(month + 1).ok()?, day));
        }
        let next = words.get(index + 1).copied().unwrap_or_default();
        if let Some((hour, minute)) = time_of_day(word, next) {
            (found.hour, found.minute) = (hour, minute);
            return Some(Reset::Clock(found));
        }
    }
    None
}

/// `3pm`, `11:30pm`, `3:05` with `pm` as the next word, `15:04`.
fn time_of_day(word: &str, next: &str) -> Option<(u8, u8)> {
    let word = word.trim_end_matches(['.', ';']);
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    let mut half = &word[digits.len()..];
    let next = next.trim_end_matches(['.', ';']);
    if half.is_empty() && matches!(next, "am" | "pm") {
        half = next;
    }
    let (hour, minute) = match digits.split_once(':') {
        Some((hour, minute)) => (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?),
        None if matches!(half, "am" | "pm") => (digits.parse::<u8>().ok()?, 0),
        None => return None,
    };
    let hour = match half {
        "am" if hour == 12 => 0,
        "pm" if hour < 12 => hour + 12,
        "am" | "pm" | "" => hour,
        _ => return None,
    };
    (hour < 24 && minute < 60).then_some((hour, minute))
}

fn zone(text: &str) -> Option<String> {
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    let fits = !inside.is_empty() && inside.len() <= ZONE_BYTES_MAX && inside.is_ascii();
    (fits && !inside.contains(['"', '\\'])).then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_at(hour: u8, minute: u8, day: Option<(u8, u8)>, zone: Option<&str>) -> Option<Reset> {
        Some(Reset::Clock(Clock { hour, minute, day, zone: zone.map(str::to_owned) }))
    }

    #[test]
    fn moments_are_found() {
        let at = Some(Reset::AtMs(1_754_870_400_000));
        assert_eq!(find("Claude AI usage limit reached|1754870400"), at);
        assert_eq!(find(r#"{"resets_at":1754870400,"resets_in_seconds":13}"#), at);
    }

    #[test]
    fn lengths_are_found() {
        for (text, ms) in [
            ("429 slow down retry-after-ms=1000", 1_000),
            (r#"{"resets_in_seconds":13872}"#, 13_872_000),
            ("or try again in 2 days 17 hours 14 minutes.", 234_840_000),
            ("Please retry in 34.07s.", 34_070),
            ("Your quota will reset after 13h5m20s.", 47_120_000),
            ("retry-after: 30", 30_000),
            ("Resets in 1 day, 2 hours and 3 min", 93_780_000),
        ] {
            assert_eq!(find(text), Some(Reset::AfterMs(ms)), "{text}");
        }
    }

    #[test]
    fn times_of_day_are_found() {
        let limit = "You've hit your limit · resets";
        assert_eq!(find(&format!("{limit} 3pm")), clock_at(15, 0, None, None));
        let berlin = format!("{limit} 11:30pm (Europe/Berlin)");
        assert_eq!(find(&berlin), clock_at(23, 30, None, Some("Europe/Berlin")));
        assert_eq!(find("resets Feb 3 at 10am (UTC)"), clock_at(10, 0, Some((2, 3)), Some("UTC")));
        assert_eq!(find("or try again at 12:16 PM."), clock_at(12, 16, None, None));
        assert_eq!(
            find("try again at Nov 12th, 2026 12:16 AM."),
            clock_at(0, 16, Some((11, 12)), None)
        );
        assert_eq!(
            find("Your limit will reset at 1pm (Etc/GMT+5)."),
            clock_at(13, 0, None, Some("Etc/GMT+5"))
        );
    }

    #[test]
    fn nothing_is_made_up() {
        for text in [
            "",
            "try again later",
            "resets soon",
            "again in a while",
            "resets 25:99",
            "limit reached|12",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
