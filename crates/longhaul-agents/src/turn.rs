//! What a turn is asked to be, and what must be started for it.

use crate::usage::{Carry, NanoUsd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One invocation of an agent CLI, as asked for.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// What the agent is told. May be empty only for `resumes_deferred`.
    pub prompt: String,
    /// The model, as the CLI names it.
    pub model: Option<String>,
    /// Which conversation it belongs to.
    pub conversation: Conversation,
    /// What the last turn of that conversation handed on; nothing if that is not known.
    pub carry: Option<Carry>,
    /// Where the CLI runs: an absolute path. Some find a conversation only from where it began.
    pub cwd: String,
    /// What it may do.
    pub access: Access,
    /// Tools that it may not use, whatever `access` says.
    pub denied: Vec<String>,
    /// Steps of the model at most, where the CLI can count them.
    pub steps_max: Option<u32>,
    /// Money at most, where the CLI counts it.
    pub budget: Option<NanoUsd>,
    /// How often the CLI itself tries a request again, where that can be set. Turns are tried again
    /// as jobs, so this is few by default.
    pub retries_max: Option<u32>,
    /// Servers of tools, beside those that the CLI is set up with.
    pub tool_servers: Vec<ToolServer>,
    /// Tools about which our hook asks a person, whatever `access` says. Meant for CLIs that do not
    /// even offer, unless they are told to, what they would have to ask about.
    pub asked: Vec<String>,
    /// A command that every tool call is put to first.
    pub hook: Option<Hook>,
    /// The program, if it is not the CLI's usual name on the path. For kinds without one, the
    /// first of `extra` is the program.
    pub program: Option<String>,
    /// Arguments that are passed on as they are.
    pub extra: Vec<String>,
    /// A folder of this attempt's own, for files that the CLI is pointed at.
    pub folder: String,
    /// Whether nobody but root can write that folder or any above it. Some take a hook from nowhere
    /// else.
    pub folder_is_roots: bool,
    /// Goes on after `Ending::Deferred`: the CLI asks its hook again about the same tool call.
    pub resumes_deferred: bool,
}

/// Which conversation a turn belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversation {
    /// A new one, whose id the CLI makes.
    #[default]
    New,
    /// A new one under this id, where the CLI takes one; else it makes its own.
    NewAs(String),
    /// This one goes on.
    Resume(String),
    /// A new one that begins as this one stands.
    Fork(String),
}

/// What an agent may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// What the CLI is set up to allow without asking.
    #[default]
    AsConfigured,
    /// Only this. The CLI's own mode is set so that it refuses the rest even if our hook is not run.
    Only(Grant),
    /// Everything, without asking. For a machine that may be lost.
    Everything,
}

/// What is granted, in the CLI's own names for tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Tools that may run.
    pub tools: Vec<String>,
    /// Tools about which our hook asks a person first. The mode allows them only where the hook
    /// could not allow them by itself.
    pub asked: Vec<String>,
    /// Tools that may not, whatever else is granted.
    pub denied: Vec<String>,
    /// Folders under `cwd`, relative to it, that may be written in.
    pub write_under: Vec<String>,
}

impl Grant {
    /// The names of tools that the mode must let through, because our hook can only forbid: what is
    /// granted, and what a person is asked about. Without what a name says of commands.
    pub(crate) fn let_through(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for tool in self.tools.iter().chain(&self.asked) {
            let name = tool.split('(').next().unwrap_or(tool);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// A pattern of a policy as the tool and the beginning of the command that it names; whether the
/// command may go on after that.
pub(crate) fn pattern(pattern: &str) -> (&str, Option<(&str, bool)>) {
    let inner = pattern.strip_suffix(')').and_then(|rest| rest.split_once('('));
    let Some((tool, words)) = inner else { return (pattern, None) };
    match words.strip_suffix('*') {
        Some(words) => (tool, Some((words, true))),
        None => (tool, Some((words, false))),
    }
}

/// A server of tools (MCP) that is started by the CLI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolServer {
    /// What its tools' names begin with.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside the CLI's.
    pub env: BTreeMap<String, String>,
}

/// A command that answers whether a tool may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The command, for a shell.
    pub command: String,
    /// Seconds until the CLI goes on without an answer.
    pub timeout_s: u32,
}

/// What must be started for a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What the child reads on stdin. It is a file or nothing, never a pipe that stays open: half
    /// of the CLIs wait for its end.
    pub stdin: Stdin,
    /// Set for the child, whatever the user has.
    pub set: BTreeMap<String, String>,
    /// Set for the child unless the user has set it.
    pub default: BTreeMap<String, String>,
    /// Never handed on: they tell a CLI that it runs inside another.
    pub remove: &'static [&'static str],
    /// Handed on if they are set: keys, addresses, folders. A trailing `*` stands for any rest.
    pub pass: &'static [&'static str],
    /// Files to write before the start, for the owner's eyes only.
    pub files: Vec<File>,
    /// What was asked for and this CLI cannot be made to keep by itself: the hook, the sandbox or
    /// the one who asked has to.
    pub unkept: Vec<Unkept>,
    /// A conversation id that is known before the CLI names it.
    pub conversation: Option<String>,
}

/// What a child reads on stdin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: the end of the file at once.
    #[default]
    Nothing,
    /// This, and then the end.
    Text(String),
    /// Both directions are held open by us and speak the Agent Client Protocol.
    Protocol,
}

/// A file that a CLI is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where: absolute, within the turn's folder.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// A wish that a CLI has no means to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unkept {
    /// It cannot be told which tools to refuse.
    Tools,
    /// It cannot be told where to write, or only some of its tools obey.
    Writes,
    /// It does not count steps, or not by a flag.
    Steps,
    /// It does not count money.
    Budget,
    /// Its own retries cannot be limited for one run.
    Retries,
    /// It takes no hook for one run.
    Hook,
    /// It takes no servers of tools for one run.
    ToolServers,
    /// It does not take an id for a new conversation.
    ConversationId,
}

/// Why a turn cannot be started on a CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuited {
    /// There is nothing to say.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The CLI cannot resume.
    #[error("this CLI has no conversations that could be resumed")]
    NoResume,
    /// The CLI cannot fork.
    #[error("this CLI cannot begin a conversation from another")]
    NoFork,
    /// The CLI cannot put a tool call off.
    #[error("this CLI cannot go on from a tool call that was put off")]
    NoDeferral,
    /// The kind is no CLI of its own and no program was named.
    #[error("there is no program to run")]
    NoProgram,
    /// A folder to write in is not below the turn's, or its name could mean more than itself.
    #[error("a folder to write in must be relative, go nowhere up, and have no special characters")]
    BadFolder,
    /// A server of tools has a name that is none.
    #[error("the name of a server of tools must be letters, digits, `-` and `_`")]
    BadServerName,
    /// The id is none: empty, too long, or it would be read as a flag.
    #[error("the conversation's id is not one that this CLI could be given")]
    BadId,
}
