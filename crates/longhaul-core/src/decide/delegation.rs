//! Jobs that have other agents work for them, under a part of what they may do themselves.

use super::leases::{self, chain, delegator, denied};
use super::telling::tell_one;
use super::{jobs, sessions};
use crate::amounts::{Account, Amounts};
use crate::command::{Refused, Reply, Submission};
use crate::delegation::{Delegation, Denial, DenialCode};
use crate::event::Fact;
use crate::hosted::{Hosted, is_same_json};
use crate::id::{JobId, SessionId};
use crate::job::Job;
use crate::lease::{AGENT_DELEGATE, FS_READ, FS_WRITE, Lease, Operation};
use crate::limits;
use crate::outcome::{Ending, Outcome, Reason};
use crate::spec::check_word;
use crate::task::TaskFailure;
use crate::world::{Fault, World};
use serde_json::{Map, Value, json};

/// The codes of failures that clients know, as a job may give them itself.
const TOLD_CODES: [&str; 8] = [
    "PERMISSION_DENIED",
    "LEASE_SUBSET_VIOLATION",
    "AGENT_NOT_AVAILABLE",
    "AGENT_VERSION_NOT_AVAILABLE",
    "LEASE_EXPIRED",
    "BUDGET_EXHAUSTED",
    "INVALID_REQUEST",
    "TIMEOUT",
];

/// The code of all that clients know no other for.
const INTERNAL: &str = "INTERNAL_ERROR";

/// Takes up what an attempt asks another agent to do, or says why not.
pub(super) fn delegate(
    world: &mut World<'_>,
    parent: &JobId,
    attempt: u32,
    ask: Delegation,
) -> Result<Reply, Fault> {
    check_word("delegate", &ask.id).map_err(Refused::from)?;
    let job = world.job(parent)?;
    job.fence(attempt)?;
    job.emitted += 1;
    // In any attempt: who was begun anew may not know what the one before has asked for.
    if let Some(known) = world.job_by_key(&key_of(parent, &ask.id))? {
        return again(world, parent, &ask, known);
    }
    let admitted = if ask.event.to_string().len() > limits::CALL_BYTES_MAX {
        tell_one(world, parent, "delegate", outline(&ask))?;
        let message = format!("it has more than {} bytes", limits::CALL_BYTES_MAX);
        Err(Denial::new(DenialCode::InvalidRequest, message))
    } else {
        tell_one(world, parent, "delegate", ask.event.clone())?;
        admit(world, parent, &ask)?
    };
    match admitted {
        Ok((child, budget)) => take_up(world, parent, ask.id, child, &budget),
        Err(denial) => {
            tell_one(world, parent, "tool_result", denial.told(&ask.id))?;
            deny(world, parent, ask.id, denial)
        }
    }
}

/// What followers are told of an ask that is too large to be told.
fn outline(ask: &Delegation) -> Value {
    let agent = ask.event["agent"].as_str().unwrap_or_default();
    let agent = super::clip(agent, limits::WORD_BYTES_MAX);
    json!({ "delegate_id": ask.id, "agent": agent, "input": null })
}

/// The key under which a delegated job is found again. No other key has three lines.
fn key_of(parent: &JobId, id: &str) -> String {
    format!("delegated\n{parent}\n{id}")
}

fn deny(
    world: &mut World<'_>,
    parent: &JobId,
    delegate: String,
    denial: Denial,
) -> Result<Reply, Fault> {
    let fact = Fact::Delegated { delegate, child: None, denied: Some(denial.code) };
    world.record(parent, &fact)?;
    Ok(denied(denial))
}

/// The answer to what was asked before. The name stands for the first ask with it.
fn again(
    world: &mut World<'_>,
    parent: &JobId,
    ask: &Delegation,
    known: JobId,
) -> Result<Reply, Fault> {
    let hosted = world.find_job(&known)?.and_then(|job| job.spec.hosted.clone());
    let asked = ask.child.as_ref().ok().and_then(|child| child.spec.hosted.clone());
    let is_same = match (&hosted, &asked) {
        (Some(known), Some(asked)) => {
            known.agent == asked.agent && is_same_json(&known.input, &asked.input)
        }
        (_, None) | (None, _) => true,
    };
    if is_same {
        let was = jobs::known_as(world, &known)?;
        return Ok(Reply::Submitted(vec![(known, was)]));
    }
    let message = format!("`{}` was asked for differently before; it is {known}", ask.id);
    let details = json!({ "existing_job_id": known.as_str() });
    let denial = Denial { details, ..Denial::new(DenialCode::DuplicateKey, message) };
    deny(world, parent, ask.id.clone(), denial)
}

