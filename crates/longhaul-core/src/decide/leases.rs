//! What jobs may do under their leases, and what they spend of their budgets.
//!
//! A job that somebody delegated spends what it was given and then what those above it have, so every
//! look at a budget is a look at the whole chain.

use super::telling::tell_decided;
use crate::amounts::{self, Account, Amount, Currency};
use crate::command::{Refused, Reply};
use crate::delegation::{CallMade, Denial, DenialCode, OperationAsk};
use crate::event::Fact;
use crate::id::JobId;
use crate::job::Job;
use crate::lease::{Denied, FS_READ, FS_WRITE, Lease, MODEL_USE, NET_FETCH, Operation, TOOL_CALL};
use crate::limits;
use crate::policy::ToolCall;
use crate::world::{Fault, World};
use serde_json::{Value, json};

/// Answers an operation of an attempt by its job's lease.
pub(super) fn authorize(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    ask: &OperationAsk,
) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    job.fence(attempt)?;
    // Who asks is alive.
    job.emitted += 1;
    let is_made = ask.call.as_ref().is_some_and(|call| !call.args.is_null());
    if is_made {
        bound_call(ask)?;
    }
    // A function is in no folder of its own: what it names is what it says.
    let is_function = world.job(id)?.spec.task.is_some();
    let cwd = if is_function { None } else { Some(super::approvals::cwd(world, id)?) };
    let targets = [Some(&ask.target), ask.resolved.as_ref()];
    let asked = targets.into_iter().flatten().map(|target| (ask.capability.as_str(), target));
    let asked: Vec<(&str, &str)> = asked.map(|(name, target)| (name, target.as_str())).collect();
    let denial = check(world, id, &asked, cwd.as_deref())?;
    let call = ask.call.as_ref();
    if let Some(call) = call {
        match &denial {
            None => tell_decided(world, id, "tool_call", made(call))?,
            Some(denial) => {
                tell_decided(world, id, "tool_result", denial.told(&call.call_id))?;
            }
        }
    }
    // What was told of a tool call is in the journal already.
    if call.is_none() || ask.capability != TOOL_CALL {
        let capability = super::clip(&ask.capability, limits::WORD_BYTES_MAX);
        let target = super::clip(&ask.target, limits::TARGET_BYTES_MAX);
        let denied = denial.as_ref().map(|denial| denial.code);
        world.record(id, &Fact::OperationDecided { capability, target, denied })?;
    }
    Ok(denial.map_or(Reply::Allowed, denied))
}

/// A no, as it is answered.
pub(super) fn denied(denial: Denial) -> Reply {
    Reply::Denied { code: denial.code, reason: denial.message }
}

fn bound_call(ask: &OperationAsk) -> Result<(), Refused> {
    let size = ask.call.as_ref().map_or(0, |call| call.args.to_string().len());
    if size > limits::CALL_BYTES_MAX {
        let limit = limits::CALL_BYTES_MAX as u64;
        return Err(Refused::TooMany { what: "bytes in a tool call", limit });
    }
    Ok(())
}

fn made(call: &CallMade) -> Value {
    let mut body = json!({ "tool": call.tool, "call_id": call.call_id });
    if !call.args.is_null() {
        body["args"] = call.args.clone();
    }
    body
}

/// What the lease says against a tool call that a hook put to us: to the call itself, and to what it
/// would touch as far as that can be told from it.
pub(super) fn check_call(
    world: &mut World<'_>,
    id: &JobId,
    call: &ToolCall,
    cwd: &str,
) -> Result<Option<Denial>, Fault> {
    let touched = [(FS_WRITE, &call.writes), (FS_READ, &call.reads), (NET_FETCH, &call.fetches)];
    let touched = touched
        .into_iter()
        .flat_map(|(capability, all)| all.iter().map(move |one| (capability, one.as_str())));
    let asked: Vec<(&str, &str)> =
        [(TOOL_CALL, call.tool.as_str())].into_iter().chain(touched).collect();
    check(world, id, &asked, Some(cwd))
}

/// Whether a job may do all of this now: first that its authority is not over, then that it has
/// something left to spend, then that each is granted. What nobody gave a lease is bound by none.
fn check(
    world: &mut World<'_>,
    id: &JobId,
    asked: &[(&str, &str)],
    cwd: Option<&str>,
) -> Result<Option<Denial>, Fault> {
    let Some(hosted) = world.job(id)?.spec.hosted.clone() else { return Ok(None) };
    if let Some(denial) = check_standing(world, id, &hosted.lease)? {
        return Ok(Some(denial));
    }
    let check = |(capability, target): &(&str, &str)| {
        let operation = Operation::new(capability, target, cwd)?;
        // Where the lease says nothing of models, that is left to the home.
        let is_free = *capability == MODEL_USE && !hosted.lease.names(MODEL_USE);
        if is_free { Ok(()) } else { hosted.lease.check_grant(&operation) }
    };
    Ok(asked.iter().find_map(|asked| check(asked).err()).map(denial_of))
}

