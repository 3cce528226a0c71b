//! Claude Code, `claude -p`.

use super::stream_json;
use crate::adapter::{Adapter, Tried};
use crate::launching::{Argv, check, check_unspoken, is_argument, stdin_for};
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Access, Conversation, Grant, Launch, ToolServer, Turn, Unkept, Unsuited};
use crate::verdict::{End, Table, Verdict, judge};
use serde_json::json;

pub(crate) struct Claude;

/// Requests that the CLI repeats by itself before it gives up. Its own default, ten, takes minutes.
const RETRIES: u32 = 3;

const PASS: &[&str] = &[
    "ANTHROPIC_*",
    "CLAUDE_CODE_*",
    "CLAUDE_CONFIG_DIR",
    "AWS_*",
    "GOOGLE_*",
    "CLOUD_ML_REGION",
    "VERTEX_*",
    "API_TIMEOUT_MS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "BASH_*",
    "MAX_THINKING_TOKENS",
    "ENABLE_TOOL_SEARCH",
    "DISABLE_*",
    "IS_SANDBOX",
];

impl Adapter for Claude {
    fn kind(&self) -> &'static str {
        "claude"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@anthropic-ai/claude-code 2.1.329",
            notes: "usage limits (`rate_limit_event`, reset times) are as others report them; \
                    subagents and background tasks were never seen",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        if turn.resumes_deferred {
            check_unspoken(turn)?;
            if !matches!(turn.conversation, Conversation::Resume(_)) {
                return Err(Unsuited::NoDeferral);
            }
        } else {
            check(turn)?;
        }
        let mut argv = Argv::new(turn, "claude");
        argv.push("-p");
        let is_told = !turn.resumes_deferred;
        if is_told && is_argument(&turn.prompt) {
            argv.push(turn.prompt.as_str());
        }
        access(turn, &mut argv);
        // Without --verbose it refuses to stream. A flag must follow the lists of tools, which take
        // every word up to the next one.
        argv.words(&["--output-format", "stream-json", "--verbose"]);
        argv.option("--model", turn.model.as_ref());
        let mut unkept = vec![];
        let named = conversation(&turn.conversation, &mut argv, &mut unkept);
        if let Some(steps) = turn.steps_max {
            argv.flag("--max-turns", steps.to_string());
        }
        if let Some(budget) = turn.budget {
            argv.flag("--max-budget-usd", budget.dollars().to_string());
        }
        if !turn.tool_servers.is_empty() {
            argv.flag("--mcp-config", servers(&turn.tool_servers));
        }
        if let Some(hook) = &turn.hook {
            let command =
                json!({ "type": "command", "command": hook.command, "timeout": hook.timeout_s });
            let settings =
                json!({ "hooks": { "PreToolUse": [{ "matcher": "*", "hooks": [command] }] } });
            argv.flag("--settings", settings.to_string());
        }
        argv.extra(turn);
        let mut launch = argv.into_launch(PASS);
        if is_told {
            launch.stdin = stdin_for(&turn.prompt);
        }
        let retries = "CLAUDE_CODE_MAX_RETRIES".to_owned();
        match turn.retries_max {
            Some(most) => launch.set.insert(retries, most.to_string()),
            None => launch.default.insert(retries, RETRIES.to_string()),
        };
        if shell_can_write_elsewhere(&turn.access) {
            unkept.push(Unkept::Writes);
        }
        launch.unkept = unkept;
        launch.conversation = named;
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        stream_json::line(line, scribe);
    }

    fn stderr(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        stream_json::stderr_line(line, scribe);
    }

    fn closed(&self, scribe: &mut Scribe<'_>) {
        stream_json::closed(scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["claude", "--resume", conversation].map(str::to_owned).to_vec())
    }
}

/// Every code is 1 or a signal's: the `result` says it all.
struct Codes;

impl Table for Codes {}

