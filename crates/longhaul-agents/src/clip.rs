//! Text made to fit: cut at a character, and the cut is said.

use std::borrow::Cow;

/// The longest beginning of `text` that has at most `bytes` bytes and ends between characters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `text`, cut to `bytes` bytes of it with a note of how much is missing.
pub(crate) fn noted(text: Cow<'_, str>, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.into_owned();
    }
    let kept = head(&text, bytes);
    format!("{kept}… ({} bytes cut)", text.len() - kept.len())
}

/// The longest beginning of `text` that takes at most `bytes` bytes as JSON, where one control
/// character takes six.
pub(crate) fn encoded(text: &str, bytes: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if u32::from(control) < 0x20 => 6,
            other => other.len_utf8(),
        };
        if taken > bytes {
            return &text[..at];
        }
    }
    text
}

/// Bytes that `text` takes as JSON, without the quotes.
pub(crate) fn encoded_bytes(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if u32::from(control) < 0x20 => 6,
            other => other.len_utf8(),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(head("äöü", 3), "ä");
        assert_eq!(noted("äöü".into(), 3), "ä… (4 bytes cut)");
        assert_eq!(noted("äöü".into(), 6), "äöü");
    }

    #[test]
    fn encoded_counts_as_the_encoder_does() {
        for text in ["plain", "a\"b\\c\n", "\u{1}\u{1f}", "é😀", "\u{7f}"] {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(encoded_bytes(text), json.len() - 2, "{text:?}");
        }
        assert_eq!(encoded("\u{1}\u{1}x", 12), "\u{1}\u{1}");
    }
}
