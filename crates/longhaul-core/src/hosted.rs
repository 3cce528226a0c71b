//! What a job that a session asked for is, beside what every job is: which agent of those that are
//! hosted here, under which authority, for how much.

use crate::lease::Lease;
use crate::limits;
use crate::spec::{BadSpec, at_most, bad, check_word};
use serde::{Deserialize, Serialize};

/// What a job of a hosted agent was asked to be. Part of its specification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// The agent's name.
    pub agent: String,
    /// Its version, if it has versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is asked, as JSON text.
    pub input: String,
    /// What it may do, and spend. Nothing is allowed that it does not grant.
    #[serde(default)]
    pub lease: Lease,
    /// A digest of what was asked for under a key, as it was asked: with the version if one was named, and
    /// before its agent bounded what is granted. Without a key it is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Ties it to a trace: 32 hexadecimal digits. Says nothing about what it is.
    #[serde(default)]
    pub trace: String,
    /// The parent's own name for it, if it was delegated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<String>,
    /// How many jobs are above it.
    #[serde(default)]
    pub depth: u32,
    /// Issuers of each of which it is given a credential of its own before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
    /// The client's own fields, as JSON text, that are passed on as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<String>,
}

impl Hosted {
    /// How it is called in lists: `name@version`, or the name alone.
    pub fn reference(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.agent),
            None => self.agent.clone(),
        }
    }

    /// Checks what is written in it; its lease was checked when it was read.
    pub(crate) fn check(&self) -> Result<(), BadSpec> {
        check_word("agent", &self.agent)?;
        let words = [("agent", &self.version), ("delegate_id", &self.delegate)];
        for (field, word) in words.into_iter().filter_map(|(f, w)| w.as_ref().map(|w| (f, w))) {
            check_word(field, word)?;
        }
        let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        at_most("input", "bytes", self.input.len(), limits::HOSTED_INPUT_BYTES_MAX)?;
        if !is_json(&self.input) {
            return Err(bad("input", "is not JSON"));
        }
        let extensions = self.extensions.as_deref().unwrap_or("{}");
        at_most("extensions", "bytes", extensions.len(), limits::EXTENSIONS_BYTES_MAX)?;
        if !is_json(extensions) {
            return Err(bad("extensions", "is not JSON"));
        }
        Ok(())
    }

    /// Whether two jobs were asked for in the same way, whatever their agent was at the time; nothing if
    /// that is not known of both.
    pub(crate) fn is_asked_alike(&self, other: &Self) -> Option<bool> {
        Some(self.asked.as_ref()? == other.asked.as_ref()?)
    }

    /// Whether two asks are the same. Neither their traces, nor what was sent along with them, nor
    /// what the session that asks could be given say what they are, and the order of an object's fields means nothing.
    pub fn is_same_ask(&self, other: &Self) -> bool {
        let Self {
            agent,
            version,
            input,
            lease,
            delegate,
            depth,
            asked: _,
            trace: _,
            credentials: _,
            extensions: _,
        } = self;
        (agent, version, delegate) == (&other.agent, &other.version, &other.delegate)
            && (lease, depth) == (&other.lease, &other.depth)
            && is_same_json(input, &other.input)
    }
}

/// Whether two texts of JSON say the same.
pub(crate) fn is_same_json(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_the_same_whatever_the_order_of_their_fields_and_their_trace() {
        let hosted = |input: &str, trace: &str| Hosted {
            agent: "a".into(),
            input: input.into(),
            trace: trace.into(),
            ..Hosted::default()
        };
        let ask = hosted(r#"{"a":1,"b":[1,2]}"#, "1");
        assert!(ask.is_same_ask(&hosted(r#"{ "b":[1,2], "a":1 }"#, "2")));
        assert!(!ask.is_same_ask(&hosted(r#"{"a":1,"b":[2,1]}"#, "1")));
        assert!(!ask.is_same_ask(&Hosted { version: Some("1".into()), ..ask.clone() }));
    }

    #[test]
    fn an_ask_is_json_of_a_size_that_a_row_may_hold() {
        let hosted = |input: String| Hosted { agent: "a".into(), input, ..Hosted::default() };
        let long = format!("\"{}\"", "x".repeat(limits::HOSTED_INPUT_BYTES_MAX));
        assert_eq!(hosted("null".into()).check(), Ok(()));
        for bad in [String::new(), "{".into(), long] {
            assert_eq!(hosted(bad).check().unwrap_err().field, "input");
        }
    }
}
