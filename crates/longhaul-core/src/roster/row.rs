//! One in-process job: what was asked, where it stands, and what is owed for it.

use super::{Id, Key, OwnerKey};
use crate::outcome::Ending;
use crate::time::{Millis, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// What is asked for with a job, whatever its body does.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The id it would like; see [`super::Id`].
    pub id: Option<String>,
    /// The kind its body is registered under, if it is.
    pub kind: Option<Arc<str>>,
    /// For people.
    pub label: Option<Box<str>>,
    /// The agent whose work this is: who waits for the job waits for that agent.
    pub agent: Option<Arc<str>>,
    /// Its body begins at once, but takes a slot only when it asks to be running.
    pub queued: bool,
    /// Out of sight, and told to nobody, until it is promoted.
    pub foreground: bool,
    /// How often a failed body is run again.
    pub retries: u32,
    /// Before the first retry; doubles from there.
    pub retry_delay: Millis,
    /// How long one attempt may be running.
    pub timeout: Option<Millis>,
    /// Which ends its owner is told.
    pub notify: Notify,
}

/// Which ends are told to the owner's sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// All but those the owner itself asked for by cancelling.
    #[default]
    Ended,
    /// Cancelled ones too.
    Always,
    /// None.
    Never,
}

/// Why a job is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled it, with these words.
    Asked(Arc<str>),
    /// It was running for too long.
    Timeout,
    /// The whole roster is being disposed of.
    Shutdown,
    /// Its owner began anew.
    Superseded,
}

impl Stop {
    pub(super) const fn ending(&self) -> Ending {
        match self {
            Self::Timeout => Ending::TimedOut,
            Self::Asked(_) | Self::Shutdown | Self::Superseded => Ending::Cancelled,
        }
    }

    /// The reason in words.
    pub fn words(&self) -> &str {
        match self {
            Self::Asked(words) => words,
            Self::Timeout => "ran for too long",
            Self::Shutdown => "shutting down",
            Self::Superseded => "its owner began anew",
        }
    }
}

/// What a body left behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// For people and models; its end, if it was too long.
    pub text: String,
    /// For programs.
    pub structured: Option<Value>,
    /// Whether something was left out because it was too large.
    pub is_cut: bool,
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self { text, structured: None, is_cut: false }
    }
}

impl From<&str> for Output {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<()> for Output {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Value> for Output {
    fn from(value: Value) -> Self {
        Self { text: String::new(), structured: Some(value), is_cut: false }
    }
}

/// How a body ended, as its driver saw it.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// It returned.
    Returned(Output),
    /// It returned an error, or panicked; an error may come with output.
    Failed {
        /// What went wrong.
        error: String,
        /// What there is all the same.
        output: Option<Output>,
    },
    /// It was dropped before it was done, by what runs it.
    Dropped,
}

/// The verdict on a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which of the five ends.
    pub ending: Ending,
    /// What went wrong, or why it was stopped.
    pub because: Option<Arc<str>>,
    /// What the body left behind, if anything. Of a cancelled job too, if its body still returned.
    pub output: Option<Arc<Output>>,
    /// The verdict fell while the body was still alive: it ignored its cancellation for too long,
    /// and still has its slot.
    pub is_orphan: bool,
}

#[derive(Debug)]
pub(super) enum State {
    Queued(Waiting),
    Running,
    Stopping(Stop),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Its body has begun and has not asked for a slot.
    Body,
    /// Its body asked for a slot. The number is its turn.
    Slot(u64),
    /// Its last attempt failed; it is run again at this hour.
    Hour(Timestamp),
    /// Its hour has come and no slot is free. The number is its turn.
    Again(u64),
}

