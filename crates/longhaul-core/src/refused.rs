//! What the domain refuses. Every refusal has a code that programs branch on.

use crate::id::{ApprovalId, CredentialId, DeliveryId, JobId, MailId, PresenceId, SessionId};
use crate::outcome::Outcome;
use crate::spec::BadSpec;
use crate::turn::Offsets;

/// The domain said no, and nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// There is no such pool.
    #[error("there is no pool `{0}`")]
    NoPool(String),
    /// There is no such sink. A notice that nobody will ever get is not accepted silently.
    #[error("there is no sink `{0}`")]
    NoSink(String),
    /// It has ended already.
    #[error("{job} has already ended ({kind})", kind = .outcome.kind.name())]
    Ended {
        /// Which.
        job: JobId,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// It has not ended yet.
    #[error("{job} is {state}, not ended")]
    NotEnded {
        /// Which.
        job: JobId,
        /// What it is.
        state: &'static str,
    },
    /// It still owes a cleanup.
    #[error("{job} is not cleaned up yet: {owes}")]
    NotCleaned {
        /// Which.
        job: JobId,
        /// What is missing.
        owes: String,
    },
    /// The key belongs to a job with another specification.
    #[error("the key `{key}` belongs to {job}, which was asked for differently")]
    KeyReused {
        /// The key.
        key: String,
        /// Whose it is.
        job: JobId,
    },
    /// The id belongs to a job with another specification.
    #[error("the id {0} is taken by another job")]
    IdTaken(JobId),
    /// The specification cannot be accepted.
    #[error("{0}")]
    BadSpec(BadSpec),
    /// One of a batch cannot be accepted, so none is.
    #[error("job {index} of the batch: {refused}")]
    InBatch {
        /// Its place, from zero.
        index: usize,
        /// Why.
        refused: Box<Self>,
    },
    /// A limit is reached.
    #[error("too many {what}: {limit} is the limit")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// There is a sink of that name already, and it is another.
    #[error("there is a sink `{0}` already, and it is another")]
    SinkTaken(String),
    /// There is no such delivery, or it is none of the asker's.
    #[error("there is no notice {0}")]
    NoDelivery(DeliveryId),
    /// Only what was given up is sent again by hand.
    #[error("{delivery} is {state}, not dead")]
    NotDead {
        /// Which.
        delivery: DeliveryId,
        /// What it is.
        state: &'static str,
    },
    /// Somebody has not been told of the job's end yet, or only just now.
    #[error("{job} is kept: {owes}")]
    StillOwed {
        /// Which.
        job: JobId,
        /// Who has to be told, and until when that may take.
        owes: String,
    },
    /// The connection is not, or no longer, known as its owner's presence.
    #[error("{0} is not present")]
    NotPresent(PresenceId),
    /// There is no such agent.
    #[error("there is no agent `{0}`")]
    NoAgent(String),
    /// There is an agent of that name already, and it is another.
    #[error("there is an agent `{0}` already, and it is another")]
    AgentTaken(String),
    /// The agent has ended: nobody would read it, and no turn follows.
    #[error("agent `{agent}` is {state}")]
    AgentEnded {
        /// Which.
        agent: String,
        /// What it is.
        state: &'static str,
    },
    /// The agent has turns or children that are open.
    #[error("agent `{agent}` is still needed: {because}")]
    AgentBusy {
        /// Which.
        agent: String,
        /// By what.
        because: String,
    },
    /// The letter is for nobody.
    #[error("the mail is for nobody: {0}")]
    NoRecipients(String),
    /// There is no such message, or it is none of the asker's.
    #[error("there is no mail {0}")]
    NoMail(MailId),
    /// There is no such question.
    #[error("there is no question {0}")]
    NoApproval(ApprovalId),
    /// The question was answered, or is of no use any more.
    #[error("{approval} is {state} already")]
    Answered {
        /// Which.
        approval: ApprovalId,
        /// What became of it.
        state: &'static str,
    },
    /// The output was taken up to another place: go on from there.
    #[error("the output of {job} was taken up to another place")]
    AlreadyTaken {
        /// Whose.
        job: JobId,
        /// Up to where.
        taken: Offsets,
    },
    /// What may be spent is spent.
    #[error("the budget of `{0}` is spent")]
    BudgetSpent(String),
    /// There is no such session, it is over, or it is none of the asker's.
    #[error("there is no session {0}")]
    NoSession(SessionId),
    /// The token is not the one that resumes the session.
    #[error("the token does not resume {0}")]
    WrongToken(SessionId),
    /// What the session was told after that number is not there any more, or never was.
    #[error("{session} can be told again from {floor} to {newest} only")]
    FeedGone {
        /// Which session.
        session: SessionId,
        /// Up to this number nothing can be told again.
        floor: u64,
        /// The newest number that was given.
        newest: u64,
    },
    /// Another connection has taken the session over, or it has none.
    #[error("{0} has another connection")]
    StaleConnection(SessionId),
    /// The job belongs to another principal.
    #[error("{0} belongs to somebody else")]
    NotYours(JobId),
    /// The token's hash is known already.
    #[error("there is such a token already")]
    TokenTaken,
    /// A piece of a result does not go on where the last one ended.
    #[error("the result's pieces are out of order: {0}")]
    BadPiece(String),
    /// What the attempt told says something that cannot be taken.
    #[error("that cannot be charged: {0}")]
    BadCharge(String),
    /// The report is about an earlier try of a delivery.
    #[error("the report is about an earlier try of {0}")]
    StaleDelivery(DeliveryId),
    /// The job has no credential of that issuer.
    #[error("{job} has no credential of `{issuer}`")]
    NoCredential {
        /// Which job.
        job: JobId,
        /// Which issuer.
        issuer: String,
    },
    /// The report is about an earlier try of a credential.
    #[error("the report is about an earlier try of {0}")]
    StaleCredential(CredentialId),
    /// The report is about an attempt that is over or not the current one.
    #[error("the report is about an earlier attempt of {0}")]
    Stale(JobId),
    /// The report says what is known already.
    #[error("that was reported before")]
    Repeat,
}

