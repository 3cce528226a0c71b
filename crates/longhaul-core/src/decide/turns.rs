//! Turns: prepared when they are placed, taken in as they speak, settled when they end.

use crate::approval::Approval;
use crate::command::{Refused, Reply};
use crate::id::JobId;
use crate::turn::Taking;
use crate::world::{Fault, World};

/// More of a turn's output was read.
pub(super) fn ingest(_world: &mut World<'_>, taking: Taking) -> Result<Reply, Fault> {
    Err(Refused::NotFound(taking.job).into())
}

/// A quiet turn shows signs of life again.
pub(super) fn lively(_world: &mut World<'_>, id: &JobId, _attempt: u32) -> Result<Reply, Fault> {
    Err(Refused::NotFound(id.clone()).into())
}

/// What the answer to a question, or its end without one, means for the turn that it is about.
pub(super) fn answered(_world: &mut World<'_>, _approval: &Approval) -> Result<(), Fault> {
    Ok(())
}

/// Gives a turn that is about to be placed its mail and its prompt. Gives whether it may be placed:
/// one whose kind is parked is set aside.
pub(crate) fn prepare(_world: &mut World<'_>, _id: &JobId) -> Result<bool, Fault> {
    Ok(true)
}

/// A vendor's limit should have ended: lets one turn try.
pub(crate) fn due_quota(_world: &mut World<'_>, kind: &str) -> Result<(), Fault> {
    Err(Refused::NoAgent(kind.to_owned()).into())
}
