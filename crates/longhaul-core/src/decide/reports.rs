//! What the drivers of the outside world report. A report about an attempt that is not the current
//! one is stale; one that says nothing new is a repeat; both change nothing.

use super::{clip, quotas, settle, turns};
use crate::command::{Exit, How, Refused, Reply};
use crate::event::Fact;
use crate::id::JobId;
use crate::job::{AfterExit, CleanupState};
use crate::limits;
use crate::port::Table;
use crate::time::{Millis, Timestamp};
use crate::world::{Fault, World, job_ids};

/// The attempt's process runs.
pub(super) fn started(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    at: Timestamp,
    pid: u32,
) -> Result<Reply, Fault> {
    let at = at.min(world.now());
    world.job(id)?.started(attempt, at, pid)?;
    world.record(id, &Fact::Started { attempt, pid })?;
    Ok(Reply::Done)
}

/// The attempt is over: ends the job, or lets another attempt follow.
pub(super) fn exited(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    mut exit: Exit,
) -> Result<Reply, Fault> {
    let now = world.now();
    let is_hosted = world.job(id)?.spec.hosted.is_some();
    bound(&mut exit, is_hosted);
    let never_began = matches!(exit.how, How::NeverStarted(_));
    let leftovers = exit.leftovers.clone();
    let end = exit.turn.as_deref().cloned();
    let job = world.job(id)?;
    let after = job.exited(attempt, exit, now)?;
    let outcome = job.current().and_then(|attempt| attempt.outcome.clone());
    if let Some(outcome) = outcome.filter(|_| !never_began) {
        world.record(id, &Fact::AttemptEnded { attempt, outcome, leftovers })?;
    }
    if let Some(end) = end.filter(|_| !never_began) {
        turns::concluded(world, id, attempt, end)?;
    }
    let job = world.job(id)?;
    let (failures, launches, reruns) = (job.failures, job.launches, job.reruns);
    let not_before = job.waits_until().unwrap_or(now);
    match after {
        AfterExit::Over => settle(world, id)?,
        AfterExit::Reruns => world.record(id, &Fact::Rerunning { not_before, reruns })?,
        AfterExit::Retries => {
            quotas::release(world, id)?;
            world.record(id, &Fact::Retrying { not_before, failures })?;
        }
        AfterExit::Relaunches(message) => {
            world.record(id, &Fact::Relaunching { not_before, launches, message })?;
        }
        AfterExit::Parks(limit) => quotas::met(world, id, limit)?,
        AfterExit::Asks(question) => turns::ask(world, id, question)?,
        AfterExit::Defers(put_off) => turns::defers(world, id, put_off)?,
        AfterExit::BeginsAfresh(message) => turns::begins_afresh(world, id, attempt, message)?,
    }
    Ok(Reply::Done)
}

/// Keeps what a report brings within what a row may hold.
fn bound(exit: &mut Exit, is_hosted: bool) {
    if let How::SpawnFailed(message) | How::Lost(message) | How::NeverStarted(Some(message)) =
        &mut exit.how
    {
        *message = clip(message, limits::MESSAGE_BYTES_MAX);
    }
    if let How::Returned { error, result } = &mut exit.how {
        if let Some(error) = error {
            *error = clip(error, limits::MESSAGE_BYTES_MAX);
        }
        let most =
            if is_hosted { limits::HOSTED_RESULT_BYTES_MAX } else { limits::RESULT_BYTES_MAX };
        result.iter_mut().for_each(|result| result.bound(most));
    }
    exit.turn.iter_mut().for_each(|end| end.bound());
    exit.artifacts.truncate(limits::ARTIFACTS_MAX);
    exit.warnings.truncate(limits::CLEANUP_WARNINGS_MAX);
    for warning in &mut exit.warnings {
        *warning = clip(warning, limits::MESSAGE_BYTES_MAX);
    }
}

/// The job says something about itself.
pub(super) fn emit(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    report: String,
    body: String,
) -> Result<Reply, Fault> {
    let (most, size) = (limits::EMISSION_BYTES_MAX, report.len() + body.len());
    if size > most {
        return Err(Refused::TooMany { what: "bytes in a report", limit: most as u64 }.into());
    }
    let job = world.job(id)?;
    let is_current = job.phase() == crate::port::Phase::Active && job.attempt == attempt;
    if !is_current {
        return Err(Refused::Stale(id.clone()).into());
    }
    job.emitted += 1;
    world.record(id, &Fact::Emitted { report, body })?;
    Ok(Reply::Done)
}

/// The machine slept: every active attempt's deadlines move by as much, and so do those of others.
pub(super) fn woke(world: &mut World<'_>, slept: Millis) -> Result<Reply, Fault> {
    let (host, now) = (&world.place().host, world.now());
    let mut after = String::new();
    loop {
        let ids = world.scan()?.active_on(Table::Job, host, &after, limits::STEP_DUE_MAX)?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        for id in job_ids(ids)? {
            world.job(&id)?.woke(slept, now);
        }
    }
    super::credentials::woke(world, slept)?;
    super::owners::woke(world, slept)?;
    super::sessions::woke(world, slept)?;
    world.record_general(&Fact::Woke { slept });
    Ok(Reply::Done)
}

/// Cleaning up after a job came to an end.
pub(super) fn cleaned(
    world: &mut World<'_>,
    id: &JobId,
    failure: Option<&str>,
) -> Result<Reply, Fault> {
    let now = world.now();
    let was_stuck = world.job(id)?.cleanup.state == CleanupState::Stuck;
    let is_news = world.job(id)?.cleaned(failure, now)?;
    record_cleanup(world, id, is_news, was_stuck)?;
    Ok(Reply::Done)
}

/// A job's files are gone, and so is the job; or they could not be removed.
pub(super) fn purged(
    world: &mut World<'_>,
    id: &JobId,
    failure: Option<&str>,
) -> Result<Reply, Fault> {
    let now = world.now();
    match failure {
        Some(failure) => {
            let was_stuck = world.job(id)?.cleanup.state == CleanupState::Stuck;
            let is_news = world.job(id)?.purge_failed(failure, now)?;
            record_cleanup(world, id, is_news, was_stuck)?;
        }
        None if world.job(id)?.is_purge_wanted() => world.remove_job(id)?,
        None => return Err(Refused::Repeat.into()),
    }
    Ok(Reply::Done)
}

/// Tells a new warning once, and the giving up once.
fn record_cleanup(
    world: &mut World<'_>,
    id: &JobId,
    is_news: bool,
    was_stuck: bool,
) -> Result<(), Fault> {
    let cleanup = world.job(id)?.cleanup.clone();
    if let Some(warning) = cleanup.warnings.last().filter(|_| is_news) {
        world.record(id, &Fact::CleanupFailed { warning: warning.text.clone() })?;
    }
    if cleanup.state == CleanupState::Stuck && !was_stuck {
        world.record(id, &Fact::CleanupStuck)?;
    }
    Ok(())
}
