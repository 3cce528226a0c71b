//! Tool calls that ask, and people who answer. A question is told to its owner in the commit that asks
//! it, and is nobody's news any more in the commit that answers it.

use super::{clip, deliveries, leases, turns};
use crate::approval::{Approval, ApprovalState, Question};
use crate::command::{Refused, Reply};
use crate::delegation::DenialCode;
use crate::event::{Decision, Fact};
use crate::id::{ApprovalId, JobId};
use crate::job::Job;
use crate::limits;
use crate::mail::OURSELVES;
use crate::policy::{self, Answer, ToolCall};
use crate::port::{Phase, Table};
use crate::turn::Policy;
use crate::world::{Fault, World, approval_ids};

/// Answers a tool call by the turn's policy, or asks a person.
pub(super) fn authorize(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    call: &ToolCall,
) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    if job.phase() != Phase::Active || job.attempt != attempt {
        return Err(Refused::Stale(id.clone()).into());
    }
    // Who asks is alive.
    job.emitted += 1;
    let (policy, cwd) = rules(world, id)?;
    if let Some(denial) = leases::check_call(world, id, call, &cwd)? {
        return deny(world, id, call, Some(denial.code), denial.message);
    }
    let known = ApprovalId::of(id, &format!("tool:{}", call.key));
    if let Some(known) = world.approval(&known)?.clone() {
        return again(world, id, call, known);
    }
    match policy::answer(&policy, call, &cwd) {
        Answer::Allow => decided(world, id, call, Decision::Allowed, None, None, Reply::Allowed),
        Answer::Unsaid => decided(world, id, call, Decision::Unsaid, None, None, Reply::Unsaid),
        Answer::Deny(reason) => deny(world, id, call, None, reason),
        Answer::Ask => {
            let question = Question::Tool {
                call: clip(&call.call, limits::WORD_BYTES_MAX),
                tool: clip(&call.tool, limits::WORD_BYTES_MAX),
                input: clip(&call.input, limits::TOOL_INPUT_BYTES_MAX),
            };
            if is_full(world, id)? {
                let most = limits::QUESTIONS_PER_JOB_MAX;
                let reason = format!(
                    "this turn has asked more than its {most} questions, or has too many open"
                );
                return deny(world, id, call, None, reason);
            }
            put(world, id, &known, question)?;
            decided(world, id, call, Decision::Asked, None, None, Reply::Asked(known))
        }
    }
}

/// The answer to a call about which a person was asked before.
fn again(
    world: &mut World<'_>,
    id: &JobId,
    call: &ToolCall,
    known: Approval,
) -> Result<Reply, Fault> {
    match known.state {
        // Nothing new, however often it is asked.
        ApprovalState::Asked => Ok(Reply::Asked(known.id)),
        ApprovalState::Allowed { .. } => {
            decided(world, id, call, Decision::Allowed, None, None, Reply::Allowed)
        }
        ApprovalState::Denied { by, reason, .. } => {
            let reason = match reason {
                Some(reason) => format!("{by} said no: {reason}"),
                None => format!("{by} said no"),
            };
            deny(world, id, call, None, reason)
        }
        ApprovalState::Lapsed { because, .. } => deny(world, id, call, None, because),
    }
}

fn deny(
    world: &mut World<'_>,
    id: &JobId,
    call: &ToolCall,
    code: Option<DenialCode>,
    reason: String,
) -> Result<Reply, Fault> {
    let reason = clip(&reason, limits::MESSAGE_BYTES_MAX);
    let said = code.unwrap_or(DenialCode::PermissionDenied);
    let reply = Reply::Denied { code: said, reason: reason.clone() };
    decided(world, id, call, Decision::Denied, code, Some(reason), reply)
}