/// Whether a job's authority is over, or what it may spend is spent.
pub(super) fn check_standing(
    world: &mut World<'_>,
    id: &JobId,
    lease: &Lease,
) -> Result<Option<Denial>, Fault> {
    if let Err(expired) = lease.check_expiry(world.now()) {
        return Ok(Some(denial_of(expired)));
    }
    let accounts = accounts(world, id)?;
    let chain: Vec<&Account> = accounts.iter().map(|(_, account)| account).collect();
    let spent = amounts::exhausted(&chain).cloned();
    Ok(spent.map(|currency| denial_of(Denied::Exhausted { currency })))
}

/// A no of a lease, with what programs may want to know.
pub(super) fn denial_of(denied: Denied) -> Denial {
    let (code, details) = match &denied {
        Denied::Expired { at } => (DenialCode::LeaseExpired, json!({ "expired_at": at.rfc3339() })),
        Denied::NotGranted { capability, target }
        | Denied::BadTarget { capability, target, .. } => {
            let details = json!({ "capability": capability, "target": target });
            (DenialCode::PermissionDenied, details)
        }
        Denied::Exhausted { currency } => {
            (DenialCode::BudgetExhausted, json!({ "currency": currency.as_str() }))
        }
    };
    Denial { code, message: denied.message(), details }
}

/// Who delegated a job.
pub(crate) fn delegator(job: &Job) -> Option<&JobId> {
    let hosted = job.spec.hosted.as_ref().filter(|hosted| hosted.delegate.is_some());
    hosted.and(job.parent.as_ref())
}

/// A job, who delegated it, who delegated that, and so on.
pub(super) fn chain(world: &mut World<'_>, id: &JobId) -> Result<Vec<JobId>, Fault> {
    let mut chain = vec![id.clone()];
    let mut next = world.find_job(id)?.and_then(delegator).cloned();
    while let Some(above) = next.filter(|_| chain.len() <= limits::DELEGATION_DEPTH_MAX as usize) {
        next = world.find_job(&above)?.and_then(delegator).cloned();
        chain.push(above);
    }
    Ok(chain)
}

/// The budgets that a job spends from, in the order in which it does.
fn accounts(world: &mut World<'_>, id: &JobId) -> Result<Vec<(JobId, Account)>, Fault> {
    let mut accounts = Vec::new();
    for id in chain(world, id)? {
        let account = world.find_job(&id)?.and_then(|job| job.account.clone());
        accounts.extend(account.map(|account| (id, account)));
    }
    Ok(accounts)
}

/// Charges a job, and those above it for what it has not got. Gives the entry that tells what the job
/// itself has left, where that is to be told; the others are told at once.
pub(super) fn charge(
    world: &mut World<'_>,
    id: &JobId,
    currency: &Currency,
    amount: Amount,
) -> Result<Option<String>, Fault> {
    let mut accounts = accounts(world, id)?;
    let mut chain: Vec<&mut Account> = accounts.iter_mut().map(|(_, account)| account).collect();
    let paid = amounts::charge(&mut chain, currency, amount)
        .map_err(|bad| Refused::BadCharge(bad.to_string()))?;
    let mut own = None;
    for (place, debited) in paid {
        let (payer, account) = accounts[place].clone();
        world.job(&payer)?.account = Some(account);
        if !debited.must_tell {
            continue;
        }
        if payer == *id {
            own = Some(remaining(currency, debited.remaining));
        } else {
            tell_remaining(world, &payer, currency, debited.remaining)?;
        }
    }
    Ok(own)
}

/// Tells what a job has left where more of it was set aside, or came back, than goes without saying.
pub(super) fn tell_changed(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(account) = world.job(id)?.account.as_mut() else { return Ok(()) };
    let currencies: Vec<Currency> =
        account.initial().iter().map(|(name, _)| name.clone()).collect();
    let mut changed = Vec::new();
    for currency in currencies {
        let looked_at = account
            .debit(&currency, Amount::ZERO)
            .map_err(|bad| Refused::BadCharge(bad.to_string()))?;
        let worth = looked_at.filter(|debited| debited.must_tell);
        changed.extend(worth.map(|debited| (currency, debited.remaining)));
    }
    for (currency, left) in changed {
        tell_remaining(world, id, &currency, left)?;
    }
    Ok(())
}

fn tell_remaining(
    world: &mut World<'_>,
    id: &JobId,
    currency: &Currency,
    left: Amount,
) -> Result<(), Fault> {
    if world.job(id)?.outcome().is_some() {
        return Ok(());
    }
    world.record_told(id, vec![remaining(currency, left)])
}

fn remaining(currency: &Currency, left: Amount) -> String {
    let (value, unit) = (left.to_json(), currency.as_str());
    let body = json!({ "name": "cost.budget.remaining", "value": value, "unit": unit });
    super::telling::text_of("metric", body)
}
