//! Turns: prepared when they are placed, taken in as they speak, settled when they end.

use super::agents;
use super::mail::{self, Settling};
use super::{approvals, quotas, settle, spending};
use crate::agent::AgentSpec;
use crate::approval::{Approval, ApprovalState, Question};
use crate::budget::Reach;
use crate::command::{Refused, Reply, Submission};
use crate::event::Fact;
use crate::id::{ApprovalId, JobId};
use crate::job::{Job, JobState, PutOff};
use crate::limits;
use crate::mail::Mail;
use crate::outcome::{Ending, Outcome, Reason};
use crate::prompt;
use crate::turn::{Conversation, Input, Intake, Seen, Taking, Turn, TurnEnd};
use crate::world::{Fault, World};

/// What a turn is told that goes on with what it had begun: its conversation knows the rest.
const GO_ON: &str = "Go on.";

/// Refuses a turn that its agent may not have.
pub(super) fn admit(world: &mut World<'_>, submission: &Submission) -> Result<(), Fault> {
    let Some(turn) = &submission.spec.turn else { return Ok(()) };
    let name = &turn.agent;
    let agent = world.find_agent(name)?.ok_or_else(|| Refused::NoAgent(name.clone()))?;
    if agent.is_ended() {
        let state = agent.standing.name();
        return Err(Refused::AgentEnded { agent: name.clone(), state }.into());
    }
    if spending::reach_of_agent(agent) == Reach::Over {
        return Err(Refused::BudgetSpent(name.clone()).into());
    }
    let most = limits::TURNS_QUEUED_MAX;
    let lane = crate::agent::Agent::lane(name);
    if world.scan()?.open_jobs_in_lane(&lane, most)?.len() >= most as usize {
        return Err(Refused::TooMany { what: "turns of one agent", limit: most.into() }.into());
    }
    world.stir_agent(name);
    Ok(())
}

/// Gives a turn that is about to be placed its mail and its prompt. Gives whether it may be placed:
/// one whose kind is parked is set aside, and one that has nothing to do, or may not, is ended.
pub(crate) fn prepare(world: &mut World<'_>, id: &JobId) -> Result<bool, Fault> {
    let job = world.job(id)?;
    let turn = job.spec.turn.clone().expect("only turns are prepared");
    let agent = world.find_agent(&turn.agent)?.cloned();
    let Some(agent) = agent.filter(|agent| !agent.is_ended()) else {
        let message = format!("agent `{}` has ended", turn.agent);
        return end_waiting(world, id, cancelled(message));
    };
    begins_as(world, id, &agent.spec.kind)?;
    let state = &mut world.job(id)?.turn;
    let state = state.as_mut().expect("a turn has a state");
    state.park = turn.park.unwrap_or(agent.spec.park);
    state.resume = turn.resume.unwrap_or(agent.spec.resume);
    if !quotas::may_go(world, id)? {
        return Ok(false);
    }
    let allowances = spending::allowances(world.job(id)?, Some(&agent));
    if let Some(spent) = allowances.iter().find(|spent| spent.reach() == Reach::Over) {
        return refuse_spent(world, id, spent);
    }
    let state = world.job(id)?.turn.as_ref().expect("a turn has a state");
    let before = state.mail.len();
    let known = state.conversation.clone().filter(|_| state.is_deferred || state.is_going_on);
    let is_deferred = state.is_deferred && known.is_some();
    // It goes on inside a tool call, where nothing can be said: new mail waits for the next turn.
    let all =
        if is_deferred { state.mail.clone() } else { mail::take_unread(world, &turn.agent, id)? };
    let job = world.job(id)?;
    if turn.is_wake && all.is_empty() && known.is_none() {
        return end_waiting(world, id, cancelled("its mail was read already".to_owned()));
    }
    job.begin_turn(allowances.iter().any(|allowance| allowance.is_asked()));
    let attempt = job.attempt + 1;
    let (fresh, prompt) = match &known {
        // What came before is in the conversation already.
        Some(_) => (all.get(before..).unwrap_or_default(), GO_ON),
        None => (all.as_slice(), turn.prompt.as_str()),
    };
    let mut letters: Vec<Mail> = Vec::with_capacity(fresh.len());
    for id in fresh {
        letters.extend(world.find_mail(id)?.cloned());
    }
    let prompt = if is_deferred { String::new() } else { prompt::render(&letters, prompt) };
    let conversation = match known {
        Some(known) if is_deferred => Conversation::Deferred(known),
        Some(known) => Conversation::Resume(known),
        None if turn.is_fresh => Conversation::New,
        None => agent.conversation.map_or(Conversation::New, Conversation::Resume),
    };
    let carry = agent.carry.filter(|_| conversation != Conversation::New);
    let budget = spending::least_left(&allowances);
    let spec = AgentSpec { budget, ..effective(agent.spec, turn) };
    let input = Input { job: id.clone(), attempt, agent: spec, prompt, conversation, carry };
    agents::turn_placed(world, id)?;
    *world.input(id)? = Some(input);
    Ok(true)
}

