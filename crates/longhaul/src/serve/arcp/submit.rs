//! A job is asked for.

use super::drive::Session;
use super::feed::{self, ended_frame};
use super::subscribe::told_under;
use super::told::{self, no_job};
use super::{credentials, denial, hosted};
use crate::daemon::{HostedAsk, NoAgent, NotSubmitted, Unfit};
use crate::ids;
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::grammar;
use longhaul_arcp::message::Accepted;
use longhaul_arcp::server::{Ended, Submission, Submitted};
use longhaul_core::command::{Command, Known};
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState};
use longhaul_core::time::Millis;

/// Asks for a job. The same key and the same ask give the job that is there: what became of it is told
/// again, or from now on.
pub(super) async fn submit(session: &Session, asked: Submission) -> Result<Submitted, Denial> {
    let ports = session.ports();
    let reference = match &asked.agent.version {
        Some(version) => format!("{}@{version}", asked.agent.name),
        None => asked.agent.name.clone(),
    };
    let trace = match asked.trace {
        Some(trace) => trace.id().to_owned(),
        None => ids::trace().map_err(|_| Denial::internal())?,
    };
    let ask = HostedAsk {
        id: ids::job_id().map_err(|_| Denial::internal())?,
        principal: session.principal.name.clone(),
        session: Some(session.id.clone()),
        key: asked.key,
        input: asked.input,
        lease: asked.lease,
        trace,
        runtime_max: asked.runtime_secs_max.map(Millis::from_secs),
        parent: None,
        delegate: None,
        depth: 0,
        extensions: asked
            .extensions
            .map(|extensions| serde_json::Value::from(extensions).to_string()),
    };
    let asked = ports.inventory.ask(&reference, ask).await.map_err(not_submitted)?;
    if let Some(job) = &asked.fresh {
        return Ok(Submitted { accepted: told::accepted(job, session.profile), ended: None });
    }
    let job = prepared(session, &asked.id).await?;
    if credentials::has_failed(&job) {
        return Err(credentials::refused(&job));
    }
    let credentials = credentials::of(session, &job).await?;
    let accepted = Accepted { credentials, ..told::accepted(&job, session.profile) };
    // Whatever has not ended by then is followed since, and its end comes in its place.
    let ended = match asked.was {
        Known::Not | Known::Open => None,
        Known::Over => tell_end_again(session, &job).await?,
    };
    Ok(Submitted { accepted, ended })
}

/// The job, once it has the credentials that it needs: it is not accepted before.
async fn prepared(session: &Session, id: &JobId) -> Result<Job, Denial> {
    let ports = session.ports();
    let look = || ports.readers.glance(|reader| hosted(reader, id.as_str()));
    let is_prepared = |job: &Job| !matches!(job.state, JobState::Preparing { .. });
    let job = look().await.map_err(denial)?.ok_or_else(|| no_job(id.as_str()))?;
    if is_prepared(&job) {
        return Ok(job);
    }
    // Before the next look, so that nothing falls between.
    let mut watch = ports.journal.watch_job(id);
    loop {
        let job = look().await.map_err(denial)?.ok_or_else(|| no_job(id.as_str()))?;
        if is_prepared(&job) {
            return Ok(job);
        }
        watch.changed().await;
    }
}

/// Who asks for what is over is told of its end. Gives that, where this session was told of it before,
/// be it a moment ago: it keeps its number.
async fn tell_end_again(session: &Session, job: &Job) -> Result<Option<Ended>, Denial> {
    let is_ours = job.session.as_ref() == Some(&session.id);
    let told_at = if is_ours { Some(job.told_at) } else { told_lately(session, job).await? };
    if let Some(event_seq) = told_at {
        // Removed between two looks: whoever asks once more has it made anew.
        let ended = ended_frame(session, job, event_seq).await?;
        return ended.map(Some).ok_or_else(Denial::internal);
    }
    let after = feed::last_told(job).checked_sub(1);
    let command = Command::Follow { session: session.id.clone(), job: job.id.clone(), after };
    session.ports().engine.ask(command).await.map_err(denial)?;
    Ok(None)
}

/// Under which number this session was told of the job's end, if that is not long ago.
async fn told_lately(session: &Session, job: &Job) -> Result<Option<u64>, Denial> {
    let (id, job, seq) = (session.id.clone(), job.id.clone(), feed::last_told(job));
    let read = session.ports().readers.glance(move |reader| told_under(reader, &id, &job, seq));
    read.await.map_err(denial)
}

fn no_agent(error: NoAgent) -> Denial {
    let code = match &error {
        NoAgent::Grammar => Code::InvalidRequest,
        NoAgent::Unknown(_) => Code::AgentNotAvailable,
        NoAgent::Version { .. } => Code::AgentVersionNotAvailable,
    };
    Denial::new(code, error.to_string())
}

fn not_submitted(error: NotSubmitted) -> Denial {
    match error {
        NotSubmitted::NoAgent(error) => no_agent(error),
        NotSubmitted::Unfit(Unfit::Input(words)) => Denial::new(Code::InvalidRequest, words),
        NotSubmitted::Unfit(Unfit::Lease(wider)) => grammar::wider(&wider),
        NotSubmitted::Engine(error) => denial(error),
    }
}
