//! Gemini CLI, `gemini -p`.

use super::claude::is_uuid;
use super::codex::toml_text;
use crate::adapter::{Adapter, Tried};
use crate::event::{Level, Speaker, ToolOutcome, Unread};
use crate::failure::{Class, Failure};
use crate::json::Object;
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe};
use crate::turn::{
    Access, Conversation, File, Grant, Hook, Launch, Turn, Unkept, Unsuited, pattern,
};
use crate::usage::Usage;
use crate::verdict::{End, Table, Verdict, judge};
use serde_json::{Value, json};
use std::borrow::Cow;

pub(crate) struct Gemini;

const PASS: &[&str] = &["GEMINI_*", "GOOGLE_*", "CLOUDSDK_*"];

impl Adapter for Gemini {
    fn kind(&self) -> &'static str {
        "gemini"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@google/gemini-cli 0.61.0",
            notes: "it reports no thoughts, exit codes or money; a request that it repeats says its \
                    text again; an answer that is cut off at the model's longest looks complete",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut unkept = vec![];
        let mut files = vec![];
        let mut argv = Argv::new(turn, "gemini");
        // With an empty -p it reads stdin.
        argv.flag("-p", if is_argument(&turn.prompt) { turn.prompt.as_str() } else { "" });
        argv.option("-m", turn.model.as_ref());
        argv.flag("--output-format", "stream-json");
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(id) if is_uuid(id) => {
                argv.flag("--session-id", id.as_str());
                named = Some(id.clone());
            }
            Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
            Conversation::Resume(id) => {
                argv.flag("--resume", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(_) => return Err(Unsuited::NoFork),
        }
        files.extend(access(turn, &mut argv, &mut unkept));
        argv.extra(turn);
        let wishes = [
            (turn.steps_max.is_some(), Unkept::Steps),
            (turn.budget.is_some(), Unkept::Budget),
            (turn.retries_max.is_some(), Unkept::Retries),
            (!turn.tool_servers.is_empty(), Unkept::ToolServers),
        ];
        unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
        let mut launch = argv.into_launch(PASS);
        launch.stdin = stdin_for(&turn.prompt);
        if let Some(hook) = hook(turn) {
            let settings = settings_file(turn, json!({ "hooks": hooks("BeforeTool", hook) }));
            // What lies there by itself is for the whole machine, and has the last word.
            let variable = "GEMINI_CLI_SYSTEM_SETTINGS_PATH".to_owned();
            launch.set.insert(variable, settings.path.clone());
            files.push(settings);
        } else if turn.hook.is_some() {
            unkept.push(Unkept::Hook);
        }
        launch.files = files;
        launch.unkept = unkept;
        launch.conversation = named;
        // Otherwise it starts itself again, and signals to the parent are ignored; and a folder that
        // nobody has vouched for at a terminal is refused.
        for name in ["GEMINI_CLI_NO_RELAUNCH", "GEMINI_CLI_TRUST_WORKSPACE"] {
            launch.default.insert(name.to_owned(), "true".to_owned());
        }
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        let Some(object) = scribe.object(line) else { return };
        match object.word("type").as_ref() {
            "init" => {
                scribe.conversation(&object.word("session_id"));
                scribe.model(object.text("model"));
            }
            "message" => message(&object, scribe),
            "tool_use" => scribe.call(
                &object.word("tool_id"),
                &object.word("tool_name"),
                object.get("parameters"),
            ),
            "tool_result" => tool_result(&object, scribe),
            "error" => {
                let level =
                    if object.word("severity") == "error" { Level::Error } else { Level::Warn };
                let message = object.word("message");
                scribe.log(level, Speaker::Cli, &message);
                if level == Level::Error {
                    scribe.failing(Failure::read(None, &message));
                }
            }
            "result" => result(&object, scribe),
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["gemini", "--resume", conversation].map(str::to_owned).to_vec())
    }
}

struct Codes;

