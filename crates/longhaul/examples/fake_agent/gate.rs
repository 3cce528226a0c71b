//! Whether a tool may run: the hook first, then the rules, as each CLI has them without a person.

use crate::Outcome;
use crate::asked::Asked;
use crate::dialects::Call;
use crate::record::Record;
use crate::session::Session;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What becomes of a tool call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Shut(String),
    Deferred,
}

pub(crate) fn pass(
    record: &Record,
    asked: &Asked,
    session: &Session,
    call: &Call,
) -> Outcome<Gate> {
    for hook in hooks(&record.kind, asked, &call.tool) {
        match put(&hook, record, asked, session, call)? {
            Some(Gate::Open) => {
                let rule = asked.denied.iter().find(|rule| is_ruled(rule, call));
                return Ok(rule.map_or(Gate::Open, |rule| Gate::Shut(format!("denied by {rule}"))));
            }
            Some(gate) => return Ok(gate),
            None => {}
        }
    }
    Ok(by_rules(&record.kind, asked, call))
}

/// A command that is asked, and how long its answer is waited for.
struct Hook {
    command: String,
    patience: Duration,
}

fn hooks(kind: &str, asked: &Asked, tool: &str) -> Vec<Hook> {
    let home = std::env::var("HOME").unwrap_or_default();
    let at = |variable: &str, folder: &str| {
        std::env::var(variable).unwrap_or_else(|_| format!("{home}/{folder}"))
    };
    let (event, settings) = match kind {
        "claude" => (
            "PreToolUse",
            vec![
                asked.settings.clone(),
                file(&format!("{}/settings.json", at("CLAUDE_CONFIG_DIR", ".claude"))),
            ],
        ),
        "qwen" => {
            let system = std::env::var("QWEN_CODE_SYSTEM_SETTINGS_PATH").unwrap_or_default();
            ("PreToolUse", vec![file(&format!("{home}/.qwen/settings.json")), file(&system)])
        }
        "codex" if asked.trusts_hooks => {
            ("PreToolUse", vec![file(&format!("{}/hooks.json", at("CODEX_HOME", ".codex")))])
        }
        "gemini" => {
            let system = std::env::var("GEMINI_CLI_SYSTEM_SETTINGS_PATH").unwrap_or_default();
            ("BeforeTool", vec![file(&format!("{home}/.gemini/settings.json")), file(&system)])
        }
        _ => return vec![],
    };
    let groups = settings.iter().filter_map(|settings| settings["hooks"][event].as_array());
    let groups = groups.flatten().filter(|group| {
        let matcher = group["matcher"].as_str().unwrap_or("*");
        matches!(matcher, "" | "*") || matcher.split('|').any(|name| name == tool)
    });
    let each = groups.filter_map(|group| group["hooks"].as_array()).flatten();
    let unit = if kind == "gemini" { 1 } else { 1_000 };
    // It once counted milliseconds, and takes large numbers for such.
    let is_old = |told: u64| kind == "qwen" && told >= 1_000;
    each.filter_map(|hook| {
        let command = hook["command"].as_str()?.to_owned();
        let told = hook["timeout"].as_u64().unwrap_or(60_000 / unit);
        let patience = Duration::from_millis(if is_old(told) { told } else { told * unit });
        Some(Hook { command, patience })
    })
    .collect()
}

fn file(path: &str) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Asks the hook. A hook that fails or takes too long has no opinion, which is how these CLIs are.
fn put(
    hook: &Hook,
    record: &Record,
    asked: &Asked,
    session: &Session,
    call: &Call,
) -> Outcome<Option<Gate>> {
    let mut question = json!({
        "session_id": session.id, "cwd": record.cwd, "transcript_path": "",
        "hook_event_name": if record.kind == "gemini" { "BeforeTool" } else { "PreToolUse" },
        "permission_mode": if asked.mode.is_empty() { "default" } else { asked.mode.as_str() },
        "tool_name": call.tool, "tool_input": call.args,
    });
    // The one that does not say which call it is about.
    if record.kind != "gemini" {
        question["tool_use_id"] = call.id.clone().into();
    }
    let mut command = Command::new("sh");
    command.arg("-c").arg(&hook.command).env("CLAUDE_PROJECT_DIR", &record.cwd);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let Some(stdin) = &mut stdin {
        // A hook that does not read its question may be gone already.
        let _written = stdin.write_all(question.to_string().as_bytes());
    }
    drop(stdin);
    let (send, receive) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let said = (text(stdout), text(stderr));
        let _sent = send.send(());
        said
    });
    let is_late = receive.recv_timeout(hook.patience).is_err();
    if is_late {
        let _killed = child.kill();
    }
    let status = child.wait()?;
    if is_late {
        record.note(&json!({ "hook": call.tool, "late": true }))?;
        return Ok(None);
    }
    let (said, complained) = reader.join().map_err(|_| "the hook's reader panicked")?;
    record.note(&json!({
        "hook": call.tool, "call": call.id, "exit": status.code(), "said": said, "stderr": complained,
    }))?;
    if status.code() == Some(2) {
        return Ok(Some(Gate::Shut(complained.trim().to_owned())));
    }
    if !status.success() {
        return Ok(None);
    }
    Ok(answer(&record.kind, &serde_json::from_str(&said).unwrap_or_default()))
}

