//! How each CLI says the same things.

mod claude;
mod codex;
mod gemini;
mod ndjson;
mod opencode;
mod pi;
mod plain;

use crate::session::{NoSession, Spent};
use serde_json::{Value, json};

/// What has happened so far in this turn.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) id: String,
    pub(crate) cwd: String,
    pub(crate) model: String,
    pub(crate) mode: String,
    pub(crate) prompt: String,
    /// What this run used, and the conversation with it.
    pub(crate) run: Spent,
    pub(crate) total: Spent,
    /// The last thing said.
    pub(crate) said: String,
    /// Answers of the model, at least one.
    pub(crate) answers: u64,
    /// Counts what needs a number of its own.
    pub(crate) number: u64,
    pub(crate) refused: Vec<Value>,
}

/// A tool call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) args: Value,
}

/// How a tool call went.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) output: String,
    pub(crate) code: i32,
    pub(crate) is_refused: bool,
}

/// Why a turn fails.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The vendor's status.
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    /// When the limit ends, in seconds since 1970.
    pub(crate) resets_at: Option<u64>,
}

/// How a call ends that has no conversation.
pub(crate) struct Refusal {
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: String,
    pub(crate) code: u8,
}

/// The lines of one CLI.
pub(crate) trait Dialect {
    fn begin(&self, scene: &Scene) -> Vec<String>;
    fn said(&self, scene: &Scene, text: &str) -> Vec<String>;
    fn thought(&self, scene: &Scene, text: &str) -> Vec<String>;
    fn called(&self, scene: &Scene, call: &Call) -> Vec<String>;
    fn finished(&self, scene: &Scene, call: &Call, how: &Finished) -> Vec<String>;
    fn done(&self, scene: &Scene) -> Vec<String>;
    fn failed(&self, scene: &Scene, failure: &Failure) -> Vec<String>;
    /// Ends to ask about a call. Only one of them can.
    fn deferred(&self, _scene: &Scene, _call: &Call) -> Vec<String> {
        vec![]
    }
    fn refused(&self, why: &NoSession) -> Refusal;
    /// The exit code of a failed turn.
    fn code(&self, _failure: &Failure) -> u8 {
        1
    }
    /// The names of its shell and of its tool that writes.
    fn shell(&self, command: &str) -> (&'static str, Value) {
        ("bash", json!({ "command": command }))
    }
    fn write(&self, path: &str, text: &str) -> (&'static str, Value) {
        ("write", json!({ "path": path, "content": text }))
    }
}

pub(crate) fn of(kind: &str) -> &'static dyn Dialect {
    match kind {
        "claude" => &claude::Claude { is_qwen: false },
        "qwen" => &claude::Claude { is_qwen: true },
        "codex" => &codex::Codex,
        "gemini" => &gemini::Gemini,
        "opencode" => &opencode::Opencode,
        "pi" => &pi::Pi { is_omp: false },
        "omp" => &pi::Pi { is_omp: true },
        "ndjson" => &ndjson::Ndjson,
        _ => &plain::Plain,
    }
}

/// One line.
fn line(value: Value) -> Vec<String> {
    vec![value.to_string()]
}