impl Table for Codes {
    fn code(&self, memory: &Memory, code: i32) -> Option<Class> {
        let is_resumed = matches!(memory.asked, Conversation::Resume(_));
        Some(match code {
            41 => Class::Auth,
            42 if is_resumed => Class::ResumeRefused,
            42 | 52 | 55 => Class::Misused,
            53 => Class::MaxTurns,
            // HTTP's statuses, as far as they fit a byte.
            144 => Class::BadRequest,
            145 | 147 => Class::Auth,
            173 => Class::RateLimited,
            244..=248 => Class::Overloaded,
            _ => return None,
        })
    }
}

fn message(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    if object.word("role") != "assistant" {
        // The prompt, said back.
        return scribe.quiet();
    }
    let text = object.word("content");
    if object.bool("delta") == Some(true) { scribe.piece(false, &text) } else { scribe.said(&text) }
}

fn tool_result(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let error = object.object("error");
    let kind = error.as_ref().map(|error| error.word("type").into_owned()).unwrap_or_default();
    let outcome = match (object.word("status").as_ref(), kind.as_str()) {
        ("success", _) => ToolOutcome::Done,
        (_, "policy_violation") => ToolOutcome::Denied,
        _ => ToolOutcome::Failed,
    };
    let output = object.text("output").or_else(|| error.map(|error| error.word("message")));
    scribe.finished(Finished { call_id: object.word("tool_id"), outcome, output, exit_code: None });
}

fn result(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    scribe.flush();
    if let Some(stats) = object.object("stats") {
        let count = |name| stats.u64(name).unwrap_or(0);
        let cached = count("cached");
        let input =
            stats.u64("input").unwrap_or_else(|| count("input_tokens").saturating_sub(cached));
        let output = count("output_tokens");
        scribe.used(&Usage { input, output, cache_read: cached, ..Usage::default() });
    }
    if object.word("status") == "success" {
        let said = scribe.memory.said.clone();
        return scribe.ended(Terminal::Ok, Some(Cow::Owned(said)), Value::Null);
    }
    if let Some(error) = object.object("error") {
        let message = error.word("message");
        let mut failure = Failure::read(None, &message);
        if error.word("type") == "FatalTurnLimitedError" {
            failure.class = Class::MaxTurns;
        }
        scribe.failing(failure);
    }
    let text = scribe.memory.failure.as_ref().map(|failure| Cow::Owned(failure.message.clone()));
    scribe.ended(Terminal::Failed, text, Value::Null);
}

const SHELL: &str = "run_shell_command";
const WRITERS: &[&str] = &["write_file", "replace"];

/// Our hook, where it will be run: settings for the whole machine are skipped, with no more than a
/// line on stderr, if anybody but root could have written them.
fn hook(turn: &Turn) -> Option<&Hook> {
    turn.hook.as_ref().filter(|_| turn.folder_is_roots)
}

/// Its mode, and the rules that go with it. They must do without the hook, which may not be run; and
/// with it, they let through what it asks a person about, for it can only forbid.
fn access(turn: &Turn, argv: &mut Argv, unkept: &mut Vec<Unkept>) -> Option<File> {
    let asked = if hook(turn).is_some() { &turn.asked[..] } else { &[] };
    let mut rules = Rules::default();
    match &turn.access {
        Access::AsConfigured => {
            rules.deny(&turn.denied);
            rules.allow(asked);
        }
        Access::Everything => {
            argv.flag("--approval-mode", "yolo");
            rules.deny(&turn.denied);
            if asked.is_empty() {
                rules.deny(&turn.asked);
            }
        }
        Access::Only(grant) => {
            argv.flag("--approval-mode", "default");
            if grant.let_through().contains(&SHELL) && !grant.write_under.is_empty() {
                unkept.push(Unkept::Writes);
            }
            let asked = if hook(turn).is_some() { &grant.asked[..] } else { &[] };
            rules.only(grant, asked, &turn.cwd);
        }
    }
    if rules.0.is_empty() {
        return None;
    }
    let path = format!("{}/policy.toml", turn.folder.trim_end_matches('/'));
    argv.flag("--policy", path.as_str());
    Some(File { path, text: rules.0 })
}

