//! How it came to be known what a notice tells.

use serde::{Deserialize, Serialize};

/// How a notice came to be known to whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// The sink took it.
    Answered,
    /// It was acknowledged.
    Acked,
    /// The owner waited for the job itself.
    Waited,
    /// The owner looked at the result and said so.
    Shown,
    /// The owner read past it in a stream that it acknowledges.
    Streamed,
    /// The job was asked for again: whoever did that knew.
    Retried,
    /// The question that is told was answered, or is of no use any more.
    Decided,
}

impl Settled {
    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Acked => "acked",
            Self::Waited => "waited",
            Self::Shown => "shown",
            Self::Streamed => "streamed",
            Self::Retried => "retried",
            Self::Decided => "decided",
        }
    }
}
