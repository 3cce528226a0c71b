//! All that can be put to the engine, and all that can come back. Asks come from people and
//! programs, reports from the drivers of the outside world; every report carries its attempt.

use crate::agent::AgentSpec;
use crate::credential::Made;
use crate::delegation::{Delegation, OperationAsk};
use crate::delivery::Settled;
use crate::id::{
    ApprovalId, ConnectionId, CredentialId, DeliveryId, JobId, MailId, PresenceId, SessionId,
};
use crate::mail::Letter;
use crate::policy::ToolCall;
use crate::session::Resume;
use crate::sink::SinkKind;
use crate::spec::{Environment, JobSpec};
use crate::task::TaskResult;
use crate::time::{Millis, Timestamp};
use crate::token::TokenRole;
use crate::turn::Taking;
use std::collections::BTreeSet;

mod entry;
mod place;
mod reply;
mod want;

pub use crate::exit::{Artifact, Exit, How, StoppedBy};
pub use crate::refused::Refused;
pub use entry::{Entry, Piece};
pub use place::{Place, Retention};
pub use reply::{Known, Reply};
pub use want::{Deliver, Want};

/// A job as it is handed in. The asker makes the id, which makes asking twice harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The new job's id.
    pub id: JobId,
    /// What it is to be.
    pub spec: JobSpec,
    /// Its whole environment.
    pub environment: Environment,
    /// Idempotency key: same key and same specification give the same job.
    pub key: Option<String>,
    /// Who asks.
    pub owner: Option<String>,
    /// The project it belongs to: whose owners may stand in for each other.
    pub project: Option<String>,
    /// The job that this one was submitted from.
    pub parent: Option<JobId>,
    /// The ended job that this one repeats.
    pub retry_of: Option<JobId>,
    /// The session that asks, which is told of it.
    pub session: Option<SessionId>,
}

