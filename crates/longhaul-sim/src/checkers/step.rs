//! Laws of one step: what it wants, what it leaves overdue, what time does, and that a refusal leaves
//! no trace.

use super::rows::is_placed;
use super::{Broken, Kind, Seen, broken, holds, naive, standing, turns};
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState, Purge, Then};
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::port::Phase;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeSet;
use std::rc::Rc;

pub(super) fn check(seen: &Seen<'_>) -> Result<(), Broken> {
    wants(seen)?;
    dues(seen)?;
    hours(seen)?;
    time(seen)?;
    retention(seen)?;
    refusals(seen)
}

/// Jobs that are not as they were; those that are gone are not among them.
fn changed<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Job> {
    let before = seen.before;
    let is_changed = move |(id, kept): &(&JobId, &Rc<crate::snapshot::Kept>)| {
        before.jobs.get(*id).is_none_or(|old| !Rc::ptr_eq(old, kept) && old.job != kept.job)
    };
    seen.after.jobs.iter().filter(is_changed).map(|(_, kept)| &kept.job)
}

fn is_mine(seen: &Seen<'_>, job: &Job) -> bool {
    job.host.as_ref().is_none_or(|host| *host == seen.place.host)
}

/// Whether it runs as it did before the step, whatever else is new of it: it is watched already.
fn runs_on(seen: &Seen<'_>, job: &Job) -> bool {
    let old = seen.before.jobs.get(&job.id).map(|old| &old.job);
    matches!(job.state, JobState::Running { .. })
        && old.is_some_and(|old| {
            (&old.state, old.attempt, &old.boot) == (&job.state, job.attempt, &job.boot)
        })
}

/// What a step changes it wants in that step; reconciling wants what is active; nothing else.
fn wants(seen: &Seen<'_>) -> Result<(), Broken> {
    let told = changed(seen).filter(|job| !runs_on(seen, job));
    let mut right: BTreeSet<_> = told.filter_map(|job| naive::wants(job, seen.place)).collect();
    if seen.kind == Kind::Reconcile {
        let active = seen.after.jobs.values().map(|kept| &kept.job);
        let active = active.filter(|job| {
            naive::phase(job) == Phase::Active && job.host.as_ref() == Some(&seen.place.host)
        });
        right.extend(active.filter_map(|job| naive::wants(job, seen.place)));
    }
    let found: BTreeSet<_> = seen.step.wants.iter().cloned().collect();
    holds("what changed is wanted at once, and nothing else", right == found, || {
        format!("wanted {found:?}, not {right:?}")
    })?;
    holds("nothing is wanted twice in one step", found.len() == seen.step.wants.len(), String::new)
}

/// Nothing of this host is overdue when a step is over, and the step says when the next one is.
fn dues(seen: &Seen<'_>) -> Result<(), Broken> {
    let mine = seen.after.jobs.values().map(|kept| &kept.job).filter(|job| is_mine(seen, job));
    let jobs = mine.filter_map(|job| Some((naive::due(job)?, job.id.as_str())));
    let pools = seen.after.pools.values().filter_map(|pool| Some((pool.again_at?, &*pool.name)));
    // A claim runs out whoever holds it: its host may never come back.
    let notices = seen.after.owed();
    let notices = notices.filter_map(|one| Some((standing::due(one)?, one.id.as_str())));
    let first = jobs.chain(pools).chain(notices).chain(turns::hours(seen)).min();
    let said = seen.step.next_due;
    let at_once = said == Some(seen.now);
    holds(
        "the step says when the next is due",
        at_once || said == first.map(|(at, _)| at),
        || format!("said {said:?}, not {first:?}"),
    )?;
    let overdue = overdue(seen);
    let allowed = seen.kind == Kind::Retain;
    holds("nothing is overdue after a step", overdue.is_none() || allowed, || {
        format!("{overdue:?}")
    })
}

/// What should have changed in this step and did not. What did change may have its next hour at the
/// same moment (without a grace, the hour of killing is the hour of asking), and a job or a notice
/// whose hour for one thing came after that for another may have been due for long: the next step,
/// at once, is about them.
fn overdue<'a>(seen: &Seen<'a>) -> Option<(Timestamp, &'a str)> {
    let jobs = seen.after.jobs.values().map(|kept| &kept.job).filter(|job| is_mine(seen, job));
    let jobs = jobs.filter_map(|job| {
        let at = naive::due(job)?;
        let is_same = seen.before.job(&job.id) == Some(job);
        let is_missed = at < seen.now && !is_freed(seen, job);
        (is_missed || (at <= seen.now && is_same)).then_some((at, job.id.as_str()))
    });
    let same = seen.after.owed().filter(|one| seen.before.delivery(&one.id) == Some(one));
    let notices = same.filter_map(|one| Some((standing::due(one)?, one.id.as_str())));
    let notices = notices.filter(|(at, _)| *at <= seen.now);
    let others = turns::hours(seen).filter(|(at, _)| *at < seen.now);
    jobs.chain(notices).chain(others).min()
}

