//! What a call of a CLI asks for, the same for all of them.

use crate::{Outcome, complain};
use serde_json::{Value, json};
use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

/// How long a CLI that has a prompt already waits for more on an open stdin.
const STDIN_PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) prompt: String,
    pub(crate) conversation: Conversation,
    pub(crate) model: Option<String>,
    /// `claude` and `qwen`: the settings given with the call.
    pub(crate) settings: Value,
    /// The mode of permissions, as the CLI names it.
    pub(crate) mode: String,
    /// Rules that let tools run, and that forbid them.
    pub(crate) allowed: Vec<String>,
    pub(crate) denied: Vec<String>,
    /// The only tools that there are, if they were named.
    pub(crate) offered: Option<Vec<String>>,
    /// Its hooks are run though nobody has vouched for them.
    pub(crate) trusts_hooks: bool,
    /// The prompt is on stdin and nowhere else.
    pub(crate) reads_stdin: bool,
    pub(crate) steps_max: Option<u64>,
    pub(crate) budget_usd: Option<f64>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Conversation {
    #[default]
    New,
    NewAs(String),
    Resume(String),
    Fork(String),
}

impl Asked {
    /// Reads stdin as the CLI does: some wait for its end whatever they were told already.
    pub(crate) fn hear(&mut self, kind: &str) -> Outcome<Option<String>> {
        let waits = self.reads_stdin
            || self.prompt.is_empty()
            || matches!(kind, "codex" | "opencode" | "pi" | "omp" | "plain" | "ndjson");
        if kind == "codex" {
            complain("Reading additional input from stdin...");
        }
        let heard = if waits { Some(read()?) } else { read_for(STDIN_PATIENCE) };
        let Some(heard) = heard else {
            complain("Warning: no stdin data received in 3s, proceeding without it.");
            return Ok(None);
        };
        let more = heard.trim_end();
        if self.reads_stdin || self.prompt.is_empty() {
            self.prompt = more.to_owned();
        } else if !more.is_empty() {
            self.prompt = format!("{}\n\n{more}", self.prompt);
        }
        Ok(Some(heard))
    }

    pub(crate) fn conversation_json(&self) -> Value {
        match &self.conversation {
            Conversation::New => json!("new"),
            Conversation::NewAs(id) => json!({ "new_as": id }),
            Conversation::Resume(id) => json!({ "resume": id }),
            Conversation::Fork(id) => json!({ "fork": id }),
        }
    }
}

fn read() -> Outcome<String> {
    let mut bytes = vec![];
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_for(patience: Duration) -> Option<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        if let Ok(text) = read() {
            // Nobody waits for it any more if it took too long.
            let _sent = send.send(text);
        }
    });
    receive.recv_timeout(patience).ok()
}
