//! How it was called: what the tests look at afterwards.

use crate::Outcome;
use crate::asked::Asked;
use crate::signals::NUMBER;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Bytes of stdin that are written down.
const STDIN_BYTES_MAX: usize = 256 * 1024;

/// This call.
pub(crate) struct Record {
    /// The CLI that it is: the last part of the name it was called by.
    pub(crate) kind: String,
    pub(crate) argv: Vec<String>,
    /// Where scripts, conversations and the list of calls lie.
    pub(crate) folder: PathBuf,
    /// How many times that CLI was called, this one included.
    pub(crate) number: u32,
    pub(crate) cwd: String,
}

impl Record {
    pub(crate) fn begin() -> Outcome<Self> {
        let argv: Vec<String> = std::env::args().collect();
        let program = Path::new(argv.first().ok_or("it was called without a name")?);
        let named = program.file_name().and_then(|name| name.to_str()).unwrap_or("plain");
        let kind = std::env::var("FAKE_AGENT_AS").unwrap_or_else(|_| named.to_owned());
        let folder = match std::env::var_os("FAKE_AGENT_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => lies_in(program)?,
        };
        let number = match std::env::var(NUMBER) {
            Ok(number) => number.parse()?,
            Err(_) => ticket(&folder.join("called").join(&kind))?,
        };
        let cwd = std::env::current_dir()?.to_string_lossy().into_owned();
        Ok(Self { kind, argv, folder, number, cwd })
    }

    /// Writes the call down, in one piece: others may be called at the same time.
    pub(crate) fn write(&self, stdin: Option<&str>, asked: &Asked) -> Outcome<()> {
        let mut names: Vec<String> =
            std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        let ours = std::env::vars().filter(|(name, _)| name.starts_with("LONGHAUL_"));
        let ours: serde_json::Map<String, Value> =
            ours.map(|(name, it)| (name, it.into())).collect();
        let stdin = stdin.map(|text| text.chars().take(STDIN_BYTES_MAX).collect::<String>());
        self.note(&json!({
            "kind": self.kind, "number": self.number, "pid": std::process::id(),
            "argv": self.argv, "cwd": self.cwd, "env": names, "longhaul": ours, "stdin": stdin,
            "prompt": asked.prompt, "conversation": asked.conversation_json(),
        }))
    }

    /// Adds a line to the list of calls.
    pub(crate) fn note(&self, line: &Value) -> Outcome<()> {
        let path = self.folder.join("calls.ndjson");
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}

/// The folder of the link, found on the path as the system found it.
fn lies_in(program: &Path) -> Outcome<PathBuf> {
    if program.components().count() > 1 {
        return Ok(program.parent().map_or_else(PathBuf::new, Path::to_owned));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join(program).is_file());
    Ok(found.ok_or("it is nowhere on the path")?)
}

/// The next number, which nobody else gets.
fn ticket(folder: &Path) -> Outcome<u32> {
    fs::create_dir_all(folder)?;
    // Looking first keeps the ten thousandth call as quick as the first.
    let mut number = u32::try_from(fs::read_dir(folder)?.count())?.saturating_add(1);
    loop {
        match OpenOptions::new().write(true).create_new(true).open(folder.join(number.to_string()))
        {
            Ok(_) => return Ok(number),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
