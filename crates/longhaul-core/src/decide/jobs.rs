//! What people ask of jobs: submit, cancel, remove; and what a job's end means for others.

use super::{credentials, delegation, deliveries, record_stopping, sessions, telling, turns};
use crate::command::{Known, Refused, Reply, Submission};
use crate::event::Fact;
use crate::id::JobId;
use crate::job::{Job, JobState};
use crate::limits;
use crate::port::Table;
use crate::record::{Dependency, StoredEnvironment};
use crate::sink::Sink;
use crate::spec::{self, BadSpec};
use crate::time::Timestamp;
use crate::world::{Fault, World, job_ids};
use std::collections::BTreeSet;

/// Accepts all of these jobs, or none.
pub(super) fn submit(world: &mut World<'_>, jobs: Vec<Submission>) -> Result<Reply, Fault> {
    if jobs.len() > limits::BATCH_JOBS_MAX {
        let limit = limits::BATCH_JOBS_MAX as u64;
        return Err(Refused::TooMany { what: "jobs in a batch", limit }.into());
    }
    let is_batch = jobs.len() > 1;
    let mut accepted = Vec::with_capacity(jobs.len());
    let mut repeated = Vec::new();
    for (index, job) in jobs.into_iter().enumerate() {
        let old = job.retry_of.clone();
        let one = submit_one(world, job).map_err(|fault| match fault {
            Fault::Refused(refused) if is_batch => {
                Refused::InBatch { index, refused: Box::new(refused) }.into()
            }
            Fault::Refused(_) | Fault::Store(_) => fault,
        })?;
        repeated.extend(old.filter(|_| one.1.is_new()).map(|old| (old, one.0.clone())));
        accepted.push(one);
    }
    // Only when none can be refused any more: what is settled is settled for good, also in the
    // transaction.
    for (old, new) in repeated {
        deliveries::supersede(world, &old, &new)?;
    }
    Ok(Reply::Submitted(accepted))
}

/// Accepts one job. Gives what it was before.
pub(super) fn submit_one(
    world: &mut World<'_>,
    mut submission: Submission,
) -> Result<(JobId, Known), Fault> {
    check(&submission)?;
    credentials::provide(world, &mut submission)?;
    if let Some(known) = known_already(world, &submission)? {
        let was = known_as(world, &known)?;
        if was == Known::Open {
            tell_asker(world, &submission, &known)?;
        }
        return Ok((known, was));
    }
    check_end(&submission, world.now())?;
    if world.pool(&submission.spec.pool)?.is_none() {
        return Err(Refused::NoPool(submission.spec.pool).into());
    }
    turns::admit(world, &submission)?;
    for sink in &submission.spec.notify {
        if !world.find_sink(sink)?.is_some_and(Sink::is_there) {
            return Err(Refused::NoSink(sink.clone()).into());
        }
    }
    let now = world.now();
    let (id, lane) = (submission.id.clone(), submission.spec.lane.clone());
    let blocked = depend(world, &submission)?;
    let behind = match &lane {
        Some(lane) => world.scan()?.lane_head(lane)?.is_some(),
        None => false,
    };
    if let Some(session) = &submission.session {
        sessions::asks(world, session, &id)?;
    }
    let environment = submission.environment.clone();
    // A task reads none; most have none either, and a row is not free.
    let has_none = environment.0.is_empty() && submission.spec.environment.set.is_empty();
    let is_kept = submission.spec.task.is_none() || !has_none;
    let retry_of = submission.retry_of.clone();
    let seq = world.next_seq();
    let mut job = Job::new(submission, seq, blocked.open, behind, now);
    let failed = blocked.failed.is_some_and(|message| job.dependency_failed(message, now));
    world.add_job(job)?;
    world.record(&id, &Fact::Created { retry_of })?;
    if failed {
        settle(world, &id)?;
    } else {
        if is_kept {
            let stored = StoredEnvironment { job: id.clone(), environment };
            *world.environment(&id)? = Some(stored);
        }
        credentials::begin(world, &id)?;
    }
    Ok((id, Known::Not))
}

/// What a job that is there already is to whoever asks for it.
pub(super) fn known_as(world: &mut World<'_>, id: &JobId) -> Result<Known, Fault> {
    let is_over = world.find_job(id)?.is_none_or(|job| job.outcome().is_some());
    Ok(if is_over { Known::Over } else { Known::Open })
}

/// Who asks for what is there already is told of the rest of it, from another session, too.
fn tell_asker(world: &mut World<'_>, submission: &Submission, known: &JobId) -> Result<(), Fault> {
    let Some(session) = &submission.session else { return Ok(()) };
    if world.find_job(known)?.is_none_or(|job| job.followers.contains(session)) {
        return Ok(());
    }
    sessions::check_right(world, session, known)?;
    sessions::add_follower(world, session, known)?;
    let principal = world.session(session)?.principal.clone();
    world.record(known, &Fact::Followed { session: session.clone(), principal })
}

