//! Named workers: made, changed, ended, forgotten; and what the ends of their turns mean for them.

use super::deaths;
use super::jobs::cancel_one;
use super::mail::{give_back_unread, has_ended};
use super::standing;
use crate::agent::{Agent, AgentEnvironment, AgentSpec, LastTurn, Standing};
use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::id::{JobId, MailId};
use crate::job::Job;
use crate::limits;
use crate::outcome::{Ending, Reason};
use crate::port::Table;
use crate::role;
use crate::sink::Sink;
use crate::spec::{Environment, bad};
use crate::world::{Fault, World, job_ids};

/// Makes an agent, or changes one.
pub(super) fn add(
    world: &mut World<'_>,
    spec: AgentSpec,
    environment: Environment,
    replace: bool,
) -> Result<Reply, Fault> {
    spec.check().map_err(Refused::from)?;
    environment.check().map_err(Refused::from)?;
    let (name, now) = (spec.name.clone(), world.now());
    let known = world.find_agent(&name)?.cloned();
    let before = known.as_ref().and_then(|known| known.spec.parent.clone());
    let is_same = known.as_ref().is_some_and(|known| known.spec == spec && !known.is_ended());
    if !is_same {
        check_around(world, &spec, known.as_ref())?;
        let parent = spec.parent.clone();
        let (agent, what) = match known {
            None => (Agent::new(spec, now), "added"),
            Some(known) if replace => (changed(known, spec), "changed"),
            Some(known) if known.is_ended() => (Agent::new(spec, now), "added"),
            Some(_) => return Err(Refused::AgentTaken(name).into()),
        };
        *world.agent(&name)? = Some(agent);
        record(world, &name, what);
        before.iter().chain(&parent).for_each(|above| world.stir_agent(above));
    }
    let environment = AgentEnvironment { agent: name.clone(), environment };
    *world.agent_environment(&name)? = Some(environment);
    Ok(Reply::Done)
}

/// The agent with another specification. One that had ended goes on where it was.
fn changed(known: Agent, spec: AgentSpec) -> Agent {
    // A conversation is of the program that it was held with.
    let is_same_kind = known.spec.kind == spec.kind;
    let standing = if known.is_ended() { Standing::Idle } else { known.standing };
    Agent {
        standing,
        conversation: known.conversation.filter(|_| is_same_kind),
        carry: known.carry.filter(|_| is_same_kind),
        again_at: None,
        spec,
        ..known
    }
}

/// Checks what an agent names: its parent, its pool, its sinks; and whether there is room for it.
fn check_around(
    world: &mut World<'_>,
    spec: &AgentSpec,
    known: Option<&Agent>,
) -> Result<(), Fault> {
    if let Some(pool) = &spec.pool
        && world.pool(pool)?.is_none()
    {
        return Err(Refused::NoPool(pool.clone()).into());
    }
    for sink in &spec.notify {
        if !world.find_sink(sink)?.is_some_and(Sink::is_there) {
            return Err(Refused::NoSink(sink.clone()).into());
        }
    }
    let most = limits::AGENTS_MAX;
    let is_full = |found: usize, most: u32| found >= most as usize;
    if known.is_none() && is_full(world.scan()?.ids(Table::Agent, "", most)?.len(), most) {
        return Err(Refused::TooMany { what: "agents", limit: most.into() }.into());
    }
    let Some(parent) = &spec.parent else { return Ok(()) };
    let is_under = known.is_some_and(|known| known.spec.parent.as_ref() == Some(parent));
    if is_under && known.is_some_and(|known| !known.is_ended()) {
        return Ok(());
    }
    check_above(world, &spec.name, parent)?;
    let most = limits::CHILDREN_MAX;
    let children = world.scan()?.children(Table::Agent, parent, "", most)?;
    if !is_under && is_full(children.len(), most) {
        let what = "agents that work for one";
        return Err(Refused::TooMany { what, limit: most.into() }.into());
    }
    Ok(())
}

/// Refuses a parent that is not there, that has ended, or that works for the agent itself.
fn check_above(world: &mut World<'_>, name: &str, parent: &str) -> Result<(), Fault> {
    let above = world.find_agent(parent)?;
    let above = above.ok_or_else(|| Refused::NoAgent(parent.to_owned()))?;
    if above.is_ended() {
        let (agent, state) = (parent.to_owned(), above.standing.name());
        return Err(Refused::AgentEnded { agent, state }.into());
    }
    let mut next = Some(parent.to_owned());
    for _ in 0..limits::AGENT_DEPTH_MAX {
        let Some(above) = next else { return Ok(()) };
        if above == name {
            return Err(Refused::from(bad("parent", "works for the agent itself")).into());
        }
        next = world.find_agent(&above)?.and_then(|agent| agent.spec.parent.clone());
    }
    if next.is_none() {
        return Ok(());
    }
    let limit = limits::AGENT_DEPTH_MAX.into();
    Err(Refused::TooMany { what: "agents above one", limit }.into())
}

