//! What is asked of facts by their kind: their names, which of them are kept whatever comes, and which
//! are told to those who follow their job.

use super::{Decision, Fact};

impl Fact {
    /// Whether this entry is kept however full a job's history is.
    pub const fn is_essential(&self) -> bool {
        matches!(
            self,
            Self::Created { .. }
                | Self::CancelRequested { .. }
                | Self::Ended { .. }
                | Self::NoticesOwed { .. }
                | Self::NoticeSettled { .. }
                | Self::NoticeDead { .. }
                | Self::QuestionAsked { .. }
                | Self::QuestionAnswered { .. }
                | Self::CredentialMinted { .. }
                | Self::CredentialRotated { .. }
                | Self::CredentialRevoked { .. }
                | Self::CredentialStuck { .. }
                | Self::JournalFull { .. }
        )
    }

    /// Whether sessions that follow the job are told.
    pub const fn is_told(&self) -> bool {
        matches!(
            self,
            Self::Started { .. }
                | Self::Emitted { .. }
                | Self::Told { .. }
                | Self::Retrying { .. }
                | Self::Rerunning { .. }
                | Self::Parked { .. }
                | Self::WaitsForAnswer { .. }
                | Self::BudgetWarned { .. }
                | Self::ToolDecided { decision: Decision::Denied, .. }
                | Self::Ended { .. }
        )
    }

    /// Whether this entry is about who may do what, and did: what `longhaul audit` shows.
    pub const fn is_audit(&self) -> bool {
        matches!(
            self,
            Self::Followed { .. }
                | Self::TurnedAway { .. }
                | Self::TokensChanged { .. }
                | Self::Told { decided: true, .. }
                | Self::OperationDecided { .. }
                | Self::Delegated { .. }
                | Self::ToolDecided { .. }
                | Self::QuestionAsked { .. }
                | Self::QuestionAnswered { .. }
                | Self::CancelRequested { .. }
                | Self::CredentialMinted { .. }
                | Self::CredentialFailed { .. }
                | Self::CredentialRotated { .. }
                | Self::CredentialRevoked { .. }
                | Self::CredentialStuck { .. }
                | Self::JournalFull { .. }
        )
    }

    /// The name of the kind, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Unblocked => "unblocked",
            Self::Starting { .. } => "starting",
            Self::Started { .. } => "started",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::Stopping { .. } => "stopping",
            Self::AttemptEnded { .. } => "attempt_ended",
            Self::Retrying { .. } => "retrying",
            Self::Relaunching { .. } => "relaunching",
            Self::Rerunning { .. } => "rerunning",
            Self::Ended { .. } => "ended",
            Self::NoticesOwed { .. } => "notices_owed",
            Self::NoticeFailed { .. } => "notice_failed",
            Self::NoticeSettled { .. } => "notice_settled",
            Self::NoticeDead { .. } => "notice_dead",
            Self::NoticeOwedAgain { .. } => "notice_owed_again",
            Self::SinkAdded { .. } => "sink_added",
            Self::SinkRemoved { .. } => "sink_removed",
            Self::CleanupFailed { .. } => "cleanup_failed",
            Self::CleanupStuck => "cleanup_stuck",
            Self::Emitted { .. } => "emitted",
            Self::Told { .. } => "told",
            Self::Followed { .. } => "followed",
            Self::CredentialMinted { .. } => "credential_minted",
            Self::CredentialFailed { .. } => "credential_failed",
            Self::CredentialRotated { .. } => "credential_rotated",
            Self::CredentialRevoked { .. } => "credential_revoked",
            Self::CredentialStuck { .. } => "credential_stuck",
            Self::JournalFull { .. } => "journal_full",
            Self::TokensChanged { .. } => "tokens_changed",
            Self::TurnedAway { .. } => "turned_away",
            Self::Conversation { .. } => "conversation",
            Self::ConversationMismatch { .. } => "conversation_mismatch",
            Self::ResumeFailed { .. } => "resume_failed",
            Self::Parked { .. } => "parked",
            Self::WaitsForAnswer { .. } => "waits_for_answer",
            Self::BudgetWarned { .. } => "budget_warned",
            Self::QuietFor { .. } => "quiet_for",
            Self::Lively => "lively",
            Self::Mailed { .. } => "mailed",
            Self::MailReturned { .. } => "mail_returned",
            Self::AgentChanged { .. } => "agent_changed",
            Self::PoolChanged { .. } => "pool_changed",
            Self::Woke { .. } => "woke",
            Self::OperationDecided { .. } => "operation_decided",
            Self::Delegated { .. } => "delegated",
            Self::ToolDecided { .. } => "tool_decided",
            Self::QuestionAsked { .. } => "question_asked",
            Self::QuestionAnswered { .. } => "question_answered",
        }
    }
}
