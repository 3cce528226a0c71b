//! The spool's lines: which way a message went, and the message as it was. Written before anything is
//! done about it.

use serde::de::IgnoredAny;
use std::io::{self, Write};

/// Writes the lines of one attempt.
#[derive(Debug)]
pub(super) struct Log<W> {
    out: W,
}

impl<W: Write> Log<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    /// A line of the agent, without its end. What is no JSON stands as it came: whoever reads the log
    /// keeps it as what it does not understand.
    pub(super) fn heard(&mut self, line: &[u8]) -> io::Result<()> {
        let is_json = serde_json::from_slice::<IgnoredAny>(line).is_ok();
        if is_json { self.message("from_agent", line) } else { self.pieces(&[line, b"\n"]) }
    }

    /// A part of a line that is too long to be understood, with its end if it is the last.
    pub(super) fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        self.pieces(&[piece])
    }

    /// A message of ours.
    pub(super) fn said(&mut self, message: &str) -> io::Result<()> {
        self.message("to_agent", message.as_bytes())
    }

    /// How the agent's process ended.
    pub(super) fn exit(&mut self, code: i32) -> io::Result<()> {
        self.message("exit", format!("{{\"rc\":{code}}}").as_bytes())
    }

    fn message(&mut self, dir: &str, message: &[u8]) -> io::Result<()> {
        let head = format!("{{\"dir\":\"{dir}\",\"msg\":");
        self.pieces(&[head.as_bytes(), message, b"}\n"])
    }

    /// In one write where the system takes it, so that a crash rarely leaves half a line.
    fn pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        self.out.write_all(&pieces.concat())?;
        self.out.flush()
    }
}

/// Says something to people, in the attempt's other spool, where nothing depends on it.
pub(super) fn complain(line: &str) {
    let _written = writeln!(io::stderr(), "longhaul: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_way_it_went_and_noise_stays_what_it_is() {
        let mut log = Log::new(vec![]);
        log.said(r#"{"id":1}"#).unwrap();
        log.heard(br#"{"dir":"to_agent","msg":{}}"#).unwrap();
        log.heard(b"noise").unwrap();
        log.exit(3).unwrap();
        let expected = "{\"dir\":\"to_agent\",\"msg\":{\"id\":1}}\n\
                        {\"dir\":\"from_agent\",\"msg\":{\"dir\":\"to_agent\",\"msg\":{}}}\n\
                        noise\n\
                        {\"dir\":\"exit\",\"msg\":{\"rc\":3}}\n";
        assert_eq!(String::from_utf8(log.out).unwrap(), expected);
    }
}
