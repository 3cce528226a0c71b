//! Where clients disagree and no single form serves all, a connection is spoken to in its client's
//! own way.

use crate::limits::{OUTBOUND_BYTES_MAX, OUTBOUND_SMALL_BYTES_MAX};
use crate::message::{AgentList, Capabilities};

/// Characters of a ULID.
const ULID_CHARS: usize = 26;

/// A way of saying the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// As the draft has it.
    #[default]
    Default,
    /// Budgets are texts, every end but an error is a `job.result`, a refused submission is a
    /// `session.error`, and after a subscription there is a moment of silence.
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

    /// What a hello itself lets us guess where the client's name says nothing: programs seldom name the
    /// library that they are made with. The Python one is known by ids that are bare ULIDs, together with
    /// a list of agents, which a client has none of.
    pub fn guess_by_hello(id: &str, capabilities: &Capabilities) -> Self {
        let lists_no_agents = match &capabilities.agents {
            Some(AgentList::Names(names)) => names.is_empty(),
            Some(AgentList::Entries(entries)) => entries.is_empty(),
            None => false,
        };
        let is_ulid = id.len() == ULID_CHARS && id.bytes().all(is_of_ulid);
        if lists_no_agents && is_ulid { Self::Python } else { Self::Default }
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

    /// Whether what comes right behind the confirmation of a subscription is lost on such a client: it
    /// gets ready for it only after it was woken up.
    pub const fn subscribes_late(self) -> bool {
        match self {
            Self::Python => true,
            Self::Default | Self::Go => false,
        }
    }
}

/// Digits and capitals without those that look like others.
const fn is_of_ulid(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z') && !matches!(byte, b'I' | b'L' | b'O' | b'U')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_a_name_of_its_own_is_known_by_how_it_says_hello() {
        let ulid = "01M7ZY9KW89PPVYDGVYHR8BA1A";
        let none = Capabilities::default();
        let empty = Capabilities { agents: Some(AgentList::Names(vec![])), ..none.clone() };
        let one = vec!["a".to_owned()];
        let some = Capabilities { agents: Some(AgentList::Names(one)), ..none.clone() };
        assert_eq!(Profile::guess_by_hello(ulid, &empty), Profile::Python);
        assert_eq!(Profile::guess_by_hello(ulid, &none), Profile::Default);
        assert_eq!(Profile::guess_by_hello(ulid, &some), Profile::Default);
        for id in ["msg_01M7ZY9KW89PPVYDGVYHR8BA1A", "01m7zy9kw89ppvydgvyhr8ba1a", "1"] {
            assert_eq!(Profile::guess_by_hello(id, &empty), Profile::Default, "{id}");
        }
    }

    #[test]
    fn a_client_is_known_by_a_whole_word_of_its_name() {
        assert_eq!(Profile::guess("arcp-python-client", None), Profile::Python);
        assert_eq!(Profile::guess("mongo", None), Profile::Default);
        assert_eq!(Profile::guess("x", Some("arcp-go/1.0")), Profile::Go);
        assert_eq!(Profile::guess("examplectl", None), Profile::Default);
    }
}
