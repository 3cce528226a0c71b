//! A job spec as it is handed in: the options of the command line under their own names. Only
//! `command` is required; `null` is as good as absent; a field nobody knows is refused by name.

use super::time::Time;
use super::units::{Size, Span};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What to run and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The new job's id; the client makes one if there is none, so that asking twice is harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// A person's name for it.
    #[serde(default)]
    pub name: Option<String>,
    /// Absolute path of the directory it runs in; the home directory of the user if `None`.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Variables set on purpose.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub env: Variables,
    /// The environment that `env` is added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_env: Option<Variables>,
    /// Whether `base_env` is the caller's whole environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_inherited: Option<bool>,
    /// Free words to find it by.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whose slots it needs; `default` if `None`.
    #[serde(default)]
    pub pool: Option<String>,
    /// Serial key: of one lane, one job at a time, oldest first.
    #[serde(default)]
    pub lane: Option<String>,
    /// 0–9, higher first; 5 if `None`.
    #[serde(default)]
    pub priority: Option<u64>,
    /// Jobs that must have succeeded first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub after: Vec<String>,
    /// Jobs that must have ended first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub after_any: Vec<String>,
    /// How long after submission it may start.
    #[serde(default)]
    pub delay: Option<Span>,
    /// Before when it may not start.
    #[serde(default)]
    pub at: Option<Time>,
    /// The longest that one attempt may run.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// How long one attempt may show no sign of life.
    #[serde(default)]
    pub stall: Option<Span>,
    /// From asking it to stop to killing it; ten seconds if `None`.
    #[serde(default)]
    pub grace: Option<Span>,
    /// How many more attempts follow a failed one, at most.
    #[serde(default)]
    pub retry: Option<u64>,
    /// The first delay between attempts; doubles from there.
    #[serde(default)]
    pub retry_delay: Option<Span>,
    /// Exit codes that are worth another attempt; any failure if empty.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub retry_on: Vec<i32>,
    /// Idempotency key.
    #[serde(default)]
    pub key: Option<String>,
    /// Who asks, and is told when it has ended; the user at the project of `cwd` if `None`.
    #[serde(default)]
    pub owner: Option<String>,
    /// The project whose other owners may be told when this one stays away; that of `cwd` if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job that this one is submitted from.
    #[serde(default)]
    pub parent: Option<String>,
    /// Sinks to tell when it has ended.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub notify: Vec<String>,
    /// Patterns, relative to `cwd`, of files to register when it ends.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub artifact: Vec<String>,
    /// Stored files that go with it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub attach: Vec<Attach>,
    /// Stored content that it reads on its standard input.
    #[serde(default)]
    pub stdin: Option<Stored>,
    /// Bytes that each of its two streams may hold; 1 GiB if `None`.
    #[serde(default)]
    pub max_output: Option<Size>,
    /// Bytes of memory that its whole tree may use.
    #[serde(default)]
    pub memory: Option<Size>,
    /// How long it is kept once ended.
    #[serde(default)]
    pub keep: Option<Span>,
    /// The terminal it runs in.
    #[serde(default)]
    pub pty: Option<Terminal>,
    /// What becomes of processes that it leaves running; `kill` if `None`.
    #[serde(default)]
    pub leftovers: Option<Leftovers>,
}

/// Variables of an environment: secrets, so printing them for debugging gives only their number.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Variables({} names)", self.0.len())
    }
}

/// Content that was stored before, with `PUT /v1/blobs/{sha256}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A stored file and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// Relative to the job's working directory.
    pub path: String,
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    #[serde(default)]
    pub executable: bool,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub cols: u16,
}

/// What becomes of processes that a finished job leaves running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftovers {
    /// They are ended, and the job says which they were.
    Kill,
    /// They stay, and the job says which they are.
    Report,
}

/// Says what is wrong with a spec, and with which of its fields if that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadField {
    /// The field, if one is to blame.
    pub field: Option<String>,
    /// For people; names the field.
    pub message: String,
}

impl Spec {
    /// Reads one spec from JSON.
    ///
    /// # Errors
    /// [`BadField`] for what is not JSON, has a field that nobody knows, or lacks `command`.
    pub fn parse(json: &[u8]) -> Result<Self, BadField> {
        serde_json::from_slice(json).map_err(|error| blame(json, &error))
    }
}

