//! What a hosted agent tells, each as the journal keeps it. Looked at where all is that jobs tell.

use super::failure::AgentFailure;
use crate::daemon::told_entry_of;
use longhaul_core::command::Entry;
use serde::Serialize;
use serde_json::{Map, Number, Value, json};

/// What begins the kinds of those who want others than the protocol has.
const VENDORS: &str = "x-vendor.";

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For whoever looks very closely.
    Trace,
    /// For whoever looks into a fault.
    Debug,
    /// Ordinary.
    Info,
    /// Worth a look.
    Warn,
    /// Something went wrong.
    Error,
    /// Nothing goes on.
    Critical,
}

/// A number that is told. A cost, whose name begins with `cost.` and whose unit is a currency, is
/// charged to the job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    name: String,
    value: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    dimensions: Map<String, Value>,
}

impl Metric {
    /// A number. One that is not finite is refused when it is told.
    #[must_use]
    pub fn new(name: &str, value: f64) -> Self {
        let whole = whole(value).map(Number::from);
        // What is no number cannot be written; nothing has a name of no letters either.
        let (name, value) = match whole.or_else(|| Number::from_f64(value)) {
            Some(value) => (name.to_owned(), value),
            None => (String::new(), Number::from(0)),
        };
        Self { name, value, unit: None, dimensions: Map::new() }
    }

    /// In this unit.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// With what tells it from others of its name.
    #[must_use]
    pub fn dimension(mut self, name: &str, value: &str) -> Self {
        self.dimensions.insert(name.to_owned(), Value::from(value));
        self
    }

    pub(super) fn entry(&self) -> Result<Entry, AgentFailure> {
        entry("metric", &json!(self))
    }
}

/// Whole numbers are written without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}

/// How far the work is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// What is done.
    pub current: u64,
    /// What there is to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Progress {
    pub(super) fn entry(&self) -> Result<Entry, AgentFailure> {
        entry("progress", &json!(self))
    }
}

/// Something that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArtifactRef {
    /// Where it is.
    pub uri: String,
    /// Of which media type it is.
    pub content_type: String,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<u64>,
    /// Its hash, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A piece of a result as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Chunk {
    /// The result's name, the same in every piece.
    pub result_id: String,
    /// Which piece, from zero.
    pub chunk_seq: u64,
    /// The piece, as text or as base64.
    pub data: String,
    /// `utf8` or `base64`.
    pub encoding: &'static str,
    /// Whether more follow.
    pub more: bool,
}

impl Chunk {
    pub(super) fn entry(&self) -> Result<Entry, AgentFailure> {
        let body = serde_json::to_string(self).expect("texts and numbers can be written");
        told("result_chunk", &body)
    }
}

/// A `log` event. The commonest by far, so its text is put together at once.
pub(super) fn log(level: LogLevel, message: &str) -> Result<Entry, AgentFailure> {
    #[derive(Serialize)]
    struct Log<'a> {
        level: LogLevel,
        message: &'a str,
    }
    let body = serde_json::to_string(&Log { level, message });
    told("log", &body.expect("texts can be written"))
}

/// Any event with this body.
pub(super) fn entry(kind: &str, body: &Value) -> Result<Entry, AgentFailure> {
    told(kind, &body.to_string())
}

/// An event of a vendor's own kind.
pub(super) fn vendor(kind: &str, body: &Value) -> Result<Entry, AgentFailure> {
    if !kind.starts_with(VENDORS) {
        return Err(AgentFailure::invalid("a kind of one's own is `x-vendor.`, and small letters"));
    }
    entry(kind, body)
}

fn told(kind: &str, body: &str) -> Result<Entry, AgentFailure> {
    told_entry_of(kind, body).map_err(AgentFailure::untold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::event::Fact;

    #[test]
    fn an_entry_is_a_fact_of_the_journal() {
        let told = log(LogLevel::Warn, "a \"b\"\n\u{0}").unwrap();
        let fact: Fact = serde_json::from_str(&told.text).unwrap();
        let body = json!({"level": "warn", "message": "a \"b\"\n\u{0}"});
        assert_eq!(fact, Fact::Told { name: "log".into(), body, decided: false });
        assert!(log(LogLevel::Info, &"x".repeat(1 << 20)).is_err());
    }

    #[test]
    fn only_costs_in_a_currency_are_charged() {
        let charge = |metric: Metric| metric.entry().map(|entry| entry.charge);
        let usd = |name: &str, value: f64| Metric::new(name, value).unit("USD");
        let (currency, amount) = charge(usd("cost.tokens", 0.1)).unwrap().unwrap();
        assert_eq!((currency.as_str(), amount.to_json().to_string()), ("USD", "0.1".into()));
        assert_eq!(charge(usd("tokens", 5.0)), Ok(None));
        assert_eq!(charge(usd("cost.budget.remaining", 5.0)), Ok(None));
        assert_eq!(charge(Metric::new("cost.tokens", 5.0)), Ok(None));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = charge(usd("cost.tokens", bad)).unwrap_err();
            assert_eq!(refused.code(), AgentFailure::INVALID_REQUEST);
        }
        let text = usd("n", 3.0).dimension("a", "b").entry().unwrap().text;
        assert!(
            text.ends_with(r#""body":{"dimensions":{"a":"b"},"name":"n","unit":"USD","value":3}}"#)
        );
    }

    #[test]
    fn what_nobody_could_read_is_refused() {
        let progress = Progress { current: 2, total: Some(1), ..Progress::default() };
        assert_eq!(progress.entry().unwrap_err().code(), AgentFailure::INVALID_REQUEST);
        assert!(vendor("x-vendor.acme.confidence", &json!({"score": 0.87})).is_ok());
        for bad in ["", "x-vendor.", "x-vendor.A", "log", "x-vendor.a b"] {
            assert!(vendor(bad, &Value::Null).is_err(), "{bad:?}");
        }
    }
}