/// Says of what kind the turn's agent is now. One that has become another program knows nothing of what
/// the turn began, and learns nothing of the limit of the one it was.
fn begins_as(world: &mut World<'_>, id: &JobId, kind: &str) -> Result<(), Fault> {
    let state = world.job(id)?.turn.as_mut().expect("a turn has a state");
    if !state.kind.is_empty() && state.kind != kind {
        (state.conversation, state.is_deferred, state.is_going_on) = (None, false, false);
        quotas::release(world, id)?;
    }
    let state = world.job(id)?.turn.as_mut().expect("a turn has a state");
    kind.clone_into(&mut state.kind);
    Ok(())
}

/// The agent as one of its turns has it.
fn effective(spec: AgentSpec, turn: Turn) -> AgentSpec {
    AgentSpec {
        model: turn.model.or(spec.model),
        policy: turn.policy.unwrap_or(spec.policy),
        park: turn.park.unwrap_or(spec.park),
        resume: turn.resume.unwrap_or(spec.resume),
        ..spec
    }
}

fn cancelled(message: String) -> Outcome {
    Outcome { message: Some(message), ..Outcome::plain(Ending::Cancelled) }
}

/// Ends a turn instead of placing it.
fn end_waiting(world: &mut World<'_>, id: &JobId, outcome: Outcome) -> Result<bool, Fault> {
    let now = world.now();
    world.job(id)?.end_waiting(outcome, now);
    settle(world, id)?;
    Ok(false)
}

/// A turn for which there is nothing left to spend: a person is asked, or it has failed.
fn refuse_spent(
    world: &mut World<'_>,
    id: &JobId,
    spent: &spending::Spending,
) -> Result<bool, Fault> {
    if spent.is_asked() {
        world.job(id)?.wait_for_answer();
        ask(world, id, Question::Budget { nano_usd: spent.nano_usd() })?;
        return Ok(false);
    }
    end_waiting(world, id, Outcome::because(Ending::Failed, Reason::Budget, Some(spent.words())))
}

/// Asks a person about a turn that waits. One that has asked too often has failed.
pub(super) fn ask(world: &mut World<'_>, id: &JobId, question: Question) -> Result<(), Fault> {
    match approvals::ask(world, id, question) {
        Ok(approval) => wait_for(world, id, approval),
        Err(Fault::Refused(refused)) => {
            let message = Some(refused.to_string());
            let outcome = Outcome::because(Ending::Failed, Reason::AgentFailed, message);
            end_waiting(world, id, outcome).map(drop)
        }
        Err(fault) => Err(fault),
    }
}

/// The turn waits for the answer to this question.
pub(super) fn wait_for(
    world: &mut World<'_>,
    id: &JobId,
    approval: ApprovalId,
) -> Result<(), Fault> {
    if let Some(turn) = &mut world.job(id)?.turn {
        turn.asks = Some(approval.clone());
    }
    world.record(id, &Fact::WaitsForAnswer { approval })
}

