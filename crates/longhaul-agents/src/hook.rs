//! What CLIs put to their hooks, and what they take for an answer. One hook serves all of them: it
//! reads the call from stdin, and says yes, no, later or nothing in the words of its caller.

use serde_json::{Value, json};
use std::fmt::Write;

/// A CLI, as far as its hook is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOf {
    /// Claude Code's `PreToolUse`. The only one that can put a call off.
    Claude,
    /// Codex' `PreToolUse`.
    Codex,
    /// Gemini's `BeforeTool`.
    Gemini,
    /// Qwen Code's `PreToolUse`.
    Qwen,
    /// Copilot's `preToolUse`.
    Copilot,
    /// Our plugin for opencode, or our extension for pi and omp.
    Ours,
}

/// A tool call that a CLI is about to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookCall {
    /// The CLI's id of the call; empty if it told none.
    pub call: String,
    /// The tool, under the CLI's own name.
    pub tool: String,
    /// The shell command that it would run, if it would run one.
    pub command: Option<String>,
    /// Absolute paths that it would write.
    pub writes: Vec<String>,
    /// Absolute paths that it would read, if it is a tool that names them.
    pub reads: Vec<String>,
    /// URLs that it would fetch, likewise.
    pub fetches: Vec<String>,
    /// Its arguments.
    pub input: Value,
}

/// Why nothing can be said of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// What came on stdin is no JSON object.
    #[error("what the CLI told its hook is no JSON object")]
    NoObject,
    /// It names no tool.
    #[error("what the CLI told its hook names no tool")]
    NoTool,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may run.
    Allowed,
    /// It may not, and why.
    Denied(String),
    /// It is put off: the CLI ends, and asks again when it is resumed. Only where
    /// [`HookOf::can_defer`].
    Deferred(String),
    /// Nothing: the CLI goes by its own rules.
    Unsaid,
}

/// What a hook prints, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// On standard output.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
}

/// Tools that write the file that an argument names, in lower case, of all CLIs.
const WRITERS: &[&str] = &[
    "write",
    "edit",
    "multiedit",
    "notebookedit",
    "write_file",
    "edit_file",
    "replace",
    "create",
    "insert",
    "str_replace",
    "str_replace_editor",
    "str_replace_based_edit_tool",
];
/// Tools that read the file that an argument names.
const READERS: &[&str] =
    &["read", "read_file", "read_many_files", "notebookread", "view", "open_file"];
/// Tools that look through a folder: the one that an argument names, or where they are.
const SEARCHERS: &[&str] =
    &["glob", "grep", "ls", "list", "list_directory", "search_file_content", "find"];
