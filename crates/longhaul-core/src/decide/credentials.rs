//! Credentials of jobs: made before a job may start, replaced while it runs, revoked when it has ended.

use super::settle;
use super::telling::tell_one;
use crate::command::{Refused, Reply, Submission};
use crate::credential::{AfterMintFailed, Credential, Made, ROTATED};
use crate::event::Fact;
use crate::id::{CredentialId, JobId};
use crate::limits;
use crate::port::Table;
use crate::spec::check_word;
use crate::time::Millis;
use crate::world::{Fault, World, credential_ids};
use serde_json::json;
use std::collections::BTreeSet;

/// Refuses a job that names issuers in a way that cannot be kept.
pub(super) fn check(issuers: &[String]) -> Result<(), Refused> {
    if issuers.len() > limits::CREDENTIALS_PER_JOB_MAX {
        let limit = limits::CREDENTIALS_PER_JOB_MAX as u64;
        return Err(Refused::TooMany { what: "credentials of a job", limit });
    }
    Ok(issuers.iter().try_for_each(|issuer| check_word("issuer", issuer))?)
}

/// What a session agrees on that its jobs are given credentials for.
const FEATURE: &str = "provisioned_credentials";

/// Who asks through a session that does not know of credentials gets a job without any.
pub(super) fn provide(world: &mut World<'_>, asked: &mut Submission) -> Result<(), Fault> {
    let (Some(hosted), Some(session)) = (&mut asked.spec.hosted, &asked.session) else {
        return Ok(());
    };
    if !hosted.credentials.is_empty() {
        let session = world.find_session(session)?;
        let is_agreed = session.is_some_and(|session| session.features.contains(FEATURE));
        hosted.credentials.retain(|_| is_agreed);
    }
    Ok(())
}

/// Has made what a new job needs: one credential of each issuer that it names.
pub(super) fn begin(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let job = world.job(id)?;
    if !job.is_preparing() {
        return Ok(());
    }
    for issuer in job.issuers().to_vec() {
        let credential = Credential::new(id, &issuer, &host, now);
        let slot = world.credential(&credential.id)?;
        *slot = Some(credential);
    }
    Ok(())
}

/// A job has ended: all its credentials are to be revoked.
pub(super) fn end(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    if world.job(id)?.issuers().is_empty() {
        return Ok(());
    }
    let (now, host) = (world.now(), world.place().host.clone());
    for id in of_job(world, id)? {
        if let Some(credential) = world.credential(&id)? {
            credential.revoke(&host, now);
        }
    }
    Ok(())
}

/// Whoever asked for credentials on this host is gone, and heard no answer: it may come to something yet.
pub(super) fn all_in_doubt(world: &mut World<'_>) -> Result<(), Fault> {
    let (host, now) = (&world.place().host, world.now());
    let mut after = String::new();
    loop {
        let most = limits::STEP_DUE_MAX;
        let ids = world.scan()?.active_on(Table::Credential, host, &after, most)?;
        let Some(last) = ids.last() else { return Ok(()) };
        after.clone_from(last);
        for id in credential_ids(ids)? {
            world.credential(&id)?.iter_mut().for_each(|known| known.doubt(now));
        }
    }
}

fn of_job(world: &mut World<'_>, id: &JobId) -> Result<Vec<CredentialId>, Fault> {
    // What was replaced goes when it is revoked: there are a few for each issuer at most.
    let rows = world.children(Table::Credential, id.as_str(), u32::MAX)?;
    Ok(credential_ids(rows)?)
}

/// The credential that a report is about.
fn known<'a>(world: &'a mut World<'_>, id: &CredentialId) -> Result<&'a mut Credential, Fault> {
    let slot = world.credential(id)?.as_mut();
    slot.ok_or_else(|| Refused::StaleCredential(id.clone()).into())
}

/// Records a fact about a credential with its job, or with the home where that is gone.
fn record(world: &mut World<'_>, job: &JobId, fact: &Fact) -> Result<(), Fault> {
    if world.find_job(job)?.is_some() {
        return world.record(job, fact);
    }
    world.record_general(fact);
    Ok(())
}

