//! When a vendor's limit ends, as a moment: vendors also name times of day, in zones of their own.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Instant};
use longhaul_agents::{Clock, Reset};
use longhaul_core::time::{Millis, Timestamp};

/// How long ago a time of day may be that was meant to come: what was said a moment before is read
/// a moment after.
const PAST_MAX: Millis = Millis::from_secs(10 * 60);

/// The moment at which a limit ends that was told of at `said_at`; `None` if that cannot be known.
pub(super) fn moment(reset: &Reset, said_at: Timestamp) -> Option<Timestamp> {
    match reset {
        Reset::AtMs(ms) => Some(Timestamp::from_millis(i64::try_from(*ms).ok()?)),
        Reset::AfterMs(ms) => Some(said_at.plus(Millis::new(*ms))),
        Reset::Clock(clock) => {
            let zone = match &clock.zone {
                Some(name) => TimeZone::get(name).ok()?,
                None => TimeZone::system(),
            };
            next(clock, &zone, said_at)
        }
    }
}

/// The next time that a clock in `zone` shows this.
fn next(clock: &Clock, zone: &TimeZone, said_at: Timestamp) -> Option<Timestamp> {
    let since = said_at.as_millis().checked_sub(i64::try_from(PAST_MAX.get()).ok()?)?;
    let since = Instant::from_millisecond(since).ok()?;
    let today = since.to_zoned(zone.clone()).date();
    let time = Time::new(i8::try_from(clock.hour).ok()?, i8::try_from(clock.minute).ok()?, 0, 0);
    let time = time.ok()?;
    let first = match clock.day {
        Some((month, day)) => {
            let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
            Date::new(today.year(), month, day).ok()?
        }
        None => today,
    };
    let step = if clock.day.is_some() { Span::new().years(1) } else { Span::new().days(1) };
    let second = first.checked_add(step).ok()?;
    [first, second].into_iter().find_map(|date| {
        let at = date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp();
        (at > since).then(|| Timestamp::from_millis(at.as_millisecond()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01 12:00 UTC, which is 14:00 in Berlin.
    const NOON: i64 = 1_782_907_200_000;
    const HOUR: i64 = 3_600_000;

    fn clock(hour: u8, day: Option<(u8, u8)>, zone: Option<&str>) -> Reset {
        Reset::Clock(Clock { hour, minute: 0, day, zone: zone.map(str::to_owned) })
    }

    fn hours(reset: &Reset) -> Option<i64> {
        let at = moment(reset, Timestamp::from_millis(NOON))?;
        Some((at.as_millis() - NOON) / HOUR)
    }

    #[test]
    fn spans_and_moments_are_taken_as_they_are() {
        assert_eq!(hours(&Reset::AfterMs(7_200_000)), Some(2));
        assert_eq!(hours(&Reset::AtMs(u64::try_from(NOON).unwrap() + 3_600_000)), Some(1));
    }

    #[test]
    fn a_time_of_day_is_the_next_one_in_its_zone() {
        assert_eq!(hours(&clock(15, None, Some("UTC"))), Some(3));
        assert_eq!(hours(&clock(11, None, Some("UTC"))), Some(23));
        assert_eq!(hours(&clock(15, None, Some("Europe/Berlin"))), Some(1));
        // A minute ago is now.
        assert_eq!(hours(&clock(12, None, Some("UTC"))), Some(0));
    }

    #[test]
    fn a_day_is_this_years_or_the_next_ones() {
        assert_eq!(hours(&clock(12, Some((7, 3)), Some("UTC"))), Some(48));
        assert_eq!(hours(&clock(12, Some((6, 30)), Some("UTC"))), Some(364 * 24));
        assert_eq!(hours(&clock(12, Some((2, 30)), Some("UTC"))), None);
    }

    #[test]
    fn a_zone_that_nobody_knows_says_nothing() {
        assert_eq!(hours(&clock(15, None, Some("Middle/Earth"))), None);
        assert!(hours(&clock(15, None, None)).is_some_and(|hours| (0..24).contains(&hours)));
    }
}
