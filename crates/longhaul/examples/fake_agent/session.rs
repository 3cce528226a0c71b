//! Its conversations: where they began, what they cost so far, and the call that one waits with.

use crate::Outcome;
use crate::asked::{Asked, Conversation};
use crate::record::Record;
use crate::script::Script;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One conversation, as it lies in its file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) cwd: String,
    pub(crate) turns: u32,
    pub(crate) total: Spent,
    /// The tool call that the last turn put off, and the steps after it.
    pub(crate) pending: Option<Pending>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) call_id: String,
    pub(crate) step: String,
    pub(crate) rest: Vec<String>,
}

/// Tokens and dollars.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) usd: f64,
}

impl Spent {
    pub(crate) fn add(&mut self, more: Self) {
        self.input += more.input;
        self.output += more.output;
        self.cached += more.cached;
        self.usd += more.usd;
    }
}

/// Why there is no conversation.
pub(crate) enum NoSession {
    Unknown(String),
    Taken(String),
    Busy(String),
}

/// The conversation of this call.
pub(crate) fn open(
    record: &Record,
    asked: &Asked,
    script: &Script,
) -> Outcome<Result<Session, NoSession>> {
    let new = |id| Session { id, cwd: record.cwd.clone(), ..Session::default() };
    if script.first("busy").is_some() {
        let (Conversation::Resume(id) | Conversation::NewAs(id) | Conversation::Fork(id)) =
            &asked.conversation
        else {
            return Ok(Err(NoSession::Busy(String::new())));
        };
        return Ok(Err(NoSession::Busy(id.clone())));
    }
    let mut session = match &asked.conversation {
        Conversation::New => new(fresh_id(&record.kind)?),
        Conversation::NewAs(id) => match load(record, id)? {
            // This one opens what is there.
            Some(known) if record.kind == "pi" => known,
            Some(_) => return Ok(Err(NoSession::Taken(id.clone()))),
            None => new(id.clone()),
        },
        Conversation::Resume(id) | Conversation::Fork(id) => {
            let known = load(record, id)?.filter(|_| script.first("refuse").is_none());
            // These find a conversation only from where it began.
            let is_local = matches!(record.kind.as_str(), "claude" | "qwen" | "gemini");
            let known = known.filter(|known| !is_local || known.cwd == record.cwd);
            match known {
                Some(known) => known,
                None => return Ok(Err(NoSession::Unknown(id.clone()))),
            }
        }
    };
    if let Conversation::Fork(_) = asked.conversation {
        session.id = fresh_id(&record.kind)?;
    }
    if let Some(other) = script.first("other") {
        other.clone_into(&mut session.id);
    }
    Ok(Ok(session))
}

pub(crate) fn load(record: &Record, id: &str) -> Outcome<Option<Session>> {
    match std::fs::read_to_string(path(record, id)) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn save(record: &Record, session: &Session) -> Outcome<()> {
    let path = path(record, &session.id);
    std::fs::create_dir_all(path.parent().unwrap_or(&record.folder))?;
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&unfinished, serde_json::to_string(session)?)?;
    std::fs::rename(unfinished, path)?;
    Ok(())
}

fn path(record: &Record, id: &str) -> PathBuf {
    let plain: String = id.chars().map(|c| if c == '/' || c == '.' { '_' } else { c }).collect();
    record.folder.join("sessions").join(format!("{plain}.json"))
}

/// An id of the shape that this CLI makes.
pub(crate) fn fresh_id(kind: &str) -> Outcome<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if kind == "opencode" {
        return Ok(format!("ses_{}", &hex[..26]));
    }
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