/// Finds the field to blame by reading each alone: the parser's own words name no known field.
fn blame(json: &[u8], error: &serde_json::Error) -> BadField {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(json) else {
        return BadField { field: None, message: format!("not a job spec: {error}") };
    };
    for (name, value) in fields {
        let mut alone = Map::from_iter([(name.clone(), value)]);
        alone.entry("command").or_insert_with(|| Value::Array(Vec::new()));
        let Err(error) = Spec::deserialize(Value::Object(alone)) else { continue };
        let error = error.to_string();
        let shown: String = name.chars().take(64).collect();
        let message = if error.starts_with("unknown field") && !Spec::knows(&name) {
            format!("`{shown}` is not a field of a job spec")
        } else {
            let problem: String = error.chars().take(300).collect();
            format!("`{shown}` cannot be read: {problem}")
        };
        return BadField { field: Some(name), message };
    }
    // Every field alone is good, so one is missing or given twice; the parser names it.
    BadField { field: None, message: error.to_string() }
}

impl Spec {
    fn knows(name: &str) -> bool {
        let alone = Map::from_iter([
            (name.to_owned(), Value::Null),
            ("command".to_owned(), Value::Array(Vec::new())),
        ]);
        name == "command"
            || Self::deserialize(Value::Object(alone))
                .err()
                .is_none_or(|error| !error.to_string().starts_with("unknown field"))
    }
}

fn null_is_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(json: &str) -> (Option<String>, String) {
        let bad = Spec::parse(json.as_bytes()).unwrap_err();
        (bad.field, bad.message)
    }

    #[test]
    fn only_command_is_required_and_null_is_absent() {
        let all = r#"{"command":["make","test"],"name":null,"cwd":"/w","env":{"K":"V"},"labels":{},
            "pool":"default","lane":null,"priority":5,"after":[],"after_any":[],"delay":"30s",
            "at":null,"timeout":"10m","stall":null,"grace":"10s","retry":0,"key":null,"owner":null,
            "notify":[],"artifact":[],"max_output":"1G","memory":null,"keep":null}"#;
        let spec = Spec::parse(all.as_bytes()).unwrap();
        assert_eq!(spec.timeout, Some(Span(600_000)));
        assert_eq!(spec.max_output, Some(Size(1 << 30)));
        let nulls = r#"{"command":["x"],"env":null,"labels":null,"after":null,"notify":null}"#;
        let plain = r#"{"command":["x"]}"#;
        assert_eq!(Spec::parse(nulls.as_bytes()), Spec::parse(plain.as_bytes()));
    }

    #[test]
    fn the_field_to_blame_is_named() {
        let (field, message) = blamed(r#"{"command":["x"],"tiemout":"1s"}"#);
        assert_eq!(field.as_deref(), Some("tiemout"));
        assert_eq!(message, "`tiemout` is not a field of a job spec");
        let (field, message) = blamed(r#"{"command":["x"],"timeout":"soon"}"#);
        assert_eq!(field.as_deref(), Some("timeout"));
        assert!(
            message.starts_with("`timeout` cannot be read: `soon` is not a duration"),
            "{message}"
        );
        let (field, _) = blamed(r#"{"command":["x"],"priority":"high"}"#);
        assert_eq!(field.as_deref(), Some("priority"));
        let (field, message) = blamed(r#"{"command":["x"],"pty":{"rows":1,"cols":2,"depth":3}}"#);
        assert_eq!(field.as_deref(), Some("pty"));
        assert!(message.contains("depth"), "{message}");
        let (_, message) = blamed("{}");
        assert!(message.contains("command"), "{message}");
        assert!(blamed("[1").1.starts_with("not a job spec"));
    }

    #[test]
    fn a_spec_comes_back_as_it_was_written() {
        let spec = Spec {
            command: vec!["x".into()],
            stall: Some(Span(90_000)),
            attach: vec![Attach {
                path: "a".into(),
                sha256: "0".repeat(64),
                size: 3,
                executable: true,
            }],
            ..Spec::default()
        };
        let json = serde_json::to_vec(&spec).unwrap();
        assert_eq!(Spec::parse(&json), Ok(spec));
    }

    #[test]
    fn a_debug_print_gives_no_secret_away() {
        let variables = Variables([("TOKEN".to_owned(), "hunter2".to_owned())].into());
        assert_eq!(format!("{variables:?}"), "Variables(1 names)");
    }
}
