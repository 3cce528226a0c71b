//! An agent CLI that does as it is told, for tests and benchmarks: it takes the arguments of the real
//! one, writes its lines, keeps its conversations and exits as it would, and has no model behind it.
//!
//! Link or copy it under the name of the CLI that it shall be: `claude`, `codex`, `gemini`,
//! `opencode`, `pi`, `omp`, `qwen`, `acp`, `ndjson`; under any other name it is a plain command. What
//! it needs and leaves lies in the folder of that link, or in `$FAKE_AGENT_DIR`:
//!
//! - `calls.ndjson`: a line for each time it was called, with its arguments, the names of its
//!   environment, what stood on stdin, and what its arguments were understood as;
//! - `NAME.2.steps`, `NAME.steps`: what it does the second time and otherwise, a step a line;
//!   without such a file the `[[steps]]` in its prompt count, as in `[[sleep 50]] [[say done]]`;
//! - `sessions/ID.json`: its conversations. Remove one, and resuming it is refused.
//!
//! The steps are listed in `script.rs`. Without any it says `Done.` and ends well.

mod acp;
mod asked;
mod dialects;
mod flags;
mod gate;
mod play;
mod record;
mod script;
mod session;
mod signals;

use asked::Asked;
use record::Record;
use script::Script;
use std::process::ExitCode;

/// What fails here fails the test that plays with it, and says why on stderr.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("fake agent: {error}"));
            ExitCode::from(70)
        }
    }
}

fn run() -> Outcome<u8> {
    let record = Record::begin()?;
    if let Some(code) = signals::relaunched(&record)? {
        return Ok(code);
    }
    if record.kind == "acp" {
        return acp::serve(&record);
    }
    let mut asked = match flags::read(&record.kind, &record.argv[1..]) {
        Ok(asked) => asked,
        Err(flags::Misused { code, message }) => {
            record.write(None, &Asked::default())?;
            complain(&message);
            return Ok(code);
        }
    };
    let first = Script::of(&record, &asked.prompt)?;
    let stdin = if first.is_deaf() { None } else { asked.hear(&record.kind)? };
    record.write(stdin.as_deref(), &asked)?;
    let script = Script::of(&record, &asked.prompt)?;
    signals::obey(&record.kind, script.is_stubborn());
    play::play(&record, &asked, script)
}

/// Writes a line to stderr, where nothing depends on whether it arrives.
fn complain(line: &str) {
    use std::io::Write;
    let _written = writeln!(std::io::stderr(), "{line}");
}
