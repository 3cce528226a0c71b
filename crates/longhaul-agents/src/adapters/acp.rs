//! Any agent that speaks the Agent Client Protocol. A process of ours holds both directions and logs
//! them, one line a message: `{"dir":"from_agent"|"to_agent","msg":…}`. This reads that log, so what
//! is known of the turn outlives whoever held it. A line without `dir` is a message from the agent.

use super::plain;
use crate::acp::method;
use crate::adapter::{Adapter, Tried};
use crate::event::{Event, Phase, Speaker, ToolOutcome, Unread};
use crate::failure::{Class, Failure};
use crate::json::{Json, Object};
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe};
use crate::turn::{Launch, Stdin, Turn, Unkept, Unsuited};
use crate::usage::{NanoUsd, Usage};
use crate::verdict::{End, Table, Verdict, judge};
use crate::{clip, limits::NAME_BYTES_MAX};
use serde_json::Value;
use std::borrow::Cow;

pub(crate) struct Acp;

impl Adapter for Acp {
    fn kind(&self) -> &'static str {
        "acp"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "agents of protocol version 1: gemini, opencode, qwen, omp, copilot, claude-agent-acp 0.100.0, codex-acp 2.6.0",
            notes: "it has no exit code; some agents report a refused request as an ordinary end, \
                    and some the usage of the last step only",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        // The conversation and the prompt are told over the protocol.
        let told = Turn { conversation: crate::turn::Conversation::New, ..turn.clone() };
        crate::launching::check_unspoken(turn)?;
        let mut launch = plain::launch(&told)?;
        launch.stdin = Stdin::Protocol;
        launch.unkept.retain(|what| !matches!(what, Unkept::Hook | Unkept::ToolServers));
        if matches!(turn.conversation, crate::turn::Conversation::Fork(_)) {
            return Err(Unsuited::NoFork);
        }
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        let Some(object) = scribe.object(line) else { return };
        let Some(dir) = object.text("dir") else { return from_agent(&object, line, scribe) };
        match (dir.as_ref(), object.object("msg")) {
            ("from_agent", Some(message)) => from_agent(&message, line, scribe),
            ("to_agent", Some(message)) => to_agent(&message, scribe),
            ("exit", _) => scribe.quiet(),
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, _conversation: &str) -> Option<Vec<String>> {
        None
    }
}

struct Codes;

impl Table for Codes {}

/// The mark while a conversation is loaded: what is said then was said before.
const LOADING: &str = "loading:";

/// The mark while a call waits for its arguments: the name that it was first told under.
const PENDING: &str = "pending:";

/// What we said: which conversation is opened, and whether the past is being told.
fn to_agent(message: &Object<'_>, scribe: &mut Scribe<'_>) {
    let params = message.object("params");
    let session = params.and_then(|params| params.text("sessionId"));
    let id = message.get("id").map(Json::raw).unwrap_or_default();
    match message.word("method").as_ref() {
        method::LOAD => {
            let mark = format!("{LOADING}{id}");
            clip::encoded(&mark, NAME_BYTES_MAX).clone_into(&mut scribe.memory.mark);
        }
        method::RESUME => scribe.quiet(),
        method::PROMPT => {
            scribe.memory.mark.clear();
            if let Some(session) = session {
                scribe.conversation(&session);
            }
            scribe.status(Phase::Working, None);
        }
        "" if is_refusal(message) => {
            scribe.memory.counts.denied += 1;
            scribe.status(Phase::Denied, None);
        }
        _ => scribe.quiet(),
    }
}

/// Whether it is our answer that a tool may not run. Agents name their options as they like.
fn is_refusal(message: &Object<'_>) -> bool {
    let outcome = message.object("result").and_then(|result| result.object("outcome"));
    let Some(outcome) = outcome.filter(|outcome| outcome.word("outcome") == "selected") else {
        return false;
    };
    let option = outcome.word("optionId").to_ascii_lowercase();
    option == "cancel" || ["reject", "deny", "decline"].iter().any(|word| option.contains(word))
}

