//! A job is to end.

use super::drive::Session;
use super::told::no_job;
use super::{denial, hosted};
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::server::Cancelling;
use longhaul_core::command::Command;

/// Ends a job and what it delegated. The session that asked for it may, and operators. To others of the
/// same principal it is refused; to everybody else there is no such job.
pub(super) async fn cancel(session: &Session, asked: Cancelling) -> Result<(), Denial> {
    let (ports, id) = (session.ports(), asked.job_id);
    let wanted = id.clone();
    let job = ports.readers.glance(move |reader| hosted(reader, &wanted)).await.map_err(denial)?;
    let job = job.filter(|job| session.may_see(job)).ok_or_else(|| no_job(&id))?;
    if !(session.principal.is_operator || job.session.as_ref() == Some(&session.id)) {
        let words = "only the session that asked for the job may cancel it";
        return Err(Denial::new(Code::PermissionDenied, words).with("job_id", id));
    }
    let command =
        Command::Cancel { job: job.id, reason: asked.reason, by_force: false, tree: true };
    ports.engine.ask(command).await.map(drop).map_err(denial)
}
