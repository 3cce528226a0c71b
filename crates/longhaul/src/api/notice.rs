//! Notices: what is told when a job has ended or asks, and what became of the telling. A webhook's body, an
//! exec sink's standard input and an inbox carry the same object.

use super::approval::ApprovalView;
use super::job::JobView;
use super::time::Time;
use serde::{Deserialize, Serialize};

/// What whoever waits is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: NoticeKind,
    /// The delivery's id, the same for every try: what a receiver drops doubles by.
    pub id: String,
    /// What happened, by a name that is the same at every place that is told; `null` for a test.
    pub notice: Option<String>,
    /// Which try this is, from 1.
    #[serde(rename = "try")]
    pub number: u32,
    /// Where it is told: `inbox` or `sink:NAME`.
    pub to: String,
    /// The job's owner.
    pub owner: Option<String>,
    /// When it happened.
    pub at: Time,
    /// The job as it ended, or as it is while it asks; `null` for a test.
    pub job: Option<JobView>,
    /// The end of what an ended job wrote, so that nobody has to ask for it; else `null`.
    pub output: Option<OutputTail>,
    /// The question, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
}

/// What can happen that somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// A job ended.
    #[serde(rename = "job.ended")]
    JobEnded,
    /// A person is asked.
    #[serde(rename = "approval.asked")]
    ApprovalAsked,
    /// Somebody wants to know whether a sink works.
    #[serde(rename = "sink.test")]
    SinkTest,
}

/// The last bytes of a job's streams; what is no UTF-8 is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTail {
    /// Of standard output.
    pub stdout_tail: String,
    /// Of standard error.
    pub stderr_tail: String,
}

/// Everything an owner has not acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxPage {
    /// Whose.
    pub owner: String,
    /// Oldest first.
    pub notices: Vec<Notice>,
    /// Ask with this as `cursor` for those after; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What one wake of a follower brings: all that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wake {
    /// Oldest first.
    pub notices: Vec<Notice>,
}

/// Which notices an owner knows now. `ids` or `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckAsk {
    /// Who.
    pub owner: String,
    /// These.
    #[serde(default)]
    pub ids: Option<Vec<String>>,
    /// All that are there.
    #[serde(default)]
    pub all: bool,
}

/// What acknowledging came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// How many were not settled before.
    pub acked: u64,
}

/// Who has fetched a job's result by itself, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleAsk {
    /// Who.
    pub owner: String,
    /// How.
    pub how: Fetched,
}

/// How somebody came to know a result without being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetched {
    /// By waiting for the job.
    Waited,
    /// By looking at it.
    Shown,
    /// By reading past it in a stream.
    Streamed,
}

/// What settling came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledAnswer {
    /// How many notices nobody needs any more.
    pub settled: u64,
}

/// Some deliveries, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveriesPage {
    /// The deliveries.
    pub notices: Vec<DeliveryView>,
    /// Ask with this as `cursor` for those after; `null` at the end.
    pub next_cursor: Option<String>,
}

/// One notice on its way to one place, and what became of its tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// Its id.
    pub id: String,
    /// The job that is told of.
    pub job: String,
    /// The question about it that is told; its end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where it is told: `inbox` or `sink:NAME`.
    pub to: String,
    /// The job's owner.
    pub owner: Option<String>,
    /// Where it is in its life.
    pub state: DeliveryStage,
    /// How often it was claimed to be told.
    #[serde(rename = "try")]
    pub tries: u32,
    /// How many of these tries failed.
    pub failures: u32,
    /// Since when it is owed.
    pub created_at: Time,
    /// Before when it is not tried again.
    pub not_before: Option<Time>,
    /// Who is telling it, or was told and has not acknowledged.
    pub claimed_by: Option<String>,
    /// Who said that it is known.
    pub acked_by: Option<String>,
    /// How it came to be known: `answered`, `acked`, `waited`, `shown`, `streamed`, `retried` or
    /// `decided`.
    pub acked_how: Option<String>,
    /// When it was settled or given up.
    pub ended_at: Option<Time>,
    /// Why it was given up.
    pub dead_because: Option<String>,
    /// What became of its newest tries, oldest first.
    pub receipts: Vec<ReceiptView>,
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptView {
    /// Which try.
    #[serde(rename = "try")]
    pub number: u32,
    /// When that was known.
    pub at: Time,
    /// Who was asked, or whom it was handed to.
    pub by: String,
    /// What came back.
    pub answer: String,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStage {
    /// Waits for its hour, or for its owner.
    Pending,
    /// Is being told.
    Claimed,
    /// Was told; the acknowledgement is missing.
    Sent,
    /// Is known.
    Acked,
    /// Was given up.
    Dead,
}

impl DeliveryStage {
    /// All, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Claimed, Self::Sent, Self::Acked, Self::Dead];

    /// The name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Dead => "dead",
        }
    }
}