fn conversation(
    conversation: &Conversation,
    argv: &mut Argv,
    unkept: &mut Vec<Unkept>,
) -> Option<String> {
    match conversation {
        Conversation::New => {}
        Conversation::NewAs(id) if is_uuid(id) => {
            argv.flag("--session-id", id.as_str());
            return Some(id.clone());
        }
        Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
        Conversation::Resume(id) => {
            argv.flag("--resume", id.as_str());
            return Some(id.clone());
        }
        Conversation::Fork(id) => {
            argv.flag("--resume", id.as_str()).push("--fork-session");
        }
    }
    None
}

pub(super) fn is_uuid(id: &str) -> bool {
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn access(turn: &Turn, argv: &mut Argv) {
    match &turn.access {
        Access::AsConfigured => {
            list("--disallowedTools", turn.denied.iter().map(|tool| rule(tool)).collect(), argv);
        }
        Access::Everything => {
            argv.flag("--permission-mode", "bypassPermissions");
            list("--disallowedTools", turn.denied.iter().map(|tool| rule(tool)).collect(), argv);
        }
        Access::Only(grant) => {
            argv.flag("--permission-mode", "dontAsk");
            // Rules of the repository would count too, and the agent can write those.
            argv.flag("--setting-sources", "").push("--strict-mcp-config");
            // Tools that only read, a shell's `echo` among them, run without a rule: what is not
            // granted is not offered.
            argv.flag("--tools", offered(grant));
            let mut allowed: Vec<String> = grant.tools.iter().map(|tool| rule(tool)).collect();
            allowed.extend(grant.write_under.iter().map(|folder| under(folder)));
            allowed
                .extend(turn.tool_servers.iter().map(|server| format!("mcp__{}__*", server.name)));
            list("--allowedTools", allowed, argv);
            list("--disallowedTools", grant.denied.iter().map(|tool| rule(tool)).collect(), argv);
        }
    }
}

/// The built-in tools that are granted, by name and without rules. To edit it must first read. A
/// pattern over names can only be met by all of them.
fn offered(grant: &Grant) -> String {
    if grant.let_through().iter().any(|name| name.ends_with('*') && !name.starts_with("mcp__")) {
        return "default".to_owned();
    }
    let mut tools: Vec<&str> =
        if grant.write_under.is_empty() { vec![] } else { vec!["Read", "Edit", "Write"] };
    // What a person is asked about is offered and not allowed: the hook's word allows it.
    for name in grant.let_through() {
        if !name.starts_with("mcp__") && !tools.contains(&name) {
            tools.push(name);
        }
    }
    tools.join(",")
}

fn list(flag: &str, mut rules: Vec<String>, argv: &mut Argv) {
    rules.dedup();
    if !rules.is_empty() {
        argv.push(flag);
        for rule in rules {
            argv.push(rule);
        }
    }
}

/// Paths are ruled by `Edit(…)` alone, for every tool that writes; `Write(…)` is taken and does nothing.
fn rule(tool: &str) -> String {
    match tool.strip_prefix("Write(").or_else(|| tool.strip_prefix("MultiEdit(")) {
        Some(rest) => format!("Edit({rest}"),
        None => tool.to_owned(),
    }
}

fn under(folder: &str) -> String {
    let folder = folder.trim_end_matches('/').trim_end_matches("/**");
    if folder.is_empty() || folder == "." {
        "Edit(**)".to_owned()
    } else {
        format!("Edit({folder}/**)")
    }
}

/// Rules of paths do not see what a shell writes.
fn shell_can_write_elsewhere(access: &Access) -> bool {
    match access {
        Access::AsConfigured | Access::Everything => false,
        Access::Only(Grant { tools, write_under, .. }) => {
            !write_under.is_empty() && tools.iter().any(|tool| tool.starts_with("Bash"))
        }
    }
}

pub(super) fn servers(servers: &[ToolServer]) -> String {
    let each = servers.iter().map(|server| {
        let entry = json!({
            "type": "stdio", "command": server.command, "args": server.args, "env": server.env,
        });
        (server.name.clone(), entry)
    });
    json!({ "mcpServers": each.collect::<serde_json::Map<_, _>>() }).to_string()
}
