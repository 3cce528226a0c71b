//! Decimals from texts and their sums, without the silent rounding of the usual operators.

use super::BadCharge;
use crate::limits::{AMOUNT_BYTES_MAX, AMOUNT_DIGITS_MAX};
use rust_decimal::Decimal;

/// Digits after the point that can be kept.
const DECIMALS_MAX: u32 = Decimal::MAX_SCALE;

const TOO_MANY: &str = "an amount has at most 28 digits";
const _: () = assert!(AMOUNT_DIGITS_MAX == 28, "the text above says how many");

/// The text of a number, taken apart: `digits` without zeros at either end, times a power of ten.
struct Digits {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

/// Digits, and a point with digits after it if there is one.
pub(super) fn plain(text: &str) -> Result<Decimal, &'static str> {
    const FORM: &str = "an amount is digits, and a point with digits after it if needed";
    if text.len() > AMOUNT_BYTES_MAX {
        return Err(TOO_MANY);
    }
    if text.contains(['-', '+', 'e', 'E']) {
        return Err(FORM);
    }
    let Some(number) = take_apart(text) else { return Err(FORM) };
    exact(&number).ok_or(TOO_MANY)
}

/// Any finite number that is not negative; up to the next that can be kept.
pub(super) fn charge(text: &str) -> Result<Decimal, BadCharge> {
    if text.len() > AMOUNT_BYTES_MAX {
        return Err(BadCharge::TooLarge);
    }
    let number = take_apart(text).ok_or(BadCharge::NotFinite)?;
    if number.is_negative && !number.digits.is_empty() {
        return Err(BadCharge::Negative);
    }
    if whole_digits(&number) > i64::from(AMOUNT_DIGITS_MAX) {
        return Err(BadCharge::TooLarge);
    }
    exact(&number).or_else(|| rounded_up(number)).ok_or(BadCharge::TooLarge)
}

/// The sum, if it can be kept whole.
pub(super) fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    at_scale(a, b, a.scale().max(b.scale())).filter(|sum| is_short(*sum))
}

/// The sum, rounded down as far as needed; the farthest number from zero if nothing helps.
pub(super) fn sum_down(a: Decimal, b: Decimal) -> Decimal {
    let scales = (0..=a.scale().max(b.scale())).rev();
    let farthest = if a.is_sign_negative() { Decimal::MIN } else { Decimal::MAX };
    scales.into_iter().find_map(|scale| at_scale(a, b, scale)).unwrap_or(farthest)
}

/// Both rounded down to so many decimals, and added.
fn at_scale(a: Decimal, b: Decimal, scale: u32) -> Option<Decimal> {
    let sum = mantissa_at(a, scale)?.checked_add(mantissa_at(b, scale)?)?;
    Decimal::try_from_i128_with_scale(sum, scale).ok()
}

fn mantissa_at(value: Decimal, scale: u32) -> Option<i128> {
    let power = 10_i128.pow(value.scale().abs_diff(scale));
    if scale >= value.scale() {
        return value.mantissa().checked_mul(power);
    }
    Some(value.mantissa().div_euclid(power))
}

fn is_short(value: Decimal) -> bool {
    value.normalize().mantissa().unsigned_abs() < 10_u128.pow(AMOUNT_DIGITS_MAX)
}

/// A number as JSON writes them, though with zeros at its beginning if it likes.
fn take_apart(text: &str) -> Option<Digits> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let fraction_is_good = fraction.is_none_or(is_digits);
    if !is_digits(whole) || !fraction_is_good {
        return None;
    }
    let fraction = fraction.unwrap_or("");
    let power = exponent.map_or(Some(0), read_exponent)?;
    let digits = format!("{whole}{fraction}");
    let without_end = digits.trim_end_matches('0');
    let zeros = digits.len() - without_end.len();
    let exponent = power - fraction.len() as i64 + zeros as i64;
    Some(Digits { is_negative, digits: without_end.trim_start_matches('0').to_owned(), exponent })
}

/// One so far out that its digits do not matter is brought nearer.
fn read_exponent(text: &str) -> Option<i64> {
    const FAR: i64 = 1_000_000;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    is_digits(digits).then(|| sign * digits.parse().unwrap_or(FAR).min(FAR))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits before the point; below zero if the point is followed by zeros.
fn whole_digits(number: &Digits) -> i64 {
    if number.digits.is_empty() { 0 } else { number.digits.len() as i64 + number.exponent }
}

/// The value, if it has no more digits than can be kept.
fn exact(number: &Digits) -> Option<Decimal> {
    if number.digits.is_empty() {
        return Some(Decimal::ZERO);
    }
    let zeros = usize::try_from(number.exponent.max(0)).ok()?;
    let decimals = u32::try_from((-number.exponent).max(0)).ok()?;
    if number.digits.len().saturating_add(zeros) > AMOUNT_DIGITS_MAX as usize
        || decimals > DECIMALS_MAX
    {
        return None;
    }
    let mantissa: i128 = format!("{}{}", number.digits, "0".repeat(zeros)).parse().ok()?;
    Decimal::try_from_i128_with_scale(mantissa, decimals).ok()
}

/// The next value that has few enough digits. Only for what has too many after its point.
fn rounded_up(mut number: Digits) -> Option<Decimal> {
    let most = i64::from(AMOUNT_DIGITS_MAX) - whole_digits(&number).max(0);
    let dropped = usize::try_from(-number.exponent - most).ok()?;
    number.digits.truncate(number.digits.len().saturating_sub(dropped));
    let mantissa: i128 = if number.digits.is_empty() { 0 } else { number.digits.parse().ok()? };
    Decimal::try_from_i128_with_scale(mantissa + 1, u32::try_from(most).ok()?).ok()
}
