//! opencode, `opencode run --format json`. It tells neither of a beginning nor of an end: a run that
//! went well is one whose last step stopped, and that then exits with 0.

use super::gate;
use crate::adapter::{Adapter, Tried};
use crate::environment::MANY_VENDORS;
use crate::event::{Event, Phase, ToolOutcome, Unread};
use crate::failure::{Class, Failure};
use crate::json::Object;
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe};
use crate::turn::{Access, Conversation, Grant, Launch, Turn, Unkept, Unsuited, pattern};
use crate::usage::{NanoUsd, Usage};
use crate::verdict::{End, Ending, Exit, Table, Verdict, judge};
use crate::{clip, limits::NAME_BYTES_MAX, reset};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

pub(crate) struct Opencode;

impl Adapter for Opencode {
    fn kind(&self) -> &'static str {
        "opencode"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "opencode-ai 1.18.33",
            notes: "tools are told of when they are over; it repeats refused requests in silence, so \
                    silence must be bounded from outside; thoughts only with --thinking",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut unkept = vec![];
        let mut argv = Argv::new(turn, "opencode");
        argv.words(&["run", "--format", "json"]);
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
            Conversation::Resume(id) => {
                argv.flag("-s", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(id) => {
                argv.flag("-s", id.as_str()).push("--fork");
            }
        }
        argv.option("-m", turn.model.as_ref());
        let mut config = Map::new();
        match &turn.access {
            Access::AsConfigured => {
                config.extend(denials(&turn.denied));
            }
            Access::Everything => {
                argv.push("--auto");
                config.extend(denials(&turn.denied));
            }
            Access::Only(grant) => {
                config.insert("permission".to_owned(), permission(grant));
                if grant.let_through().contains(&"bash") && !grant.write_under.is_empty() {
                    unkept.push(Unkept::Writes);
                }
            }
        }
        if !turn.tool_servers.is_empty() {
            config.insert("mcp".to_owned(), tool_servers(turn));
        }
        let gate = turn.hook.as_ref().map(|hook| gate::opencode(turn, hook));
        if let Some(gate) = &gate {
            config.insert("plugin".to_owned(), json!([format!("file://{}", gate.path)]));
        }
        argv.extra(turn);
        if is_argument(&turn.prompt) {
            argv.push(turn.prompt.as_str());
        }
        let wishes = [
            (turn.steps_max.is_some(), Unkept::Steps),
            (turn.budget.is_some(), Unkept::Budget),
            (turn.retries_max.is_some(), Unkept::Retries),
        ];
        unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
        let mut launch = argv.into_launch(MANY_VENDORS);
        launch.stdin = stdin_for(&turn.prompt);
        launch.unkept = unkept;
        launch.files.extend(gate);
        launch.conversation = named;
        if !config.is_empty() {
            launch
                .set
                .insert("OPENCODE_CONFIG_CONTENT".to_owned(), Value::Object(config).to_string());
        }
        launch.default.insert("OPENCODE_DISABLE_AUTOUPDATE".to_owned(), "1".to_owned());
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        let Some(object) = scribe.object(line) else { return };
        let kind = object.word("type");
        if let Some(id) = object.text("sessionID") {
            scribe.conversation(&id);
        }
        let part = object.object("part");
        match (kind.as_ref(), &part) {
            ("step_start", _) => {
                let again = scribe.memory.mark == STARTED;
                scribe.status(if again { Phase::Retrying } else { Phase::Working }, None);
                STARTED.clone_into(&mut scribe.memory.mark);
            }
            ("text", Some(part)) => scribe.said(&part.word("text")),
            ("reasoning", Some(part)) => scribe.thought(&part.word("text")),
            ("tool_use", Some(part)) => tool(part, line, scribe),
            ("step_finish", Some(part)) => step(part, scribe),
            ("error", _) => error(&object, scribe),
            ("text" | "reasoning" | "tool_use" | "step_finish", None) => {
                scribe.raw(Unread::Incomplete, line);
            }
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }

    fn closed(&self, scribe: &mut Scribe<'_>) {
        if scribe.memory.end.is_none() && scribe.memory.mark == "stop" {
            let text = Some(scribe.memory.said.clone()).filter(|said| !said.is_empty());
            scribe.push(Event::Result { ok: true, text, output: Value::Null });
        }
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Steps, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["opencode", "-s", conversation].map(str::to_owned).to_vec())
    }
}

/// The mark of a step that has begun; otherwise the mark is the reason that the last one ended for.
const STARTED: &str = "started";

/// Judged by the reason that the last step ended for.
struct Steps;

impl Table for Steps {
    fn unsaid(&self, memory: &Memory, exit: Exit) -> Option<Ending> {
        let failed = |class, message| Some(Ending::Failed(Failure::of(class, message)));
        match memory.mark.as_str() {
            "stop" => {
                let despite = Some(exit).filter(|exit| *exit != Exit::Code(0));
                Some(Ending::Succeeded { despite })
            }
            "length" => failed(Class::OutputFull, "the answer was cut off at the model's longest"),
            // Without a person it answers no to itself, ends there and exits with 0.
            "tool-calls" if exit == Exit::Code(0) && memory.counts.denied > 0 => {
                failed(Class::Denied, "it ended at a tool call that nobody approved")
            }
            _ => None,
        }
    }
}

