//! What the CLIs make of signals. Some leave, each in its own way, and some do not mind.

use crate::Outcome;
use crate::record::Record;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;
use tokio::signal::unix::{SignalKind, signal};

/// Says to the second of two processes that it is the second, and which call it plays.
pub(crate) const NUMBER: &str = "FAKE_AGENT_NUMBER";

/// The group of the tool that runs, if one does.
pub(crate) static TOOL: AtomicI32 = AtomicI32::new(0);

const HUP: i32 = 1;
const INT: i32 = 2;
const TERM: i32 = 15;

/// What becomes of the process at a signal that it catches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Never,
    With(u8),
    /// It says that it was broken off, and leaves with 0.
    InWords,
    /// With 0, and the tools that it runs stay.
    ToolsBehind,
}

/// `gemini` starts itself again as its child, and the parent does not mind signals.
pub(crate) fn relaunched(record: &Record) -> Outcome<Option<u8>> {
    let is_second = std::env::var_os(NUMBER).is_some()
        || std::env::var("GEMINI_CLI_NO_RELAUNCH").is_ok_and(|said| said == "true");
    if record.kind != "gemini" || is_second {
        return Ok(None);
    }
    catch(&[(INT, Leaves::Never), (TERM, Leaves::Never)]);
    let mut command = std::process::Command::new(std::env::current_exe()?);
    let status = command
        .arg0(&record.argv[0])
        .args(&record.argv[1..])
        .env(NUMBER, record.number.to_string())
        .env("FAKE_AGENT_AS", &record.kind)
        .env("FAKE_AGENT_DIR", &record.folder)
        .status()?;
    Ok(Some(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// From here on signals do what they do to this CLI.
pub(crate) fn obey(kind: &str, is_stubborn: bool) {
    if is_stubborn {
        return catch(&[(HUP, Leaves::Never), (INT, Leaves::Never), (TERM, Leaves::Never)]);
    }
    match kind {
        "claude" => {
            catch(&[(HUP, Leaves::With(129)), (INT, Leaves::InWords), (TERM, Leaves::With(143))])
        }
        "codex" => catch(&[(INT, Leaves::With(1))]),
        "gemini" => catch(&[(INT, Leaves::ToolsBehind), (TERM, Leaves::ToolsBehind)]),
        "pi" => catch(&[(TERM, Leaves::With(143))]),
        "omp" => catch(&[(INT, Leaves::With(130)), (TERM, Leaves::With(143))]),
        _ => {}
    }
}

/// Listens from a thread of its own; returns when it does.
fn catch(signals: &'static [(i32, Leaves)]) {
    let (ready, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime for signals");
        runtime.block_on(async {
            let (send, mut caught) = tokio::sync::mpsc::unbounded_channel();
            for &(number, how) in signals {
                let mut stream =
                    signal(SignalKind::from_raw(number)).expect("signals can be listened for");
                let send = send.clone();
                tokio::spawn(async move {
                    while stream.recv().await.is_some() {
                        let _sent = send.send(how);
                    }
                });
            }
            let _told = ready.send(());
            while let Some(how) = caught.recv().await {
                leave(how);
            }
        });
    });
    wait.recv().expect("the thread for signals is there");
}

fn leave(how: Leaves) {
    if !matches!(how, Leaves::Never | Leaves::ToolsBehind)
        && let Some(group) = Pid::from_raw(TOOL.load(Ordering::Relaxed))
    {
        // It may have ended by itself in this moment.
        let _killed = kill_process_group(group, Signal::KILL);
    }
    match how {
        Leaves::Never => {}
        Leaves::With(code) => exit(i32::from(code)),
        Leaves::ToolsBehind => exit(0),
        Leaves::InWords => {
            let line = serde_json::json!({
                "type": "result", "subtype": "error_during_execution", "is_error": true,
                "terminal_reason": "aborted_streaming", "num_turns": 1,
                "errors": ["Request was aborted."], "total_cost_usd": 0.0, "modelUsage": {},
            });
            let _written = writeln!(std::io::stdout(), "{line}");
            exit(0)
        }
    }
}

#[expect(clippy::exit, reason = "a signal ends the process from whatever thread it comes to")]
fn exit(code: i32) {
    std::process::exit(code)
}
