//! One text for what says the same, so that asking twice can be told from asking for something else.
//! [arcp §7.2] The same key with the same parameters has the same answer, and with others none: keys
//! are sorted, and nothing said is the same as `null`.

use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// The one text for this JSON. The order of keys says nothing; everything else does.
///
/// # Errors
/// It has the shape of JSON and stands for nothing that everybody could read: half a character, or a
/// number beyond all others.
pub fn text(json: &RawValue) -> serde_json::Result<String> {
    serde_json::from_str(json.get()).map(|value| value_text(&value))
}

/// What an agent is asked, as one text. Nothing and `null` are the same.
///
/// # Errors
/// As for [`text`].
pub fn input(json: Option<&RawValue>) -> serde_json::Result<String> {
    json.map_or_else(|| Ok("null".to_owned()), text)
}

/// The one text for this value.
pub fn value_text(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Object(all) => {
            // Whether a map is kept in order is decided by others who build with the same library.
            let mut keys: Vec<&String> = all.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (place, key) in keys.into_iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(out, "{comma}{}:", Value::from(key.as_str()))
                    .expect("a text takes any text");
                write_value(&all[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write!(out, "{value}").expect("a text takes any text");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        text(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn the_order_of_keys_says_nothing_and_all_else_does() {
        assert_eq!(
            of(r#"{"b":1,"a":{"d":[1,2],"c":null}}"#),
            of(r#"{ "a":{"c":null,"d":[1, 2]},"b":1 }"#)
        );
        assert_eq!(of(r#"{"b":"\u00e9","a":1.5}"#), r#"{"a":1.5,"b":"é"}"#);
        for (one, other) in
            [("[1,2]", "[2,1]"), ("{}", r#"{"a":null}"#), ("1", r#""1""#), ("0", "null")]
        {
            assert_ne!(of(one), of(other));
        }
    }

    #[test]
    fn a_number_stays_the_number_that_it_is() {
        for number in
            ["0.9925434121760651", "-929464287605354.1", "2.7715077941825975e-163", "1e+50", "-0.0"]
        {
            assert_eq!(of(&format!("[{number}]")), format!("[{number}]"));
        }
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(input(None).unwrap(), of("null"));
    }

    #[test]
    fn what_stands_for_nothing_is_no_text() {
        for odd in [r#"{"a":"\ud800"}"#, r#""\udc00x""#, "[1e400]"] {
            assert!(text(serde_json::from_str(odd).unwrap()).is_err(), "{odd}");
        }
        assert_eq!(of(r#""\ud83e\udd80""#), "\"🦀\"");
    }
}
