//! The process of a turn whose agent speaks over its standard streams in both directions: it starts
//! the agent, holds its pipes, and writes each message of either direction to its own stdout, which is
//! the attempt's spool, before it acts on it. So it needs no daemon, and nothing is lost with one.
//!
//! It is this program under another name, as the shim is: `longhaul hold acp FILE`. What it is to hold
//! stands in a file of the attempt's folder, because a prompt is no argument for a command line.

mod agent;
mod decide;
mod log;
mod talk;

use longhaul_agents::{Conversation, ToolServer, Turn};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::ExitCode;

/// The file's name in the turn's folder.
pub const FILE: &str = "acp.json";

/// The word that makes this program hold an agent instead of anything else.
pub const WORD: &str = "hold";

/// The only protocol that it knows.
const PROTOCOL: &str = "acp";

/// The program was there and could not be run, as shells say it.
const NOT_RUNNABLE: u8 = 126;
/// The program was not there.
const NOT_FOUND: u8 = 127;
/// What it was to hold could not be read, or the spool took nothing more.
const BROKEN: u8 = 74;

/// What is held: the agent, and the one turn that it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The agent and its arguments.
    pub argv: Vec<String>,
    /// Where it runs, and works.
    pub cwd: String,
    /// What it is told.
    pub prompt: String,
    /// Which conversation it goes on with.
    pub conversation: Conversation,
    /// Servers of tools that the agent is to start; the file of an older version has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_servers: Vec<ToolServer>,
}

impl Held {
    /// What is held of a turn that shall be started with this command line.
    #[must_use]
    pub fn of(argv: Vec<String>, turn: &Turn) -> Self {
        let (cwd, prompt) = (turn.cwd.clone(), turn.prompt.clone());
        let (conversation, tool_servers) = (turn.conversation.clone(), turn.tool_servers.clone());
        Self { argv, cwd, prompt, conversation, tool_servers }
    }

    /// The content of its file.
    ///
    /// # Panics
    /// Never: its maps have texts for keys.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts, and lists and maps of texts, are JSON")
    }
}

/// The command line that holds what stands in the file of this folder. `program` is this program.
#[must_use]
pub fn command(program: &str, folder: &str) -> Vec<String> {
    [program, WORD, PROTOCOL, &format!("{folder}/{FILE}")].map(str::to_owned).to_vec()
}

/// Holds what the file says, to its end.
pub fn main(arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let words: Vec<_> = arguments.collect();
    let [protocol, file] = words.as_slice() else { return ExitCode::from(2) };
    if protocol != PROTOCOL {
        return ExitCode::from(2);
    }
    let held = match read(Path::new(file)) {
        Ok(held) => held,
        Err(error) => {
            log::complain(&format!("what the agent is to be told could not be read: {error}"));
            return ExitCode::from(BROKEN);
        }
    };
    ExitCode::from(talk::hold(held))
}

fn read(file: &Path) -> std::io::Result<Held> {
    let text = fs_err::read_to_string(file)?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back_from_its_file() {
        let turn = Turn {
            prompt: "say \"hi\"\n".to_owned(),
            cwd: "/w".to_owned(),
            conversation: Conversation::Resume("c-1".to_owned()),
            ..Turn::default()
        };
        let held = Held::of(vec!["agent".to_owned(), "--acp".to_owned()], &turn);
        assert_eq!(serde_json::from_str::<Held>(&held.text()).unwrap(), held);
        let older = r#"{"argv":["a"],"cwd":"/","prompt":"p","conversation":"new"}"#;
        assert_eq!(serde_json::from_str::<Held>(older).unwrap().tool_servers, []);
        let words = command("/usr/bin/longhaul", "/h/attempt/turn");
        assert_eq!(words, ["/usr/bin/longhaul", "hold", "acp", "/h/attempt/turn/acp.json"]);
    }
}
