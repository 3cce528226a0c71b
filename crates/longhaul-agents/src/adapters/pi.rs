//! pi, `pi -p --mode json`, and the dialect that omp shares. pi exits with 0 whatever the vendor
//! said: only the last message tells.

use super::gate;
use crate::adapter::{Adapter, Tried};
use crate::environment::MANY_VENDORS;
use crate::event::{Phase, ToolOutcome, Unread};
use crate::failure::{Class, Failure};
use crate::json::{Json, Object};
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe};
use crate::turn::{Access, Conversation, Launch, Turn, Unkept, Unsuited};
use crate::usage::{NanoUsd, Usage};
use crate::verdict::{End, Table, Verdict, judge};
use crate::{clip, limits::NAME_BYTES_MAX};
use serde_json::Value;
use std::borrow::Cow;

pub(crate) struct Pi;

impl Adapter for Pi {
    fn kind(&self) -> &'static str {
        "pi"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@earendil-works/pi-coding-agent 0.87.1",
            notes: "it has no permissions but a list of tools; the words of a refused --session were \
                    never seen",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut argv = Argv::new(turn, "pi");
        argv.words(&["-p", "--mode", "json"]);
        match turn.model.as_ref().map(|model| model.split_once('/').ok_or(model)) {
            Some(Ok((provider, model))) => {
                argv.flag("--provider", provider).flag("--model", model);
            }
            Some(Err(model)) => {
                argv.flag("--model", model.as_str());
            }
            None => {}
        }
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(id) => {
                argv.flag("--session-id", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Resume(id) => {
                argv.flag("--session", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(id) => {
                argv.flag("--fork", id.as_str());
            }
        }
        let mut unkept = vec![];
        tools(turn, &mut argv, &mut unkept);
        let mut launch = finish(turn, argv, unkept);
        launch.conversation = named;
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        read(line, scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["pi", "--session", conversation].map(str::to_owned).to_vec())
    }
}

/// Codes say nothing: pi's is 0 after errors, and omp's 1 comes with an error said.
pub(super) struct Codes;

impl Table for Codes {}

/// What is granted, as a list of tools: there is nothing else to grant by.
pub(super) fn tools(turn: &Turn, argv: &mut Argv, unkept: &mut Vec<Unkept>) {
    let Access::Only(grant) = &turn.access else { return };
    let is_denied = |tool: &str| grant.denied.iter().any(|denied| denied == tool);
    let granted = grant.let_through().into_iter().filter(|tool| !is_denied(tool));
    let granted: Vec<&str> = granted.filter(|tool| !tool.ends_with('*')).collect();
    if granted.is_empty() {
        unkept.push(Unkept::Tools);
    } else {
        argv.flag("--tools", granted.join(","));
    }
    if !grant.write_under.is_empty() {
        unkept.push(Unkept::Writes);
    }
}

/// The rest of a command line, the same for both.
pub(super) fn finish(turn: &Turn, mut argv: Argv, mut unkept: Vec<Unkept>) -> Launch {
    let gate = turn.hook.as_ref().map(|hook| gate::pi(turn, hook));
    if let Some(gate) = &gate {
        argv.flag("-e", gate.path.as_str());
    }
    argv.extra(turn);
    if is_argument(&turn.prompt) {
        argv.push(turn.prompt.as_str());
    }
    let wishes = [
        (turn.steps_max.is_some(), Unkept::Steps),
        (turn.budget.is_some(), Unkept::Budget),
        (turn.retries_max.is_some(), Unkept::Retries),
        (!turn.denied.is_empty() && turn.access == Access::AsConfigured, Unkept::Tools),
        (!turn.tool_servers.is_empty(), Unkept::ToolServers),
    ];
    unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
    let mut launch = argv.into_launch(MANY_VENDORS);
    launch.stdin = stdin_for(&turn.prompt);
    launch.unkept = unkept;
    launch.files.extend(gate);
    // It would look for updates first.
    launch.default.insert("PI_OFFLINE".to_owned(), "1".to_owned());
    launch
}

pub(super) fn read(line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(object) = scribe.object(line) else { return };
    match object.word("type").as_ref() {
        "session" => scribe.conversation(&object.word("id")),
        "message_end" => message(&object, line, scribe),
        "tool_execution_start" => {
            scribe.call(&object.word("toolCallId"), &object.word("toolName"), object.get("args"));
        }
        "tool_execution_end" => tool_end(&object, scribe),
        "auto_retry_start" => {
            let message = object.word("errorMessage");
            let attempt = object.u64("attempt").unwrap_or(0);
            scribe.status(Phase::Retrying, format!("attempt {attempt}: {message}"));
        }
        "auto_retry_end" => {
            if object.bool("success") == Some(false) {
                scribe.failing(Failure::read(None, &object.word("finalError")));
                "error".clone_into(&mut scribe.memory.mark);
            }
        }
        "agent_settled" => over(scribe),
        "agent_end" if object.bool("isTerminal") == Some(true) => over(scribe),
        // Said before or after by what is read.
        "agent_start"
        | "turn_start"
        | "message_start"
        | "message_update"
        | "turn_end"
        | "agent_end"
        | "tool_execution_update"
        | "entry_appended"
        | "advisor_cost_changed"
        | "queue_update"
        | "session_info_changed"
        | "thinking_level_changed" => scribe.quiet(),
        "compaction_start" | "compaction_end" | "auto_compaction_start" | "auto_compaction_end" => {
            scribe.status(Phase::Other, object.word("type").into_owned());
        }
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

fn message(object: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(message) = object.object("message") else {
        return scribe.raw(Unread::Incomplete, line);
    };
    if message.word("role") != "assistant" {
        return scribe.quiet();
    }
    scribe.model(message.text("model"));
    if let Some(text) = message.text("content") {
        scribe.said(&text);
    }
    for block in message.items("content").into_iter().filter_map(Json::object) {
        match block.word("type").as_ref() {
            "text" => scribe.said(&block.word("text")),
            "thinking" => scribe.thought(&block.word("thinking")),
            // Told again, and with its end, when it runs.
            "toolCall" => {}
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }
    if let Some(usage) = message.object("usage") {
        used(&usage, scribe);
    }
    let reason = message.word("stopReason");
    clip::encoded(&reason, NAME_BYTES_MAX).clone_into(&mut scribe.memory.mark);
    if reason == "error" {
        let status = message.u64("errorStatus").and_then(|status| u16::try_from(status).ok());
        scribe.failing(Failure::read(status, &message.word("errorMessage")));
    } else {
        scribe.memory.failure = None;
    }
}

fn used(usage: &Object<'_>, scribe: &mut Scribe<'_>) {
    let count = |name| usage.u64(name).unwrap_or(0);
    let cost = usage.object("cost").and_then(|cost| cost.f64("total"));
    scribe.used(&Usage {
        input: count("input"),
        output: count("output"),
        cache_read: count("cacheRead"),
        cache_write: count("cacheWrite"),
        reasoning: count("reasoning"),
        cost: cost.and_then(NanoUsd::from_dollars),
    });
}

fn tool_end(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let is_error = object.bool("isError") == Some(true);
    let outcome = if is_error { ToolOutcome::Failed } else { ToolOutcome::Done };
    let result = object.object("result");
    let output =
        result.and_then(|result| result.get("content")).and_then(super::stream_json::content_text);
    scribe.finished(Finished {
        call_id: object.word("toolCallId"),
        outcome,
        output,
        exit_code: None,
    });
}

/// The run is over; how, the last message said.
fn over(scribe: &mut Scribe<'_>) {
    let failure = match scribe.memory.mark.as_str() {
        "stop" => {
            let said = scribe.memory.said.clone();
            return scribe.ended(Terminal::Ok, Some(Cow::Owned(said)), Value::Null);
        }
        "length" => Failure::of(Class::OutputFull, "the answer was cut off at the model's longest"),
        "aborted" => Failure::of(Class::Interrupted, "it was aborted"),
        "error" => scribe.memory.failure.clone().unwrap_or_else(|| Failure::of(Class::Other, "")),
        _ => Failure::of(Class::NoResult, "it settled without an answer"),
    };
    let text = failure.message.clone();
    scribe.failing(failure);
    scribe.ended(Terminal::Failed, Some(Cow::Owned(text)), Value::Null);
}