fn from_agent(message: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let method = message.word("method");
    match method.as_ref() {
        method::UPDATE if scribe.memory.mark.starts_with(LOADING) => scribe.quiet(),
        method::UPDATE => {
            let update = message.object("params").and_then(|params| params.object("update"));
            match update {
                Some(update) => read_update(&update, line, scribe),
                None => scribe.raw(Unread::Incomplete, line),
            }
        }
        method::PERMISSION => {
            let call = message.object("params").and_then(|params| params.object("toolCall"));
            let call = call.unwrap_or_default();
            let id = call.word("toolCallId");
            // Some tell of a call here first, or its arguments only here.
            if !id.is_empty() && !scribe.is_open(&id) {
                let name = tool_name(&call, scribe);
                scribe.call(&id, &name, call.get("rawInput"));
            }
            scribe.status(Phase::Asked, call.text("title").map(Cow::into_owned));
        }
        "" => answer(message, line, scribe),
        // Files, terminals, and what vendors have added.
        _ => scribe.quiet(),
    }
}

fn answer(message: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let id = message.get("id").map(Json::raw).unwrap_or_default();
    let is_load = scribe.memory.mark.strip_prefix(LOADING) == Some(id);
    if is_load {
        scribe.memory.mark.clear();
    }
    if let Some(error) = message.object("error") {
        return failed(&error, is_load, scribe);
    }
    let Some(result) = message.object("result") else {
        // An answer without anything in it.
        return if message.get("id").is_some() {
            scribe.quiet()
        } else {
            scribe.raw(Unread::UnknownKind, line)
        };
    };
    if let Some(session) = result.text("sessionId") {
        return scribe.conversation(&session);
    }
    if let Some(info) = result.object("agentInfo") {
        let version = format!("{} {}", info.word("name"), info.word("version"));
        return scribe.version(Some(Cow::Owned(version)));
    }
    match result.text("stopReason") {
        Some(reason) => stopped(&reason, &result, scribe),
        None => scribe.quiet(),
    }
}

fn failed(error: &Object<'_>, is_load: bool, scribe: &mut Scribe<'_>) {
    let details =
        error.object("data").map(|data| data.word("details").into_owned()).unwrap_or_default();
    let message = format!("{} {details}", error.word("message"));
    let code = error.u64("code").and_then(|code| u16::try_from(code).ok());
    let mut failure = Failure::read(code.filter(|code| (400..600).contains(code)), &message);
    if is_load {
        // Whoever holds the agent decides what follows; a prompt may.
        failure.class = Class::ResumeRefused;
        scribe.log(crate::event::Level::Warn, Speaker::Cli, &message);
        return scribe.failing(failure);
    }
    scribe.failing(failure);
    scribe.ended(Terminal::Failed, Some(Cow::Owned(message)), Value::Null);
}

fn stopped(reason: &str, result: &Object<'_>, scribe: &mut Scribe<'_>) {
    scribe.flush();
    let used = used(result);
    if let Some(used) = &used {
        scribe.used(used);
    }
    let said = scribe.memory.said.clone();
    let class = match reason {
        // One adapter reports a refused request as an answer that is the error and cost nothing.
        "end_turn" if used.is_none() && said.starts_with("{\"error\"") => {
            scribe.failing(Failure::read(None, &said));
            return scribe.ended(Terminal::Failed, Some(Cow::Owned(said)), Value::Null);
        }
        "end_turn" => {
            return scribe.ended(Terminal::Ok, Some(Cow::Owned(said)), Value::Null);
        }
        "cancelled" => Class::Interrupted,
        "max_tokens" => Class::OutputFull,
        "max_turn_requests" => Class::MaxTurns,
        _ => Class::Other,
    };
    scribe.failing(Failure::of(class, reason));
    scribe.ended(Terminal::Failed, Some(Cow::Owned(reason.to_owned())), Value::Null);
}

/// Under two names, with and without what came from a cache.
fn used(result: &Object<'_>) -> Option<Usage> {
    if let Some(usage) = result.object("usage") {
        let count = |name| usage.u64(name).unwrap_or(0);
        let cache_read = count("cachedReadTokens");
        let output = count("outputTokens");
        let mut input = count("inputTokens");
        if usage.u64("totalTokens") == Some(input.saturating_add(output)) {
            input = input.saturating_sub(cache_read);
        }
        let cache_write = count("cachedWriteTokens");
        let reasoning = count("thoughtTokens");
        return Some(Usage { input, output, cache_read, cache_write, reasoning, cost: None });
    }
    let tokens = result.object("_meta")?.object("quota")?.object("token_count")?;
    let count = |name| tokens.u64(name).unwrap_or(0);
    Some(Usage { input: count("input_tokens"), output: count("output_tokens"), ..Usage::default() })
}