fn text(stream: Option<impl Read>) -> String {
    let mut bytes = vec![];
    if let Some(mut stream) = stream {
        let _read = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(kind: &str, said: &Value) -> Option<Gate> {
    let specific = &said["hookSpecificOutput"];
    let decision = specific["permissionDecision"].as_str().or_else(|| said["decision"].as_str())?;
    let reason = specific["permissionDecisionReason"].as_str().or_else(|| said["reason"].as_str());
    let reason = reason.unwrap_or_default().to_owned();
    match (kind, decision) {
        (_, "deny" | "block") => Some(Gate::Shut(reason)),
        ("claude", "defer") => Some(Gate::Deferred),
        // Nobody is there to be asked.
        ("claude" | "qwen", "ask") => Some(Gate::Shut("nobody answered".to_owned())),
        ("claude" | "qwen", "allow") => Some(Gate::Open),
        // It lets the tool run that was to be asked about, and has no other word for it.
        ("codex", _) => Some(Gate::Open),
        _ => None,
    }
}

fn by_rules(kind: &str, asked: &Asked, call: &Call) -> Gate {
    let shut = |why: &str| Gate::Shut(format!("{why}: {}", call.tool));
    if asked.denied.iter().any(|rule| is_ruled(rule, call)) {
        return shut("denied by a rule");
    }
    if let Some(offered) = &asked.offered
        && !offered.contains(&call.tool)
    {
        return shut("there is no such tool");
    }
    let is_reading = matches!(call.tool.as_str(), "Read" | "Grep" | "Glob");
    let is_open = match kind {
        "claude" => {
            is_reading
                || asked.mode == "bypassPermissions"
                || (asked.mode == "acceptEdits" && is_writing(call))
                || asked.allowed.iter().any(|rule| is_ruled(rule, call))
        }
        "gemini" | "qwen" => asked.mode == "yolo" || is_reading,
        "opencode" => is_permitted(call),
        _ => true,
    };
    if is_open { Gate::Open } else { shut("nobody is there to approve it") }
}

fn is_writing(call: &Call) -> bool {
    matches!(call.tool.as_str(), "Write" | "Edit" | "MultiEdit")
}

/// `Bash`, `Bash(make *)`, `Edit(src/**)`; paths are ruled by `Edit` alone.
fn is_ruled(rule: &str, call: &Call) -> bool {
    let (name, inner) = match rule.split_once('(') {
        Some((name, inner)) => (name, Some(inner.trim_end_matches(')'))),
        None => (rule, None),
    };
    if name == "Edit" && is_writing(call) {
        let path = call.args["file_path"].as_str().unwrap_or_default();
        return inner.is_none_or(|glob| {
            let folder = glob.trim_end_matches("**").trim_end_matches('/');
            folder.is_empty() || path.starts_with(&format!("{folder}/"))
        });
    }
    if name.trim_end_matches('*') != call.tool
        && !(name.ends_with('*') && call.tool.starts_with(name.trim_end_matches('*')))
    {
        return false;
    }
    let command = call.args["command"].as_str().unwrap_or_default();
    match inner {
        None => true,
        Some(_) if is_writing(call) => false,
        Some(glob) => command.starts_with(glob.trim_end_matches('*').trim_end_matches(':')),
    }
}

/// What the configuration in the environment says; everything otherwise.
fn is_permitted(call: &Call) -> bool {
    let config: Value = std::env::var("OPENCODE_CONFIG_CONTENT")
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let name = if call.tool == "write" { "edit" } else { call.tool.as_str() };
    let rule = &config["permission"][name];
    match rule {
        Value::String(word) => word == "allow",
        Value::Object(rules) => {
            let path = call.args["filePath"].as_str().unwrap_or_default();
            let fits = |glob: &str| path.starts_with(glob.trim_end_matches('*')) || glob == path;
            rules.iter().rev().find(|(glob, _)| fits(glob)).is_some_and(|(_, word)| word == "allow")
        }
        _ => config["permission"]["*"].as_str().is_none_or(|word| word == "allow"),
    }
}
