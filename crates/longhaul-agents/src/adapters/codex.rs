//! OpenAI Codex, `codex exec --json`.

use crate::adapter::{Adapter, Tried, note_stderr};
use crate::event::{Level, Phase, Speaker, ToolOutcome, Unread};
use crate::failure::Failure;
use crate::json::{Json, Object};
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe, shortened};
use crate::turn::{Access, Conversation, Grant, Hook, Launch, ToolServer, Turn, Unkept, Unsuited};
use crate::usage::Usage;
use crate::verdict::{End, Table, Verdict, judge};
use serde_json::{Number, Value, json};
use std::borrow::Cow;

pub(crate) struct Codex;

const PASS: &[&str] = &["OPENAI_*", "CODEX_*", "AZURE_OPENAI_*"];

impl Adapter for Codex {
    fn kind(&self) -> &'static str {
        "codex"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@openai/codex 0.169.0",
            notes: "calls that its sandbox or a hook refuses are told on stderr only, or not at \
                    all; it reports no money; a failed turn's tokens show in the next one",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut unkept = vec![];
        let mut argv = Argv::new(turn, "codex");
        // Outside a repository it refuses to run, which is for people at a terminal.
        argv.words(&["exec", "--json", "--skip-git-repo-check"]);
        argv.option("-m", turn.model.as_ref());
        access(&turn.access, &mut argv, &mut unkept);
        for server in &turn.tool_servers {
            argv.flag("-c", tool_server(server));
        }
        if let Some(hook) = &turn.hook {
            // One that nobody has vouched for at a terminal is skipped in silence.
            argv.push("--dangerously-bypass-hook-trust").flag("-c", self::hook(hook));
        }
        argv.extra(turn);
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
            Conversation::Resume(id) => {
                argv.flag("resume", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(id) => {
                argv.flag("fork", id.as_str());
            }
        }
        argv.push(if is_argument(&turn.prompt) { turn.prompt.as_str() } else { "-" });
        let wishes = [
            (turn.steps_max.is_some(), Unkept::Steps),
            (turn.budget.is_some(), Unkept::Budget),
            (turn.retries_max.is_some(), Unkept::Retries),
        ];
        unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
        let mut launch = argv.into_launch(PASS);
        launch.stdin = stdin_for(&turn.prompt);
        launch.unkept = unkept;
        launch.conversation = named;
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        let Some(object) = scribe.object(line) else { return };
        match object.word("type").as_ref() {
            "thread.started" => scribe.conversation(&object.word("thread_id")),
            "turn.started" => scribe.status(Phase::Working, None),
            "item.started" | "item.updated" | "item.completed" => item(&object, line, scribe),
            "error" => error(&object.word("message"), scribe),
            "turn.completed" => {
                if let Some(usage) = object.object("usage") {
                    used(&usage, scribe);
                }
                let said = scribe.memory.said.clone();
                scribe.ended(Terminal::Ok, Some(Cow::Owned(said)), Value::Null);
            }
            "turn.failed" => {
                let message =
                    object.object("error").map(|error| error.word("message").into_owned());
                let message = message.unwrap_or_default();
                scribe.failing(Failure::read(None, &message));
                scribe.ended(Terminal::Failed, Some(Cow::Owned(message)), Value::Null);
            }
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }

    fn stderr(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        if line.text.starts_with("Reading additional input from stdin") {
            return scribe.quiet();
        }
        let is_refusal = ["patch rejected", "blocked by PreToolUse hook", "rejected by user"];
        if is_refusal.iter().any(|words| line.text.contains(words)) {
            scribe.memory.counts.denied += 1;
            let message = line.text.split_once("error=").map_or(line.text, |(_, said)| said);
            return scribe.status(Phase::Denied, message.to_owned());
        }
        note_stderr(line, scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["codex", "resume", conversation].map(str::to_owned).to_vec())
    }
}

struct Codes;

impl Table for Codes {
    fn code(&self, _memory: &Memory, code: i32) -> Option<crate::failure::Class> {
        (code == 2).then_some(crate::failure::Class::Misused)
    }
}

/// One of its own retries, or what the turn then fails with.
fn error(message: &str, scribe: &mut Scribe<'_>) {
    if message.starts_with("Reconnecting") {
        scribe.status(Phase::Retrying, message.to_owned());
    } else {
        scribe.log(Level::Error, Speaker::Cli, message);
    }
    scribe.failing(Failure::read(None, message));
}

fn item(object: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(item) = object.object("item") else { return scribe.raw(Unread::Incomplete, line) };
    let is_over = object.word("type") == "item.completed";
    match item.word("type").as_ref() {
        "agent_message" if is_over => scribe.said(&item.word("text")),
        "reasoning" if is_over => scribe.thought(&item.word("text")),
        "agent_message" | "reasoning" => scribe.quiet(),
        // Under the names that it tells its hook, which are those of policies.
        "command_execution" => call(&item, "Bash", named(&item, "command"), is_over, scribe),
        "file_change" => call(&item, "apply_patch", named(&item, "changes"), is_over, scribe),
        "web_search" => call(&item, "web_search", named(&item, "query"), is_over, scribe),
        "mcp_tool_call" => {
            let tool = format!("{}.{}", item.word("server"), item.word("tool"));
            let args = item.get("arguments").map_or(Value::Null, shortened);
            call(&item, &tool, args, is_over, scribe);
        }
        "todo_list" => todo(&item, scribe),
        // A warning, whatever its name.
        "error" => scribe.log(Level::Warn, Speaker::Cli, item.word("message")),
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

/// The one argument of a call that has no others, under its name.
fn named(item: &Object<'_>, name: &str) -> Value {
    item.get(name).map_or(Value::Null, |value| json!({ name: shortened(value) }))
}

fn call(item: &Object<'_>, tool: &str, args: Value, is_over: bool, scribe: &mut Scribe<'_>) {
    let id = item.word("id");
    let is_open = scribe.is_open(&id);
    if !is_open {
        scribe.called(&id, tool, args, None);
    } else if !is_over {
        scribe.quiet();
    }
    if !is_over {
        return;
    }
    let error = item.object("error").map(|error| error.word("message"));
    let is_refused = error.as_deref().is_some_and(|error| error.contains("requires approval"));
    let outcome = match item.word("status").as_ref() {
        "declined" | "rejected" => ToolOutcome::Denied,
        "failed" if is_refused => ToolOutcome::Denied,
        // A command that ran and failed is told by its code.
        "failed" if item.get("exit_code").is_none() => ToolOutcome::Failed,
        _ => ToolOutcome::Done,
    };
    let output = item.text("aggregated_output").or(error).or_else(|| {
        item.object("result")?.get("content").and_then(super::stream_json::content_text)
    });
    let exit_code = item.i64("exit_code");
    scribe.finished(Finished { call_id: id, outcome, output, exit_code });
    if tool == "apply_patch" && outcome == ToolOutcome::Done {
        for change in item.items("changes").into_iter().filter_map(Json::object) {
            if change.word("kind") != "delete" {
                scribe.artifact(&change.word("path"));
            }
        }
    }
}

fn todo(item: &Object<'_>, scribe: &mut Scribe<'_>) {
    let steps: Vec<_> = item.items("items").into_iter().filter_map(Json::object).collect();
    let done = steps.iter().filter(|step| step.bool("completed") == Some(true)).count();
    scribe.push(crate::event::Event::Progress {
        current: Number::from(done),
        total: Some(Number::from(steps.len())),
        units: Some("steps".to_owned()),
        message: None,
    });
}

/// The usage is that of the whole thread, through every resume and fork.
fn used(usage: &Object<'_>, scribe: &mut Scribe<'_>) {
    let count = |name| usage.u64(name).unwrap_or(0);
    let cache_read = count("cached_input_tokens");
    let cache_write = count("cache_write_input_tokens");
    let total = Usage {
        input: count("input_tokens").saturating_sub(cache_read).saturating_sub(cache_write),
        output: count("output_tokens"),
        cache_read,
        cache_write,
        reasoning: count("reasoning_output_tokens"),
        cost: None,
    };
    let is_new = matches!(scribe.memory.asked, Conversation::New | Conversation::NewAs(_));
    let carried = scribe.memory.base.map(|base| base.total);
    let before = scribe.memory.total.or(carried).or_else(|| is_new.then(Usage::default));
    scribe.memory.total = Some(total);
    match before {
        Some(before) => scribe.used(&total.since(&Usage { cost: None, ..before })),
        None => scribe.memory.is_partial = true,
    }
}

fn access(access: &Access, argv: &mut Argv, unkept: &mut Vec<Unkept>) {
    match access {
        Access::AsConfigured => {}
        Access::Everything => {
            argv.push("--dangerously-bypass-approvals-and-sandbox");
        }
        Access::Only(grant) => {
            sandbox(grant, argv);
            if !(grant.tools.is_empty() && grant.denied.is_empty() && grant.asked.is_empty()) {
                unkept.push(Unkept::Tools);
            }
        }
    }
}

/// The one CLI whose sandbox holds for its shell too.
fn sandbox(grant: &Grant, argv: &mut Argv) {
    let folders: Vec<&str> = grant
        .write_under
        .iter()
        .map(|folder| folder.trim_end_matches("/**").trim_end_matches('/'))
        .collect();
    if folders.is_empty() {
        argv.flag("-s", "read-only");
    } else if folders.iter().any(|folder| folder.is_empty() || *folder == ".") {
        argv.flag("-s", "workspace-write");
    } else {
        // With a profile there must be no -s.
        let writable: Vec<String> =
            folders.iter().map(|folder| format!("{}=\"write\"", toml_text(folder))).collect();
        argv.flag("-c", "default_permissions=\"job\"");
        argv.flag(
            "-c",
            format!(
                "permissions.job.filesystem={{\":root\"=\"read\",\":workspace_roots\"={{\".\"=\"read\",{}}}}}",
                writable.join(",")
            ),
        );
    }
}

/// Our hook, before every tool.
fn hook(hook: &Hook) -> String {
    format!(
        "hooks.PreToolUse=[{{matcher=\"*\",hooks=[{{type=\"command\",command={},timeout={}}}]}}]",
        toml_text(&hook.command),
        hook.timeout_s
    )
}

/// A server of tools, whose tools would otherwise all be refused: nobody is there to approve them.
fn tool_server(server: &ToolServer) -> String {
    let args: Vec<String> = server.args.iter().map(|arg| toml_text(arg)).collect();
    let env: Vec<String> = server
        .env
        .iter()
        .map(|(name, value)| format!("{}={}", toml_text(name), toml_text(value)))
        .collect();
    format!(
        "mcp_servers.{}={{command={},args=[{}],env={{{}}},default_tools_approval_mode=\"approve\"}}",
        server.name,
        toml_text(&server.command),
        args.join(","),
        env.join(",")
    )
}

/// A TOML string; JSON's are such.
pub(super) fn toml_text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