fn decided(
    world: &mut World<'_>,
    id: &JobId,
    call: &ToolCall,
    decision: Decision,
    code: Option<DenialCode>,
    reason: Option<String>,
    reply: Reply,
) -> Result<Reply, Fault> {
    // Some CLIs say nothing of a call that was denied, so that here is the only place that does.
    let is_denied = decision == Decision::Denied;
    let input = is_denied.then(|| clip(&call.input, limits::TOOL_INPUT_BYTES_MAX));
    let fact = Fact::ToolDecided {
        call: clip(&call.call, limits::WORD_BYTES_MAX),
        tool: clip(&call.tool, limits::WORD_BYTES_MAX),
        decision,
        code,
        reason,
        input,
    };
    world.record(id, &fact)?;
    Ok(reply)
}

/// Where a job's current attempt runs.
pub(super) fn cwd(world: &mut World<'_>, id: &JobId) -> Result<String, Fault> {
    Ok(rules(world, id)?.1)
}

/// What the turn's current attempt may do, and where it runs: as it was told when it began.
fn rules(world: &mut World<'_>, id: &JobId) -> Result<(Policy, String), Fault> {
    let job = world.job(id)?;
    let (attempt, cwd) = (job.attempt, job.spec.cwd.clone());
    let Some(turn) = job.spec.turn.clone() else { return Ok((Policy::default(), cwd)) };
    if let Some(input) = world.input(id)?.as_ref().filter(|input| input.attempt == attempt) {
        return Ok((input.agent.policy.clone(), input.agent.cwd.clone()));
    }
    let of_agent = world.find_agent(&turn.agent)?.map(|agent| agent.spec.policy.clone());
    Ok((turn.policy.or(of_agent).unwrap_or_default(), cwd))
}

/// Asks a person about a turn. A question of the same kind that is open already is the same question,
/// and so is one about the same tool call.
pub(super) fn ask(
    world: &mut World<'_>,
    job: &JobId,
    question: Question,
) -> Result<ApprovalId, Fault> {
    let of_call = match &question {
        Question::Tool { call, .. } => Some(ApprovalId::of(job, &format!("tool:{call}"))),
        Question::Budget { .. } | Question::Limit { .. } | Question::Silence { .. } => None,
    };
    if let Some(of_call) = &of_call
        && world.approval(of_call)?.is_some()
    {
        return Ok(of_call.clone());
    }
    let open = if of_call.is_none() { open_of(world, job)? } else { Vec::new() };
    for open in open {
        if std::mem::discriminant(&open.question) == std::mem::discriminant(&question) {
            return Ok(open.id);
        }
    }
    if is_full(world, job)? {
        let limit = limits::QUESTIONS_PER_JOB_MAX.into();
        return Err(Refused::TooMany { what: "questions about one turn", limit }.into());
    }
    let id = of_call.unwrap_or_else(|| {
        ApprovalId::of(job, &format!("{}:{}", question.name(), world.next_seq()))
    });
    put(world, job, &id, question)?;
    Ok(id)
}

fn is_full(world: &mut World<'_>, job: &JobId) -> Result<bool, Fault> {
    let most = limits::QUESTIONS_PER_JOB_MAX;
    let all = world.scan()?.children(Table::Approval, job.as_str(), "", most)?.len();
    Ok(all >= most as usize || open_of(world, job)?.len() >= limits::QUESTIONS_OPEN_MAX)
}

/// Makes a question, and owes the news of it.
fn put(
    world: &mut World<'_>,
    id: &JobId,
    approval: &ApprovalId,
    question: Question,
) -> Result<(), Fault> {
    let now = world.now();
    let (policy, _) = rules(world, id)?;
    // Silence may be broken at any time, and nothing is worse for waiting.
    let gives_up = !matches!(question, Question::Silence { .. });
    let give_up_at = policy.ask_for.filter(|_| gives_up).map(|span| now.plus(span));
    let job: &mut Job = world.job(id)?;
    let agent = job.spec.turn.as_ref().map(|turn| turn.agent.clone()).unwrap_or_default();
    let (attempt, owner) = (job.attempt, job.owner.clone());
    if let Some(turn) = &mut job.turn {
        turn.asks = Some(approval.clone());
    }
    // Its standing follows from this.
    world.stir_agent(&agent);
    *world.approval(approval)? = Some(Approval {
        id: approval.clone(),
        job: id.clone(),
        attempt,
        agent,
        owner,
        question: question.clone(),
        asked_at: now,
        give_up_at,
        state: ApprovalState::Asked,
    });
    world.record(id, &Fact::QuestionAsked { approval: approval.clone(), question })?;
    deliveries::owe_question(world, id, approval)
}