/// More of a turn's output was read.
pub(super) fn ingest(world: &mut World<'_>, taking: Taking) -> Result<Reply, Fault> {
    bound(&taking)?;
    let Taking { job: id, attempt, from, to, memory, events, seen } = taking;
    let job = world.job(&id)?;
    job.fence(attempt)?;
    if job.turn.is_none() {
        return Err(Refused::Stale(id).into());
    }
    let intake = world.intake(&id)?;
    let known = intake.as_ref().filter(|intake| intake.attempt == attempt);
    let taken = known.map(|intake| intake.taken).unwrap_or_default();
    if taken != from {
        return Err(Refused::AlreadyTaken { job: id, taken }.into());
    }
    *intake = Some(Intake { job: id.clone(), attempt, taken: to, memory });
    world.record_said(&id, events)?;
    saw(world, &id, attempt, &seen)?;
    Ok(Reply::Done)
}

/// A report that is larger than a reader makes it is a defect of the reader.
fn bound(taking: &Taking) -> Result<(), Refused> {
    let within = |what, count: usize, most: usize| {
        let refused = Refused::TooMany { what, limit: most as u64 };
        if count > most { Err(refused) } else { Ok(()) }
    };
    within("entries in a report", taking.events.len(), limits::TAKING_EVENTS_MAX)?;
    within("bytes of an adapter's memory", taking.memory.len(), limits::MEMORY_BYTES_MAX)?;
    let (from, to) = (taking.from, taking.to);
    if to.out < from.out || to.err < from.err || from.is_closed && from != to {
        return Err(Refused::AlreadyTaken { job: taking.job.clone(), taken: from });
    }
    Ok(())
}

/// What follows from what an attempt has said so far.
fn saw(world: &mut World<'_>, id: &JobId, attempt: u32, seen: &Seen) -> Result<(), Fault> {
    if let Some(conversation) = &seen.conversation {
        converse(world, id, attempt, conversation)?;
    }
    if seen.is_mismatch {
        mismatch(world, id, attempt)?;
    }
    if seen.is_answered {
        let now = world.now();
        world.job(id)?.answered(now);
    }
    spending::spend(world, id, &seen.used)
}

/// The attempt's conversation is known: also for the agent, at once, so that a crash loses nothing.
fn converse(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    conversation: &str,
) -> Result<(), Fault> {
    let conversation = super::clip(conversation, limits::WORD_BYTES_MAX);
    let turn = world.job(id)?.turn.as_mut().expect("only turns converse");
    if turn.conversation.as_ref() == Some(&conversation) {
        return Ok(());
    }
    turn.conversation = Some(conversation.clone());
    let kind = turn.kind.clone();
    let name = agent_of(world.job(id)?);
    if let Some(agent) = world.agent_beside(&name)?
        && agent.conversation.as_ref() != Some(&conversation)
        // One that has become another program meanwhile could not go on with it.
        && agent.spec.kind == kind
    {
        // What was handed on belongs to another conversation.
        agent.carry = None;
        agent.conversation = Some(conversation.clone());
    }
    world.record(id, &Fact::Conversation { attempt, conversation })
}

fn mismatch(world: &mut World<'_>, id: &JobId, attempt: u32) -> Result<(), Fault> {
    let turn = world.job(id)?.turn.as_mut().expect("only turns converse");
    if std::mem::replace(&mut turn.is_mismatch, true) {
        return Ok(());
    }
    world.record(id, &Fact::ConversationMismatch { attempt })
}

/// Whose turn it is.
pub(super) fn agent_of(job: &Job) -> String {
    job.spec.turn.as_ref().map(|turn| turn.agent.clone()).unwrap_or_default()
}

/// Takes what an attempt's end says beside how it ended.
pub(super) fn concluded(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    end: TurnEnd,
) -> Result<(), Fault> {
    if let Some(conversation) = &end.conversation {
        converse(world, id, attempt, conversation)?;
    }
    if end.is_mismatch {
        mismatch(world, id, attempt)?;
    }
    spending::spend(world, id, &end.used)?;
    quotas::concluded(world, id, &end.how)?;
    let name = agent_of(world.job(id)?);
    let Some(agent) = world.agent(&name)? else { return Ok(()) };
    if end.carry.is_some() {
        agent.carry = end.carry;
    }
    if let Some(last) = agent.last.as_mut().filter(|last| last.job == *id) {
        last.how = Some(end.how);
    }
    Ok(())
}

