//! Which commands somebody asks, and which job a report is about.

use longhaul_core::command::Command;
use longhaul_core::id::JobId;

/// Whether somebody waits for its answer.
pub(crate) const fn is_ask(command: &Command) -> bool {
    match command {
        Command::Submit(_)
        | Command::Cancel { .. }
        | Command::Purge(_)
        | Command::SetPool { .. }
        | Command::AddSink { .. }
        | Command::RemoveSink(_)
        | Command::Claim { .. }
        | Command::Acknowledge { .. }
        | Command::AcknowledgeAll { .. }
        | Command::Settle { .. }
        | Command::Redeliver(_)
        | Command::Emit { .. }
        | Command::AddAgent { .. }
        | Command::RemoveAgent(_)
        | Command::StopAgent { .. }
        | Command::SendMail(_)
        | Command::CheckMail { .. }
        | Command::ReadMail { .. }
        | Command::Authorize { .. }
        | Command::Follow { .. }
        | Command::Unfollow { .. }
        | Command::Tell { .. }
        | Command::AuthorizeOperation { .. }
        | Command::Delegate { .. }
        | Command::GiveResult { .. }
        | Command::OpenSession { .. }
        | Command::ResumeSession(_)
        | Command::AcknowledgeFeed { .. }
        | Command::CloseSession { .. }
        | Command::AddToken { .. }
        | Command::RevokeTokens { .. }
        | Command::RotateCredentials { .. }
        | Command::RetryRevoking
        | Command::Answer { .. } => true,
        Command::DetachSession { .. }
        | Command::TurnedAway { .. }
        | Command::Minted { .. }
        | Command::MintFailed { .. }
        | Command::Revoked { .. }
        | Command::RevokeFailed { .. } => false,
        Command::Present { .. }
        | Command::Absent(_)
        | Command::Sent { .. }
        | Command::Delivered { .. }
        | Command::DeliveryFailed { .. }
        | Command::HostUp { .. }
        | Command::KindUp { .. }
        | Command::Woke { .. }
        | Command::Started { .. }
        | Command::Exited { .. }
        | Command::Quiet { .. }
        | Command::Lively { .. }
        | Command::Ingest(_)
        | Command::Cleaned { .. }
        | Command::Purged { .. } => false,
    }
}

/// The job that a report is about.
pub(crate) const fn job_of(report: &Command) -> Option<&JobId> {
    match report {
        Command::Started { job, .. }
        | Command::Exited { job, .. }
        | Command::Quiet { job, .. }
        | Command::Lively { job, .. }
        | Command::Cleaned { job, .. }
        | Command::Purged { job, .. } => Some(job),
        Command::Ingest(taking) => Some(&taking.job),
        Command::AddAgent { .. }
        | Command::RemoveAgent(_)
        | Command::StopAgent { .. }
        | Command::SendMail(_)
        | Command::CheckMail { .. }
        | Command::ReadMail { .. }
        | Command::Authorize { .. }
        | Command::OpenSession { .. }
        | Command::ResumeSession(_)
        | Command::AcknowledgeFeed { .. }
        | Command::CloseSession { .. }
        | Command::AddToken { .. }
        | Command::RevokeTokens { .. }
        | Command::RotateCredentials { .. }
        | Command::RetryRevoking
        | Command::Minted { .. }
        | Command::MintFailed { .. }
        | Command::Revoked { .. }
        | Command::RevokeFailed { .. }
        | Command::Follow { .. }
        | Command::Unfollow { .. }
        | Command::Tell { .. }
        | Command::AuthorizeOperation { .. }
        | Command::Delegate { .. }
        | Command::GiveResult { .. }
        | Command::DetachSession { .. }
        | Command::TurnedAway { .. }
        | Command::Answer { .. }
        | Command::Submit(_)
        | Command::Cancel { .. }
        | Command::Purge(_)
        | Command::SetPool { .. }
        | Command::AddSink { .. }
        | Command::RemoveSink(_)
        | Command::Claim { .. }
        | Command::Acknowledge { .. }
        | Command::AcknowledgeAll { .. }
        | Command::Settle { .. }
        | Command::Redeliver(_)
        | Command::Present { .. }
        | Command::Absent(_)
        | Command::Sent { .. }
        | Command::Delivered { .. }
        | Command::DeliveryFailed { .. }
        | Command::Emit { .. }
        | Command::HostUp { .. }
        | Command::KindUp { .. }
        | Command::Woke { .. } => None,
    }
}
