//! The client's half of the Agent Client Protocol, version 1, without a socket or a clock: lines in,
//! lines and questions out. Its counterpart `adapters/acp.rs` reads what both directions said.

mod ask;
mod client;

pub use ask::PermissionAsk;
pub use client::{Client, ClientEvent, PermissionChoice};

/// The protocol's methods, as far as we know them.
pub(crate) mod method {
    pub(crate) const INITIALIZE: &str = "initialize";
    pub(crate) const NEW: &str = "session/new";
    pub(crate) const LOAD: &str = "session/load";
    pub(crate) const RESUME: &str = "session/resume";
    pub(crate) const PROMPT: &str = "session/prompt";
    pub(crate) const UPDATE: &str = "session/update";
    pub(crate) const PERMISSION: &str = "session/request_permission";
    pub(crate) const CANCEL: &str = "session/cancel";
}