/// A turn ended to wait for an answer about a tool call. It may have come meanwhile.
pub(super) fn defers(world: &mut World<'_>, id: &JobId, put_off: PutOff) -> Result<(), Fault> {
    let PutOff { call, tool } = put_off;
    let now = world.now();
    let asked = ApprovalId::of(id, &format!("tool:{call}"));
    match world.approval(&asked)?.as_ref().map(Approval::is_open) {
        Some(is_open) => {
            wait_for(world, id, asked)?;
            if !is_open {
                world.job(id)?.go_on(now);
            }
            Ok(())
        }
        None => ask(world, id, Question::Tool { call, tool, input: String::new() }),
    }
}

/// The next attempt begins a new conversation.
pub(super) fn begins_afresh(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    message: String,
) -> Result<(), Fault> {
    let name = agent_of(world.job(id)?);
    if let Some(agent) = world.agent(&name)? {
        (agent.conversation, agent.carry) = (None, None);
    }
    world.record(id, &Fact::ResumeFailed { attempt, message })
}

/// What a turn's end means for its mail, its questions and its agent; in the commit of the end.
pub(super) fn settled(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    let JobState::Ended { outcome, .. } = job.state.clone() else { return Ok(()) };
    let (agent, is_asked) = (agent_of(job), job.cancel.is_some());
    let is_hosted = job.spec.hosted.is_some();
    *world.input(id)? = None;
    approvals::lapse_all(world, id, "its turn has ended")?;
    quotas::release(world, id)?;
    let words = |outcome: &Outcome| {
        let message = outcome.message.as_ref().map(|message| format!(": {message}"));
        format!("the turn that took it has {}{}", ended(outcome.kind), message.unwrap_or_default())
    };
    let how = match outcome.kind {
        Ending::Succeeded => Settling::Read,
        Ending::Cancelled if is_asked => Settling::Return { because: words(&outcome) },
        Ending::Cancelled | Ending::Failed | Ending::TimedOut | Ending::Lost => {
            Settling::PutBack { because: words(&outcome) }
        }
    };
    let another_follows = mail::settle_taken(world, id, how)?;
    agents::turn_ended(world, id, another_follows)?;
    world.stir_agent(&agent);
    if is_hosted { agents::forget(world, &agent) } else { Ok(()) }
}

/// An ending as people say it of a job.
const fn ended(kind: Ending) -> &'static str {
    match kind {
        Ending::Succeeded => "succeeded",
        Ending::Failed => "failed",
        Ending::Cancelled => "been cancelled",
        Ending::TimedOut => "timed out",
        Ending::Lost => "been lost",
    }
}

/// What the answer to a question, or its end without one, means for the turn that it is about.
pub(super) fn answered(world: &mut World<'_>, approval: &Approval) -> Result<(), Fault> {
    let (id, now) = (&approval.job, world.now());
    let Some(job) = world.find_job(id)? else { return Ok(()) };
    let is_allowed = matches!(approval.state, ApprovalState::Allowed { .. });
    let is_waited_for = job.waits_for_answer(&approval.id);
    let refused = |reason| {
        let words = match &approval.state {
            ApprovalState::Denied { by, reason, .. } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}"));
                format!("{by} said no{}", reason.unwrap_or_default())
            }
            ApprovalState::Lapsed { because, .. } => because.clone(),
            ApprovalState::Asked | ApprovalState::Allowed { .. } => String::new(),
        };
        Outcome::because(Ending::Failed, reason, Some(words))
    };
    match &approval.question {
        Question::Silence { .. } => super::health::answered(world, approval),
        _ if !is_waited_for => Ok(()),
        // Also a no is an answer: the agent asks again when it goes on, and is told.
        Question::Tool { .. } => {
            world.job(id)?.go_on(now);
            Ok(())
        }
        Question::Budget { .. } if is_allowed => {
            spending::allow_more(world, id)?;
            world.job(id)?.go_on(now);
            Ok(())
        }
        Question::Limit { .. } if is_allowed => {
            world.job(id)?.go_on(now);
            Ok(())
        }
        Question::Budget { .. } => end_waiting(world, id, refused(Reason::Budget)).map(drop),
        Question::Limit { .. } => end_waiting(world, id, refused(Reason::RateLimit)).map(drop),
    }
}