/// What a parent can give: the child as it will be, and what is set aside for it.
type Admitted = (Box<Submission>, Amounts);

/// Whether the parent may, and has it to give. Looks in the order in which clients are told; the first
/// that is against it is the answer.
fn admit(
    world: &mut World<'_>,
    parent: &JobId,
    ask: &Delegation,
) -> Result<Result<Admitted, Denial>, Fault> {
    let mut child = match &ask.child {
        Ok(child) => child.clone(),
        Err(denial) => return Ok(Err(denial.clone())),
    };
    let Some(asked) = child.spec.hosted.as_deref() else {
        let message = "only agents that are hosted here can be asked";
        return Ok(Err(Denial::new(DenialCode::InvalidRequest, message)));
    };
    let job = world.job(parent)?;
    let above = job.spec.hosted.as_deref().cloned();
    let lease = match above
        .as_ref()
        .map_or_else(|| Ok(asked.lease.clone()), |above| above.lease.narrow(&asked.lease))
    {
        Ok(lease) => lease,
        Err(wider) => return Ok(Err(violation(&wider.capability, &wider.to_string()))),
    };
    if let (Some(denial), true) =
        (check_folder(world, parent, &child.spec.cwd, &lease)?, above.is_some())
    {
        return Ok(Err(denial));
    }
    let job = world.job(parent)?;
    let budget = lease.budget().cloned().unwrap_or_default();
    if let (Some(account), true) = (&job.account, above.is_some())
        && let Err(short) = account.clone().reserve(&child.id, &budget)
    {
        return Ok(Err(violation("cost.budget", &short.to_string())));
    }
    if let Some(above) = &above {
        if let Err(denial) = may_delegate(above, asked) {
            return Ok(Err(denial));
        }
        if let Some(denial) = leases::check_standing(world, parent, &above.lease)? {
            return Ok(Err(denial));
        }
    }
    let session = session_of(world, parent)?;
    if let Some(denial) = check_limits(world, parent, session.as_ref())? {
        return Ok(Err(denial));
    }
    inherit(world.job(parent)?, &mut child, &ask.id, lease);
    child.session = session;
    if let Some(denial) = unfit(world, &child)? {
        return Ok(Err(denial));
    }
    Ok(Ok((child, budget)))
}

/// A relative path is another file in another folder: what is a part of the parent's lease as a text need
/// not be one there.
fn check_folder(
    world: &mut World<'_>,
    parent: &JobId,
    cwd: &str,
    lease: &Lease,
) -> Result<Option<Denial>, Fault> {
    if super::approvals::cwd(world, parent)? == cwd {
        return Ok(None);
    }
    let relative = [FS_READ, FS_WRITE].into_iter().find_map(|capability| {
        let mut patterns = lease.patterns(capability).unwrap_or_default().iter();
        patterns.find(|pattern| pattern.is_relative()).map(|pattern| (capability, pattern.text()))
    });
    Ok(relative.map(|(capability, text)| {
        let words = format!(
            "`{capability}` for `{text}` is seen from the folder of a job, and theirs differ; an \
             absolute path is the same in both"
        );
        violation(capability, &words)
    }))
}

fn violation(capability: &str, message: &str) -> Denial {
    let details = json!({ "capability": capability });
    Denial { details, ..Denial::new(DenialCode::LeaseSubsetViolation, message) }
}

/// Whether the lease grants to ask this agent, by its name alone or with its version.
fn may_delegate(above: &Hosted, asked: &Hosted) -> Result<(), Denial> {
    let check = |name: &str| {
        let operation = Operation::new(AGENT_DELEGATE, name, None)?;
        above.lease.check_grant(&operation)
    };
    check(&asked.reference()).or_else(|_| check(&asked.agent)).map_err(leases::denial_of)
}

/// The session that is told of the child: the parent's, while it is there.
fn session_of(world: &mut World<'_>, parent: &JobId) -> Result<Option<SessionId>, Fault> {
    let Some(session) = world.job(parent)?.session.clone() else { return Ok(None) };
    let is_there = world.find_session(&session)?.is_some_and(|session| !session.is_over());
    Ok(Some(session).filter(|_| is_there))
}

