//! Where clients disagree and no single form serves all, a connection is spoken to in its client's
//! own way.

use crate::limits::{OUTBOUND_BYTES_MAX, OUTBOUND_SMALL_BYTES_MAX};

/// A way of saying the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// As the draft has it.
    #[default]
    Default,
    /// Budgets are texts, every end but an error is a `job.result`, and a refused submission is a
    /// `session.error`.
    Python,
    /// A refused submission is a `session.error`, and a result is told as `output` too.
    Go,
}

impl Profile {
    /// The profile of that name, as configuration writes it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "python" => Some(Self::Python),
            "go" => Some(Self::Go),
            _ => None,
        }
    }

    /// What a client's name and fingerprint let us guess. A guess: configuration goes before it.
    pub fn guess(name: &str, fingerprint: Option<&str>) -> Self {
        let hints = [name, fingerprint.unwrap_or_default()];
        let says = |word: &str| {
            let is_it = |part: &str| part.eq_ignore_ascii_case(word);
            hints.iter().any(|hint| hint.split(|c: char| !c.is_ascii_alphanumeric()).any(is_it))
        };
        if says("python") || says("py") {
            Self::Python
        } else if says("go") || says("golang") {
            Self::Go
        } else {
            Self::Default
        }
    }

    /// Bytes of the largest frame that such a client reads.
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Self::Default | Self::Go => OUTBOUND_BYTES_MAX,
            Self::Python => OUTBOUND_SMALL_BYTES_MAX,
        }
    }

    /// Whether a refused submission is told as an error of the session instead of as one of a job
    /// that never was.
    pub const fn refuses_by_session(self) -> bool {
        match self {
            Self::Python | Self::Go => true,
            Self::Default => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_a_whole_word_of_its_name() {
        assert_eq!(Profile::guess("arcp-python-client", None), Profile::Python);
        assert_eq!(Profile::guess("mongo", None), Profile::Default);
        assert_eq!(Profile::guess("x", Some("arcp-go/1.0")), Profile::Go);
        assert_eq!(Profile::guess("examplectl", None), Profile::Default);
    }
}