fn record(world: &mut World<'_>, agent: &str, what: &str) {
    world.record_general(&Fact::AgentChanged { agent: agent.to_owned(), what: what.to_owned() });
}

/// Forgets an agent.
pub(super) fn remove(world: &mut World<'_>, name: &str) -> Result<Reply, Fault> {
    let agent = world.find_agent(name)?.cloned();
    let agent = agent.ok_or_else(|| Refused::NoAgent(name.to_owned()))?;
    let busy = |because: String| Refused::AgentBusy { agent: name.to_owned(), because };
    if let Some(turn) = world.scan()?.open_jobs_in_lane(&Agent::lane(name), 1)?.first() {
        return Err(busy(format!("{turn} is open")).into());
    }
    if let Some(child) = standing::living_children(world, name, 1)?.first() {
        return Err(busy(format!("`{child}` works for it")).into());
    }
    let unread = world.scan()?.unread_count(name)?;
    if unread > limits::STEP_MAIL_MAX.into() {
        let because = format!("it has {unread} unread messages; stopped, it returns them");
        return Err(busy(because).into());
    }
    *world.agent(name)? = None;
    *world.agent_environment(name)? = None;
    give_back_unread(world, name, &format!("`{name}` was removed"), limits::STEP_MAIL_MAX)?;
    record(world, name, "removed");
    agent.spec.parent.iter().for_each(|above| world.stir_agent(above));
    Ok(Reply::Done)
}

/// Forgets an agent that was made for one turn, which is over. One that somebody has taken up since, by
/// mail or as a parent, stays.
pub(super) fn forget(world: &mut World<'_>, name: &str) -> Result<(), Fault> {
    match remove(world, name) {
        // What is refused has changed nothing.
        Ok(_) | Err(Fault::Refused(_)) => Ok(()),
        Err(error @ Fault::Store(_)) => Err(error),
    }
}

/// Ends an agent. Stopping it again only adds force.
pub(super) fn stop(
    world: &mut World<'_>,
    name: &str,
    reason: Option<String>,
    by_force: bool,
) -> Result<Reply, Fault> {
    let now = world.now();
    let reason = reason.map(|reason| super::clip(&reason, limits::MESSAGE_BYTES_MAX));
    let agent = world.agent(name)?.as_mut().ok_or_else(|| Refused::NoAgent(name.to_owned()))?;
    match &agent.standing {
        Standing::Finished { .. } => {
            let (agent, state) = (name.to_owned(), agent.standing.name());
            return Err(Refused::AgentEnded { agent, state }.into());
        }
        Standing::Idle | Standing::Waiting { .. } => {
            agent.standing = Standing::Stopped { at: now, reason: reason.clone() };
            record(world, name, "stopped");
        }
        Standing::Stopped { .. } => {}
    }
    let why = reason.unwrap_or_else(|| "its agent was stopped".to_owned());
    let most = limits::TURNS_QUEUED_MAX + 1;
    for id in job_ids(world.scan()?.open_jobs_in_lane(&Agent::lane(name), most)?)? {
        cancel_one(world, &id, Some(why.clone()), by_force)?;
    }
    close(world, name)?;
    Ok(Reply::Done)
}

/// What an agent's end means for others: its mail is returned, whom it works for is looked at.
fn close(world: &mut World<'_>, name: &str) -> Result<(), Fault> {
    let now = world.now();
    let Some(agent) = world.find_agent(name)?.cloned() else { return Ok(()) };
    let more = give_back_unread(world, name, &has_ended(&agent), limits::STEP_MAIL_MAX)?;
    if let Some(agent) = world.agent(name)? {
        // Only the row remembers that another step has to follow.
        agent.again_at = more.then_some(now);
    }
    agent.spec.parent.iter().for_each(|above| world.stir_agent(above));
    Ok(())
}

/// An agent that has ended has more mail to return than one step did.
pub(crate) fn due_agent(world: &mut World<'_>, name: &str) -> Result<(), Fault> {
    let Some(agent) = world.agent(name)? else { return Ok(()) };
    agent.again_at = None;
    if agent.is_ended() { close(world, name) } else { Ok(()) }
}

/// Takes note that a turn is being placed. To be called before its attempt is counted.
pub(super) fn turn_placed(world: &mut World<'_>, job: &JobId) -> Result<(), Fault> {
    let turn = world.find_job(job)?.and_then(|found| found.spec.turn.as_ref());
    let Some(name) = turn.map(|turn| turn.agent.clone()) else { return Ok(()) };
    let Some(agent) = world.agent(&name)? else { return Ok(()) };
    // Another attempt is the same turn.
    let is_new = agent.last.as_ref().is_none_or(|last| last.job != *job);
    agent.turns += u64::from(is_new);
    agent.last = Some(LastTurn { job: job.clone(), how: None, is_silent: false, awaits: None });
    Ok(())
}