fn check_limits(
    world: &mut World<'_>,
    parent: &JobId,
    session: Option<&SessionId>,
) -> Result<Option<Denial>, Fault> {
    let limited = |code, what: &str, most: u32| {
        let details = json!({ "limit": { "of": what, "max": most } });
        let message = format!("{what}: {most} is the limit");
        Some(Denial { details, ..Denial::new(code, message) })
    };
    let job = world.job(parent)?;
    let depth = job.spec.hosted.as_ref().map_or(0, |hosted| hosted.depth);
    if depth >= limits::DELEGATION_DEPTH_MAX {
        let most = limits::DELEGATION_DEPTH_MAX;
        return Ok(limited(DenialCode::PermissionDenied, "jobs that delegate to each other", most));
    }
    if job.delegations.open >= limits::DELEGATIONS_OPEN_MAX {
        let most = limits::DELEGATIONS_OPEN_MAX;
        return Ok(limited(DenialCode::TooMany, "open jobs that one job delegated", most));
    }
    for id in chain(world, parent)? {
        let below = world.find_job(&id)?.map_or(0, |job| job.delegations.below);
        if below >= limits::DELEGATIONS_BELOW_MAX {
            let most = limits::DELEGATIONS_BELOW_MAX;
            return Ok(limited(DenialCode::PermissionDenied, "jobs delegated below one job", most));
        }
    }
    let most = limits::SESSION_JOBS_MAX;
    let is_full = match session {
        Some(session) => world.session(session)?.open >= most,
        None => false,
    };
    let full = || limited(DenialCode::TooMany, "open jobs of one session", most);
    Ok(is_full.then(full).flatten())
}

/// Why there can be no such job, whoever asks for it. Followers of the parent are told that, too.
fn unfit(world: &mut World<'_>, child: &Submission) -> Result<Option<Denial>, Fault> {
    if let Err(refused) = jobs::check(child) {
        return Ok(Some(Denial::new(DenialCode::InvalidRequest, refused.to_string())));
    }
    let pool = &child.spec.pool;
    let missing =
        || Denial::new(DenialCode::AgentNotAvailable, format!("its pool `{pool}` is gone"));
    Ok(world.pool(pool)?.is_none().then(missing))
}

/// What a child has from its parent, whatever it asked for.
fn inherit(parent: &Job, child: &mut Submission, id: &str, lease: Lease) {
    let above = parent.spec.hosted.as_deref();
    child.key = Some(key_of(&parent.id, id));
    child.parent = Some(parent.id.clone());
    child.owner.clone_from(&parent.owner);
    child.project.clone_from(&parent.project);
    if let Some(hosted) = child.spec.hosted.as_deref_mut() {
        hosted.lease = lease;
        hosted.delegate = Some(id.to_owned());
        hosted.depth = above.map_or(0, |above| above.depth) + 1;
        if let Some(above) = above {
            hosted.trace.clone_from(&above.trace);
        }
    }
}

/// Submits the child, and sets aside what it may spend.
fn take_up(
    world: &mut World<'_>,
    parent: &JobId,
    delegate: String,
    child: Box<Submission>,
    budget: &Amounts,
) -> Result<Reply, Fault> {
    let id = child.id.clone();
    let job = world.job(parent)?;
    job.delegations.open += 1;
    if let Some(account) = job.account.as_mut().filter(|_| !budget.is_empty()) {
        account.reserve(&id, budget).expect("there is enough of it, as was just looked at");
    }
    for above in chain(world, parent)? {
        world.job(&above)?.delegations.below += 1;
    }
    let followers = world.job(parent)?.followers.clone();
    let submitted = jobs::submit_one(world, *child)?;
    for follower in followers {
        follow(world, &follower, &id)?;
    }
    world.record(parent, &Fact::Delegated { delegate, child: Some(id), denied: None })?;
    leases::tell_changed(world, parent)?;
    Ok(Reply::Submitted(vec![submitted]))
}

/// Who follows the parent follows the child, as far as there is room.
fn follow(world: &mut World<'_>, session: &SessionId, child: &JobId) -> Result<(), Fault> {
    let most = limits::SESSION_FOLLOWS_MAX;
    let has_room = world
        .find_session(session)?
        .is_some_and(|session| !session.is_over() && session.follows.len() < most);
    if has_room && world.job(child)?.outcome().is_none() {
        sessions::add_follower(world, session, child)?;
    }
    Ok(())
}

/// A job has ended: what it delegated is of no use to anybody, what it has left goes back to who
/// delegated it, and that one is told.
pub(super) fn ended(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    if job.delegations.open > 0 {
        cancel_all(world, id, "the job that delegated it has ended", false)?;
    } else {
        close(world, id)?;
    }
    report(world, id)
}

/// Asks for the end of all that a job delegated.
pub(super) fn cancel_all(
    world: &mut World<'_>,
    id: &JobId,
    why: &str,
    by_force: bool,
) -> Result<(), Fault> {
    if world.job(id)?.delegations.open == 0 {
        return Ok(());
    }
    for child in world.child_jobs(id)? {
        let is_its = |job: &Job| delegator(job) == Some(id) && job.outcome().is_none();
        if world.find_job(&child)?.is_some_and(is_its) {
            jobs::cancel_one(world, &child, Some(why.to_owned()), by_force)?;
        }
    }
    Ok(())
}