/// What is owed to the owner, and where that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Not ended, or nobody is to be told.
    Nothing,
    /// Out of sight: told when it is promoted.
    Hidden,
    /// Somebody watches: told when they let go.
    Held,
    /// May go as soon as there is a sink with room. `turn` is its place in the owner's line.
    Ready { turn: u64 },
    /// Its last try failed.
    Delayed { turn: u64, at: Timestamp },
    /// A try is being made.
    InFlight { turn: u64, until: Timestamp },
    /// The sink took it.
    Delivered,
    /// Settled in another way: acknowledged, consumed, released, superseded or dead.
    Settled,
}

impl Owed {
    pub(super) const fn is_open(self) -> bool {
        match self {
            Self::Hidden
            | Self::Held
            | Self::Ready { .. }
            | Self::Delayed { .. }
            | Self::InFlight { .. } => true,
            Self::Nothing | Self::Delivered | Self::Settled => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    /// Rises with every job of the roster: the order of lists and the number of its delivery.
    pub(super) number: u64,
    pub(super) id: Id,
    pub(super) owner: OwnerKey,
    pub(super) kind: Option<Arc<str>>,
    pub(super) label: Option<Box<str>>,
    pub(super) agent: Option<Arc<str>>,
    pub(super) notify: Notify,
    pub(super) retries: u32,
    pub(super) retry_delay: Millis,
    pub(super) timeout: Option<Millis>,
    pub(super) state: State,
    /// The number of the attempt that runs or ran last, from 1: the fence of reports.
    pub(super) attempt: u32,
    /// Whether the body of this attempt has not ended.
    pub(super) is_alive: bool,
    /// Whether that body was admitted: it counts until it is gone, whatever was decided.
    pub(super) has_slot: bool,
    /// Whether the id is this job's, and lists have it.
    pub(super) is_listed: bool,
    pub(super) is_foreground: bool,
    /// Never to be listed or told.
    pub(super) is_released: bool,
    pub(super) is_acknowledged: bool,
    pub(super) is_consumed: bool,
    pub(super) watchers: u32,
    pub(super) details: Option<Box<Value>>,
    pub(super) told_details_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    /// When time alone changes its life; its entry in the table of timers. Of an ended and listed
    /// one: when its id becomes free.
    pub(super) due_at: Option<Timestamp>,
    pub(super) verdict: Option<Verdict>,
    pub(super) owed: Owed,
    pub(super) tries: u32,
    pub(super) failures: u32,
    /// What the last failed try said.
    pub(super) trouble: Option<Box<str>>,
}

impl Row {
    pub(super) fn new(key: Key, id: Id, owner: OwnerKey, ask: Ask, now: Timestamp) -> Self {
        let Ask { kind, label, agent, retries, retry_delay, timeout, notify, .. } = ask;
        Self {
            key,
            number: 0,
            id,
            owner,
            kind,
            label,
            agent,
            notify,
            retries,
            retry_delay,
            timeout,
            state: if ask.queued { State::Queued(Waiting::Body) } else { State::Running },
            attempt: 1,
            is_alive: true,
            has_slot: !ask.queued,
            is_listed: true,
            is_foreground: ask.foreground,
            is_released: false,
            is_acknowledged: false,
            is_consumed: false,
            watchers: 0,
            details: None,
            told_details_at: None,
            created_at: now,
            started_at: (!ask.queued).then_some(now),
            ended_at: None,
            due_at: None,
            verdict: None,
            owed: Owed::Nothing,
            tries: 0,
            failures: 0,
            trouble: None,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether lists and its owner may see it.
    pub(super) const fn is_visible(&self) -> bool {
        self.is_listed && !self.is_foreground && !self.is_released
    }

    /// Whether somebody will be told of this verdict.
    pub(super) fn is_to_be_told(&self) -> bool {
        let ending = self.verdict.as_ref().map(|verdict| verdict.ending);
        let wanted = match self.notify {
            Notify::Always => true,
            Notify::Never => false,
            Notify::Ended => ending != Some(Ending::Cancelled),
        };
        wanted && !self.is_released
    }
}