/// Refuses what cannot be kept, whatever else there is.
pub(super) fn check(submission: &Submission) -> Result<(), Refused> {
    submission.spec.check()?;
    submission.environment.check()?;
    // A key of several lines is one of ours: whose it is, and what they call it.
    submission
        .key
        .iter()
        .flat_map(|key| key.split('\n'))
        .try_for_each(|line| spec::check_word("key", line))?;
    submission.owner.as_deref().map_or(Ok(()), |owner| spec::check_word("owner", owner))?;
    submission.project.as_deref().map_or(Ok(()), spec::check_project)?;
    let hosted = submission.spec.hosted.as_deref();
    hosted.map_or(Ok(()), |hosted| credentials::check(&hosted.credentials))?;
    Ok(())
}

/// Refuses what would be over before it begins. Only asked of what is new: the same ask as before has the
/// same answer as before. Whoever delegates is told about ends in other words.
fn check_end(submission: &Submission, now: Timestamp) -> Result<(), Refused> {
    let asked = submission.spec.hosted.as_deref().filter(|hosted| hosted.delegate.is_none());
    match asked.and_then(|hosted| hosted.lease.expires_at()) {
        Some(at) if at <= now => {
            let problem = "is not in the future".to_owned();
            Err(BadSpec { field: "lease_constraints.expires_at", problem }.into())
        }
        _ => Ok(()),
    }
}

/// The job that this submission repeats, by its id or its key. Refuses what is only alike.
fn known_already(world: &mut World<'_>, submission: &Submission) -> Result<Option<JobId>, Fault> {
    if let Some(job) = world.find_job(&submission.id)? {
        if job.spec == submission.spec && job.key == submission.key {
            return Ok(Some(job.id.clone()));
        }
        return Err(Refused::IdTaken(submission.id.clone()).into());
    }
    let Some(key) = &submission.key else { return Ok(None) };
    let Some(id) = world.job_by_key(key)? else { return Ok(None) };
    let is_same = world.find_job(&id)?.is_some_and(|job| is_same_ask(job, submission));
    let same_values = match world.environment(&id)? {
        // What was set on purpose is part of the ask; what was inherited is not.
        Some(stored) => submission
            .spec
            .environment
            .set
            .iter()
            .all(|name| stored.environment.0.get(name) == submission.environment.0.get(name)),
        None => true,
    };
    if is_same && same_values {
        Ok(Some(id))
    } else {
        Err(Refused::KeyReused { key: key.clone(), job: id }.into())
    }
}

/// Whether two asks are the same but for what the caller's terminal happened to hold.
fn is_same_ask(job: &Job, submission: &Submission) -> bool {
    // How an agent is run may have changed since; what was asked of it is the same.
    if let (Some(asked), Some(known)) = (&submission.spec.hosted, &job.spec.hosted) {
        return asked.is_asked_alike(known).unwrap_or_else(|| {
            asked.is_same_ask(known) && submission.spec.timeout == job.spec.timeout
        });
    }
    let mut asked = submission.spec.clone();
    if asked.environment.set == job.spec.environment.set {
        asked.environment = job.spec.environment.clone();
    }
    asked == job.spec
}

/// What a new job's dependencies come to.
struct Blocked {
    open: u32,
    failed: Option<String>,
}

fn depend(world: &mut World<'_>, submission: &Submission) -> Result<Blocked, Fault> {
    let spec = &submission.spec;
    let after = spec.after.iter().map(|on| (on, false));
    let after_any = spec.after_any.iter().map(|on| (on, true));
    let mut blocked = Blocked { open: 0, failed: None };
    for (on, any) in after.chain(after_any) {
        let job = world.find_job(on)?.ok_or_else(|| Refused::NotFound(on.clone()))?;
        match job.outcome() {
            Some(outcome) if any || outcome.is_success() => continue,
            Some(outcome) => {
                blocked.failed = Some(format!("{on} {}", outcome.kind.name()));
                continue;
            }
            None => {}
        }
        let most = limits::DEPENDENTS_MAX;
        let waiting = world.children(Table::Dependency, on.as_str(), most)?;
        if waiting.len() >= most as usize {
            return Err(Refused::TooMany { what: "jobs after one", limit: most.into() }.into());
        }
        let dependency = world.dependency(&submission.id, on)?;
        match dependency {
            // Named in both lists: the stricter one counts, and only once.
            Some(known) => known.any &= any,
            None => {
                let (job, on) = (submission.id.clone(), on.clone());
                *dependency = Some(Dependency { job, on, any });
                blocked.open += 1;
            }
        }
    }
    Ok(blocked)
}