/// A credential was made. The job's last one lets it go on.
pub(super) fn minted(
    world: &mut World<'_>,
    id: &CredentialId,
    number: u32,
    made: Made,
) -> Result<Reply, Fault> {
    let size = made.sealed.len().max(made.shown.len());
    if size > limits::CREDENTIAL_BYTES_MAX {
        let problem = format!("{size} bytes are more than a credential may have");
        return mint_failed(world, id, number, &problem, true);
    }
    let now = world.now();
    let credential = known(world, id)?;
    credential.minted(number, made, now)?;
    let (credential, replaces) = (credential.clone(), credential.replaces.clone());
    let (job, issuer) = (credential.job.clone(), credential.issuer.clone());
    let fact = Fact::CredentialMinted { credential: id.clone(), issuer: issuer.clone() };
    record(world, &job, &fact)?;
    if let Some(replaces) = replaces {
        if let Some(old) = world.credential(&replaces)? {
            old.replaced(now);
        }
        record(world, &job, &Fact::CredentialRotated { credential: id.clone(), replaces, issuer })?;
        // Its value is added for whoever may have it when this is told; `generation` says which.
        let (shown, generation) = (credential.shown_id(), credential.generation);
        let body = json!({ "phase": ROTATED, "id": shown.as_str(), "generation": generation });
        tell_one(world, &job, "status", body)?;
        return Ok(Reply::Done);
    }
    for id in of_job(world, &job)? {
        // What is to take the place of a good one is not waited for.
        let is_missing = |of: &Credential| of.is_minting() && of.replaces.is_none();
        if world.credential(&id)?.as_ref().is_some_and(is_missing) {
            return Ok(Reply::Done);
        }
    }
    world.job(&job)?.prepared(now);
    Ok(Reply::Done)
}

/// A credential was not made. What the job needs it cannot do without; what was to take another's place
/// is tried another time.
pub(super) fn mint_failed(
    world: &mut World<'_>,
    id: &CredentialId,
    number: u32,
    problem: &str,
    is_final: bool,
) -> Result<Reply, Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let credential = known(world, id)?;
    let after = credential.mint_failed(number, problem, is_final, (&host, now))?;
    let (job, issuer) = (credential.job.clone(), credential.issuer.clone());
    let replaces = credential.replaces.clone();
    let problem = credential.problem.clone().unwrap_or_default();
    let again_at = match after {
        AfterMintFailed::Again(at) => Some(at),
        AfterMintFailed::GivenUp => None,
    };
    let message = format!("issuer `{issuer}`: {problem}");
    let fact = Fact::CredentialFailed { credential: id.clone(), issuer, problem, again_at };
    record(world, &job, &fact)?;
    if again_at.is_some() {
        return Ok(Reply::Done);
    }
    match replaces {
        Some(old) => {
            if let Some(old) = world.credential(&old)? {
                old.rotate_later(now);
            }
        }
        None if world.job(&job)?.credentials_failed(message, now) => settle(world, &job)?,
        None => {}
    }
    Ok(Reply::Done)
}

/// A credential was revoked. Its row goes where nobody asks for it: with a job that is gone, or that
/// has others instead.
pub(super) fn revoked(
    world: &mut World<'_>,
    id: &CredentialId,
    number: u32,
) -> Result<Reply, Fault> {
    let now = world.now();
    let credential = known(world, id)?;
    if !credential.revoked(number, now)? {
        return Ok(Reply::Done);
    }
    let (job, issuer) = (credential.job.clone(), credential.issuer.clone());
    record(world, &job, &Fact::CredentialRevoked { credential: id.clone(), issuer })?;
    if world.find_job(&job)?.is_none_or(|job| job.outcome().is_none()) {
        *world.credential(id)? = None;
    }
    Ok(Reply::Done)
}

/// A credential was not revoked.
pub(super) fn revoke_failed(
    world: &mut World<'_>,
    id: &CredentialId,
    number: u32,
    problem: &str,
) -> Result<Reply, Fault> {
    let now = world.now();
    let credential = known(world, id)?;
    if credential.revoke_failed(number, problem, now)? {
        let (job, issuer) = (credential.job.clone(), credential.issuer.clone());
        let problem = credential.problem.clone().unwrap_or_default();
        record(world, &job, &Fact::CredentialStuck { credential: id.clone(), issuer, problem })?;
    }
    Ok(Reply::Done)
}

