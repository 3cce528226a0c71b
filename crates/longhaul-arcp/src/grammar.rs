//! What messages say in texts of their own grammar: agents, moments, leases, budgets. What is echoed is
//! what was asked, and never more.

use crate::error::{Code, Denial};
use crate::message::{Budget, Constraints, LeaseMap};
use crate::profile::Profile;
use longhaul_core::amounts::Amounts;
use longhaul_core::lease::{Denied, Lease, Wider};
use longhaul_core::time::{Millis, Timestamp};
use serde_json::value::{RawValue, to_raw_value};

/// Bytes of an agent's name, and of its version.
const AGENT_WORD_BYTES_MAX: usize = 128;
/// Bytes of a moment's text.
const MOMENT_BYTES_MAX: usize = 40;

/// An agent as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentRef {
    /// Its name.
    pub name: String,
    /// The version that is wanted; any if none is named.
    pub version: Option<String>,
}

/// Reads `name` or `name@version`. [arcp §7.5] The first `@` parts them.
pub fn agent(text: &str) -> Result<AgentRef, Denial> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let is_small = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let in_name = |byte: u8| is_small(byte) || matches!(byte, b'.' | b'_' | b'-');
    let in_version =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'_' | b'-');
    let is_name = name.len() <= AGENT_WORD_BYTES_MAX
        && name.bytes().next().is_some_and(is_small)
        && name.bytes().all(in_name);
    let is_version = version.is_none_or(|version| {
        (1..=AGENT_WORD_BYTES_MAX).contains(&version.len()) && version.bytes().all(in_version)
    });
    if is_name && is_version {
        return Ok(AgentRef { name: name.to_owned(), version: version.map(str::to_owned) });
    }
    Err(Denial::new(
        Code::InvalidRequest,
        "an agent is `name` or `name@version`: small letters, digits, `.`, `_` and `-`, and in the \
         version capital letters and `+` too",
    ))
}

/// Reads a moment of RFC 3339 that ends in `Z`; nothing if the text is none.
pub fn moment(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let rest = bytes.get(shape.len()..)?;
    let fits = shape.iter().zip(bytes).all(|(form, byte)| match form {
        b'd' => byte.is_ascii_digit(),
        sign => sign == byte,
    });
    let fraction = rest.strip_suffix(b"Z")?;
    let fraction = match fraction {
        [] => fraction,
        [b'.', digits @ ..] if !digits.is_empty() => digits,
        _ => return None,
    };
    if !fits || text.len() > MOMENT_BYTES_MAX || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Counted from the first of March, so that a leap day ends its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let past = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = 365 * year + past + of_year - 719_468;
    let millis = fraction.iter().chain(b"000").take(3);
    let millis = millis.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(Timestamp::from_millis(
        (days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + millis,
    ))
}

/// Reads a moment of RFC 3339 in any zone; nothing if the text is none.
pub fn moment_anywhere(text: &str) -> Option<Timestamp> {
    const OFFSET_BYTES: usize = "+00:00".len();
    if text.ends_with('Z') {
        return moment(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(OFFSET_BYTES)?)?;
    let local = moment(&format!("{local}Z"))?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let part = |digits: &str, most: u64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|number| is_number && *number <= most)
    };
    let span = Millis::from_secs(part(hours, 23)? * 3_600 + part(minutes, 59)? * 60);
    match offset.as_bytes()[0] {
        b'+' => Some(local.minus(span)),
        b'-' => Some(local.plus(span)),
        _ => None,
    }
}

/// Reads what a job shall be allowed to do. [arcp §9.5] An end that is no moment in UTC is none; whether
/// it has come already is for [`check_end`].
pub fn lease(asked: &LeaseMap, constraints: &Constraints) -> Result<Lease, Denial> {
    let expires_at = match &constraints.expires_at {
        None => None,
        Some(text) => match moment(text) {
            Some(at) => Some(at),
            None => return Err(bad_end("must be a moment such as `2026-01-31T12:00:00Z`")),
        },
    };
    let lease = Lease::parse(asked, expires_at)
        .map_err(|bad| Denial::new(Code::InvalidRequest, format!("`lease_request`: {bad}")))?;
    Ok(match &constraints.expires_at {
        Some(text) => lease.with_end_text(text),
        None => lease,
    })
}

/// Refuses a lease that is over before anything was done under it. [arcp §9.5] For asks that cannot have
/// been made before; where they can, the runtime looks for their keys first.
pub fn check_end(lease: &Lease, now: Timestamp) -> Result<(), Denial> {
    match lease.expires_at() {
        Some(at) if at <= now => Err(bad_end("is not in the future")),
        _ => Ok(()),
    }
}

fn bad_end(problem: &str) -> Denial {
    Denial::new(Code::InvalidRequest, format!("`lease_constraints.expires_at` {problem}"))
}

/// How a lease's end is echoed: as it was written, for clients compare the text; nothing if it has none.
pub fn constraints(lease: &Lease) -> Option<Constraints> {
    lease.end_text().map(|text| Constraints { expires_at: Some(text) })
}

/// How what may be spent is told. [arcp §7.1] Only of jobs whose lease says so.
pub fn budget(amounts: &Amounts, profile: Profile) -> Option<Budget> {
    let told = amounts.iter().map(|(currency, amount)| {
        let raw: Box<RawValue> = match profile {
            Profile::Default | Profile::Go => to_raw_value(&amount.to_json()),
            Profile::Python => to_raw_value(&format!("{currency}:{amount}")),
        }
        .expect("numbers and texts are JSON");
        (currency.to_string(), raw)
    });
    (!amounts.is_empty()).then(|| told.collect())
}

