//! Tool calls that ask, and people who answer.

use crate::command::{Refused, Reply};
use crate::id::{ApprovalId, JobId};
use crate::policy::ToolCall;
use crate::world::{Fault, World};

/// Answers a tool call by the turn's policy, or asks a person.
pub(super) fn authorize(
    _world: &mut World<'_>,
    id: &JobId,
    _attempt: u32,
    _call: &ToolCall,
) -> Result<Reply, Fault> {
    Err(Refused::NotFound(id.clone()).into())
}

/// A person has answered.
pub(super) fn answer(
    _world: &mut World<'_>,
    approval: &ApprovalId,
    _is_allowed: bool,
    _reason: Option<String>,
    _by: String,
) -> Result<Reply, Fault> {
    Err(Refused::NoApproval(approval.clone()).into())
}

/// Nobody has answered in time.
pub(crate) fn due_approval(_world: &mut World<'_>, id: &ApprovalId) -> Result<(), Fault> {
    Err(Refused::NoApproval(id.clone()).into())
}
