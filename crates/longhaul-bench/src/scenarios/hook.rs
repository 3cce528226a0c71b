//! "My agent asks before each of its tool calls: how long does it wait for the answer?" One turn runs
//! and says nothing; its hook is run beside it as its CLI would, as a whole process, with a new call
//! each time.

use crate::bench::Bench;
use crate::clock;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, Speech};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const NAME: &str = "hook";
/// Calls of which each is a process.
const CALLS: usize = 500;
const WARM_UP: usize = 20;
/// Milliseconds that ninety-nine of a hundred answers may take.
const P99_MS_MAX: f64 = 50.0;
/// How long the turn stays, at most.
const LINGER_MS: u64 = 600_000;
const LOOK: Duration = Duration::from_millis(5);
/// What a job is told of itself.
const OURS: &str = "LONGHAUL_";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "hook")?;
    let folder = Speech { linger_ms: LINGER_MS, ..Speech::of(1) }.install(bench, "hook-cli")?;
    let inside = tell_environment(&folder)?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let mut connection = subject.connect()?;
    let policy = json!({ "allow_tool": ["Bash(ls *)"], "deny_tool": ["WebFetch"] });
    let ask = json!({ "prompt": "Say what you have to say.", "policy": policy });
    connection.post("/v1/agents/ann/turns", &ask)?;
    let told = clock::until("a turn runs", LOOK, || {
        let running = subject::count(&mut connection, "running")? == 1;
        Ok(fs_err::read_to_string(&inside).ok().filter(|told| running && told.ends_with("END\n")))
    })?;
    let environment: Vec<(&str, &str)> =
        told.lines().filter_map(|line| line.split_once('=')).collect();
    let mut samples = Samples::default();
    for number in 0..WARM_UP + CALLS {
        let call = call(&folder, number)?;
        let mut hook = subject.command(&["hook", "claude"]);
        hook.envs(environment.iter().copied()).stdin(call).stderr(Stdio::null());
        let mut said = Vec::new();
        let took = clock::timed(|| {
            said = hook.output().context("failed to start `longhaul hook`")?.stdout;
            Ok(())
        })?;
        let said: Value = serde_json::from_slice(&said).context("the hook says no JSON")?;
        let decision = &said["hookSpecificOutput"]["permissionDecision"];
        ensure!(decision == "allow", "the hook said {said}");
        if number >= WARM_UP {
            samples.push(took);
        }
    }
    let p99 = samples.quantile(0.99);
    Ok(vec![
        Line::new(NAME, "longhaul hook claude, as a process", Figure::latencies(&samples)),
        Line::new(NAME, "of that, p99", Figure::once(p99, Unit::Milliseconds))
            .reach(Reach::at_most("p99 < 50 ms", p99, P99_MS_MAX)),
    ])
}

/// Has the CLI say what it was told of its job before it speaks; in which file.
fn tell_environment(folder: &Path) -> Result<std::path::PathBuf> {
    let inside = folder.join("inside");
    let program = speaker::program(folder);
    let script = fs_err::read_to_string(&program)?;
    let told = format!("(env | grep '^{OURS}'; echo END) > '{}'", inside.display());
    let script = script.replacen("exec ", &format!("{told}\nexec "), 1);
    fs_err::write(program, script)?;
    Ok(inside)
}

/// A call as the CLI tells it to its hook.
fn call(folder: &Path, number: usize) -> Result<File> {
    let call = json!({
        "session_id": "00000000-0000-4000-8000-000000000000", "transcript_path": "/t.jsonl",
        "cwd": "/", "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": { "command": "ls /", "description": "look" },
        "tool_use_id": format!("toolu_{number:020}"),
    });
    let path = folder.join("call.json");
    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    file.write_all(call.to_string().as_bytes())?;
    file.rewind()?;
    Ok(file)
}
