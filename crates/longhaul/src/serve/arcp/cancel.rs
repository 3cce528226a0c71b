//! A job is to end.

use super::drive::Session;
use super::told::no_job;
use super::{denial, hosted, stored};
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::server::Cancelling;
use longhaul_core::command::Command;
use longhaul_core::id::JobId;

/// Ends a job and what it delegated. The session that asked for it may, and operators; once that session is
/// gone, any of the same principal, for else nobody of it could. To others of the principal it is refused; to
/// everybody else there is no such job.
pub(super) async fn cancel(session: &Session, asked: Cancelling) -> Result<(), Denial> {
    let (ports, id) = (session.ports(), asked.job_id);
    let wanted = id.clone();
    let found = ports.readers.glance(move |reader| {
        let Some(job) = hosted(reader, &wanted)? else { return Ok(None) };
        let is_orphan = match &job.session {
            Some(asker) => stored(reader, asker)?.is_none_or(|asker| asker.is_over()),
            None => false,
        };
        Ok(Some((job, is_orphan)))
    });
    let found = found.await.map_err(denial)?;
    let turned_away = |job| ports.denials.note("cancel", &session.principal.name, job);
    let Some((job, is_orphan)) = found.filter(|(job, _)| session.may_see(job)) else {
        turned_away(JobId::parse(&id).ok().as_ref());
        return Err(no_job(&id));
    };
    let is_its_own = job.session.as_ref() == Some(&session.id);
    let is_heir = is_orphan && job.owner.as_ref() == Some(&session.principal.name);
    if !(session.principal.is_operator || is_its_own || is_heir) {
        turned_away(Some(&job.id));
        let words = "only the session that asked for the job may cancel it, while it is there";
        return Err(Denial::new(Code::PermissionDenied, words).with("job_id", id));
    }
    // To be told that it is being cancelled would be to wait for an end that has been.
    let over = |id| Err(Denial::new(Code::JobNotFound, "the job has ended").with("job_id", id));
    if job.outcome().is_some() {
        return over(id);
    }
    let reason = if is_its_own || is_heir {
        asked.reason
    } else {
        // [arcp §7.4] Not the session that asked for it: who it was stands in the journal.
        let words = asked.reason.as_deref().unwrap_or("no reason given");
        Some(format!("operator {}: {words}", session.principal.name))
    };
    let command = Command::Cancel { job: job.id, reason, by_force: false, tree: true };
    ports.engine.ask(command).await.map_err(denial)?;
    // It may have ended before that was committed, and then nobody has asked for its end.
    let wanted = id.clone();
    let now = ports.readers.glance(move |reader| hosted(reader, &wanted)).await.map_err(denial)?;
    let is_asked = now.is_some_and(|job| job.outcome().is_none() || job.cancel.is_some());
    if is_asked { Ok(()) } else { over(id) }
}
