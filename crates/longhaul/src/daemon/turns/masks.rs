//! Secrets that an agent was given and says again: their values are masked before its events are
//! stored. Only whole values are known, as they are: one that an agent encodes, cuts or spells out
//! passes. The attempt's own output keeps what was written, and so does what a tool's hook was told.

use memchr::memmem::Finder;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of the shortest value that is taken for a secret; shorter ones are found by chance.
const VALUE_BYTES_MIN: usize = 8;
/// What stands in the place of a value.
const MASK: &str = "***";
/// Parts of the names of variables that hold secrets.
const SECRET_PARTS: &[&str] =
    &["APIKEY", "CREDENTIAL", "CREDENTIALS", "KEY", "PASSWD", "PASSWORD", "SECRET", "TOKEN"];
/// What an event says of itself, in words of ours or of the CLI's.
const OWN_KEYS: &[&str] =
    &["kind", "level", "from", "outcome", "phase", "call_id", "tool", "name", "unit", "units"];

/// The values that are masked.
#[derive(Default)]
pub(super) struct Masks(Vec<Mask>);

struct Mask {
    value: String,
    /// Finds the value within the JSON of a string.
    finder: Finder<'static>,
}

impl Masks {
    /// Of an environment, what its names say is secret.
    pub(super) fn of(environment: &BTreeMap<String, String>) -> Self {
        let secret = environment.iter().filter(|(name, value)| {
            value.len() >= VALUE_BYTES_MIN
                && name.to_ascii_uppercase().split('_').any(|part| SECRET_PARTS.contains(&part))
        });
        let mut values: Vec<&String> = secret.map(|(_, value)| value).collect();
        // A value within another must not leave the other's rest.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values.into_iter().map(|value| Mask::new(value)).collect())
    }

    /// The JSON of an event without them. What says none costs a search for each.
    pub(super) fn over(&self, body: String) -> String {
        if !self.0.iter().any(|mask| mask.finder.find(body.as_bytes()).is_some()) {
            return body;
        }
        let Ok(Value::Object(mut event)) = serde_json::from_str(&body) else { return body };
        for (key, said) in &mut event {
            if !OWN_KEYS.contains(&key.as_str()) {
                self.within(said);
            }
        }
        Value::Object(event).to_string()
    }

    fn within(&self, said: &mut Value) {
        match said {
            Value::String(text) => {
                for mask in &self.0 {
                    if text.contains(&mask.value) {
                        *text = text.replace(&mask.value, MASK);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.within(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.within(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl Mask {
    fn new(value: &str) -> Self {
        let encoded = Value::String(value.to_owned()).to_string();
        let inner = encoded.trim_start_matches('"').trim_end_matches('"').as_bytes();
        Self { value: value.to_owned(), finder: Finder::new(inner).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(variables: &[(&str, &str)]) -> Masks {
        let pairs = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Masks::of(&pairs.collect())
    }

    #[test]
    fn what_an_agent_says_of_its_secrets_is_masked() {
        let masks = masks(&[("OPENAI_API_KEY", "sk-12345678"), ("GH_TOKEN", "a\"b\\cdefg\n")]);
        let body = r#"{"kind":"tool_call","tool":"Bash","call_id":"c","args":{"command":["curl -H sk-12345678x","a\"b\\cdefg\n"]}}"#;
        let masked = masks.over(body.to_owned());
        assert!(!masked.contains("sk-1234") && !masked.contains("cdefg"), "{masked}");
        let masked: Value = serde_json::from_str(&masked).unwrap();
        assert_eq!(masked["args"]["command"], serde_json::json!(["curl -H ***x", "***"]));
        assert_eq!(masked["call_id"], "c");
    }

    #[test]
    fn the_longer_of_two_secrets_is_masked_whole() {
        let masks = masks(&[("A_KEY", "abcdefgh"), ("B_KEY", "abcdefgh-and-more")]);
        let masked = masks.over(r#"{"kind":"log","message":"abcdefgh-and-more"}"#.to_owned());
        assert_eq!(masked, r#"{"kind":"log","message":"***"}"#);
    }

    #[test]
    fn what_is_no_secret_and_what_an_event_is_called_stay() {
        let none = masks(&[
            ("PATH", "/usr/bin:/bin"),
            ("KEYBOARD", "qwertzuiop"),
            ("PIN_TOKEN", "1234567"),
        ]);
        assert_eq!(none.0.len(), 0);
        let named = masks(&[("A_TOKEN", "retrying"), ("B_TOKEN", "tool_call")]);
        let body = r#"{"kind":"status","phase":"retrying","message":"retrying"}"#;
        let masked = named.over(body.to_owned());
        let wanted = r#"{"kind":"status","message":"***","phase":"retrying"}"#;
        assert_eq!(masked, wanted);
        let call = r#"{"kind":"tool_call","tool":"x","call_id":"1"}"#;
        assert!(named.over(call.to_owned()).contains("\"kind\":\"tool_call\""));
    }
}