impl Refused {
    /// The code that programs branch on; each has a section in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::NoPool(_) => "no_pool",
            Self::NoSink(_) => "no_sink",
            Self::Ended { .. } => "ended",
            Self::NotEnded { .. } => "not_ended",
            Self::NotCleaned { .. } => "not_cleaned",
            Self::KeyReused { .. } => "key_reused",
            Self::IdTaken(_) => "id_taken",
            Self::BadSpec(_) => "bad_spec",
            Self::InBatch { refused, .. } => refused.code(),
            Self::TooMany { .. } => "too_many",
            Self::SinkTaken(_) => "sink_taken",
            Self::NoDelivery(_) => "no_notice",
            Self::NotDead { .. } => "not_dead",
            Self::StillOwed { .. } => "still_owed",
            Self::NotPresent(_) => "not_present",
            Self::NoAgent(_) => "no_agent",
            Self::AgentTaken(_) => "agent_taken",
            Self::AgentEnded { .. } => "agent_ended",
            Self::AgentBusy { .. } => "agent_busy",
            Self::NoRecipients(_) => "no_recipients",
            Self::NoMail(_) => "no_mail",
            Self::NoApproval(_) => "no_approval",
            Self::Answered { .. } => "answered",
            Self::AlreadyTaken { .. } => "already_taken",
            Self::BudgetSpent(_) => "budget_spent",
            Self::NoSession(_) => "no_session",
            Self::WrongToken(_) => "wrong_token",
            Self::FeedGone { .. } => "feed_gone",
            Self::NotYours(_) => "not_yours",
            Self::TokenTaken => "token_taken",
            Self::BadPiece(_) => "bad_piece",
            Self::BadCharge(_) => "bad_charge",
            Self::NoCredential { .. } => "no_credential",
            Self::Stale(_)
            | Self::StaleDelivery(_)
            | Self::StaleCredential(_)
            | Self::StaleConnection(_) => "stale",
            Self::Repeat => "repeat",
        }
    }
}

impl From<BadSpec> for Refused {
    fn from(bad: BadSpec) -> Self {
        Self::BadSpec(bad)
    }
}