/// Has others made that take the place of a job's credentials; of the one of an issuer, if it is named.
pub(super) fn rotate(
    world: &mut World<'_>,
    id: &JobId,
    issuer: Option<&str>,
) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    if let Some(outcome) = job.outcome() {
        let outcome = Box::new(outcome.clone());
        return Err(Refused::Ended { job: id.clone(), outcome }.into());
    }
    if let Some(issuer) = issuer.filter(|issuer| !job.issuers().iter().any(|its| its == issuer)) {
        return Err(Refused::NoCredential { job: id.clone(), issuer: issuer.to_owned() }.into());
    }
    let mut made = 0;
    for id in of_job(world, id)? {
        let is_meant = |known: &Credential| issuer.is_none_or(|issuer| known.issuer == issuer);
        if world.credential(&id)?.as_ref().is_some_and(is_meant) {
            made += u32::from(replace(world, &id)?);
        }
    }
    Ok(Reply::Tried(made))
}

/// Has another made that takes the place of a credential. Gives whether it was good, and none is made
/// already.
fn replace(world: &mut World<'_>, id: &CredentialId) -> Result<bool, Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let old = world.credential(id)?.clone();
    let Some(old) = old.filter(Credential::is_active) else { return Ok(false) };
    let newest = CredentialId::of(&old.job, &old.issuer, old.latest);
    if newest != *id && world.credential(&newest)?.as_ref().is_some_and(Credential::is_minting) {
        return Ok(false);
    }
    let next = world.credential(id)?.as_mut().map(|old| old.rotate(&host, now));
    if let Some(next) = next {
        let slot = world.credential(&next.id)?;
        *slot = Some(next);
    }
    Ok(true)
}

/// Tries at once what could not be revoked.
pub(super) fn retry_revoking(world: &mut World<'_>) -> Result<Reply, Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let (mut tried, mut after) = (0, String::new());
    while tried < limits::CREDENTIALS_AT_ONCE {
        let rows = world.scan()?.ids(Table::Credential, &after, limits::STEP_DUE_MAX)?;
        let Some(last) = rows.last() else { break };
        after.clone_from(last);
        for id in credential_ids(rows)? {
            let slot = world.credential(&id)?;
            tried += u32::from(slot.as_mut().is_some_and(|known| known.try_again(&host, now)));
        }
    }
    Ok(Reply::Tried(tried))
}

/// The machine slept, and so did whoever makes and revokes credentials: neither they nor the jobs that
/// wait for them have any less time for it.
pub(super) fn woke(world: &mut World<'_>, slept: Millis) -> Result<(), Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let (mut waiting, mut after) = (BTreeSet::new(), String::new());
    loop {
        let rows = world.scan()?.ids(Table::Credential, &after, limits::STEP_DUE_MAX)?;
        let Some(last) = rows.last() else { break };
        after.clone_from(last);
        for id in credential_ids(rows)? {
            // What another host tries goes on: that one may be awake.
            let is_ours = |one: &Credential| one.host.as_ref().is_none_or(|of| *of == host);
            let known = world.credential(&id)?.as_mut();
            if let Some(credential) = known.filter(|one| !one.is_over() && is_ours(one)) {
                credential.woke(slept);
                waiting.insert(credential.job.clone());
            }
        }
    }
    for id in waiting {
        if world.find_job(&id)?.is_some_and(|job| job.is_preparing()) {
            world.job(&id)?.woke(slept, now);
        }
    }
    Ok(())
}

/// A credential's hour has come.
pub(crate) fn due_credential(world: &mut World<'_>, id: &CredentialId) -> Result<(), Fault> {
    let (now, host) = (world.now(), world.place().host.clone());
    let credential = known(world, id)?;
    if credential.due_at().is_none_or(|at| at > now) {
        return Ok(());
    }
    if credential.is_active() {
        if !replace(world, id)? {
            known(world, id)?.rotate_later(now);
        }
        return Ok(());
    }
    credential.on_due(&host, now);
    Ok(())
}
