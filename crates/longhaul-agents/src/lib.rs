//! Agent CLIs as pure adapters: what to start for a turn, what the lines of its output say, and how
//! it ended. No file is opened here, no process started, no clock read; whoever holds the process
//! gives the bytes in and stores what comes out.
//!
//! A turn goes through three calls. [`Adapter::launch`] says what to start. [`Intake`] turns the
//! bytes of stdout and stderr into [`Event`]s, with a [`Memory`] of at most 4 KiB that is stored
//! together with the spools' offsets. [`Adapter::verdict`] judges the end: an exit code alone never
//! proves success or failure.
//!
//! In reading order: `turn`, `event`, `adapter`, `intake`, `scribe`, `memory`, `failure`, `verdict`,
//! and one file a CLI in `adapters`.

mod acp;
mod adapter;
mod adapters;
mod clip;
mod environment;
mod event;
mod failure;
mod hook;
mod intake;
mod json;
mod launching;
pub mod limits;
mod memory;
mod reset;
mod scribe;
mod turn;
mod usage;
mod verdict;

pub use acp::{Client, ClientEvent, PermissionAsk, PermissionChoice};
pub use adapter::{Adapter, KINDS, Tried, adapter, resume_command};
pub use event::{Event, Level, Phase, Speaker, ToolOutcome, Unread};
pub use failure::{Class, Failure, Remedy};
pub use hook::{HookCall, HookOf, Ruling, Said, Unheard};
pub use intake::{Intake, Stream, Taken};
pub use memory::{Counts, Memory, UnreadableMemory};
pub use reset::{Clock, Reset};
pub use scribe::{Line, Scribe};
pub use turn::{
    Access, Conversation, File, Grant, Hook, Launch, Stdin, ToolServer, Turn, Unkept, Unsuited,
};
pub use usage::{Carry, NanoUsd, Usage};
pub use verdict::{End, Ending, Exit, Verdict};