/// Tools that fetch what an argument names.
const FETCHERS: &[&str] = &["webfetch", "web_fetch", "fetch", "fetch_url"];
/// Tools that are given a patch, which names the files.
const PATCHERS: &[&str] = &["apply_patch", "patch"];
/// Arguments that name the file, by the CLIs' taste.
const PATHS: &[&str] = &["file_path", "filePath", "notebook_path", "absolute_path", "path"];
/// Arguments that hold a patch.
const PATCHES: &[&str] = &["command", "patchText", "patch", "input"];
/// What a patch says before the name of a file.
const PATCHED: &[&str] =
    &["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

impl HookOf {
    /// The hook of a kind of CLI; `None` for a kind that has none.
    #[must_use]
    pub fn kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "claude" => Self::Claude,
            "codex" => Self::Codex,
            "gemini" => Self::Gemini,
            "qwen" => Self::Qwen,
            "copilot" => Self::Copilot,
            "opencode" | "pi" | "omp" => Self::Ours,
            _ => return None,
        })
    }

    /// Whether it may be answered "later", and asks again about the same call.
    #[must_use]
    pub fn can_defer(self) -> bool {
        self == Self::Claude
    }

    /// Reads what the CLI told. `Ok(None)`: it is about to make no tool call. `cwd`: where the CLI runs,
    /// unless it says otherwise.
    ///
    /// # Errors
    /// [`Unheard`]: nothing can be said of the call, so it should not be made.
    pub fn read(self, told: &[u8], cwd: &str) -> Result<Option<HookCall>, Unheard> {
        let told: Value = serde_json::from_slice(told).map_err(|_| Unheard::NoObject)?;
        if !told.is_object() {
            return Err(Unheard::NoObject);
        }
        let word = |names: &[&str]| {
            let found = names.iter().find_map(|name| told.get(*name)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        let event = word(&["hook_event_name"]);
        if !matches!(event.as_str(), "" | "PreToolUse" | "BeforeTool" | "preToolUse") {
            return Ok(None);
        }
        let tool = word(&["tool_name", "toolName"]);
        if tool.is_empty() {
            return Err(Unheard::NoTool);
        }
        // The other id that qwen tells is made up for the hook.
        let call = word(&["tool_call_id", "tool_use_id"]);
        let input = told.get("tool_input").or_else(|| told.get("toolArgs")).cloned();
        let input = match input.unwrap_or_default() {
            // Copilot tells them as text.
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            other => other,
        };
        let said = word(&["cwd"]);
        let cwd = if said.starts_with('/') { said.as_str() } else { cwd };
        let (command, writes) = looked_into(&tool.to_ascii_lowercase(), &input, cwd);
        let (reads, fetches) = reached(&tool.to_ascii_lowercase(), &input, cwd);
        Ok(Some(HookCall { call, tool, command, writes, reads, fetches, input }))
    }

    /// The answer in the CLI's words.
    #[must_use]
    pub fn say(self, ruling: &Ruling) -> Said {
        match (self, ruling) {
            (_, Ruling::Unsaid) => Said::default(),
            (Self::Claude, Ruling::Allowed) => {
                decided("allow", "the policy of this turn allows it")
            }
            (Self::Claude, Ruling::Denied(reason)) => decided("deny", reason),
            (Self::Claude, Ruling::Deferred(reason)) => decided("defer", reason),
            (Self::Qwen, Ruling::Allowed) => decided("allow", "the policy of this turn allows it"),
            (Self::Copilot, Ruling::Allowed) => line(&json!({ "permissionDecision": "allow" })),
            (Self::Copilot, Ruling::Denied(reason) | Ruling::Deferred(reason)) => line(&json!({
                "permissionDecision": "deny", "permissionDecisionReason": reason,
            })),
            // Their own rules decide what a hook lets pass.
            (Self::Codex | Self::Gemini | Self::Ours, Ruling::Allowed) => Said::default(),
            // The one answer that all of them understand.
            (_, Ruling::Denied(reason) | Ruling::Deferred(reason)) => {
                Said { stderr: format!("{reason}\n"), code: 2, ..Said::default() }
            }
        }
    }
}

fn decided(decision: &str, reason: &str) -> Said {
    line(&json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    }}))
}

fn line(value: &Value) -> Said {
    let mut stdout = String::new();
    writeln!(stdout, "{value}").expect("a string takes everything");
    Said { stdout, ..Said::default() }
}

/// The command that a call would run, and the paths that it would write.
fn looked_into(tool: &str, input: &Value, cwd: &str) -> (Option<String>, Vec<String>) {
    let text = |names: &[&str]| names.iter().find_map(|name| input.get(*name)?.as_str());
    if PATCHERS.contains(&tool) {
        let patch = input.as_str().or_else(|| text(PATCHES)).unwrap_or_default();
        let files = patch
            .lines()
            .filter_map(|line| PATCHED.iter().find_map(|mark| line.trim_end().strip_prefix(mark)));
        let writes: Vec<String> = files.map(|path| absolute(path.trim(), cwd)).collect();
        return (None, if writes.is_empty() { anywhere() } else { writes });
    }
    if WRITERS.contains(&tool) {
        let path = text(PATHS).map(|path| vec![absolute(path, cwd)]);
        return (None, path.unwrap_or_else(anywhere));
    }
    let command = match input.get("command") {
        Some(Value::String(command)) => Some(command.clone()),
        Some(Value::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            Some(words.join(" "))
        }
        _ => None,
    };
    (command, Vec::new())
}

/// The paths that a call would read, and the URLs that it would fetch.
fn reached(tool: &str, input: &Value, cwd: &str) -> (Vec<String>, Vec<String>) {
    let text = |names: &[&str]| names.iter().find_map(|name| input.get(*name)?.as_str());
    let path = || text(PATHS).or_else(|| text(&["dir_path"])).map(|path| absolute(path, cwd));
    if READERS.contains(&tool) {
        return (path().map_or_else(anywhere, |path| vec![path]), Vec::new());
    }
    if SEARCHERS.contains(&tool) {
        return (vec![path().unwrap_or_else(|| cwd.to_owned())], Vec::new());
    }
    if FETCHERS.contains(&tool) {
        // Where nobody can tell what is fetched, nothing that is granted fits.
        return (Vec::new(), vec![text(&["url"]).unwrap_or_default().to_owned()]);
    }
    (Vec::new(), Vec::new())
}

