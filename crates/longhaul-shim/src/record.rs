//! Keeps what goes into `exit.json` within the room that was set aside for it.

/// Longest message of a record, in bytes before JSON's escapes.
const MESSAGE_BYTES_MAX: usize = 600;

/// Makes a text safe for a record: no control characters (JSON writes each as six bytes), and cut
/// to its limit at a character.
pub(crate) fn shorten(text: &mut String) {
    limit(text, MESSAGE_BYTES_MAX);
}

/// Like [`shorten`], with a limit of its own in bytes.
pub(crate) fn limit(text: &mut String, bytes_max: usize) {
    if text.chars().any(char::is_control) {
        *text = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    }
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}
