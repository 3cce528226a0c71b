//! What an agent's output says, in words that are the same for every CLI.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// One thing that an agent did, said or cost. Texts are bounded; a cut is said in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A message to whoever reads along.
    Log {
        /// How much it matters.
        level: Level,
        /// What was said.
        message: String,
        /// Who said it.
        from: Speaker,
    },
    /// What the model thought before it spoke.
    Thought {
        /// The thought.
        text: String,
    },
    /// A tool was called. On CLIs that tell of a call only when it is over, the result follows at once.
    ToolCall {
        /// The tool, under the CLI's own name.
        tool: String,
        /// Ties the call to its result, within this turn.
        call_id: String,
        /// The arguments, shortened where they are long.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        args: Value,
    },
    /// A tool call is over.
    ToolResult {
        /// The call.
        call_id: String,
        /// The tool, if the call was seen and is still remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// How it went.
        outcome: ToolOutcome,
        /// What it gave or complained of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        /// The exit code of a command, where the CLI tells. Not zero is not an error of the tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
    },
    /// The turn entered a phase.
    Status {
        /// Which.
        phase: Phase,
        /// More about it. The conversation's id for `Phase::Conversation`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A number. Tokens and costs are what was added since the last event of that name, so that
    /// all of a turn's add up to the turn.
    Metric {
        /// What was measured: `tokens.input`, `cost.inference`, …
        name: String,
        /// How much.
        value: Number,
        /// In what unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// A file was made or changed.
    ArtifactRef {
        /// Where it lies: a path as the CLI wrote it, or a URI.
        uri: String,
        /// Its media type, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        /// Its size, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        byte_size: Option<u64>,
    },
    /// How far something has come.
    Progress {
        /// What is done.
        current: Number,
        /// What there is to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<Number>,
        /// What is counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<String>,
        /// What is being done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The CLI said that the turn is over. The verdict decides what that is worth.
    Result {
        /// Whether the CLI itself calls it a success.
        ok: bool,
        /// The answer, or what went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The answer as data, where data was asked for.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        output: Value,
    },
    /// Output that was not understood, and is kept.
    Raw {
        /// Why it was not.
        why: Unread,
        /// Its beginning, with replacement characters where it was no UTF-8.
        text: String,
        /// How many bytes of output this stands for, without the line's end.
        bytes: u64,
    },
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks into a fault.
    Debug,
    /// Ordinary.
    Info,
    /// Worth a look.
    Warn,
    /// Something went wrong.
    Error,
}

/// Who said what a log event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The model.
    Agent,
    /// The CLI around it.
    Cli,
    /// A line of the program's stdout.
    Stdout,
    /// A line of the program's stderr.
    Stderr,
}

/// How a tool call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It ran. What it did may still have failed: see the exit code.
    Done,
    /// It failed, or was cut short.
    Failed,
    /// It was refused and did not run.
    Denied,
}

/// What a turn is about at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The CLI named its conversation; the message is the id.
    Conversation,
    /// The conversation is not the one that was to be resumed.
    Mismatch,
    /// The model is at work.
    Working,
    /// The CLI tries a request again by itself.
    Retrying,
    /// The vendor said to slow down, or is about to.
    RateLimited,
    /// A tool call was refused.
    Denied,
    /// Somebody is asked whether a tool may run.
    Asked,
    /// The turn ended to wait for an answer about a tool call; resuming asks again.
    Deferred,
    /// A server of tools could not be reached; the CLI goes on without it.
    ToolsMissing,
    /// The program said so in its own words.
    Other,
}

/// Why a stretch of output was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// The line is no JSON object.
    NotAnObject,
    /// The object is of a kind that this adapter does not know: a newer format, mostly.
    UnknownKind,
    /// The kind is known, what must be in it is not there.
    Incomplete,
    /// The beginning of a line that is longer than a line may be.
    TooLong,
    /// The rest of such a line.
    TooLongRest,
}
