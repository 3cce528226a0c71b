//! What bodies hand over, made to fit.

use super::row::Output;
use crate::limits;
use serde_json::{Value, json};

/// How many slots a setting means: rounded down, at least one.
pub fn slots_of(setting: f64) -> u32 {
    let most = limits::TASK_SLOTS_MAX;
    // Also what is not a number means one.
    if setting >= f64::from(most) {
        most
    } else if setting >= 1.0 {
        floor(setting)
    } else {
        1
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller saw that it lies between one and the limit"
)]
const fn floor(setting: f64) -> u32 {
    setting as u32
}

pub(super) fn clip_output(mut output: Output) -> Output {
    let (text, is_cut) = clip_text(output.text, limits::TASK_TEXT_BYTES_MAX);
    output.text = text;
    output.is_cut |= is_cut;
    let most = limits::TASK_TEXT_BYTES_MAX;
    if output.structured.as_ref().is_some_and(|value| size(value, most) > most) {
        output.structured = None;
        output.is_cut = true;
    }
    output
}

/// The last details, whole or the end of their text.
pub(super) fn clip_details(details: Value) -> Value {
    let most = limits::EMISSION_BYTES_MAX;
    match details {
        Value::String(text) => Value::String(clip_text(text, most).0),
        value if size(&value, most) > most => json!({ "too_large": true }),
        value => value,
    }
}

/// The end of a text, cut between characters, and whether something is missing.
pub(super) fn clip_text(mut text: String, bytes_max: usize) -> (String, bool) {
    if text.len() <= bytes_max {
        text.shrink_to_fit();
        return (text, false);
    }
    let mut from = text.len() - bytes_max;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    (text[from..].to_owned(), true)
}

/// About how much memory a value takes; counts no further than just past `enough`.
fn size(value: &Value, enough: usize) -> usize {
    let mut bytes = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        bytes += size_of::<Value>();
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => bytes += text.len(),
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => {
                bytes += entries.keys().map(String::len).sum::<usize>();
                open.extend(entries.values());
            }
        }
        if bytes > enough {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_rounded_down_and_at_least_one() {
        let read = [0.0, -3.0, 1.9, 2.0, 15.5, f64::NAN, f64::INFINITY].map(slots_of);
        assert_eq!(read, [1, 1, 1, 2, 15, 1, limits::TASK_SLOTS_MAX]);
    }

    #[test]
    fn the_end_of_a_text_is_kept_and_characters_stay_whole() {
        assert_eq!(clip_text("aäb".to_owned(), 2), ("b".to_owned(), true));
        assert_eq!(clip_text("aäb".to_owned(), 3), ("äb".to_owned(), true));
        assert_eq!(clip_text("aäb".to_owned(), 4), ("aäb".to_owned(), false));
    }

    #[test]
    fn what_is_too_large_says_so() {
        let long = "x".repeat(limits::TASK_TEXT_BYTES_MAX + 1);
        let output = Output { structured: Some(json!([long])), text: long, is_cut: false };
        let clipped = clip_output(output);
        assert!(clipped.is_cut && clipped.structured.is_none());
        assert_eq!(clipped.text.len(), limits::TASK_TEXT_BYTES_MAX);
        assert_eq!(clip_details(json!(vec![0; 10_000])), json!({ "too_large": true }));
        assert_eq!(clip_details(json!({ "step": 1 })), json!({ "step": 1 }));
    }
}