/// Anything put to the engine: an ask, or a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask: accept these jobs, all or none. Gives [`Reply::Submitted`].
    Submit(Vec<Submission>),
    /// Ask: end this job. Ended already: refused. Being stopped already: only `by_force` adds.
    Cancel {
        /// Which.
        job: JobId,
        /// Why, in the asker's words.
        reason: Option<String>,
        /// Without waiting for its grace.
        by_force: bool,
        /// Its descendants too.
        tree: bool,
    },
    /// Ask: remove this ended job now. Refused while it owes a cleanup.
    Purge(JobId),
    /// Ask: make or change a pool.
    SetPool {
        /// Its name.
        pool: String,
        /// Jobs that may run at once; as it was if `None`.
        slots: Option<u32>,
        /// Whether it starts nothing; as it was if `None`.
        paused: Option<bool>,
    },
    /// Ask: make a sink. There already and the same: done; another: refused unless `replace`, which
    /// keeps what is owed to it.
    AddSink {
        /// Its name.
        sink: String,
        /// What it is.
        kind: SinkKind,
        /// Whether it may take the place of another.
        replace: bool,
    },
    /// Ask: remove a sink. What is owed to it is given up.
    RemoveSink(String),
    /// Ask: hand notices to a presence: its owner's own, oldest first, and those of owners of its
    /// project that are away for long enough. Gives [`Reply::Claimed`].
    Claim {
        /// To which.
        presence: PresenceId,
        /// How many at most.
        limit: u32,
    },
    /// Ask: an owner knows these notices. Its own, or held by a presence of it; all or none. Gives
    /// [`Reply::Settled`].
    Acknowledge {
        /// Who.
        owner: String,
        /// Which.
        deliveries: Vec<DeliveryId>,
    },
    /// Ask: an owner knows its oldest [`ACKS_MAX`](crate::limits::ACKS_MAX) notices. Gives
    /// [`Reply::Settled`]; ask again until that is none.
    AcknowledgeAll {
        /// Who.
        owner: String,
    },
    /// Ask: the owner has the job's result from the job itself. Gives [`Reply::Settled`].
    Settle {
        /// Which job. It has ended.
        job: JobId,
        /// Who.
        owner: String,
        /// How it came to know.
        how: Settled,
    },
    /// Ask: owe a dead delivery again.
    Redeliver(DeliveryId),
    /// Ask: make an agent, or change one. There already and the same: its environment is renewed;
    /// another: refused unless `replace`, which keeps its conversation, mail and turns. One that has
    /// ended is begun anew.
    AddAgent {
        /// What it is to be.
        spec: Box<AgentSpec>,
        /// The environment of its turns.
        environment: Environment,
        /// Whether it may change one.
        replace: bool,
    },
    /// Ask: forget an agent. Refused while it has an open turn or children; its unread mail is
    /// returned.
    RemoveAgent(String),
    /// Ask: end an agent: its turns are cancelled, its unread mail is returned, nothing wakes it.
    StopAgent {
        /// Which.
        agent: String,
        /// Why, in the asker's words.
        reason: Option<String>,
        /// Without waiting for its turn's grace.
        by_force: bool,
    },
    /// Ask: send mail. Gives [`Reply::Mailed`].
    SendMail(Box<Letter>),
    /// Ask: hand out unread mail. To a turn, it is taken by that turn, whose end decides; to a
    /// person, it is read. Gives [`Reply::Handed`].
    CheckMail {
        /// Whose: an agent, or a person's.
        mailbox: String,
        /// The agent's turn that asks, proven by its token.
        turn: Option<(JobId, u32)>,
        /// How many at most.
        limit: u32,
    },
    /// Ask: this message is read. By a turn of the agent it is for, it is taken by that turn.
    ReadMail {
        /// Which.
        mail: MailId,
        /// The turn that read it, proven by its token.
        turn: Option<(JobId, u32)>,
    },
    /// Ask: may this tool call run? Gives [`Reply::Allowed`], [`Reply::Denied`], [`Reply::Asked`] or
    /// [`Reply::Unsaid`]. Each answer is recorded.
    Authorize {
        /// The turn, proven by its token.
        job: JobId,
        /// In which attempt.
        attempt: u32,
        /// What it would do.
        call: Box<ToolCall>,
    },
    /// Ask: may this attempt do this, under its job's lease? Gives [`Reply::Allowed`] or
    /// [`Reply::Denied`]. Each answer is recorded.
    AuthorizeOperation {
        /// Which job, proven by its token.
        job: JobId,
        /// In which attempt.
        attempt: u32,
        /// What it would do.
        ask: Box<OperationAsk>,
    },
    /// Ask: have another agent work under a part of this job's authority. Gives [`Reply::Submitted`]
    /// or [`Reply::Denied`], which is recorded.
    Delegate {
        /// Which job, proven by its token.
        parent: JobId,
        /// In which attempt.
        attempt: u32,
        /// What is asked for.
        ask: Box<Delegation>,
    },
    /// Report: what an attempt gives back, whole; the last one counts. Refused where it comes in
    /// pieces.
    GiveResult {
        /// Which job.
        job: JobId,
        /// From which attempt.
        attempt: u32,
        /// The result.
        result: TaskResult,
    },
    /// Ask: answer a question.
    Answer {
        /// Which.
        approval: ApprovalId,
        /// Yes or no.
        is_allowed: bool,
        /// Why; an agent is told.
        reason: Option<String>,
        /// Who says so.
        by: String,
    },
    /// Ask: open a session. Gives [`Reply::Attached`].
    OpenSession {
        /// Its id.
        session: SessionId,
        /// Who asks, proven.
        principal: String,
        /// Whether it may see and end jobs of all principals.
        is_operator: bool,
        /// The client's name and version, as it says.
        client: String,
        /// What was agreed on.
        features: BTreeSet<String>,
        /// SHA-256 of the token that resumes it, in hexadecimal.
        token_sha256: String,
        /// How long it can be resumed once its connection is gone.
        window: Millis,
        /// The connection under it.
        connection: ConnectionId,
    },
    /// Ask: go on with a session. Gives [`Reply::Attached`].
    ResumeSession(Box<Resume>),
    /// Ask: the client is done with what it was told up to `seq`.
    AcknowledgeFeed {
        /// Which session.
        session: SessionId,
        /// The connection that says so.
        connection: ConnectionId,
        /// Up to which number.
        seq: u64,
    },
    /// Ask: tell a session of a job from now on, and of what was told of it before from the job's
    /// number `after` on. Gives [`Reply::Followed`].
    Follow {
        /// Which session.
        session: SessionId,
        /// Which job.
        job: JobId,
        /// The job's number after which what was told before is told again; nothing if `None`.
        after: Option<u64>,
    },
    /// Ask: tell a session no more of a job. Not followed: done.
    Unfollow {
        /// Which session.
        session: SessionId,
        /// Which job.
        job: JobId,
    },
    /// Ask: end a session. Its jobs go on.
    CloseSession {
        /// Which.
        session: SessionId,
        /// The connection that says so.
        connection: ConnectionId,
    },
    /// Ask: keep a token's hash. There already: refused.
    AddToken {
        /// SHA-256 of the token, in hexadecimal.
        sha256: String,
        /// Whom it stands for.
        principal: String,
        /// What that principal may do.
        role: TokenRole,
    },
    /// Ask: forget all tokens of a principal. Gives [`Reply::Revoked`].
    RevokeTokens {
        /// Whose.
        principal: String,
    },
    /// Ask: make others that take the place of an open job's credentials. Gives [`Reply::Tried`].
    RotateCredentials {
        /// Whose.
        job: JobId,
        /// The one of this issuer only.
        issuer: Option<String>,
    },
    /// Ask: try at once to revoke credentials that could not be revoked. Gives [`Reply::Tried`].
    RetryRevoking,
    /// Report: a credential was made.
    Minted {
        /// Which.
        credential: CredentialId,
        /// In which try.
        number: u32,
        /// What was made.
        made: Box<Made>,
    },
    /// Report: a credential was not made, as far as was heard.
    MintFailed {
        /// Which.
        credential: CredentialId,
        /// In which try.
        number: u32,
        /// What went wrong.
        problem: String,
        /// Whether another try would come to the same.
        is_final: bool,
    },
    /// Report: a credential is good for nothing any more.
    Revoked {
        /// Which.
        credential: CredentialId,
        /// In which try.
        number: u32,
    },
    /// Report: a credential was not revoked, as far as was heard.
    RevokeFailed {
        /// Which.
        credential: CredentialId,
        /// In which try.
        number: u32,
        /// What went wrong.
        problem: String,
    },
    /// Report: somebody was refused at the door, so many times. Gives [`Reply::Done`].
    TurnedAway {
        /// What from, in one word.
        what: String,
        /// Who: a principal, or an address where none was proven.
        who: String,
        /// Which job it was about.
        about: Option<JobId>,
        /// How often since it was last reported.
        times: u32,
    },
    /// Report: a connection is gone; its session can be resumed for a while.
    DetachSession {
        /// Which session.
        session: SessionId,
        /// Which connection.
        connection: ConnectionId,
    },
    /// Report: what an attempt tells those who follow its job. Gives [`Reply::Done`].
    Tell {
        /// Which job.
        job: JobId,
        /// From which attempt.
        attempt: u32,
        /// What it tells, in order.
        entries: Vec<Entry>,
    },
    /// Report: more of a turn's output was read.
    Ingest(Box<Taking>),
    /// Report: the attempt shows signs of life again.
    Lively {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// Report: an owner holds a connection.
    Present {
        /// Which; made when it connected.
        presence: PresenceId,
        /// Whose.
        owner: String,
        /// The project whose notices it may take over.
        project: Option<String>,
    },
    /// Report: the connection is gone. What it held is told to others, or later.
    Absent(PresenceId),
    /// Report: the notice was handed to its claimant.
    Sent {
        /// Which.
        delivery: DeliveryId,
        /// In which try.
        number: u32,
    },
    /// Report: the sink took the notice.
    Delivered {
        /// Which.
        delivery: DeliveryId,
        /// In which try.
        number: u32,
        /// What it answered.
        answer: String,
    },
    /// Report: the sink did not take the notice.
    DeliveryFailed {
        /// Which.
        delivery: DeliveryId,
        /// In which try.
        number: u32,
        /// What it answered, or what went wrong.
        answer: String,
        /// Before when it does not want to be asked again.
        again_after: Option<Millis>,
        /// Whether it never wants to be asked again.
        is_final: bool,
    },
    /// Report of a job about itself, checked by its token before it comes here.
    Emit {
        /// Which.
        job: JobId,
        /// From which attempt.
        attempt: u32,
        /// What kind of report.
        report: String,
        /// The report, as JSON text.
        body: String,
    },
    /// Report: this host is up, in this boot of its machine.
    HostUp {
        /// The machine's name, for people.
        name: String,
    },
    /// Report: tasks of this kind are run here from now on, until the host comes up anew.
    KindUp {
        /// The kind.
        kind: String,
    },
    /// Report: the machine slept. Comes before anything else of its batch.
    Woke {
        /// For how long.
        slept: Millis,
    },
    /// Report: the attempt's process runs.
    Started {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
        /// Its process id, for people.
        pid: u32,
    },
    /// Report: the attempt is over, with the evidence.
    Exited {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
        /// The evidence.
        exit: Exit,
    },
    /// Report: the attempt has shown no sign of life for this long, sleep not counted.
    Quiet {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
        /// For how long.
        span: Millis,
    },
    /// Report: what a job left behind was cleaned up, or why not.
    Cleaned {
        /// Which job.
        job: JobId,
        /// What went wrong, if something did.
        failure: Option<String>,
    },
    /// Report: the files of a job that is to be removed are gone, or why not.
    Purged {
        /// Which job.
        job: JobId,
        /// What went wrong, if something did.
        failure: Option<String>,
    },
}
