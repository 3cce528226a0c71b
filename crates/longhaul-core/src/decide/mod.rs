//! One function a command. Each decides over the rows it touches and refuses without a trace; none
//! knows how rows are stored or how wants are met.

mod jobs;
mod pools;
mod reports;

pub(crate) use jobs::{abandon, settle};
pub(crate) use pools::DEFAULT as DEFAULT_POOL;

use crate::command::{Command, Reply};
use crate::event::Fact;
use crate::id::{HostId, JobId};
use crate::job::{JobState, Then};
use crate::record::Host;
use crate::world::{Fault, World};

/// Decides one command.
pub fn decide(world: &mut World<'_>, command: Command) -> Result<Reply, Fault> {
    match command {
        Command::Submit(jobs) => jobs::submit(world, jobs),
        Command::Cancel { job, reason, by_force, tree } => {
            jobs::cancel(world, &job, reason, by_force, tree)
        }
        Command::Purge(job) => jobs::purge(world, &job),
        Command::SetPool { pool, slots, paused } => pools::set(world, &pool, slots, paused),
        Command::Emit { job, attempt, report, body } => {
            reports::emit(world, &job, attempt, report, body)
        }
        Command::HostUp { name } => host_up(world, name),
        Command::Woke { slept } => reports::woke(world, slept),
        Command::Started { job, attempt, at, pid } => {
            reports::started(world, &job, attempt, at, pid)
        }
        Command::Exited { job, attempt, exit } => reports::exited(world, &job, attempt, exit),
        Command::Quiet { job, attempt, span } => reports::quiet(world, &job, attempt, span),
        Command::Cleaned { job, failure } => reports::cleaned(world, &job, failure.as_deref()),
        Command::Purged { job, failure } => reports::purged(world, &job, failure.as_deref()),
    }
}

/// This host is up: remembers the boot, and makes the pool that every job uses by default.
fn host_up(world: &mut World<'_>, name: String) -> Result<Reply, Fault> {
    let place = world.place();
    let id: HostId = place.host.clone();
    let boot = place.boot.clone();
    let host = world.host(id.as_str())?;
    let epoch = host.as_ref().map_or(0, |host| host.epoch) + 1;
    *host = Some(Host { id, name, boot, epoch });
    pools::ensure_default(world)?;
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
        Then::Again => None,
    };
    let fact = Fact::Stopping { attempt: job.attempt, because, by_force: *by_force };
    world.record(id, &fact)
}