/// Asks for the end of a job, and of all that descend from it for `tree`.
pub(super) fn cancel(
    world: &mut World<'_>,
    id: &JobId,
    reason: Option<String>,
    by_force: bool,
    tree: bool,
) -> Result<Reply, Fault> {
    let reason = reason.map(|reason| super::clip(&reason, limits::MESSAGE_BYTES_MAX));
    let mut changed = match cancel_one(world, id, reason.clone(), by_force) {
        Ok(changed) => u32::from(changed),
        // A tree may outlive its root.
        Err(Fault::Refused(Refused::Ended { .. })) if tree => 0,
        Err(fault) => return Err(fault),
    };
    let mut to_visit = if tree { vec![id.clone()] } else { Vec::new() };
    // A parent is whatever the asker named: jobs may name each other, or themselves.
    let mut visited = BTreeSet::from([id.clone()]);
    while let Some(parent) = to_visit.pop() {
        for child in world.child_jobs(&parent)? {
            if !visited.insert(child.clone()) {
                continue;
            }
            match cancel_one(world, &child, reason.clone(), by_force) {
                Ok(is_changed) => changed += u32::from(is_changed),
                Err(Fault::Refused(Refused::Ended { .. })) => {}
                Err(fault) => return Err(fault),
            }
            to_visit.push(child);
        }
    }
    Ok(Reply::Cancelled { changed })
}

/// Asks for the end of one job. Gives whether that changed anything.
pub(super) fn cancel_one(
    world: &mut World<'_>,
    id: &JobId,
    reason: Option<String>,
    by_force: bool,
) -> Result<bool, Fault> {
    let now = world.now();
    let job = world.job(id)?;
    let is_first = job.cancel.is_none();
    let changed = job.cancel(reason.clone(), by_force, now)?;
    if is_first {
        world.record(id, &Fact::CancelRequested { reason })?;
    }
    if changed {
        record_stopping(world, id)?;
    }
    settle(world, id)?;
    if world.job(id)?.outcome().is_none() {
        let why = "the job that delegated it was cancelled";
        delegation::cancel_all(world, id, why, by_force)?;
    }
    Ok(changed)
}

/// Asks for an ended job's removal.
pub(super) fn purge(world: &mut World<'_>, id: &JobId) -> Result<Reply, Fault> {
    let now = world.now();
    world.job(id)?.purge(now)?;
    Ok(Reply::Done)
}

/// What a job's end means for others, in the same commit: its secrets go, its lane moves on, and
/// those who waited for it wait no more. Does nothing for a job that goes on.
pub(crate) fn settle(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    // A chain of jobs that wait for each other may be as long as the queue; no recursion.
    let mut to_settle = vec![id.clone()];
    while let Some(id) = to_settle.pop() {
        let (now, retention) = (world.now(), &world.place().retention);
        let job = world.job(&id)?;
        let JobState::Ended { outcome, .. } = &job.state else { continue };
        let (outcome, lane) = (outcome.clone(), job.spec.lane.clone());
        let is_turn = job.spec.turn.is_some();
        job.begin_aftermath(retention, now);
        let on = job.spec.after.iter().chain(&job.spec.after_any);
        // It may have ended while it waited; whom it waited for must not find it again.
        let waited_for: Vec<_> = on.filter(|_| job.blocked_on > 0).cloned().collect();
        for on in waited_for {
            *world.dependency(&id, &on)? = None;
        }
        *world.environment(&id)? = None;
        credentials::end(world, &id)?;
        telling::end_pieces(world, &id)?;
        world.record(&id, &Fact::Ended { outcome: outcome.clone() })?;
        deliveries::owe(world, &id)?;
        delegation::ended(world, &id)?;
        if is_turn {
            turns::settled(world, &id)?;
        }
        if let Some(lane) = lane {
            crate::schedule::advance_lane(world, &lane)?;
        }
        let most = limits::DEPENDENTS_MAX;
        let rows = world.children(Table::Dependency, id.as_str(), most)?;
        for row in rows {
            let waiting = row.split_once(':').map_or(row.as_str(), |(job, _)| job).to_owned();
            for waiting in job_ids(vec![waiting])? {
                if release(world, &waiting, &id, outcome.is_success(), outcome.kind.name())? {
                    to_settle.push(waiting);
                }
            }
        }
    }
    Ok(())
}

/// `gone` will never be heard of again: whoever waits for it waits no more.
pub(crate) fn abandon(world: &mut World<'_>, gone: &JobId) -> Result<(), Fault> {
    let rows = world.children(Table::Dependency, gone.as_str(), limits::DEPENDENTS_MAX)?;
    let waiting = rows.iter().map(|row| row.split_once(':').map_or(row.as_str(), |(job, _)| job));
    for waiting in job_ids(waiting.map(str::to_owned).collect())? {
        if release(world, &waiting, gone, false, "was lost with a damaged store")? {
            settle(world, &waiting)?;
        }
    }
    Ok(())
}

/// Lets `waiting` go on, or end, now that `on` has ended. Gives whether it ended.
fn release(
    world: &mut World<'_>,
    waiting: &JobId,
    on: &JobId,
    success: bool,
    kind: &str,
) -> Result<bool, Fault> {
    let now = world.now();
    let Some(dependency) = world.dependency(waiting, on)?.take() else { return Ok(false) };
    if world.find_job(waiting)?.is_none() {
        return Ok(false);
    }
    let job = world.job(waiting)?;
    if success || dependency.any {
        job.blocked_on = job.blocked_on.saturating_sub(1);
        if job.blocked_on == 0 && job.outcome().is_none() {
            world.record(waiting, &Fact::Unblocked)?;
        }
        return Ok(false);
    }
    Ok(job.dependency_failed(format!("{on} {kind}"), now))
}
