//! Sinks: named places outside that notices go to.

use crate::limits;
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::spec::{BadSpec, check_word};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A named place that notices go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// When it was made, or made anew.
    pub created_at: Timestamp,
    /// The lane that was served last: owners take turns.
    pub cursor: String,
    /// Tries in a row that failed. While it is in trouble it is tried one at a time.
    pub trouble: u32,
    /// When it is looked at again, because one step could not do all that is to be done.
    pub again_at: Option<Timestamp>,
    /// When it was removed, while deliveries to it are still being given up.
    pub removed_at: Option<Timestamp>,
}

/// What a sink is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum SinkKind {
    /// An address that notices are posted to, signed as Standard Webhooks says.
    Webhook {
        /// Where.
        url: String,
        /// The file that holds the signing secret; unsigned without.
        secret_file: Option<String>,
    },
    /// A program that gets the notice on its standard input.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
        /// The directory it runs in.
        cwd: String,
    },
    /// An agent, which gets it as mail.
    Agent {
        /// Its name.
        agent: String,
    },
    /// The desktop's own notifications.
    Desktop,
}

impl SinkKind {
    /// The name of the kind, as on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Exec { .. } => "exec",
            Self::Agent { .. } => "agent",
            Self::Desktop => "desktop",
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Webhook { url, secret_file } => {
                url.len() + secret_file.as_ref().map_or(0, String::len)
            }
            Self::Exec { command, cwd } => {
                command.iter().map(|word| word.len() + 1).sum::<usize>() + cwd.len()
            }
            Self::Agent { agent } => agent.len(),
            Self::Desktop => 0,
        }
    }
}

impl Sink {
    /// A sink as it is added.
    ///
    /// # Errors
    /// [`BadSpec`] for a name that is blank or too long, an address or command that is too long, or
    /// a command that is empty.
    pub fn new(name: String, kind: SinkKind, now: Timestamp) -> Result<Self, BadSpec> {
        check_word("sink", &name)?;
        if kind.bytes() > limits::SINK_BYTES_MAX {
            let problem = format!("has more than {} bytes", limits::SINK_BYTES_MAX);
            return Err(BadSpec { field: kind.name(), problem });
        }
        match &kind {
            SinkKind::Exec { command, .. } if command.first().is_none_or(String::is_empty) => {
                return Err(BadSpec { field: "command", problem: "names no program".to_owned() });
            }
            SinkKind::Exec { command, .. } if command.iter().any(|word| word.contains('\0')) => {
                let problem = "holds a NUL character".to_owned();
                return Err(BadSpec { field: "command", problem });
            }
            SinkKind::Agent { agent } => check_word("agent", agent)?,
            SinkKind::Webhook { .. } | SinkKind::Exec { .. } | SinkKind::Desktop => {}
        }
        Ok(Self {
            name,
            kind,
            created_at: now,
            cursor: String::new(),
            trouble: 0,
            again_at: None,
            removed_at: None,
        })
    }

    /// Whether notices may be sent to it.
    pub const fn is_there(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Tries that may be under way at the same time.
    pub const fn tries_at_once_max(&self) -> u32 {
        if self.trouble > 0 { 1 } else { limits::SINK_TRIES_AT_ONCE_MAX }
    }
}

impl Record for Sink {
    const TABLE: Table = Table::Sink;

    fn row_id(&self) -> String {
        self.name.clone()
    }

    fn to_row(&self) -> Row {
        Row { due_at: self.again_at, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_could_never_be_started_is_no_sink() {
        let refusal = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            let kind = SinkKind::Exec { command, cwd: "/".to_owned() };
            Sink::new("log".to_owned(), kind, Timestamp::from_millis(0))
                .err()
                .map(|bad| bad.problem)
        };
        assert_eq!(refusal(&["cat", "-"]), None);
        for (words, problem) in [
            (&[][..], "names no program"),
            (&["", "-"], "names no program"),
            (&["cat", "a\0b"], "holds a NUL character"),
        ] {
            assert_eq!(refusal(words).as_deref(), Some(problem), "{words:?}");
        }
    }
}
