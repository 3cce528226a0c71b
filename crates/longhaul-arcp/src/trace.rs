//! Which trace a message belongs to. [arcp §11] It is passed on to whatever works for the job. Some peers write the trace's id alone, others a whole
//! `traceparent`; we read both and write the id.

use std::fmt;

/// Characters of a trace's id.
const ID_CHARS: usize = 32;
/// Characters of a `traceparent` of the only version there is.
const PARENT_CHARS: usize = 55;

/// A trace, and within it the span that asked, where it said so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    id: String,
    parent: Option<String>,
}

impl Trace {
    /// Reads a trace's id or a `traceparent`; nothing if `text` is neither, or names no trace.
    pub fn parse(text: &str) -> Option<Self> {
        if is_hex(text, ID_CHARS) && !is_zero(text) {
            return Some(Self { id: text.to_owned(), parent: None });
        }
        let mut parts = text.split('-');
        let (version, id) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let whole = text.len() == PARENT_CHARS && is_hex(version, 2) && version != "ff";
        let fits = is_hex(id, ID_CHARS) && is_hex(span, 16) && is_hex(flags, 2);
        (whole && fits && !is_zero(id) && !is_zero(span))
            .then(|| Self { id: id.to_owned(), parent: Some(text.to_owned()) })
    }

    /// The trace's id: 32 lower-case hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `traceparent` as it was written, if one was; bodies of jobs are given it.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.id)
    }
}

fn is_hex(text: &str, chars: usize) -> bool {
    text.len() == chars && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn an_id_and_a_traceparent_name_the_same_trace() {
        let parent = format!("00-{ID}-00f067aa0ba902b7-01");
        let read = Trace::parse(&parent).unwrap();
        assert_eq!((read.id(), read.parent()), (ID, Some(parent.as_str())));
        assert_eq!(Trace::parse(ID).unwrap().to_string(), ID);
    }

    #[test]
    fn what_names_no_trace_is_not_read() {
        let zero = "0".repeat(32);
        for bad in [
            "",
            "x",
            &zero,
            &ID.to_uppercase(),
            &ID[1..],
            &format!("00-{zero}-00f067aa0ba902b7-01"),
            &format!("00-{ID}-0000000000000000-01"),
            &format!("ff-{ID}-00f067aa0ba902b7-01"),
            &format!("00-{ID}-00f067aa0ba902b7"),
            &format!("00-{ID}-00f067aa0ba902b7-01-x"),
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