/// Takes note that a turn has ended: what that means for its agent, and for whom that works. To be
/// called after its mail was settled; `another_follows` says that mail of it was put back.
pub(super) fn turn_ended(
    world: &mut World<'_>,
    id: &JobId,
    another_follows: bool,
) -> Result<(), Fault> {
    let Some(job) = world.find_job(id)?.cloned() else { return Ok(()) };
    let (Some(turn), Some(state), Some(outcome)) = (&job.spec.turn, &job.turn, job.outcome())
    else {
        return Ok(());
    };
    let Some(agent) = world.agent(&turn.agent)? else { return Ok(()) };
    if let Some(last) = agent.last.as_mut().filter(|last| last.job == *id) {
        last.awaits = state.awaits.clone().filter(|_| outcome.is_success());
    }
    // One that was begun anew meanwhile has nothing to do with its turns of before.
    let is_its_own = agent.last.as_ref().is_some_and(|last| last.job == *id) || job.attempt == 0;
    if agent.is_ended() || !is_its_own {
        return Ok(());
    }
    let agent = agent.clone();
    // Whom nothing may be spent on any more has no other turn, whatever waits.
    let another_follows = another_follows && outcome.reason != Some(Reason::Budget);
    match outcome.kind {
        Ending::Succeeded => succeeded(world, &job, &agent),
        Ending::Cancelled if turn.is_wake && job.attempt == 0 && job.cancel.is_some() => {
            // Else another would be made for the same mail at once.
            let because = "the turn that was to read it was cancelled";
            give_back_unread(world, &turn.agent, because, limits::STEP_MAIL_MAX)?;
            Ok(())
        }
        Ending::Cancelled => Ok(()),
        // What it was told beside its mail is told to no other turn.
        Ending::Failed | Ending::TimedOut | Ending::Lost if another_follows && turn.is_wake => {
            Ok(())
        }
        Ending::Failed | Ending::TimedOut | Ending::Lost => deaths::tell(world, &job, &agent),
    }
}

/// A turn ended well: its agent's work is done if it said so and nothing more is asked of it. One
/// that owes to say so, and has nothing left to wait for, has gone silent.
fn succeeded(world: &mut World<'_>, job: &Job, agent: &Agent) -> Result<(), Fault> {
    let name = agent.spec.name.as_str();
    let is_asked_more = !world.scan()?.open_jobs_in_lane(&Agent::lane(name), 1)?.is_empty();
    let state = job.turn.as_ref().expect("the turn of a job that is one");
    if is_asked_more {
        return Ok(());
    }
    if let Some(mail) = &state.terminal {
        return finish(world, name, mail.clone(), job.id.clone());
    }
    let waits = state.awaits.is_some()
        || world.scan()?.unread_count(name)? > 0
        || !standing::living_children(world, name, 1)?.is_empty();
    if waits || !role::owes(agent.spec.role.as_deref()) {
        return Ok(());
    }
    if let Some(last) = world.agent(name)?.as_mut().and_then(|agent| agent.last.as_mut()) {
        last.is_silent = last.job == job.id;
    }
    deaths::tell(world, job, agent)
}

/// A turn has said that its agent's work is done. One that has ended well already, and is the last
/// that was asked of it, finishes its agent late.
pub(super) fn said_late(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(job) = world.find_job(id)?.cloned() else { return Ok(()) };
    let is_well = job.outcome().is_some_and(|outcome| outcome.is_success());
    let terminal = job.turn.as_ref().and_then(|turn| turn.terminal.clone());
    let (Some(turn), Some(mail), true) = (&job.spec.turn, terminal, is_well) else {
        return Ok(());
    };
    let agent = world.find_agent(&turn.agent)?.filter(|agent| !agent.is_ended()).cloned();
    let Some(agent) = agent else { return Ok(()) };
    let is_newest = agent.last.as_ref().is_some_and(|last| last.job == *id);
    let lane = Agent::lane(&turn.agent);
    if !is_newest || !world.scan()?.open_jobs_in_lane(&lane, 1)?.is_empty() {
        return Ok(());
    }
    deaths::withdraw(world, &job, &agent)?;
    finish(world, &turn.agent, mail, id.clone())
}

fn finish(world: &mut World<'_>, name: &str, mail: MailId, turn: JobId) -> Result<(), Fault> {
    let at = world.now();
    if let Some(agent) = world.agent(name)? {
        agent.standing = Standing::Finished { at, mail, turn };
        agent.last.iter_mut().for_each(|last| last.is_silent = false);
    }
    record(world, name, "finished");
    close(world, name)
}
