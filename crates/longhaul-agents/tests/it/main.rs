//! What the adapters make of recordings of real CLIs, and of anything else.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not what they call"
)]

mod acp_client;
mod chunks;
mod costs;
mod launches;
mod limits;
mod recordings;
mod runs;
mod traps;
mod verdicts;
