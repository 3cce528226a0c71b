//! What an adapter remembers between lines. It is stored with the spool's offset in the commit that
//! takes the events, so a reader that starts anew at that offset says what the first would have said.

use crate::failure::Failure;
use crate::limits::MEMORY_BYTES_MAX;
use crate::turn::Conversation;
use crate::usage::{Carry, Usage};
use serde::{Deserialize, Serialize};

/// What is known of a turn so far. Opaque to all but the adapter that made it, and bounded:
/// `to_json` never exceeds `MEMORY_BYTES_MAX`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What the turn was started on.
    #[serde(default)]
    pub(crate) asked: Conversation,
    /// The conversation, once the CLI has named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The CLI's version, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// The beginning of the last thing that the agent said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) said: String,
    /// Text that came in pieces and waits for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) joined: Option<Joined>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) open: Vec<OpenCall>,
    /// The end, if the CLI told of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<Terminal>,
    /// A failure that stdout told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// A failure that stderr hinted at. Apart, so that the order of the two streams is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) heard: Option<Failure>,
    /// What this turn used, as far as the CLI said so.
    #[serde(default, skip_serializing_if = "Usage::is_nothing")]
    pub(crate) used: Usage,
    /// What it used at least, for a CLI that says it only at the end and may not get there.
    #[serde(default, skip_serializing_if = "Usage::is_nothing")]
    pub(crate) estimate: Usage,
    /// The totals that the conversation began this turn with, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<Carry>,
    /// The totals as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<Usage>,
    /// Whether something was used that could not be told apart from what was used before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_partial: bool,
    /// The last reason or message id that the dialect needs to tell the next line by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) mark: String,
    /// A tool call that the turn ended to ask about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deferred: Option<DeferredCall>,
    /// Bytes of an overlong line that were taken so far, for stdout and stderr.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) skipped: [u64; 2],
    #[serde(default)]
    pub(crate) counts: Counts,
}

fn is_empty(skipped: &[u64; 2]) -> bool {
    *skipped == [0, 0]
}

/// Text in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) thought: bool,
    pub(crate) text: String,
}

/// A tool call without its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenCall {
    /// The id's hash: ids are long, and are only compared.
    pub(crate) id: u64,
    pub(crate) tool: String,
    /// What it writes, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

/// A tool call that is to be asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeferredCall {
    pub(crate) id: String,
    pub(crate) tool: String,
}

/// How a CLI said that the turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Terminal {
    Ok,
    Failed,
    Deferred,
}

/// What became of the lines of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines taken, of both streams.
    pub lines: u64,
    /// Lines that were understood.
    pub understood: u64,
    /// Lines that were not, and are kept as `raw`.
    pub raw: u64,
    /// Lines that are known to say nothing: blank, beginnings, keep-alives.
    pub quiet: u64,
    /// Lines with bytes that are no UTF-8.
    pub invalid_utf8: u64,
    /// Lines longer than a line may be.
    pub too_long: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Tool calls that were refused.
    pub denied: u64,
}

/// A memory that does not parse: another version wrote it, or it is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the adapter's memory cannot be read")]
pub struct UnreadableMemory(#[source] serde_json::Error);

impl Memory {
    /// As it is stored.
    ///
    /// # Panics
    ///
    /// If it exceeds `MEMORY_BYTES_MAX`: every part of it is bounded, so that is a fault of this crate.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string(self).expect("a memory has no maps and no floats");
        assert!(json.len() <= MEMORY_BYTES_MAX, "a memory of {} bytes", json.len());
        json
    }

    /// As it was stored.
    pub fn from_json(json: &str) -> Result<Self, UnreadableMemory> {
        serde_json::from_str(json).map_err(UnreadableMemory)
    }

    /// The conversation's id, from the moment on that the CLI named it.
    #[must_use]
    pub fn conversation(&self) -> Option<&str> {
        self.conversation.as_deref()
    }

    /// The model, if the CLI named it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The CLI's version, if it named it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What the turn used so far: as told, or what it was at least if nothing was told yet.
    #[must_use]
    pub fn used(&self) -> Usage {
        if self.used.is_nothing() { self.estimate } else { self.used }
    }

    /// Whether another conversation answered than was to be resumed.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        match (&self.asked, &self.conversation) {
            (Conversation::Resume(asked), Some(seen)) => asked != seen,
            _ => false,
        }
    }

    /// Whether the CLI has said how the turn ended: it may be given a short grace and then stopped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// What became of the lines so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether tools are at work: the silence of a long command is no stall of the model.
    #[must_use]
    pub fn is_in_tool(&self) -> bool {
        !self.open.is_empty()
    }
}
