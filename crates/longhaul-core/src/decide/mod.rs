//! One function a command. Each decides over the rows it touches and refuses without a trace; none
//! knows how rows are stored or how wants are met.

mod agents;
mod approvals;
mod audit;
mod credentials;
mod deaths;
mod delegation;
mod deliveries;
mod health;
mod jobs;
mod leases;
mod letters;
mod mail;
mod owners;
mod pools;
mod quotas;
mod recipients;
mod reports;
mod sessions;
mod sinks;
mod spending;
mod standing;
mod tasks;
mod telling;
mod tokens;
mod turns;

pub(crate) use agents::due_agent;
pub(crate) use approvals::due_approval;
pub(crate) use credentials::due_credential;
pub(crate) use deliveries::{claim_for_courier, due_delivery, give_up, let_go};
pub(crate) use jobs::{abandon, settle};
pub(crate) use leases::delegator;
pub(crate) use mail::forget_mail;
pub(crate) use owners::due_owner;
pub(crate) use pools::DEFAULT as DEFAULT_POOL;
pub(crate) use quotas::due_quota;
pub(crate) use sessions::due_session;
pub(crate) use standing::restate;
pub(crate) use tasks::take_up;
pub(crate) use turns::prepare;

use crate::command::{Command, Reply};
use crate::event::Fact;
use crate::id::{HostId, JobId};
use crate::job::{JobState, Then};
use crate::record::Host;
use crate::world::{Fault, World};
use std::collections::BTreeSet;

/// Decides one command.
pub fn decide(world: &mut World<'_>, command: Command) -> Result<Reply, Fault> {
    match command {
        Command::Submit(jobs) => jobs::submit(world, jobs),
        Command::Cancel { job, reason, by_force, tree } => {
            jobs::cancel(world, &job, reason, by_force, tree)
        }
        Command::Purge(job) => jobs::purge(world, &job),
        Command::SetPool { pool, slots, paused } => pools::set(world, &pool, slots, paused),
        Command::AddSink { sink, kind, replace } => sinks::add(world, sink, kind, replace),
        Command::RemoveSink(sink) => sinks::remove(world, &sink),
        Command::Claim { presence, limit } => owners::claim(world, &presence, limit),
        Command::Acknowledge { owner, deliveries } => {
            owners::acknowledge(world, &owner, &deliveries)
        }
        Command::AcknowledgeAll { owner } => owners::acknowledge_all(world, &owner),
        Command::Settle { job, owner, how } => owners::settle_job(world, &job, &owner, how),
        Command::Redeliver(delivery) => deliveries::redeliver(world, &delivery),
        Command::AddAgent { spec, environment, replace } => {
            agents::add(world, *spec, environment, replace)
        }
        Command::RemoveAgent(agent) => agents::remove(world, &agent),
        Command::StopAgent { agent, reason, by_force } => {
            agents::stop(world, &agent, reason, by_force)
        }
        Command::SendMail(letter) => letters::send(world, *letter),
        Command::CheckMail { mailbox, turn, limit } => {
            mail::check(world, &mailbox, turn.as_ref(), limit)
        }
        Command::ReadMail { mail, turn } => mail::read(world, &mail, turn.as_ref()),
        Command::Authorize { job, attempt, call } => {
            approvals::authorize(world, &job, attempt, &call)
        }
        Command::AuthorizeOperation { job, attempt, ask } => {
            leases::authorize(world, &job, attempt, &ask)
        }
        Command::Delegate { parent, attempt, ask } => {
            delegation::delegate(world, &parent, attempt, *ask)
        }
        Command::GiveResult { job, attempt, result } => {
            telling::give_result(world, &job, attempt, result)
        }
        Command::Answer { approval, is_allowed, reason, by } => {
            approvals::answer(world, &approval, is_allowed, reason, by)
        }
        command => decide_session(world, command),
    }
}

