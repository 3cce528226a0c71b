//! What an agent is doing, which follows from its turns, its mail and its children; worked out in the
//! step that changes one of them. And that mail which waits wakes an agent that has no turn.

use super::jobs::submit_one;
use crate::agent::{Agent, AgentSpec, Standing};
use crate::backoff;
use crate::command::{Refused, Submission};
use crate::id::{JobId, MailId};
use crate::job::{Job, JobState, Waiting};
use crate::limits;
use crate::port::{StoreError, Table};
use crate::sink::{Sink, SinkKind};
use crate::spec::Environment;
use crate::time::Millis;
use crate::turn::Turn;
use crate::world::{World, job_ids, mail_ids};
use std::collections::{BTreeMap, BTreeSet};

/// Works out what each agent of which something changed is doing now, and wakes those that have mail
/// and no turn. To be called in every step, before jobs are placed and again after.
///
/// Gives whether it made turns.
pub(crate) fn restate(world: &mut World<'_>) -> Result<bool, StoreError> {
    let (mut done, mut has_woken) = (BTreeSet::new(), false);
    loop {
        // What is written here changes nobody else's standing, so once each is enough.
        let stirred = world.take_stirred_agents();
        let fresh: Vec<String> = stirred.difference(&done).cloned().collect();
        if fresh.is_empty() {
            return Ok(has_woken);
        }
        for name in fresh {
            has_woken |= restate_one(world, &name)?;
            done.insert(name);
        }
    }
}

fn restate_one(world: &mut World<'_>, name: &str) -> Result<bool, StoreError> {
    let agent = world.find_agent(name)?.filter(|agent| !agent.is_ended()).cloned();
    let Some(agent) = agent else { return Ok(false) };
    let (standing, has_woken) = stands(world, &agent)?;
    if standing != agent.standing {
        certainly(world, |world| {
            world.agent(name)?.iter_mut().for_each(|agent| agent.standing = standing.clone());
            Ok(())
        })?;
    }
    Ok(has_woken)
}

/// What an agent is doing, and whether it was woken for that.
fn stands(world: &mut World<'_>, agent: &Agent) -> Result<(Standing, bool), StoreError> {
    let name = agent.spec.name.as_str();
    let waiting = |because: String| Standing::Waiting { because };
    let open = job_ids(world.scan()?.open_jobs_in_lane(&Agent::lane(name), 2)?)?;
    if let Some(first) = open.first() {
        let is_waited_for = open.len() > 1;
        let Some(job) = world.find_job(first)?.cloned() else { return Ok((Standing::Idle, false)) };
        hurry(world, name, &job, is_waited_for)?;
        return Ok((waiting(waits_for(&job)), false));
    }
    if let Some(oldest) = mail_ids(world.scan()?.unread(name, 1)?)?.first() {
        return Ok(match wake(world, &agent.spec, oldest)? {
            Ok(turn) => (waiting(format!("its turn {turn}")), true),
            Err(refused) => (waiting(format!("a turn for its mail: {refused}")), false),
        });
    }
    if let Some(question) = agent.last.as_ref().and_then(|last| last.awaits.as_ref()) {
        return Ok((waiting(format!("an answer to {question}")), false));
    }
    let child = living_children(world, name, 1)?.into_iter().next();
    Ok((
        child.map_or(Standing::Idle, |child| waiting(format!("`{child}`, which works for it"))),
        false,
    ))
}

/// What the oldest open turn of an agent waits for, if not for its own end.
fn waits_for(job: &Job) -> String {
    match &job.state {
        JobState::Queued { because: Waiting::Approval, .. } => {
            format!("an answer for its turn {}, see `longhaul approvals`", job.id)
        }
        JobState::Queued { because: Waiting::RateLimited | Waiting::Parked, .. } => {
            format!("the end of a limit of the vendor, for its turn {}", job.id)
        }
        JobState::Preparing { .. }
        | JobState::Queued { .. }
        | JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Stopping { .. }
        | JobState::Ended { .. } => format!("its turn {}", job.id),
    }
}