/// What a job has left goes to who delegated it, once nobody can spend it any more: it has ended, and
/// so has all that it delegated.
fn close(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let mut next = Some(id.clone());
    while let Some(id) = next.take() {
        let job = world.job(&id)?;
        if job.outcome().is_none() || job.delegations.open > 0 {
            break;
        }
        let rest = job.account.as_ref().map(Account::rest);
        let above = delegator(job).cloned();
        let Some(above) = above else { break };
        if world.find_job(&above)?.is_none() {
            break;
        }
        let parent = world.job(&above)?;
        parent.delegations.open = parent.delegations.open.saturating_sub(1);
        if let (Some(account), Some(rest)) = (&mut parent.account, rest) {
            account.refund(&id, &rest);
        }
        leases::tell_changed(world, &above)?;
        next = Some(above);
    }
    Ok(())
}

/// Tells who delegated a job how it ended.
fn report(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    let Some(parent) = delegator(job).cloned() else { return Ok(()) };
    let name = job.spec.hosted.as_ref().and_then(|hosted| hosted.delegate.clone());
    let Some((outcome, name)) = job.outcome().cloned().zip(name) else { return Ok(()) };
    let body = if outcome.is_success() {
        json!({ "call_id": name, "result": result_of(job) })
    } else {
        json!({ "call_id": name, "error": error_of(job, &outcome) })
    };
    if world.find_job(&parent)?.is_none_or(|parent| parent.outcome().is_some()) {
        return Ok(());
    }
    tell_one(world, &parent, "tool_result", body)
}

/// What a job gave back; where to find it if that is too large to be said twice.
fn result_of(job: &Job) -> Value {
    if let Some(stream) = &job.stream {
        return json!({ "job_id": job.id.as_str(), "result_id": stream.id });
    }
    let Some(result) = &job.result else { return Value::Null };
    let structured = result.structured.as_deref();
    if structured.map_or(result.text.len(), str::len) > limits::DELEGATED_RESULT_BYTES_MAX {
        return json!({ "job_id": job.id.as_str() });
    }
    match structured {
        Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        None if result.text.is_empty() => Value::Null,
        None => Value::String(result.text.clone()),
    }
}

/// What went wrong in the job's own words. A code that clients do not know stands beside one that they do.
fn failed(failure: &TaskFailure) -> Value {
    let TaskFailure { code, message, is_retryable, details } = failure;
    let details = details.as_deref().map(serde_json::from_str::<Value>);
    let mut details = match details {
        Some(Ok(Value::Object(details))) => details,
        _ => Map::new(),
    };
    let is_known = TOLD_CODES.contains(&code.as_str());
    if !is_known && code != INTERNAL {
        details.insert("code".to_owned(), json!(code));
    }
    // Some codes say themselves whether that is of use, whatever anybody says.
    let is_final = matches!(code.as_str(), "LEASE_EXPIRED" | "BUDGET_EXHAUSTED");
    let (code, is_retryable) =
        if is_known { (code.as_str(), *is_retryable && !is_final) } else { (INTERNAL, true) };
    let mut error = json!({ "code": code, "message": message, "retryable": is_retryable });
    if !details.is_empty() {
        error["details"] = Value::Object(details);
    }
    error
}

fn error_of(job: &Job, outcome: &Outcome) -> Value {
    let failure = job.result.as_ref().and_then(|result| result.failure.as_ref());
    // How it was ended goes before what it says of itself.
    let is_ended = outcome.kind != Ending::Failed
        || matches!(outcome.reason, Some(Reason::Lease | Reason::Budget));
    if let Some(failure) = failure.filter(|_| !is_ended) {
        return failed(failure);
    }
    let (code, is_retryable) = match (outcome.kind, outcome.reason) {
        (_, Some(Reason::Lease)) => ("LEASE_EXPIRED", false),
        (_, Some(Reason::Budget)) => ("BUDGET_EXHAUSTED", false),
        (Ending::Cancelled, _) => ("CANCELLED", false),
        (Ending::TimedOut, _) => ("TIMEOUT", true),
        (Ending::Succeeded | Ending::Failed | Ending::Lost, _) => (INTERNAL, true),
    };
    let words = outcome.message.clone().unwrap_or_else(|| outcome.kind.name().to_owned());
    let details = json!({ "job_id": job.id.as_str() });
    json!({ "code": code, "message": words, "retryable": is_retryable, "details": details })
}
