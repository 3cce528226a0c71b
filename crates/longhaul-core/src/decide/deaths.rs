//! That a turn died, or ended without what its agent's role owes, is told once, with the evidence, to
//! whom the agent works for. Who works for nobody has an owner, whom the job's own notice tells.

use super::mail::post_ours;
use super::{clip, standing};
use crate::agent::{Agent, AgentSpec};
use crate::id::MailId;
use crate::job::Job;
use crate::limits;
use crate::mail::{Mail, MailPriority, MailState, person_box};
use crate::mail_kind::WORKER_DIED;
use crate::port::StoreError;
use crate::role;
use crate::world::{Fault, World};
use std::fmt::Write;

/// Tells it. Told again, it is the same message.
pub(super) fn tell(world: &mut World<'_>, job: &Job, agent: &Agent) -> Result<(), Fault> {
    let Some(to) = told(world, &agent.spec)? else { return Ok(()) };
    let name = &agent.spec.name;
    let id = MailId::about(&job.id, WORKER_DIED, &to);
    let reason = clip(&reason(job, &agent.spec), limits::MESSAGE_BYTES_MAX);
    let mail = Mail {
        body: clip(&words(job, name, &reason), limits::MAIL_BODY_BYTES_MAX),
        payload: Some(evidence(job, agent, &reason)),
        priority: MailPriority::High,
        ..Mail::ours(id, to, WORKER_DIED, format!("{WORKER_DIED}: {name}"), world.now())
    };
    post_ours(world, mail)
}

/// What was told of a turn's silence is not true any more; who has not read it need not.
pub(super) fn withdraw(world: &mut World<'_>, job: &Job, agent: &Agent) -> Result<(), Fault> {
    let now = world.now();
    let Some(to) = told(world, &agent.spec)? else { return Ok(()) };
    if let Some(mail) = world.mail(&MailId::about(&job.id, WORKER_DIED, &to))?
        && mail.state == MailState::Unread
    {
        mail.state = MailState::Read { at: now, turn: None };
    }
    Ok(())
}

/// The nearest above an agent that has not ended.
fn living_above(world: &mut World<'_>, agent: &AgentSpec) -> Result<Option<String>, StoreError> {
    for name in standing::above(world, agent)? {
        if world.find_agent(&name)?.is_some_and(|above| !above.is_ended()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Who is told: the nearest above, or the owner's box if those have all ended.
fn told(world: &mut World<'_>, agent: &AgentSpec) -> Result<Option<String>, StoreError> {
    if agent.parent.is_none() {
        return Ok(None);
    }
    let above = living_above(world, agent)?;
    Ok(above.or_else(|| agent.owner.as_deref().map(person_box)))
}

/// Whether the owner of a turn need not be told of its end: it was made by us, and either never ran
/// or is the business of whom its agent works for.
pub(super) fn is_no_news(world: &mut World<'_>, job: &Job) -> Result<bool, StoreError> {
    let Some(turn) = job.spec.turn.as_ref().filter(|turn| turn.is_wake) else { return Ok(false) };
    if job.attempt == 0 {
        return Ok(true);
    }
    let agent = world.find_agent(&turn.agent)?.map(|agent| agent.spec.clone());
    Ok(match agent {
        Some(agent) => living_above(world, &agent)?.is_some(),
        None => false,
    })
}

/// Why, in one line.
fn reason(job: &Job, agent: &AgentSpec) -> String {
    let Some(outcome) = job.outcome() else { return "it has not ended".to_owned() };
    if outcome.is_success() {
        let kinds = role::terminal_kinds(agent.role.as_deref()).join(", ");
        return format!(
            "its turn ended well, but without mail of a kind that ends its work ({kinds})"
        );
    }
    let mut reason = format!("its turn {}", outcome.kind.name());
    let said = outcome.message.as_deref().unwrap_or_default();
    if let Some(name) = name_of(outcome.reason).filter(|name| !said.starts_with(name.as_str())) {
        write!(reason, " ({name})").expect("a string takes everything");
    }
    if let Some(message) = &outcome.message {
        write!(reason, ": {message}").expect("a string takes everything");
    }
    reason
}

fn name_of(reason: Option<crate::outcome::Reason>) -> Option<String> {
    let name = serde_json::to_value(reason?).expect("a reason is a word");
    name.as_str().map(str::to_owned)
}

/// What a person or a model reads.
fn words(job: &Job, name: &str, reason: &str) -> String {
    let mut text = format!("{name}: {reason}\nTurn: {}", job.id);
    let mut line = |what: &str, value: &str| {
        write!(text, "\n{what}: {value}").expect("a string takes everything");
    };
    if let Some(outcome) = job.outcome() {
        outcome.exit_code.into_iter().for_each(|code| line("Exit code", &code.to_string()));
        outcome.signal.into_iter().for_each(|signal| line("Signal", &signal.to_string()));
    }
    if let Some(end) = job.turn.as_ref().and_then(|turn| turn.end.as_ref()) {
        if !end.said.is_empty() {
            line("It said last", &end.said);
        }
        for happened in &end.last {
            line("Before that", happened);
        }
        if let Some(command) = &end.resume_command {
            line("To go on by hand", command);
        }
    }
    line("To go on", &format!("send mail to {name}"));
    text
}

/// What a program reads. Shortened where the whole would be more than a payload may be.
fn evidence(job: &Job, agent: &Agent, reason: &str) -> String {
    let outcome = job.outcome();
    let end = job.turn.as_ref().and_then(|turn| turn.end.as_ref());
    let ended_at = job.current().and_then(|attempt| attempt.ended_at).or_else(|| job.ended_at());
    let exit = outcome.map(|outcome| {
        serde_json::json!({
            "outcome": outcome.kind.name(), "reason": name_of(outcome.reason),
            "code": outcome.exit_code, "signal": outcome.signal,
        })
    });
    let last: Vec<String> = end.map_or_else(Vec::new, |end| {
        let newest = end.last.iter().rev().take(LAST_MAX).rev();
        newest.map(|line| clip(line, LINE_BYTES_MAX)).collect()
    });
    serde_json::json!({
        "agentName": agent.spec.name,
        "capability": agent.spec.role,
        "taskId": null,
        "reason": reason,
        "lastActivity": ended_at.map(crate::time::Timestamp::rfc3339),
        "terminatedBy": "runner",
        "job": job.id,
        "exit": exit,
        "said": end.map(|end| clip(&end.said, limits::MESSAGE_BYTES_MAX)),
        "last": last,
        "resume": end.and_then(|end| end.resume_command.as_ref()),
    })
    .to_string()
}

/// Lines of what happened last that are told.
const LAST_MAX: usize = 20;
/// Bytes of each.
const LINE_BYTES_MAX: usize = 512;