/// A turn that waits with mail that failed before does not make new mail, or another turn, wait too.
fn hurry(
    world: &mut World<'_>,
    agent: &str,
    job: &Job,
    is_waited_for: bool,
) -> Result<(), StoreError> {
    let is_wake = job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake);
    let is_delayed =
        matches!(job.state, JobState::Queued { is_due: false, because: Waiting::New, .. });
    if !is_wake || !is_delayed || !(is_waited_for || delay(world, agent)? == Millis::ZERO) {
        return Ok(());
    }
    let now = world.now();
    certainly(world, |world| {
        world.job(&job.id)?.go_on(now);
        Ok(())
    })
}

/// How long the unread mail of an agent waits for a turn: not at all where some of it is new, else
/// the longer the more often it was tried.
fn delay(world: &mut World<'_>, agent: &str) -> Result<Millis, StoreError> {
    let (mut tries, mut key) = (0, String::new());
    for id in mail_ids(world.scan()?.unread(agent, limits::MAIL_PER_TURN_MAX)?)? {
        let tried = world.find_mail(&id)?.map_or(0, |mail| mail.tries);
        if tried == 0 {
            return Ok(Millis::ZERO);
        }
        if tried > tries {
            (tries, key) = (tried, id.as_str().to_owned());
        }
    }
    Ok(match tries {
        0 => Millis::ZERO,
        _ => backoff::delay(&key, tries, limits::MAIL_DELAY, limits::MAIL_DELAY_MAX),
    })
}

/// Makes a turn that is there for mail alone.
fn wake(
    world: &mut World<'_>,
    agent: &AgentSpec,
    oldest: &MailId,
) -> Result<Result<JobId, Refused>, StoreError> {
    let id = JobId::of_wake(oldest, world.next_seq());
    let turn = Turn { agent: agent.name.clone(), is_wake: true, ..Turn::default() };
    let mut spec = agent.job_spec(turn);
    spec.delay = delay(world, &agent.name)?;
    let mut notify = Vec::with_capacity(spec.notify.len());
    for sink in spec.notify {
        // One that was removed meanwhile is no reason to leave mail lying; and one that tells agents
        // would have two of them wake each other for ever.
        let tells_people = |known: &Sink| !matches!(known.kind, SinkKind::Agent { .. });
        if world.find_sink(&sink)?.is_some_and(|known| known.is_there() && tells_people(known)) {
            notify.push(sink);
        }
    }
    spec.notify = notify;
    let submission = Submission {
        id: id.clone(),
        spec,
        environment: Environment(BTreeMap::new()),
        key: None,
        owner: agent.owner.clone(),
        project: agent.project.clone(),
        parent: None,
        retry_of: None,
        session: None,
    };
    let made = world.command(|world| submit_one(world, submission))?;
    Ok(made.map(|_| id))
}

/// Changes rows that a scan has just found, and that therefore cannot be refused.
fn certainly(
    world: &mut World<'_>,
    change: impl FnOnce(&mut World<'_>) -> Result<(), crate::world::Fault>,
) -> Result<(), StoreError> {
    let done = world.command(change)?;
    done.map_err(|refused| StoreError::Corrupt(format!("what an agent does: {refused}")))
}

/// Agents that work for this one, directly, and have not ended: so many at most.
pub(super) fn living_children(
    world: &mut World<'_>,
    name: &str,
    most: u32,
) -> Result<Vec<String>, StoreError> {
    let mut living = Vec::new();
    for child in world.scan()?.children(Table::Agent, name, "", limits::CHILDREN_MAX)? {
        if living.len() >= most as usize {
            break;
        }
        if world.find_agent(&child)?.is_some_and(|agent| !agent.is_ended()) {
            living.push(child);
        }
    }
    Ok(living)
}

/// Whom an agent works for, and whom they work for, nearest first.
pub(super) fn above(world: &mut World<'_>, agent: &AgentSpec) -> Result<Vec<String>, StoreError> {
    let (mut all, mut next) = (Vec::new(), agent.parent.clone());
    while let Some(name) = next.filter(|_| all.len() <= limits::AGENT_DEPTH_MAX as usize) {
        next = world.find_agent(&name)?.and_then(|agent| agent.spec.parent.clone());
        all.push(name);
    }
    Ok(all)
}