/// What is said of a call that writes nobody knows where: no folder holds it.
fn anywhere() -> Vec<String> {
    vec!["/".to_owned()]
}

fn absolute(path: &str, cwd: &str) -> String {
    // Some CLIs know whose home that is.
    if path.starts_with('/') || path.starts_with('~') {
        return format!("/{}", path.trim_start_matches('/'));
    }
    format!("{}/{path}", cwd.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(of: HookOf, told: &Value) -> HookCall {
        of.read(told.to_string().as_bytes(), "/r").unwrap().unwrap()
    }

    #[test]
    fn a_call_is_read_in_each_ones_own_words() {
        let claude = json!({ "session_id": "s", "transcript_path": "/t", "cwd": "/home/dev/repo",
            "permission_mode": "default", "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": "/home/dev/repo/a", "content": "x"}, "tool_use_id": "toolu_1" });
        let call = read(HookOf::Claude, &claude);
        assert_eq!((call.call.as_str(), call.tool.as_str()), ("toolu_1", "Write"));
        assert_eq!((call.writes, call.command), (vec!["/home/dev/repo/a".to_owned()], None));
        let gemini = json!({ "hook_event_name": "BeforeTool", "cwd": "/w",
            "tool_name": "run_shell_command", "tool_input": {"command": "ls"} });
        let call = read(HookOf::Gemini, &gemini);
        assert_eq!((call.call.as_str(), call.command.as_deref()), ("", Some("ls")));
        let qwen = json!({ "tool_name": "write_file", "tool_use_id": "x", "tool_call_id": "call_1",
            "tool_input": {"file_path": "b"} });
        let call = read(HookOf::Qwen, &qwen);
        assert_eq!((call.call.as_str(), call.writes), ("call_1", vec!["/r/b".to_owned()]));
        let copilot = json!({ "toolName": "bash", "toolArgs": "{\"command\":\"ls\"}" });
        assert_eq!(read(HookOf::Copilot, &copilot).command.as_deref(), Some("ls"));
    }

    /// As they were told to a hook of ours, less their ids.
    #[test]
    fn what_was_told_in_earnest_is_read() {
        let told = [
            (
                HookOf::Codex,
                "Bash",
                r#"{"session_id":"01a1","turn_id":"01a2","transcript_path":"/home/dev/.codex/sessions/r.jsonl","cwd":"/home/dev/repo","hook_event_name":"PreToolUse","model":"m","permission_mode":"bypassPermissions","tool_name":"Bash","tool_input":{"command":"touch x"},"tool_use_id":"call_1"}"#,
            ),
            (
                HookOf::Gemini,
                "run_shell_command",
                r#"{"session_id":"69cf","transcript_path":"/home/dev/.gemini/tmp/repo/chats/s.jsonl","cwd":"/home/dev/repo","hook_event_name":"BeforeTool","timestamp":"2026-11-21T19:37:47.021Z","tool_name":"run_shell_command","tool_input":{"command":"touch x"}}"#,
            ),
            (
                HookOf::Qwen,
                "run_shell_command",
                r#"{"session_id":"f076","transcript_path":"/home/dev/.qwen/projects/p/chats/s.jsonl","cwd":"/home/dev/repo","hook_event_name":"PreToolUse","timestamp":"2026-11-21T19:38:12.427Z","permission_mode":"auto","prompt_id":"f076","tool_name":"run_shell_command","tool_input":{"command":"touch x","is_background":false},"tool_use_id":"toolu_2","tool_call_id":"call_1"}"#,
            ),
            (
                HookOf::Copilot,
                "bash",
                r#"{"sessionId":"0f79","timestamp":1795289501462,"cwd":"/home/dev/repo","toolName":"bash","toolArgs":{"command":"touch x","description":"d"}}"#,
            ),
            (
                HookOf::Ours,
                "bash",
                r#"{"hook_event_name":"PreToolUse","cwd":"/home/dev/repo","tool_name":"bash","tool_use_id":"call_1","tool_input":{"command":"touch x"}}"#,
            ),
        ];
        for (of, tool, told) in told {
            let call = of.read(told.as_bytes(), "/").unwrap().unwrap();
            assert_eq!((call.tool.as_str(), call.command.as_deref()), (tool, Some("touch x")));
            let is_named = !matches!(of, HookOf::Gemini | HookOf::Copilot);
            assert_eq!(call.call, if is_named { "call_1" } else { "" }, "{of:?}");
        }
        let created = r#"{"sessionId":"0f79","timestamp":1,"cwd":"/home/dev/repo","toolName":"create","toolArgs":{"path":"src/c","file_text":"x"}}"#;
        let call = HookOf::Copilot.read(created.as_bytes(), "/").unwrap().unwrap();
        assert_eq!(call.writes, ["/home/dev/repo/src/c"]);
    }

    #[test]
    fn what_is_read_and_fetched_is_known_of_tools_that_say_so() {
        let reached = |tool: &str, input: Value| {
            let call = read(HookOf::Claude, &json!({ "tool_name": tool, "tool_input": input }));
            (call.reads, call.fetches)
        };
        let reads = |path: &str| (vec![path.to_owned()], Vec::new());
        assert_eq!(reached("Read", json!({"file_path": "a"})), reads("/r/a"));
        assert_eq!(reached("read_many_files", json!({"include": ["a"]})), reads("/"));
        assert_eq!(reached("Grep", json!({"pattern": "x"})), reads("/r"));
        let fetched = (Vec::new(), vec!["https://a/b".to_owned()]);
        assert_eq!(reached("WebFetch", json!({"url": "https://a/b"})), fetched);
        assert_eq!(reached("web_fetch", json!({"prompt": "?"})), (Vec::new(), vec![String::new()]));
        assert_eq!(reached("Bash", json!({"command": "cat a"})), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_files_of_a_patch_are_what_it_writes() {
        let patch = "*** Begin Patch\n*** Update File: src/a.rs\n@@\n-x\n+y\n*** Move to: b.rs\n\
                     *** Add File: /etc/x\n*** End Patch";
        let codex = json!({ "hook_event_name": "PreToolUse", "cwd": "/w", "tool_use_id": "c",
            "tool_name": "apply_patch", "tool_input": {"command": patch} });
        let call = read(HookOf::Codex, &codex);
        assert_eq!(call.writes, ["/w/src/a.rs", "/w/b.rs", "/etc/x"]);
        assert_eq!(call.command, None, "a patch is no command");
        let garbled = json!({ "tool_name": "apply_patch", "tool_input": {"command": "?"} });
        assert_eq!(read(HookOf::Codex, &garbled).writes, ["/"]);
    }

    #[test]
    fn where_nobody_can_tell_where_it_writes_it_writes_anywhere() {
        for input in [json!({}), json!({"file_path": 7}), json!(null)] {
            let told = json!({ "tool_name": "Edit", "tool_input": input });
            assert_eq!(read(HookOf::Claude, &told).writes, ["/"]);
        }
        let home = json!({ "tool_name": "write", "tool_input": {"path": "~/.bashrc"} });
        assert_eq!(read(HookOf::Ours, &home).writes, ["/~/.bashrc"]);
    }

    #[test]
    fn what_is_no_call_is_told_from_what_cannot_be_read() {
        let start = json!({ "hook_event_name": "SessionStart", "source": "startup" });
        assert_eq!(HookOf::Claude.read(start.to_string().as_bytes(), "/"), Ok(None));
        assert_eq!(HookOf::Claude.read(b"{}", "/"), Err(Unheard::NoTool));
        for told in [&b""[..], b"[]", b"no", b"\xff", b"{\"tool_name\":\"Ba"] {
            assert_eq!(HookOf::Claude.read(told, "/"), Err(Unheard::NoObject));
        }
    }

    #[test]
    fn each_is_answered_as_it_expects() {
        let no = Ruling::Denied("not here".to_owned());
        let claude = HookOf::Claude.say(&no);
        assert_eq!(
            claude.stdout,
            "{\"hookSpecificOutput\":{\"hookEventName\":\"PreToolUse\",\"permissionDecision\":\"deny\",\
             \"permissionDecisionReason\":\"not here\"}}\n"
        );
        assert_eq!(claude.code, 0);
        let later = HookOf::Claude.say(&Ruling::Deferred("asked".to_owned()));
        assert!(later.stdout.contains("\"permissionDecision\":\"defer\""), "{later:?}");
        for of in [HookOf::Codex, HookOf::Gemini, HookOf::Qwen, HookOf::Ours] {
            let said = of.say(&no);
            assert_eq!((said.code, said.stderr.as_str()), (2, "not here\n"), "{of:?}");
            assert_eq!(of.say(&Ruling::Unsaid), Said::default());
            // Whoever cannot put a call off is told no.
            assert_eq!(of.say(&Ruling::Deferred("asked".to_owned())).code, 2);
        }
        assert_eq!(HookOf::Codex.say(&Ruling::Allowed), Said::default());
        assert!(HookOf::Copilot.say(&no).stdout.contains("\"permissionDecision\":\"deny\""));
    }
}