fn tool(part: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(state) = part.object("state") else { return scribe.raw(Unread::Incomplete, line) };
    let call_id = part.word("callID");
    scribe.call(&call_id, &part.word("tool"), state.get("input"));
    let error = state.text("error");
    let is_refused = error.as_deref().is_some_and(|error| {
        error.contains("rejected permission") || error.contains("rule which prevents")
    });
    let outcome = match state.word("status").as_ref() {
        "completed" => ToolOutcome::Done,
        _ if is_refused => ToolOutcome::Denied,
        _ => ToolOutcome::Failed,
    };
    let exit_code = state.object("metadata").and_then(|metadata| metadata.i64("exit"));
    let output = error.or_else(|| state.text("output"));
    scribe.finished(Finished { call_id, outcome, output, exit_code });
}

fn step(part: &Object<'_>, scribe: &mut Scribe<'_>) {
    clip::encoded(&part.word("reason"), NAME_BYTES_MAX).clone_into(&mut scribe.memory.mark);
    scribe.memory.failure = None;
    let tokens = part.object("tokens").unwrap_or_default();
    let cache = tokens.object("cache").unwrap_or_default();
    scribe.used(&Usage {
        input: tokens.u64("input").unwrap_or(0),
        output: tokens.u64("output").unwrap_or(0),
        cache_read: cache.u64("read").unwrap_or(0),
        cache_write: cache.u64("write").unwrap_or(0),
        reasoning: tokens.u64("reasoning").unwrap_or(0),
        cost: part.f64("cost").and_then(NanoUsd::from_dollars),
    });
}

fn error(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let error = object.object("error").unwrap_or_default();
    let detail = error.object("data").unwrap_or_default();
    let message = detail.text("message").unwrap_or_else(|| error.word("name")).into_owned();
    let status = detail.u64("statusCode").and_then(|status| u16::try_from(status).ok());
    let mut failure = Failure::read(status, &message);
    if failure.reset.is_none() && failure.class.remedy() == crate::failure::Remedy::Park {
        failure.reset =
            detail.get("responseHeaders").and_then(|headers| reset::find(headers.raw()));
    }
    if error.word("name") == "MessageAbortedError" {
        failure.class = Class::Interrupted;
    }
    scribe.failing(failure);
    scribe.ended(Terminal::Failed, Some(Cow::Owned(message)), Value::Null);
}

/// Rules that only forbid. What is denied of a tool's commands is left to the gate: a rule for it would
/// take the place of the user's own for that tool.
fn denials(tools: &[String]) -> Option<(String, Value)> {
    let plain = tools.iter().filter(|tool| !tool.contains('('));
    let rules: Map<String, Value> = plain.map(|tool| (tool.clone(), json!("deny"))).collect();
    (!rules.is_empty()).then(|| ("permission".to_owned(), Value::Object(rules)))
}

fn worded((words, goes_on): (&str, bool)) -> String {
    format!("{words}{}", if goes_on { "*" } else { "" })
}

/// Of the rules for one thing the last that matches counts.
fn permission(grant: &Grant) -> Value {
    let let_through = grant.let_through();
    let is_granted = |tool: &str| {
        let_through.iter().any(|granted| *granted == tool || *granted == "*")
            && !grant.denied.iter().any(|no| no == tool)
    };
    let word = |granted: bool| if granted { "allow" } else { "deny" };
    let edit = if is_granted("edit") || is_granted("write") {
        json!("allow")
    } else if grant.write_under.is_empty() {
        json!("deny")
    } else {
        let mut rules = Map::new();
        rules.insert("*".to_owned(), json!("deny"));
        for folder in &grant.write_under {
            let folder = folder.trim_end_matches("/**").trim_end_matches('/');
            let is_all = folder.is_empty() || folder == ".";
            rules.insert(
                if is_all { "**".to_owned() } else { format!("{folder}/**") },
                json!("allow"),
            );
        }
        Value::Object(rules)
    };
    let mut rules = Map::new();
    rules.insert("edit".to_owned(), edit);
    rules.insert("bash".to_owned(), if is_granted("bash") { shell(grant) } else { json!("deny") });
    rules.insert("webfetch".to_owned(), json!(word(is_granted("webfetch"))));
    for denied in grant.denied.iter().filter(|tool| *tool != "write" && !tool.contains('(')) {
        rules.insert(denied.clone(), json!("deny"));
    }
    Value::Object(rules)
}

/// What of a shell is granted: all of it, or some commands. Each part of a line is ruled by itself.
fn shell(grant: &Grant) -> Value {
    let of_shell = |patterns: &[String]| -> Vec<String> {
        let named = patterns.iter().map(|named| pattern(named));
        let named = named.filter(|(tool, _)| matches!(*tool, "bash" | "*"));
        named.map(|(_, command)| command.map_or_else(|| "*".to_owned(), worded)).collect()
    };
    let denied = of_shell(&grant.denied);
    let mut rules = Map::new();
    rules.insert("*".to_owned(), json!("deny"));
    for granted in of_shell(&grant.tools).into_iter().chain(of_shell(&grant.asked)) {
        // They are told in the order of their letters, and the last one counts.
        let start = granted.trim_end_matches('*');
        let is_lost = denied.iter().any(|no| *no < granted && no.starts_with(start));
        if !is_lost {
            rules.insert(granted, json!("allow"));
        }
    }
    for no in denied {
        rules.retain(|rule, _| rule == "*" || !rule.starts_with(no.trim_end_matches('*')));
        rules.insert(no, json!("deny"));
    }
    if rules.len() == 1 && rules["*"] == "allow" { json!("allow") } else { Value::Object(rules) }
}

fn tool_servers(turn: &Turn) -> Value {
    let servers = turn.tool_servers.iter().map(|server| {
        let command: Vec<&String> = std::iter::once(&server.command).chain(&server.args).collect();
        let entry = json!({
            "type": "local", "command": command, "environment": server.env, "enabled": true,
        });
        (server.name.clone(), entry)
    });
    Value::Object(servers.collect())
}