/// A person has answered. The same answer again is no news.
pub(super) fn answer(
    world: &mut World<'_>,
    id: &ApprovalId,
    is_allowed: bool,
    reason: Option<String>,
    by: String,
) -> Result<Reply, Fault> {
    let now = world.now();
    let by = clip(&by, limits::WORD_BYTES_MAX);
    let reason = reason.map(|reason| clip(&reason, limits::MESSAGE_BYTES_MAX));
    let approval = world.approval(id)?.as_ref().ok_or_else(|| Refused::NoApproval(id.clone()))?;
    let (state, name) = if is_allowed {
        (ApprovalState::Allowed { at: now, by: by.clone() }, "allowed")
    } else {
        (ApprovalState::Denied { at: now, by: by.clone(), reason: reason.clone() }, "denied")
    };
    if !approval.is_open() {
        if approval.state.name() == name {
            return Ok(Reply::Done);
        }
        let state = approval.state.name();
        return Err(Refused::Answered { approval: id.clone(), state }.into());
    }
    let approval = close(world, id, state, Some(by), reason)?;
    turns::answered(world, &approval)?;
    Ok(Reply::Done)
}

/// Nobody has answered in time.
pub(crate) fn due_approval(world: &mut World<'_>, id: &ApprovalId) -> Result<(), Fault> {
    let now = world.now();
    let approval = world.approval(id)?.as_ref().ok_or_else(|| Refused::NoApproval(id.clone()))?;
    if !approval.is_open() || approval.give_up_at.is_none_or(|at| at > now) {
        return Ok(());
    }
    let because = format!("nobody answered within {}", now.since(approval.asked_at));
    let approval = lapse(world, id, &because)?;
    turns::answered(world, &approval)
}

/// A question is of no use any more. What that means for its turn is the caller's business.
pub(super) fn lapse(
    world: &mut World<'_>,
    id: &ApprovalId,
    because: &str,
) -> Result<Approval, Fault> {
    let (at, because) = (world.now(), clip(because, limits::MESSAGE_BYTES_MAX));
    let state = ApprovalState::Lapsed { at, because: because.clone() };
    close(world, id, state, None, Some(because))
}

/// No question about the turn is of use any more.
pub(super) fn lapse_all(world: &mut World<'_>, job: &JobId, because: &str) -> Result<(), Fault> {
    for open in open_of(world, job)? {
        lapse(world, &open.id, because)?;
    }
    Ok(())
}

/// The questions about a turn that wait for an answer, by id.
pub(super) fn open_of(world: &mut World<'_>, job: &JobId) -> Result<Vec<Approval>, Fault> {
    let most = limits::QUESTIONS_PER_JOB_MAX;
    let mut open = Vec::new();
    for id in approval_ids(world.scan()?.children(Table::Approval, job.as_str(), "", most)?)? {
        open.extend(world.approval(&id)?.clone().filter(Approval::is_open));
    }
    Ok(open)
}

fn close(
    world: &mut World<'_>,
    id: &ApprovalId,
    state: ApprovalState,
    by: Option<String>,
    reason: Option<String>,
) -> Result<Approval, Fault> {
    let approval = world.approval(id)?.as_mut().ok_or_else(|| Refused::NoApproval(id.clone()))?;
    approval.state = state;
    let closed = approval.clone();
    let answer = closed.state.name().to_owned();
    let knows = by.clone().unwrap_or_else(|| OURSELVES.to_owned());
    world.stir_agent(&closed.agent);
    let fact = Fact::QuestionAnswered { approval: id.clone(), answer, by, reason };
    world.record(&closed.job, &fact)?;
    deliveries::settle_question(world, &closed.job, id, &knows)?;
    Ok(closed)
}
