//! What the journal can say. Entries are facts: they happened, and were committed together with the
//! rows that they changed.

mod kinds;

use crate::approval::Question;
use crate::delegation::DenialCode;
use crate::delivery::Settled;
use crate::id::{ApprovalId, CredentialId, DeliveryId, JobId, MailId, SessionId};
use crate::outcome::Outcome;
use crate::port::Position;
use crate::time::{Millis, Timestamp};
use crate::turn::Health;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One fact about a job, or about the home as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The job was accepted and is durable.
    Created {
        /// The job that this one repeats, if it does.
        retry_of: Option<JobId>,
    },
    /// The last job it waited for succeeded (or ended, for `after_any`).
    Unblocked,
    /// It was given a slot; an attempt may begin.
    Starting {
        /// Which attempt.
        attempt: u32,
    },
    /// Its process runs.
    Started {
        /// Which attempt.
        attempt: u32,
        /// The child's process id, for people to read; never acted on.
        pid: u32,
    },
    /// Somebody asked for it to be cancelled.
    CancelRequested {
        /// Why, in the asker's words.
        reason: Option<String>,
    },
    /// It is being stopped.
    Stopping {
        /// Which attempt.
        attempt: u32,
        /// What it will end as when nothing else happens first; `None` for a start called off, and
        /// for a turn that has said itself how it ended.
        because: Option<Outcome>,
        /// Whether it is killed rather than asked.
        by_force: bool,
    },
    /// An attempt is over, by evidence.
    AttemptEnded {
        /// Which attempt.
        attempt: u32,
        /// How it ended, taken by itself.
        outcome: Outcome,
        /// What it left running, and whether that was ended.
        leftovers: Option<Leftovers>,
    },
    /// Another attempt will follow.
    Retrying {
        /// When it may start.
        not_before: Timestamp,
        /// How many attempts have failed so far.
        failures: u32,
    },
    /// An attempt never began and will be launched again.
    Relaunching {
        /// When it may start.
        not_before: Timestamp,
        /// How many launches in a row have come to nothing.
        launches: u32,
        /// Why the last one did.
        message: Option<String>,
    },
    /// A task whose process was lost will be run again.
    Rerunning {
        /// When it may start.
        not_before: Timestamp,
        /// How often it was lost so far.
        reruns: u32,
    },
    /// The job is over. Nothing about its outcome follows this.
    Ended {
        /// The one recorded outcome.
        outcome: Outcome,
    },
    /// These are to be told of the end, or of a question. Committed together with it.
    NoticesOwed {
        /// One delivery for each place.
        notices: Vec<Owed>,
        /// The question; the end if `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<ApprovalId>,
    },
    /// A try at telling one of them failed.
    NoticeFailed {
        /// Which delivery.
        delivery: DeliveryId,
        /// Which try.
        number: u32,
        /// What was answered.
        answer: String,
        /// When it is tried again; `None` if that was the last.
        again_at: Option<Timestamp>,
    },
    /// One of them knows.
    NoticeSettled {
        /// Which delivery.
        delivery: DeliveryId,
        /// Who said so.
        by: String,
        /// How it came to be known.
        how: Settled,
    },
    /// Telling one of them was given up.
    NoticeDead {
        /// Which delivery.
        delivery: DeliveryId,
        /// Why.
        because: String,
    },
    /// What was given up is owed again.
    NoticeOwedAgain {
        /// Which delivery.
        delivery: DeliveryId,
    },
    /// A sink was made or replaced.
    SinkAdded {
        /// Which.
        sink: String,
        /// What it is.
        what: String,
    },
    /// A sink was removed.
    SinkRemoved {
        /// Which.
        sink: String,
    },
    /// Cleaning up after it failed; told once per different warning.
    CleanupFailed {
        /// What went wrong.
        warning: String,
    },
    /// Cleaning up was given up; a person must look.
    CleanupStuck,
    /// The job reported something about itself.
    Emitted {
        /// What kind of report.
        report: String,
        /// The report, as JSON text.
        body: String,
    },
    /// An event in words that clients of any kind know; made by the job, or about it.
    Told {
        /// What kind of event.
        name: String,
        /// The event.
        body: Value,
        /// Whether it tells what was decided here under the job's lease; what a job says of its own is
        /// no decision.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        decided: bool,
    },
    /// A session began to follow the job, or was refused to.
    Followed {
        /// Which.
        session: SessionId,
        /// Whose it is.
        principal: String,
    },
    /// A credential was made for the job.
    CredentialMinted {
        /// Which.
        credential: CredentialId,
        /// By which issuer.
        issuer: String,
    },
    /// A credential could not be made.
    CredentialFailed {
        /// Which.
        credential: CredentialId,
        /// By which issuer.
        issuer: String,
        /// What went wrong.
        problem: String,
        /// When it is tried again; `None` if that was the last try.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<Timestamp>,
    },
    /// Another credential took the place of one.
    CredentialRotated {
        /// The new one.
        credential: CredentialId,
        /// The one that is being revoked for it.
        replaces: CredentialId,
        /// By which issuer.
        issuer: String,
    },
    /// A credential is good for nothing any more.
    CredentialRevoked {
        /// Which.
        credential: CredentialId,
        /// By which issuer.
        issuer: String,
    },
    /// A credential could not be revoked; a person must look.
    CredentialStuck {
        /// Which.
        credential: CredentialId,
        /// By which issuer.
        issuer: String,
        /// What went wrong last.
        problem: String,
    },
    /// From here on not everything is written down: a journal holds so many entries of one job, and what is
    /// beyond them is counted. How the job ends, and what it owes, is written down all the same.
    JournalFull {
        /// How many entries it holds of the kind that was too many.
        limit: u64,
    },
    /// Somebody was refused at the door. Repeats within a minute are counted, not written down.
    TurnedAway {
        /// What from: `login`, `follow` or `cancel`.
        what: String,
        /// Who: a principal, or an address where none was proven.
        who: String,
        /// Which job it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<JobId>,
        /// Whose job that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// How often since it was last written down.
        times: u32,
    },
    /// Tokens of a principal were added or revoked.
    TokensChanged {
        /// Whose.
        principal: String,
        /// In one of these words.
        what: String,
    },
    /// A turn's conversation became known.
    Conversation {
        /// In which attempt.
        attempt: u32,
        /// The conversation, as its CLI names it.
        conversation: String,
    },
    /// Another conversation answered than was to be resumed.
    ConversationMismatch {
        /// In which attempt.
        attempt: u32,
    },
    /// A turn's conversation could not be resumed, and a new one is begun.
    ResumeFailed {
        /// In which attempt.
        attempt: u32,
        /// What the CLI said.
        message: String,
    },
    /// A turn met a limit of the vendor and waits for its end.
    Parked {
        /// When it may go on.
        not_before: Timestamp,
        /// How often it was parked so far.
        parks: u32,
        /// What the CLI said.
        message: String,
    },
    /// A turn waits, without a process, for an answer to a question.
    WaitsForAnswer {
        /// Which question.
        approval: ApprovalId,
    },
    /// Most of what a turn, or its agent, may cost is spent.
    BudgetWarned {
        /// Whether it is what all of its agent's turns may cost.
        is_agents: bool,
        /// What is spent, in billionths of a US dollar.
        nano_usd: u64,
        /// What may be spent.
        nano_usd_max: u64,
    },
    /// A turn has shown no sign of life for longer than its agent's role lets pass.
    QuietFor {
        /// For how long.
        span: Millis,
        /// What was done about it.
        step: Health,
    },
    /// A turn that was quiet shows signs of life again.
    Lively,
    /// A message was sent. About the turn that sent it, if one did.
    Mailed {
        /// Which.
        mail: MailId,
        /// Who sent it.
        from: String,
        /// To which mailbox.
        to: String,
        /// What kind of message it is.
        what: String,
    },
    /// A message could not be delivered.
    MailReturned {
        /// Which.
        mail: MailId,
        /// The mailbox that it was for.
        to: String,
        /// Why, in words.
        because: String,
    },
    /// An agent was added, changed, finished, stopped or removed.
    AgentChanged {
        /// Which.
        agent: String,
        /// In one of these words.
        what: String,
    },
    /// A pool was made or changed.
    PoolChanged {
        /// Which.
        pool: String,
        /// Its slots.
        slots: u32,
        /// Whether it starts nothing for now.
        paused: bool,
    },
    /// The machine slept, and deadlines were moved by as much.
    Woke {
        /// For how long.
        slept: Millis,
    },
    /// An operation was put to the job's lease.
    OperationDecided {
        /// The capability that it needed.
        capability: String,
        /// What it was about.
        target: String,
        /// Why not; `None` if it was allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        denied: Option<DenialCode>,
    },
    /// Another agent was asked to work for the job.
    Delegated {
        /// The job's own name for it.
        delegate: String,
        /// The job that it is; none if it was denied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child: Option<JobId>,
        /// Why not; `None` if it was allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        denied: Option<DenialCode>,
    },
    /// A tool call was put to the job's lease, to the turn's policy, or to the answer of a person.
    ToolDecided {
        /// The call, as the CLI names it.
        call: String,
        /// The tool.
        tool: String,
        /// What was decided.
        decision: Decision,
        /// Which no of the lease, if it was the lease that said no.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<DenialCode>,
        /// Why, unless it was allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What it would have done, where it was denied: JSON text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// A person is asked.
    QuestionAsked {
        /// The question's id.
        approval: ApprovalId,
        /// What is asked.
        question: Question,
    },
    /// A question waits no more.
    QuestionAnswered {
        /// Which.
        approval: ApprovalId,
        /// What became of it: `allowed`, `denied` or `lapsed`.
        answer: String,
        /// Who said so; nobody if it lapsed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// What was decided about a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may run.
    Allowed,
    /// It may not.
    Denied,
    /// A person is asked.
    Asked,
    /// The policy has no opinion: the CLI goes by its own rules.
    Unsaid,
}

/// One of those who are to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The delivery.
    pub id: DeliveryId,
    /// The place, as [`Destination::place`](crate::delivery::Destination::place) names it.
    pub to: String,
}

/// What a finished attempt left running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// How many processes were found.
    pub found: u32,
    /// Some of them, as `name(pid)`.
    pub names: Vec<String>,
    /// Whether they were ended.
    pub ended: bool,
}

/// An entry before the journal has given it a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The job it is about, if it is about one.
    pub job: Option<JobId>,
    /// Its number within that job, from 1 and without gaps; zero without a job.
    pub seq: u64,
    /// When the step that recorded it ran.
    pub at: Timestamp,
    /// What happened, as JSON text.
    pub body: String,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub position: Position,
    /// The job it is about, if it is about one.
    pub job: Option<JobId>,
    /// Its number within that job.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened, as JSON text; see [`Event::fact`].
    pub body: String,
}

impl Event {
    /// Reads what happened; `None` for a kind that a newer version wrote.
    pub fn fact(&self) -> Option<Fact> {
        serde_json::from_str(&self.body).ok()
    }
}
