//! Whether a tool may run that the agent asks about: its turn's policy says, or a person.

use longhaul_agents::{PermissionAsk, PermissionChoice};

/// Asks the daemon. Where nobody can be asked the answer is no: an agent that is told so goes on with
/// something else, and one that is left waiting would wait for ever.
pub(super) async fn decide(_ask: PermissionAsk) -> PermissionChoice {
    PermissionChoice::Deny
}
