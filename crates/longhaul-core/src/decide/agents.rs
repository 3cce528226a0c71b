//! Named workers: made, changed, ended, forgotten; and what each is doing, which follows from its
//! turns, its mail and its children.

use crate::agent::AgentSpec;
use crate::command::{Refused, Reply};
use crate::id::JobId;
use crate::port::StoreError;
use crate::spec::Environment;
use crate::world::{Fault, World};

/// Makes an agent, or changes one.
pub(super) fn add(
    _world: &mut World<'_>,
    spec: AgentSpec,
    _environment: Environment,
    _replace: bool,
) -> Result<Reply, Fault> {
    Err(Refused::NoAgent(spec.name).into())
}

/// Forgets an agent.
pub(super) fn remove(_world: &mut World<'_>, agent: &str) -> Result<Reply, Fault> {
    Err(Refused::NoAgent(agent.to_owned()).into())
}

/// Ends an agent.
pub(super) fn stop(
    _world: &mut World<'_>,
    agent: &str,
    _reason: Option<String>,
    _by_force: bool,
) -> Result<Reply, Fault> {
    Err(Refused::NoAgent(agent.to_owned()).into())
}

/// Takes note that a turn is being placed. To be called before its attempt is counted.
pub(super) fn turn_placed(_world: &mut World<'_>, _job: &JobId) -> Result<(), Fault> {
    Ok(())
}

/// Takes note that a turn has ended: what that means for its agent, and for whom that works. To be
/// called after its mail was settled; `another_follows` says that mail of it was put back.
pub(super) fn turn_ended(
    _world: &mut World<'_>,
    _job: &JobId,
    _another_follows: bool,
) -> Result<(), Fault> {
    Ok(())
}

/// Works out what each agent of which something changed is doing now, and wakes those that have mail
/// and no turn. To be called in every step, before jobs are placed and again after.
///
/// Gives whether it made turns.
pub(crate) fn restate(world: &mut World<'_>) -> Result<bool, StoreError> {
    world.take_stirred_agents();
    Ok(false)
}
