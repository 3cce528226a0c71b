//! Every limit of this crate, with its unit. A line of an agent is input from a stranger: whatever
//! is kept of one is bounded here.

/// Bytes of one line. A longer one is taken in pieces of this size and kept as `raw`; the longest
/// line seen from a real CLI was just over 1 MiB.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Events that one call of `Intake::take` makes before it stops and asks to be called again.
pub const BATCH_EVENTS_MAX: usize = 1_000;

/// Bytes of the text of one event; the rest is cut and the cut is said in the text. The spool keeps
/// the whole line.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of what is quoted of a line that was not understood.
pub const RAW_BYTES_MAX: usize = 2 * 1024;

/// Bytes of a tool call's arguments, as JSON. Longer strings within are shortened first.
pub const ARGS_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one string within arguments that are over `ARGS_BYTES_MAX`.
pub const ARGS_TEXT_BYTES_MAX: usize = 512;

/// Bytes of arguments that are looked into at all; beyond it only their size is said.
pub const ARGS_LOOK_BYTES_MAX: usize = 1024 * 1024;

/// Fields of one JSON object that are looked at; those after are not seen.
pub const FIELDS_MAX: usize = 128;

/// Elements of one JSON array that are looked at; those after are not seen.
pub const ITEMS_MAX: usize = 512;

/// Bytes of an adapter's memory as JSON. It is committed with every batch of events.
pub const MEMORY_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a conversation's id. A longer one is not an id and is not recorded.
pub const CONVERSATION_BYTES_MAX: usize = 96;

/// Bytes, as JSON, of a name (tool, model, version) as it lies in memory.
pub const NAME_BYTES_MAX: usize = 40;

/// Bytes of a tool call's id; a longer one is cut, in the call and in its result alike.
pub const CALL_ID_BYTES_MAX: usize = 128;

/// Bytes, as JSON, of the path that a tool call in flight writes to. A longer one is not kept.
pub const PATH_BYTES_MAX: usize = 100;

/// Bytes, as JSON, of text that came in pieces and waits for the rest.
pub const JOINED_BYTES_MAX: usize = 384;

/// Bytes, as JSON, of the last thing the agent said, kept for the verdict.
pub const SAID_BYTES_MAX: usize = 200;

/// Bytes, as JSON, of what a failure said, kept for the verdict.
pub const FAILURE_BYTES_MAX: usize = 160;

/// Tool calls in flight whose tool is remembered, so that the result can name it.
pub const OPEN_CALLS_MAX: usize = 5;

/// Bytes of a prompt that is given as an argument. Longer ones go to stdin: one argument may have
/// 128 KiB on Linux, and less where environment and arguments share a limit.
pub const PROMPT_ARGUMENT_BYTES_MAX: usize = 32 * 1024;

/// Questions about tool calls that one agent may have open at once; more are answered with no.
pub const QUESTIONS_MAX: usize = 64;