fn read_update(update: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let text = || update.object("content").map(|content| content.word("text")).unwrap_or_default();
    match update.word("sessionUpdate").as_ref() {
        "agent_message_chunk" => scribe.piece(false, &text()),
        "agent_thought_chunk" => scribe.piece(true, &text()),
        "tool_call" | "tool_call_update" => tool(update, scribe),
        "usage_update" => cost(update, scribe),
        "plan" => plan(update, scribe),
        "user_message_chunk"
        | "available_commands_update"
        | "session_info_update"
        | "config_option_update"
        | "current_mode_update" => scribe.quiet(),
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

/// A call is told in as many steps as the agent likes. It is written down when its arguments are
/// there: some tell of it before the model has written them.
fn tool(update: &Object<'_>, scribe: &mut Scribe<'_>) {
    let id = update.word("toolCallId");
    let args = update.get("rawInput").filter(|args| args.raw() != "{}");
    let outcome = match update.word("status").as_ref() {
        "completed" => Some(ToolOutcome::Done),
        "failed" => Some(ToolOutcome::Failed),
        _ => None,
    };
    let is_told = match update.word("sessionUpdate").as_ref() {
        "tool_call" => args.is_some() || update.word("status") != "pending",
        _ => args.is_some() && update.get("title").is_some(),
    };
    if !scribe.is_open(&id) && (is_told || outcome.is_some()) {
        let name = tool_name(update, scribe);
        scribe.call(&id, &name, args);
    } else if outcome.is_none() {
        let name = tool_name(update, scribe);
        let mark = format!("{PENDING}{name}");
        clip::encoded(&mark, NAME_BYTES_MAX).clone_into(&mut scribe.memory.mark);
        scribe.quiet();
    }
    if let Some(outcome) = outcome {
        finished(&id, outcome, update, scribe);
    }
}

/// The tool, or what the agent calls what it does; said once, mostly, when the call is first told of.
fn tool_name(update: &Object<'_>, scribe: &Scribe<'_>) -> String {
    let vendors = || update.object("_meta")?.object("claudeCode")?.text("toolName");
    let name = update.text("name").or_else(vendors).or_else(|| update.text("title"));
    let pending = || scribe.memory.mark.strip_prefix(PENDING).map(str::to_owned);
    let name = name.map(Cow::into_owned).or_else(pending);
    name.or_else(|| update.text("kind").map(Cow::into_owned)).unwrap_or_default()
}

fn finished(id: &str, outcome: ToolOutcome, update: &Object<'_>, scribe: &mut Scribe<'_>) {
    let mut text = None;
    let mut changed = vec![];
    for content in update.items("content").into_iter().filter_map(Json::object) {
        if content.word("type") == "diff" {
            changed.push(content.word("path"));
        } else if text.is_none() {
            text = content.object("content").and_then(|content| content.text("text"));
        }
    }
    let output = text.or_else(|| update.text("rawOutput"));
    scribe.finished(Finished { call_id: Cow::Borrowed(id), outcome, output, exit_code: None });
    if outcome == ToolOutcome::Done {
        for path in changed {
            scribe.artifact(&path);
        }
    }
}

/// The cost of the whole conversation so far.
fn cost(update: &Object<'_>, scribe: &mut Scribe<'_>) {
    let amount = update.object("cost").filter(|cost| cost.word("currency") == "USD");
    let Some(total) = amount.and_then(|cost| cost.f64("amount")).and_then(NanoUsd::from_dollars)
    else {
        return scribe.quiet();
    };
    let carried = scribe.memory.base.map(|base| base.total);
    let before = scribe.memory.total.or(carried).unwrap_or_default();
    let now = Usage { cost: Some(total), ..Usage::default() };
    let before = Usage { cost: before.cost, ..Usage::default() };
    scribe.memory.total = Some(now);
    scribe.used(&now.since(&before));
}

fn plan(update: &Object<'_>, scribe: &mut Scribe<'_>) {
    let entries: Vec<_> = update.items("entries").into_iter().filter_map(Json::object).collect();
    let done = entries.iter().filter(|entry| entry.word("status") == "completed").count();
    scribe.push(Event::Progress {
        current: done.into(),
        total: Some(entries.len().into()),
        units: Some("steps".to_owned()),
        message: None,
    });
}