/// How an operation is told that may not be done.
pub fn denied(denied: &Denied) -> Denial {
    let denial = Denial::new(
        match denied {
            Denied::Expired { .. } => Code::LeaseExpired,
            Denied::NotGranted { .. } | Denied::BadTarget { .. } => Code::PermissionDenied,
            Denied::Exhausted { .. } => Code::BudgetExhausted,
        },
        denied.message(),
    );
    match denied {
        Denied::Expired { at } => denial.with("expires_at", at.rfc3339()),
        Denied::NotGranted { capability, target }
        | Denied::BadTarget { capability, target, .. } => {
            denial.with("capability", capability.as_str()).with("target", target.as_str())
        }
        Denied::Exhausted { currency } => denial.with("currency", currency.as_str()),
    }
}

/// How a delegation is told that would hand on more than there is. [arcp §9.4] It is rejected whole.
pub fn wider(wider: &Wider) -> Denial {
    Denial::new(Code::LeaseSubsetViolation, wider.to_string())
        .with("capability", wider.capability.as_str())
        .with("pattern", wider.pattern.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn an_agent_is_a_name_and_maybe_a_version() {
        let read = |text| agent(text).map(|agent| (agent.name, agent.version)).ok();
        let of =
            |name: &str, version: Option<&str>| Some((name.to_owned(), version.map(str::to_owned)));
        assert_eq!(read("calc"), of("calc", None));
        assert_eq!(read("a.b-c_1@2.0.0+Build-1"), of("a.b-c_1", Some("2.0.0+Build-1")));
        for bad in ["", "Calc", "-x", "a b", "a@", "a@b@c", "@1", "ä", &"a".repeat(200)] {
            assert_eq!(agent(bad).unwrap_err().code, Code::InvalidRequest, "{bad}");
        }
    }

    #[test]
    fn a_moment_is_read_only_in_utc_and_whole() {
        let at = |text| moment(text).map(Timestamp::as_millis);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2000-02-29T00:00:00.5Z"), Some(951_782_400_500));
        assert_eq!(at("2023-11-14T22:13:20.123456789Z"), Some(1_700_000_000_123));
        for bad in [
            "",
            "Z",
            "2026-05-13",
            "2026-05-13Z",
            "2026-05-13T10:00:00",
            "2026-05-13T10:00:00+02:00",
            "2026-05-13t10:00:00z",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-05-13T24:00:00Z",
            "2026-05-13T10:00:00.Z",
            "2026-05-13 10:00:00Z",
            "+2026-05-13T10:00:0Z",
            "tomorrow Z",
            "2026-05-13T10:00:00.1e3Z",
            "2026-05-13T10:00:0éZ",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_moment_in_another_zone_is_the_same_moment() {
        let utc = moment("2026-05-13T10:00:00.5Z");
        for text in ["2026-05-13T12:30:00.5+02:30", "2026-05-13T04:00:00.5-06:00"] {
            assert_eq!(moment_anywhere(text), utc, "{text}");
        }
        for bad in ["", "+02:00", "2026-05-13T12:00:00+2:000", "2026-05-13T12:00:00+24:00", "é2:00"]
        {
            assert_eq!(moment_anywhere(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_lease_that_is_over_or_unclear_is_refused() {
        let ends = |text: &str| {
            let constraints = Constraints { expires_at: Some(text.to_owned()) };
            let lease = lease(&LeaseMap::new(), &constraints)?;
            check_end(&lease, NOW).map(|()| lease)
        };
        for end in ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00.000Z", "2099-01-01T00:00:00.1Z"] {
            let echoed = constraints(&ends(end).unwrap()).unwrap();
            assert_eq!(echoed.expires_at.as_deref(), Some(end));
        }
        for bad in [NOW.rfc3339().as_str(), "2020-01-01T00:00:00Z", "2099-01-01", "soon"] {
            assert_eq!(ends(bad).unwrap_err().code, Code::InvalidRequest, "{bad}");
        }
        let asked = LeaseMap::from([("teleport".to_owned(), vec!["**".to_owned()])]);
        let refused = lease(&asked, &Constraints::default()).unwrap_err();
        assert_eq!(refused.code, Code::InvalidRequest);
    }

    #[test]
    fn a_lease_is_echoed_as_it_was_asked() {
        let asked = LeaseMap::from([
            ("fs.read".to_owned(), vec!["/data/**".to_owned()]),
            ("cost.budget".to_owned(), vec!["USD:5.00".to_owned(), "credits:7".to_owned()]),
            ("tool.call".to_owned(), vec![]),
        ]);
        let read = lease(&asked, &Constraints::default()).unwrap();
        assert_eq!(read.asked(), asked);
        assert_eq!(constraints(&read), None);
        let told = |profile| {
            serde_json::to_string(&budget(read.budget().unwrap(), profile).unwrap()).unwrap()
        };
        assert_eq!(told(Profile::Default), r#"{"USD":5,"credits":7}"#);
        assert_eq!(told(Profile::Python), r#"{"USD":"USD:5","credits":"credits:7"}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in -62_167_219_200_000_i64..=253_402_300_799_999) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(moment(&at.rfc3339()), Some(at));
        }

        #[test]
        fn no_text_makes_reading_fail(text in ".{0,60}") {
            let _ = (moment(&text).is_some(), agent(&text).is_ok());
        }
    }
}
