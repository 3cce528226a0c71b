//! What is the same in starting any CLI.

use crate::environment::NESTING;
use crate::limits::{CONVERSATION_BYTES_MAX, PROMPT_ARGUMENT_BYTES_MAX};
use crate::turn::{Access, Conversation, Launch, Stdin, Turn, Unsuited};

/// Arguments in the making.
pub(crate) struct Argv(Vec<String>);

impl Argv {
    pub(crate) fn new(turn: &Turn, program: &str) -> Self {
        Self(vec![turn.program.clone().unwrap_or_else(|| program.to_owned())])
    }

    pub(crate) fn push(&mut self, word: impl Into<String>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    pub(crate) fn words(&mut self, words: &[&str]) -> &mut Self {
        self.0.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    pub(crate) fn flag(&mut self, flag: &str, value: impl Into<String>) -> &mut Self {
        self.0.push(flag.to_owned());
        self.0.push(value.into());
        self
    }

    pub(crate) fn option(&mut self, flag: &str, value: Option<&String>) -> &mut Self {
        if let Some(value) = value {
            self.flag(flag, value.as_str());
        }
        self
    }

    pub(crate) fn extra(&mut self, turn: &Turn) -> &mut Self {
        self.0.extend(turn.extra.iter().cloned());
        self
    }

    pub(crate) fn into_launch(self, pass: &'static [&'static str]) -> Launch {
        Launch { argv: self.0, remove: NESTING, pass, ..Launch::default() }
    }
}

/// How the prompt gets to a CLI: as an argument, as its manual shows; on stdin if it is too long for
/// one or would be read as a flag.
pub(crate) fn is_argument(prompt: &str) -> bool {
    prompt.len() <= PROMPT_ARGUMENT_BYTES_MAX && !prompt.starts_with('-') && !prompt.contains('\0')
}

pub(crate) fn stdin_for(prompt: &str) -> Stdin {
    if is_argument(prompt) { Stdin::Nothing } else { Stdin::Text(prompt.to_owned()) }
}

/// Refuses what no CLI could be given.
pub(crate) fn check(turn: &Turn) -> Result<(), Unsuited> {
    if turn.prompt.trim().is_empty() {
        return Err(Unsuited::EmptyPrompt);
    }
    check_unspoken(turn)
}

/// The same for a turn whose prompt is not told, or told otherwise.
pub(crate) fn check_unspoken(turn: &Turn) -> Result<(), Unsuited> {
    if let Access::Only(grant) = &turn.access
        && !grant.write_under.iter().all(|folder| is_folder(folder))
    {
        return Err(Unsuited::BadFolder);
    }
    if !turn.tool_servers.iter().all(|server| is_name(&server.name)) {
        return Err(Unsuited::BadServerName);
    }
    check_id(&turn.conversation)
}

/// A folder below, in characters that mean nothing in any CLI's rules: `a),Bash,Edit(b` would
/// otherwise grant a shell.
fn is_folder(folder: &str) -> bool {
    let folder = folder.strip_suffix("/**").unwrap_or(folder);
    let is_plain = |c: char| !c.is_control() && !r#"()[]{}<>,;:"'`\*?!|&$^~#"#.contains(c);
    !folder.starts_with('/')
        && folder.chars().all(is_plain)
        && folder.split('/').all(|part| part != "..")
}

/// Part of keys of configuration and of tools' names.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn check_id(conversation: &Conversation) -> Result<(), Unsuited> {
    let id = match conversation {
        Conversation::New => return Ok(()),
        Conversation::NewAs(id) | Conversation::Resume(id) | Conversation::Fork(id) => id,
    };
    let is_id = !id.is_empty()
        && id.len() <= CONVERSATION_BYTES_MAX
        && !id.starts_with('-')
        && !id.contains(|c: char| c.is_control());
    if is_id { Ok(()) } else { Err(Unsuited::BadId) }
}
