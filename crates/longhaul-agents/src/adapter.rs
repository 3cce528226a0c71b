//! What each CLI has to answer, and the list of those that are known.

use crate::adapters;
use crate::event::{Level, Speaker};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Launch, Turn, Unsuited};
use crate::verdict::{End, Verdict};

/// One agent CLI: how it is started, what its lines say, how its end is judged. Pure: the same
/// lines on the same memory say the same.
pub trait Adapter: Sync {
    /// The name that agents choose it by.
    fn kind(&self) -> &'static str;

    /// What it was recorded and tried with.
    fn tried(&self) -> Tried;

    /// What to start for a turn.
    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited>;

    /// Reads a line of stdout.
    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>);

    /// Reads a line of stderr: noise, but a failure may be told nowhere else.
    fn stderr(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        note_stderr(line, scribe);
    }

    /// There will be no more lines on stdout.
    fn closed(&self, _scribe: &mut Scribe<'_>) {}

    /// How the turn ended, when both streams are closed.
    fn verdict(&self, memory: &Memory, end: End) -> Verdict;

    /// What a person types, in the folder of the turn, to go on with a conversation by hand.
    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>>;
}

/// What an adapter was tried with. Newer versions are read as far as they are understood; what is
/// new in them is kept as `raw` and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The package and its version.
    pub package: &'static str,
    /// What is known of other versions, and what was never seen.
    pub notes: &'static str,
}

/// All kinds, in the order in which they are shown.
pub const KINDS: &[&dyn Adapter] = &[
    &adapters::claude::Claude,
    &adapters::codex::Codex,
    &adapters::gemini::Gemini,
    &adapters::opencode::Opencode,
    &adapters::pi::Pi,
    &adapters::omp::Omp,
    &adapters::qwen::Qwen,
    &adapters::acp::Acp,
    &adapters::ndjson::Ndjson,
    &adapters::plain::Plain,
];

/// The adapter of a kind.
#[must_use]
pub fn adapter(kind: &str) -> Option<&'static dyn Adapter> {
    KINDS.iter().copied().find(|adapter| adapter.kind() == kind)
}

/// The command that a person can paste into a shell to go on with a conversation by hand.
#[must_use]
pub fn resume_command(adapter: &dyn Adapter, cwd: &str, conversation: &str) -> Option<String> {
    let argv = adapter.resume_by_hand(conversation)?;
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    Some(format!("cd {} && {}", quoted(cwd), words.join(" ")))
}

/// A word as a shell takes it for itself.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'/' | b'.' | b':' | b'@' | b'=' | b'+' | b',')
    };
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A line of stderr as a log event; what it says of a failure is kept for the verdict.
pub(crate) fn note_stderr(line: Line<'_>, scribe: &mut Scribe<'_>) {
    if line.text.trim().is_empty() {
        scribe.quiet();
        return;
    }
    let failure = Failure::heard(line.text);
    let level = if failure.is_some() { Level::Warn } else { Level::Info };
    scribe.log(level, Speaker::Stderr, line.text);
    if let Some(failure) = failure {
        scribe.heard(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name_and_no_two_are_the_same() {
        for kind in KINDS {
            assert_eq!(adapter(kind.kind()).unwrap().kind(), kind.kind());
        }
        assert!(adapter("tmux").is_none());
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.kind()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn a_resume_command_can_be_pasted() {
        let claude = adapter("claude").unwrap();
        assert_eq!(
            resume_command(claude, "/home/dev/my repo", "1111").unwrap(),
            "cd '/home/dev/my repo' && claude --resume 1111"
        );
    }
}
