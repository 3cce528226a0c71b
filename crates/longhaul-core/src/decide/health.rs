//! Silence: said, then asked about, and ended only where that was asked for. Quiet is an opinion; a
//! turn ends by evidence.

use super::{approvals, mail, record_stopping, turns};
use crate::agent::{Agent, Ladder};
use crate::approval::{Approval, ApprovalState, Question};
use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::id::{JobId, MailId};
use crate::mail::Mail;
use crate::role;
use crate::time::Millis;
use crate::turn::Health;
use crate::world::{Fault, World};

/// The attempt showed no sign of life for `span`.
pub(super) fn quiet(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    span: Millis,
) -> Result<Reply, Fault> {
    let now = world.now();
    let job = world.job(id)?;
    job.fence(attempt)?;
    let is_turn = job.spec.turn.is_some();
    if is_turn && waits_for_somebody(world, id)? {
        return Ok(Reply::Done);
    }
    if world.job(id)?.quiet(attempt, span, now)? {
        record_stopping(world, id)?;
    } else if is_turn {
        grow_quiet(world, id, span)?;
    }
    Ok(Reply::Done)
}

/// Whether an answer of a person is what keeps it: that is no silence of its own.
fn waits_for_somebody(world: &mut World<'_>, id: &JobId) -> Result<bool, Fault> {
    let open = approvals::open_of(world, id)?;
    Ok(open.iter().any(|open| !matches!(open.question, Question::Silence { .. })))
}

/// Takes the step of its agent's ladder that it has come to.
fn grow_quiet(world: &mut World<'_>, id: &JobId, span: Millis) -> Result<(), Fault> {
    let now = world.now();
    let ladder = ladder(world, id)?;
    let is_over = ladder.stop_after.is_some_and(|after| span >= after);
    if is_over && is_left_alone(world, id)? {
        return Ok(());
    }
    let job = world.job(id)?;
    if is_over && job.stop_quiet(format!("no sign of life for {span}"), now) {
        return record_stopping(world, id);
    }
    let Some(step) = job.grow_quiet(span, &ladder) else { return Ok(()) };
    world.record(id, &Fact::QuietFor { span, step })?;
    match step {
        Health::Well | Health::Quiet => Ok(()),
        Health::Nudged => nudge(world, id, span),
        // Too many questions are no reason to refuse the news.
        Health::Asked => {
            match approvals::ask(world, id, Question::Silence { quiet_ms: span.get() }) {
                Ok(_) | Err(Fault::Refused(_)) => Ok(()),
                Err(fault) => Err(fault),
            }
        }
    }
}

/// Whether a person was asked about this very silence, and said that it is to be left alone.
fn is_left_alone(world: &mut World<'_>, id: &JobId) -> Result<bool, Fault> {
    let job = world.job(id)?;
    let (attempt, turn) = (job.attempt, job.turn.as_ref());
    let Some(asks) = turn.filter(|turn| turn.health == Health::Asked).and_then(|t| t.asks.clone())
    else {
        return Ok(false);
    };
    let approval = world.approval(&asks)?.as_ref();
    Ok(approval.is_some_and(|approval| {
        approval.attempt == attempt
            && matches!(approval.question, Question::Silence { .. })
            && matches!(approval.state, ApprovalState::Allowed { .. })
    }))
}

/// Asks the agent itself, for its next turn: nobody can speak to one that is running.
fn nudge(world: &mut World<'_>, id: &JobId, span: Millis) -> Result<(), Fault> {
    let now = world.now();
    let job = world.job(id)?;
    let (agent, attempt) = (turns::agent_of(job), job.attempt);
    if world.find_agent(&agent)?.is_none_or(Agent::is_ended) {
        return Ok(());
    }
    let payload = serde_json::json!({ "agentName": agent, "checkType": "silence" });
    let subject = format!("{id} was quiet for {span}");
    let id = MailId::about(id, &format!("health_check#{attempt}"), &agent);
    let mail = Mail {
        body: "Say how far the work is, and what it waits for.".to_owned(),
        payload: Some(payload.to_string()),
        ..Mail::ours(id, agent, "health_check", subject, now)
    };
    mail::post_ours(world, mail)
}

/// The ladder of the agent as it was when the attempt began.
fn ladder(world: &mut World<'_>, id: &JobId) -> Result<Ladder, Fault> {
    let input = world.input(id)?.as_ref();
    let agent = input.map(|input| input.agent.clone()).unwrap_or_default();
    Ok(agent.ladder.unwrap_or_else(|| role::ladder(role::owes(agent.role.as_deref()))))
}

/// A quiet turn shows signs of life again. Refuses `Repeat` for one that was not quiet.
pub(super) fn lively(world: &mut World<'_>, id: &JobId, attempt: u32) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    job.fence(attempt)?;
    let health = job.turn.as_mut().map(|turn| std::mem::take(&mut turn.health));
    if health.is_none_or(|health| health == Health::Well) {
        return Err(Refused::Repeat.into());
    }
    world.record(id, &Fact::Lively)?;
    for open in approvals::open_of(world, id)? {
        if let Question::Silence { .. } = open.question {
            approvals::lapse(world, &open.id, "it shows signs of life again")?;
        }
    }
    Ok(Reply::Done)
}

/// A person has said what is to become of a quiet turn.
pub(super) fn answered(world: &mut World<'_>, approval: &Approval) -> Result<(), Fault> {
    let (id, now) = (&approval.job, world.now());
    let ApprovalState::Denied { by, .. } = &approval.state else { return Ok(()) };
    let Question::Silence { quiet_ms } = approval.question else { return Ok(()) };
    let job = world.job(id)?;
    // A later attempt has a silence of its own.
    if job.attempt != approval.attempt {
        return Ok(());
    }
    let span = Millis::new(quiet_ms);
    if job.stop_quiet(format!("no sign of life for {span}, and {by} said to stop it"), now) {
        record_stopping(world, id)?;
    }
    Ok(())
}