/// Settings of an attempt's own.
pub(super) fn settings_file(turn: &Turn, settings: Value) -> File {
    let path = format!("{}/settings.json", turn.folder.trim_end_matches('/'));
    File { path, text: settings.to_string() }
}

/// Our hook as settings have it; times are in milliseconds.
pub(super) fn hooks(event: &str, hook: &Hook) -> Value {
    let timeout_ms = u64::from(hook.timeout_s) * 1_000;
    let command = json!({
        "name": "longhaul", "type": "command", "command": hook.command, "timeout": timeout_ms,
    });
    json!({ event: [{ "matcher": "*", "hooks": [command] }] })
}

/// Rules of which the one with the highest priority decides.
#[derive(Default)]
struct Rules(String);

impl Rules {
    fn rule(&mut self, tools: &[&str], args: Option<String>, decision: &str, priority: u32) {
        if tools.is_empty() {
            return;
        }
        let names: Vec<String> = tools.iter().map(|tool| toml_text(tool)).collect();
        let args = args.map(|args| format!("argsPattern = {}\n", toml_text(&args)));
        self.0.push_str(&format!(
            "[[rule]]\ntoolName = [{}]\n{}decision = \"{decision}\"\npriority = {priority}\n\n",
            names.join(", "),
            args.unwrap_or_default()
        ));
    }

    /// A command is looked for anywhere in the line, behind a line's end that is written as `\n` too:
    /// rather too much is denied than too little.
    fn deny(&mut self, patterns: &[String]) {
        let plain: Vec<&str> =
            patterns.iter().filter(|tool| !tool.contains('(')).map(String::as_str).collect();
        self.rule(&plain, None, "deny", 700);
        for denied in patterns {
            if let (tool, Some((words, _))) = pattern(denied) {
                let word = escaped(words.trim());
                let args = (!word.is_empty())
                    .then(|| format!("\"command\":\".*(\\b|\\\\[nrt]|[^A-Za-z0-9]){word}"));
                self.rule(&[tool], args, "deny", 700);
            }
        }
    }

    fn allow(&mut self, patterns: &[String]) {
        let plain: Vec<&str> =
            patterns.iter().filter(|tool| !tool.contains('(')).map(String::as_str).collect();
        self.rule(&plain, None, "allow", 500);
        for allowed in patterns {
            if let (tool, Some((words, goes_on))) = pattern(allowed) {
                let end = if goes_on { "" } else { "\"" };
                let begins = format!("\"command\":\"{}{end}", escaped(words));
                self.rule(&[tool], Some(begins), "allow", 500);
            }
        }
    }

    fn only(&mut self, grant: &Grant, asked: &[String], cwd: &str) {
        self.deny(&grant.denied);
        self.allow(&grant.tools);
        self.allow(asked);
        if !grant.write_under.is_empty() {
            // The pattern knows nothing of folders above: a path that goes up is refused before.
            let goes_up = "\"file_path\":\"[^\"]*\\.\\.".to_owned();
            self.rule(WRITERS, Some(goes_up), "deny", 600);
        }
        for folder in &grant.write_under {
            let folder = folder.trim_end_matches("/**").trim_end_matches('/');
            let below = if folder.is_empty() || folder == "." {
                String::new()
            } else {
                format!("{}/", escaped(folder))
            };
            let pattern =
                format!("\"file_path\":\"({}/)?{below}", escaped(cwd.trim_end_matches('/')));
            self.rule(WRITERS, Some(pattern), "allow", 500);
        }
        let granted: Vec<&String> = grant.tools.iter().chain(asked).collect();
        let ungranted: Vec<&str> = WRITERS
            .iter()
            .chain(&[SHELL, "web_fetch"])
            .filter(|tool| !granted.iter().any(|granted| granted == *tool))
            .copied()
            .collect();
        self.rule(&ungranted, None, "deny", 400);
    }
}

/// A text as a pattern that matches it and nothing else.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if !(character.is_alphanumeric() || matches!(character, '/' | '_' | '-')) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