/// Decides what is asked about sessions and tokens.
fn decide_session(world: &mut World<'_>, command: Command) -> Result<Reply, Fault> {
    match command {
        Command::OpenSession { .. } => sessions::open(world, command),
        Command::ResumeSession(ask) => sessions::resume(world, &ask),
        Command::AcknowledgeFeed { session, connection, seq } => {
            sessions::acknowledge(world, &session, &connection, seq)
        }
        Command::Follow { session, job, after } => sessions::follow(world, &session, &job, after),
        Command::Unfollow { session, job } => sessions::unfollow(world, &session, &job),
        Command::CloseSession { session, connection } => {
            sessions::close(world, &session, &connection)
        }
        Command::DetachSession { session, connection } => {
            sessions::detach(world, &session, &connection)
        }
        Command::RotateCredentials { job, issuer } => {
            credentials::rotate(world, &job, issuer.as_deref())
        }
        Command::RetryRevoking => credentials::retry_revoking(world),
        Command::Minted { credential, number, made } => {
            credentials::minted(world, &credential, number, *made)
        }
        Command::MintFailed { credential, number, problem, is_final } => {
            credentials::mint_failed(world, &credential, number, &problem, is_final)
        }
        Command::Revoked { credential, number } => credentials::revoked(world, &credential, number),
        Command::RevokeFailed { credential, number, problem } => {
            credentials::revoke_failed(world, &credential, number, &problem)
        }
        Command::TurnedAway { what, who, about, times } => {
            audit::turned_away(world, &what, &who, about, times)
        }
        Command::AddToken { sha256, principal, role } => {
            tokens::add(world, sha256, principal, role)
        }
        Command::RevokeTokens { principal } => tokens::revoke(world, &principal),
        command => decide_report(world, command),
    }
}

/// Decides what is reported of the outside world.
fn decide_report(world: &mut World<'_>, command: Command) -> Result<Reply, Fault> {
    match command {
        Command::Tell { job, attempt, entries } => telling::tell(world, &job, attempt, entries),
        Command::Ingest(taking) => turns::ingest(world, *taking),
        Command::Lively { job, attempt } => health::lively(world, &job, attempt),
        Command::Present { presence, owner, project } => {
            owners::present(world, presence, owner, project)
        }
        Command::Absent(presence) => owners::absent(world, &presence),
        Command::Sent { delivery, number } => deliveries::sent(world, &delivery, number),
        Command::Delivered { delivery, number, answer } => {
            deliveries::delivered(world, &delivery, number, &answer)
        }
        Command::DeliveryFailed { delivery, number, answer, again_after, is_final } => {
            deliveries::failed(world, &delivery, number, &answer, again_after, is_final)
        }
        Command::Emit { job, attempt, report, body } => {
            reports::emit(world, &job, attempt, report, body)
        }
        Command::HostUp { name } => host_up(world, name),
        Command::KindUp { kind } => tasks::kind_up(world, kind),
        Command::Woke { slept } => reports::woke(world, slept),
        Command::Started { job, attempt, at, pid } => {
            reports::started(world, &job, attempt, at, pid)
        }
        Command::Exited { job, attempt, exit } => reports::exited(world, &job, attempt, exit),
        Command::Quiet { job, attempt, span } => health::quiet(world, &job, attempt, span),
        Command::Cleaned { job, failure } => reports::cleaned(world, &job, failure.as_deref()),
        Command::Purged { job, failure } => reports::purged(world, &job, failure.as_deref()),
        command => unreachable!("{command:?} was decided before"),
    }
}

/// This host is up: remembers the boot, and makes the pool that every job uses by default.
fn host_up(world: &mut World<'_>, name: String) -> Result<Reply, Fault> {
    let place = world.place();
    let id: HostId = place.host.clone();
    let boot = place.boot.clone();
    let host = world.host(id.as_str())?;
    let epoch = host.as_ref().map_or(0, |host| host.epoch) + 1;
    *host = Some(Host { id, name, boot, epoch, kinds: BTreeSet::new() });
    pools::ensure_default(world)?;
    // Whoever was connected to this host's last daemon is not any more.
    owners::all_absent(world)?;
    sessions::all_detached(world)?;
    credentials::all_in_doubt(world)?;
    Ok(Reply::Done)
}

/// The start of `text`, at most `bytes` long and cut between characters, marked if it was cut.
pub fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Records that a job was stopped, in the words of its state.
pub(crate) fn record_stopping(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    let JobState::Stopping { then, by_force, .. } = &job.state else { return Ok(()) };
    let because = match then {
        Then::End(outcome) => Some(outcome.clone()),
        Then::Answered | Then::Again => None,
    };
    let fact = Fact::Stopping { attempt: job.attempt, because, by_force: *by_force };
    world.record(id, &fact)
}
