//! A job of another session is followed, or no more.

use super::drive::Session;
use super::told::{self, no_job};
use super::{credentials, denial, hosted};
use crate::daemon::AskError;
use longhaul_arcp::error::Denial;
use longhaul_arcp::message::Subscribed;
use longhaul_arcp::server::{Following, Subscribing};
use longhaul_core::command::{Command, Reply};
use longhaul_core::feed::{FeedRow, Run, Told};
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError, Table};

/// Runs of the asker's session that are looked through for a number. Behind more of them everything is
/// told again, which is more than was asked for and nothing less.
const RUNS_LOOKED_AT_MAX: u32 = 10_000;

/// The newest runs that are looked through for an entry: it was told a moment ago or it is told again.
const RUNS_LATELY_MAX: u32 = 64;

/// Follows a job of this principal; of anybody, for operators.
pub(super) async fn subscribe(session: &Session, asked: Subscribing) -> Result<Following, Denial> {
    let (ports, id) = (session.ports(), asked.job_id);
    let (wanted, history_after) = (id.clone(), asked.history_after);
    let found = ports.readers.read(move |reader| {
        let Some(job) = hosted(reader, &wanted)? else { return Ok(None) };
        let after = history_after.map(|seq| own_number(reader, &job, seq)).transpose()?;
        Ok(Some((job, after)))
    });
    // [arcp §14] Who is refused is written down, as who is let is in the commit of it.
    let turned_away = |job| ports.denials.note("follow", &session.principal.name, job);
    let Some((job, after)) = found.await.map_err(denial)? else {
        turned_away(JobId::parse(&id).ok().as_ref());
        return Err(no_job(&id));
    };
    let command = Command::Follow { session: session.id.clone(), job: job.id.clone(), after };
    let reply = ports.engine.ask(command).await.map_err(|error| {
        if matches!(error, AskError::Refused(_)) {
            turned_away(Some(&job.id));
        }
        denial(error)
    })?;
    let Reply::Followed { newest, replayed } = reply else { return Err(Denial::internal()) };
    // As it is now that it is followed: what came between is not told.
    let now = ports.readers.glance(move |reader| hosted(reader, &id)).await.map_err(denial)?;
    let job = now.unwrap_or(job);
    let credentials = credentials::of(session, &job).await?;
    let told = told::subscribed(&job, session.profile, newest, replayed > 0);
    let subscribed = Subscribed { credentials, ..told };
    Ok(Following { subscribed })
}

/// Follows it no more. Whoever asked for a job goes on being told of it.
pub(super) async fn unsubscribe(session: &Session, job: &str) -> Result<(), Denial> {
    let job = JobId::parse(job).map_err(|_| no_job(job))?;
    let command = Command::Unfollow { session: session.id.clone(), job };
    session.ports().engine.ask(command).await.map(drop).map_err(denial)
}

/// The job's own number of what has, at most, the number `seq` in the session that asked for the job;
/// zero if that cannot be told any more.
fn own_number(reader: &mut dyn Reader, job: &Job, seq: u64) -> Result<u64, StoreError> {
    let Some(asker) = &job.session else { return Ok(0) };
    if seq == 0 {
        return Ok(0);
    }
    let mut at = seq;
    for _ in 0..RUNS_LOOKED_AT_MAX {
        let Some(run) = run_up_to(reader, asker, at)? else { return Ok(0) };
        match &run.what {
            Told::Job { job: of, seq: first } if *of == job.id => {
                return Ok(first + seq.min(run.end() - 1) - run.first);
            }
            Told::Job { .. } | Told::Lagging { .. } => {}
        }
        let Some(before) = run.first.checked_sub(1).filter(|before| *before > 0) else {
            return Ok(0);
        };
        at = before;
    }
    Ok(0)
}

/// The number under which a session was told a job's entry `seq`, if that is among its newest runs.
pub(super) fn told_under(
    reader: &mut dyn Reader,
    id: &SessionId,
    job: &JobId,
    seq: u64,
) -> Result<Option<u64>, StoreError> {
    let mut at = u64::MAX;
    for _ in 0..RUNS_LATELY_MAX {
        let Some(run) = run_up_to(reader, id, at)? else { return Ok(None) };
        match &run.what {
            Told::Job { job: of, seq: first }
                if of == job && (*first..*first + run.count).contains(&seq) =>
            {
                return Ok(Some(run.first + seq - first));
            }
            Told::Job { .. } | Told::Lagging { .. } => {}
        }
        at = run.first - 1;
    }
    Ok(None)
}

/// The run of a session that begins last, up to a number.
fn run_up_to(reader: &mut dyn Reader, id: &SessionId, seq: u64) -> Result<Option<Run>, StoreError> {
    let tail = match super::stored(reader, id)? {
        Some(session) => session.tail,
        None => return Ok(None),
    };
    if let Some(tail) = tail.filter(|tail| tail.first <= seq) {
        return Ok(Some(tail));
    }
    closed_run_up_to(reader, id, seq)
}

/// The same of those that nothing is added to any more.
pub(super) fn closed_run_up_to(
    reader: &mut dyn Reader,
    id: &SessionId,
    seq: u64,
) -> Result<Option<Run>, StoreError> {
    let row = reader.row_up_to(Table::Feed, id.as_str(), &FeedRow::id_of(id, seq))?;
    Ok(row.as_ref().map(FeedRow::from_row).transpose()?.map(|row| row.run))
}
