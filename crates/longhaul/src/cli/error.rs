//! What the command line says when something cannot be done: a kind, which is the exit code, a code
//! for programs, a message that names the thing and its state, and a next step where there is one.

use super::Failed;
use crate::client::{ClientError, ErrorKind};
use serde_json::{Value, json};
use std::io;

/// What a command leaves with when nothing went wrong: zero, or the code of the job it followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leave(pub u8);

impl Leave {
    /// Done.
    pub(super) const OK: Self = Self(0);
    /// The question was answered, and the answer is no.
    pub(super) const REFUSED: Self = Self(3);
    /// Nothing is running that could answer.
    pub(super) const UNAVAILABLE: Self = Self(4);
}

/// What kind of failure it is: whose turn it is to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The command line or a specification makes no sense.
    Usage,
    /// It cannot be; nothing changed.
    Refused,
    /// Not now; asking again is safe.
    Unavailable,
    /// `wait --timeout` or `inbox --wait --timeout` ran out; the jobs go on.
    TimedOut,
    /// We broke.
    Bug,
    /// Whoever read our output has gone: no reason to say anything.
    Closed,
}

impl Kind {
    /// The exit code, as the manual lists them.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unavailable => 4,
            Self::TimedOut => 5,
            Self::Bug => 70,
            Self::Closed => 0,
        }
    }
}

/// A failure, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct CliError {
    /// Decides the exit code.
    pub(super) kind: Kind,
    /// For programs; stays the same when the words change.
    pub(super) code: String,
    /// One sentence, lower case, without a full stop.
    pub(super) message: String,
    /// What to do next.
    pub(super) hint: Option<String>,
    /// What an ambiguous name or prefix may mean.
    pub(super) candidates: Vec<String>,
}

impl CliError {
    /// The asker's mistake.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, "usage", message)
    }

    /// Something that cannot be.
    pub(super) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, code, message)
    }

    /// Something that may work later.
    pub(super) fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code, message)
    }

    /// Something that should not be possible.
    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, "bug", message)
    }

    /// The time that `wait` was given is over.
    pub(super) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Kind::TimedOut, "wait_timeout", message)
    }

    /// Our own output could not be written.
    pub(super) fn writing(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::Closed, "closed", "the reader has gone");
        }
        Self::unavailable("unavailable", format!("the output could not be written: {error}"))
    }

    /// The same, with a next step.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error as `--json` shows it.
    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message, "hint": self.hint});
        if !self.candidates.is_empty() {
            error["candidates"] = json!(self.candidates);
        }
        json!({ "error": error })
    }

    fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            candidates: Vec::new(),
        }
    }
}

impl From<Failed> for CliError {
    fn from(failed: Failed) -> Self {
        let kind = match failed.code.as_str() {
            "bad_config" => Kind::Usage,
            "already_running" | "bad_home" | "unsafe_address" => Kind::Refused,
            _ => Kind::Unavailable,
        };
        Self { hint: failed.hint, ..Self::new(kind, &failed.code, failed.message) }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let kind = match error.kind {
            ErrorKind::Usage => Kind::Usage,
            ErrorKind::Refused => Kind::Refused,
            ErrorKind::Unavailable => Kind::Unavailable,
            ErrorKind::Bug => Kind::Bug,
        };
        let candidates = error.candidates;
        let hint = error.hint.or_else(|| {
            (!candidates.is_empty()).then(|| format!("it may be {}", candidates.join(", ")))
        });
        Self { kind, code: error.code, message: error.message, hint, candidates }
    }
}

/// Renders a failed parse of the command line in our form instead of clap's.
pub(super) fn from_clap(error: &clap::Error) -> CliError {
    let text = error.render().to_string();
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // What was rendered is the whole help, which says nothing about what is wrong.
        return CliError::usage("no command was given")
            .hint("`longhaul --help` lists the commands");
    }
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message: Vec<&str> = first.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let message = message.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message).replace('\'', "`");
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let usage = text.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let failed = CliError::usage(message);
    match (tip, usage) {
        (Some(tip), _) => failed.hint(tip.replace('\'', "`")),
        (None, Some(usage)) => failed.hint(format!("the form is `{usage}`")),
        (None, None) => failed.hint("`longhaul --help` lists what there is"),
    }
}
