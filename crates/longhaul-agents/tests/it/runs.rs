//! The recordings: what a CLI wrote on both streams, how it was called and how it ended.

use longhaul_agents::{
    Adapter, Conversation, End, Event, Exit, Intake, Memory, Stream, Turn, adapter,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One recording.
pub(crate) struct Run {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) end: End,
    pub(crate) conversation: Conversation,
}

/// What an adapter made of it.
pub(crate) struct Read {
    pub(crate) events: Vec<Event>,
    pub(crate) memory: Memory,
}

impl Run {
    pub(crate) fn adapter(&self) -> &'static dyn Adapter {
        adapter(&self.kind).unwrap()
    }

    pub(crate) fn turn(&self) -> Turn {
        Turn { conversation: self.conversation.clone(), ..Turn::default() }
    }

    /// Reads it, stdout first.
    pub(crate) fn read(&self) -> Read {
        read(self.adapter(), &self.turn(), &self.stdout, &self.stderr)
    }
}

pub(crate) fn read(
    adapter: &'static dyn Adapter,
    turn: &Turn,
    stdout: &[u8],
    stderr: &[u8],
) -> Read {
    let mut intake = Intake::begin(adapter, turn);
    let mut events = vec![];
    for (stream, bytes) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        let mut at = 0;
        loop {
            let taken = intake.take(stream, &bytes[at..]);
            at += taken.bytes;
            events.extend(taken.events);
            if !taken.is_full {
                break;
            }
        }
        events.extend(intake.close(stream, &bytes[at..]));
    }
    Read { events, memory: intake.memory().clone() }
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// All recordings, in order.
pub(crate) fn all() -> Vec<Run> {
    let mut runs = vec![];
    for folder in sorted(&fixtures()).into_iter().filter(|path| path.is_dir()) {
        let kind = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let known =
            std::fs::read_to_string(folder.join("runs.json")).unwrap_or_else(|_| "{}".into());
        let known: Value = serde_json::from_str(&known).unwrap();
        for file in sorted(&folder) {
            let Some(name) = file.file_name().unwrap().to_str().unwrap().strip_suffix(".ndjson")
            else {
                continue;
            };
            runs.push(run(&kind, name, &file, &known[name]));
        }
    }
    assert!(runs.len() > 240, "{} recordings", runs.len());
    runs
}

pub(crate) fn one(kind: &str, name: &str) -> Run {
    let found = all().into_iter().find(|run| run.kind == kind && run.name == name);
    found.unwrap_or_else(|| panic!("no recording {kind}/{name}"))
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn run(kind: &str, name: &str, file: &Path, known: &Value) -> Run {
    let code = i32::try_from(known["exit"].as_i64().unwrap_or(0)).unwrap();
    let exit = if code < 0 { Exit::Signal(-code) } else { Exit::Code(code) };
    let argv: Vec<&str> = known["argv"]
        .as_array()
        .map(|words| words.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    Run {
        kind: kind.to_owned(),
        name: name.to_owned(),
        stdout: bytes(file),
        stderr: bytes(&file.with_extension("stderr")),
        end: End { exit, cancelled: false, lingered: false },
        conversation: conversation(&argv),
    }
}

/// A derived recording has no stderr of its own.
fn bytes(file: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = vec![];
    if let Ok(mut file) = std::fs::OpenOptions::new().read(true).open(file) {
        file.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// Which conversation a recorded command line asks for.
fn conversation(argv: &[&str]) -> Conversation {
    let after = |flag: &str| {
        let at = argv.iter().position(|word| *word == flag)?;
        argv.get(at + 1)
            .map(|id| (*id).to_owned())
            .filter(|id| !id.starts_with('-') && id != "latest")
    };
    let resumed = ["--resume", "resume", "--session", "-s"]
        .iter()
        .find_map(|flag| after(flag).filter(|id| id.len() > 20));
    match (resumed, after("fork")) {
        (Some(id), _) if argv.contains(&"--fork-session") => Conversation::Fork(id),
        (Some(id), _) => Conversation::Resume(id),
        (None, Some(id)) => Conversation::Fork(id),
        (None, None) => match after("--session-id") {
            Some(id) => Conversation::NewAs(id),
            None => Conversation::New,
        },
    }
}
