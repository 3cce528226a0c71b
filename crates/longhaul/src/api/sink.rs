//! Sinks: named places that notices go to. What is shown of one never gives its secrets away.

use serde::{Deserialize, Serialize};

/// What a sink shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SinkAsk {
    /// Notices are posted to an address, signed as Standard Webhooks says.
    Webhook {
        /// `http` or `https`, without a user or password.
        url: String,
        /// Absolute path of the file with the signing secret; unsigned if `None`.
        #[serde(default)]
        secret_file: Option<String>,
        /// Whether it may take the place of another sink of that name.
        #[serde(default)]
        replace: bool,
    },
    /// A program gets the notice on its standard input.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
        /// Absolute path of the directory it runs in; the home directory of the user if `None`.
        #[serde(default)]
        cwd: Option<String>,
        /// Whether it may take the place of another sink of that name.
        #[serde(default)]
        replace: bool,
    },
    /// An agent gets it as mail.
    Agent {
        /// Its name.
        agent: String,
        /// Whether it may take the place of another sink of that name.
        #[serde(default)]
        replace: bool,
    },
    /// The desktop shows it.
    Desktop {
        /// Whether it may take the place of another sink of that name.
        #[serde(default)]
        replace: bool,
    },
}

/// All sinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sinks {
    /// By name.
    pub sinks: Vec<SinkView>,
}

/// A sink as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// `webhook`, `exec`, `agent` or `desktop`.
    pub kind: String,
    /// A webhook's address, less the values of its query, which may be secret.
    pub url: Option<String>,
    /// Whether a webhook is signed.
    pub secret: bool,
    /// An exec sink's program and arguments.
    pub command: Option<Vec<String>>,
    /// The agent that gets mail.
    pub agent: Option<String>,
    /// Why nothing is sent to it for now, in words.
    pub waiting_for: Option<String>,
    /// Notices that it has not taken yet.
    pub pending: u64,
    /// Notices that were given up.
    pub dead: u64,
    /// Tries in a row that failed.
    pub trouble: u32,
}

/// What a test notice came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkTested {
    /// Whether the sink took it.
    pub ok: bool,
    /// What it answered, or what went wrong.
    pub answer: String,
    /// How long that took, in milliseconds.
    pub ms: u64,
}