/// Whether the step told or gave up the last notice that it was kept for.
fn is_freed(seen: &Seen<'_>, job: &Job) -> bool {
    let was_open = seen.before.job(&job.id).is_none_or(|old| old.cleanup.notices.open > 0);
    was_open && job.cleanup.notices.open == 0
}

/// What begins gets its hour.
fn hours(seen: &Seen<'_>) -> Result<(), Broken> {
    let slept = seen.batch.iter().any(|command| matches!(command, Command::Woke { .. }));
    for job in changed(seen).filter(|_| !slept) {
        let before = seen.before.job(&job.id);
        let forced = before.is_some_and(Job::is_forced);
        let was = before.map_or("", Job::state_name);
        let now = seen.now;
        let (found, right) = match &job.state {
            JobState::Starting { give_up_at } if is_placed(seen, job) => {
                (Some(*give_up_at), Some(now.plus(limits::START_MAX)))
            }
            JobState::Running { stop_at } if was != "running" => {
                let attempt = job.current();
                let began = attempt.and_then(|attempt| attempt.started_at);
                let slept = attempt.and_then(|attempt| attempt.slept.as_ref());
                let right = began.zip(job.spec.timeout).map(|(at, timeout)| {
                    let slept = slept.filter(|slept| at < slept.until);
                    at.plus(timeout).plus(slept.map_or(Millis::ZERO, |slept| slept.span))
                });
                (*stop_at, right)
            }
            JobState::Stopping { then, by_force, again_at }
                if was != "stopping" || *by_force != forced =>
            {
                let is_asked = *then != Then::Again && !*by_force;
                let wait = if is_asked { job.spec.grace } else { limits::STOP_AGAIN };
                (Some(*again_at), Some(now.plus(wait)))
            }
            JobState::Queued { not_before, .. } if before.is_none() => {
                (Some(*not_before), Some(now.plus(job.spec.delay)))
            }
            JobState::Ended { outcome, .. } if was != "ended" => {
                let rule = seen.place.retention.keep_for(outcome.kind);
                let at = now.plus(job.spec.keep.unwrap_or(rule));
                let found = match job.cleanup.purge {
                    Purge::At { at } => Some(at),
                    Purge::Wanted { .. } | Purge::None => None,
                };
                // One that is kept for no time at all may be on its way already.
                (found, found.map(|_| at))
            }
            JobState::Preparing { .. }
            | JobState::Queued { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Stopping { .. }
            | JobState::Ended { .. } => continue,
        };
        holds("what begins gets its hour", found == right, || {
            format!("{} is {:?}, {found:?} is not {right:?}", job.id, job.state)
        })?;
    }
    Ok(())
}

/// What was due, and which no command was about, became what it had to.
fn time(seen: &Seen<'_>) -> Result<(), Broken> {
    if seen.kind == Kind::Retain || seen.batch.iter().any(|c| named(c).is_none()) {
        return Ok(());
    }
    let named: BTreeSet<&JobId> = seen.batch.iter().filter_map(named).flatten().collect();
    for (id, kept) in &seen.before.jobs {
        let job = &kept.job;
        if naive::due(job).is_none_or(|at| at > seen.now) || !is_mine(seen, job) {
            continue;
        }
        if named.contains(id) {
            continue;
        }
        let Some(after) = seen.after.job(id) else {
            return broken("time removes nothing", id.to_string());
        };
        let is_right = match (&job.state, &after.state) {
            // What others did may have ended it, in this step and before its hour was looked at.
            (JobState::Queued { .. }, JobState::Ended { .. }) => !seen.batch.is_empty(),
            (JobState::Queued { .. }, JobState::Starting { .. }) => true,
            (JobState::Queued { .. }, JobState::Queued { is_due, .. }) => *is_due,
            (JobState::Starting { .. }, JobState::Stopping { then, by_force, .. }) => {
                *then == Then::Again && !by_force
            }
            (JobState::Running { .. }, JobState::Stopping { then: Then::End(outcome), .. }) => {
                (outcome.kind, outcome.reason) == (Ending::TimedOut, Some(Reason::Runtime))
            }
            (JobState::Stopping { then, .. }, JobState::Stopping { then: now, by_force, .. }) => {
                then == now && *by_force == (*then != Then::Again)
            }
            (JobState::Ended { .. }, JobState::Ended { .. }) => {
                let tries = naive::wants(after, seen.place).is_some();
                tries && naive::due(after).is_some_and(|at| at > seen.now)
            }
            _ => false,
        };
        holds("time does what it should", is_right, || {
            format!("{id} was {:?} and is {:?}", job.state, after.state)
        })?;
    }
    Ok(())
}

/// The jobs that a command is about; `None` if it may be about any.
fn named(command: &Command) -> Option<Vec<&JobId>> {
    match command {
        Command::Submit(jobs) => Some(jobs.iter().map(|job| &job.id).collect()),
        Command::Cancel { tree: true, .. } | Command::Woke { .. } | Command::KindUp { .. } => None,
        Command::AddAgent { .. }
        | Command::RemoveAgent(_)
        | Command::StopAgent { .. }
        | Command::SendMail(_)
        | Command::CheckMail { .. }
        | Command::ReadMail { .. }
        | Command::Authorize { .. }
        | Command::Delegate { .. }
        | Command::RetryRevoking
        | Command::Minted { .. }
        | Command::MintFailed { .. }
        | Command::Revoked { .. }
        | Command::RevokeFailed { .. }
        | Command::Answer { .. } => None,
        Command::Ingest(taking) => Some(vec![&taking.job]),
        Command::SetPool { .. }
        | Command::HostUp { .. }
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
        | Command::OpenSession { .. }
        | Command::ResumeSession(_)
        | Command::AcknowledgeFeed { .. }
        | Command::CloseSession { .. }
        | Command::AddToken { .. }
        | Command::RevokeTokens { .. }
        | Command::DetachSession { .. }
        | Command::TurnedAway { .. }
        | Command::DeliveryFailed { .. } => Some(Vec::new()),
        Command::Cancel { job, .. }
        | Command::Purge(job)
        | Command::RotateCredentials { job, .. }
        | Command::Follow { job, .. }
        | Command::Unfollow { job, .. }
        | Command::Tell { job, .. }
        | Command::AuthorizeOperation { job, .. }
        | Command::GiveResult { job, .. }
        | Command::Emit { job, .. }
        | Command::Started { job, .. }
        | Command::Exited { job, .. }
        | Command::Quiet { job, .. }
        | Command::Lively { job, .. }
        | Command::Cleaned { job, .. }
        | Command::Purged { job, .. } => Some(vec![job]),
    }
}

/// Retention takes what is over its limit, and not one more.
fn retention(seen: &Seen<'_>) -> Result<(), Broken> {
    let going = |rows: &crate::snapshot::Snapshot| {
        let ended = rows.jobs.values().filter(|kept| kept.job.outcome().is_some());
        ended.filter(|kept| !kept.job.is_purge_wanted()).count() as u64
    };
    if seen.kind != Kind::Retain {
        return Ok(());
    }
    let (before, after) = (going(seen.before), going(seen.after));
    let most = seen.place.retention.jobs_max;
    let is_right = before == after || after >= most;
    holds("retention takes no more than it must", is_right, || {
        format!("{before} were kept, {after} are, {most} may be")
    })
}

/// A step in which everything is refused and nothing is due changes nothing.
fn refusals(seen: &Seen<'_>) -> Result<(), Broken> {
    let all_refused = seen.step.replies.iter().all(Result::is_err);
    let is_due = |job: &Job| naive::due(job).is_some_and(|at: Timestamp| at <= seen.now);
    let was = Seen { after: seen.before, ..*seen };
    let hours_before = turns::hours(&was).map(|(at, _)| at);
    let mut hours = seen.before.owed().filter_map(standing::due).chain(hours_before);
    let any_due =
        seen.before.jobs.values().any(|kept| is_due(&kept.job)) || hours.any(|at| at <= seen.now);
    if seen.kind != Kind::Batch || !all_refused || any_due {
        return Ok(());
    }
    let is_same = seen.before.is_same(seen.after) && seen.events.is_empty();
    holds("refusals leave no trace", is_same, || format!("{:?}", seen.batch))
}
