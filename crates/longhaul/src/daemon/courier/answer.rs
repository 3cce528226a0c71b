//! What came of one try, in the few words that its receipt keeps.

use longhaul_core::time::Millis;
use std::fmt::Write;

/// Bytes of what a place said that a receipt keeps, before it is made readable.
pub(super) const ANSWER_BYTES_MAX: usize = 4 * 1_024;
/// Characters of an answer: what a person reads of it, and what a page of receipts can bear.
const TEXT_CHARS_MAX: usize = 1_000;

/// What a place made of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// In words, without control characters and without secrets.
    pub(super) text: String,
}

/// Whether there is to be another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The place has it.
    Delivered,
    /// Not this time; not before `again_after`, if the place named a time.
    Failed { again_after: Option<Millis> },
    /// The place wants no more of it.
    Final,
}

impl Answer {
    pub(super) fn delivered(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Delivered, text: text.into() }
    }

    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed { again_after: None }, text: text.into() }
    }

    pub(super) fn later(text: impl Into<String>, again_after: Option<Millis>) -> Self {
        Self { verdict: Verdict::Failed { again_after }, text: text.into() }
    }

    pub(super) fn is_final(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Final, text: text.into() }
    }
}

/// `head`, and what the place said if it said something: `exit code 3: no route`.
pub(super) fn sentence(head: &str, said: &[u8]) -> String {
    let said = readable(said);
    if said.is_empty() { head.to_owned() } else { format!("{head}: {said}") }
}

/// What strangers wrote, so that it can be shown on a terminal: control characters are spelled out,
/// since they would move the reader's cursor, and the text is clipped.
pub(super) fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut shown = String::new();
    let mut left = TEXT_CHARS_MAX;
    for character in text.trim().chars() {
        if left == 0 {
            shown.push('…');
            break;
        }
        left -= 1;
        match character {
            '\n' | '\t' | '\r' => shown.push(' '),
            character if character.is_control() || is_direction(character) => {
                write!(shown, "\\u{{{:x}}}", u32::from(character)).expect("a string takes it");
            }
            character => shown.push(character),
        }
    }
    shown
}

/// Marks that reorder what stands around them on the screen.
const fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_cannot_move_the_cursor() {
        assert_eq!(readable(b"  no\nroute \x1b[2J\x07 "), "no route \\u{1b}[2J\\u{7}");
        assert_eq!(readable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(readable(b"\xff"), "\u{fffd}");
        assert_eq!(sentence("exit code 3", b" \n"), "exit code 3");
        assert_eq!(sentence("exit code 3", b"no"), "exit code 3: no");
    }

    #[test]
    fn a_long_answer_is_clipped() {
        let shown = readable(&[b'x'; 64 * 1_024]);
        assert_eq!(shown.chars().count(), TEXT_CHARS_MAX + 1);
        assert!(shown.ends_with('…'));
    }
}
