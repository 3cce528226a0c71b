//! The dialect of claude and qwen: `system`, `assistant`, `user`, `result`, one object a line.

use crate::adapter::note_stderr;
use crate::clip;
use crate::event::{Level, Phase, Speaker, ToolOutcome, Unread};
use crate::failure::{Class, Failure, Remedy};
use crate::json::{Json, Object};
use crate::limits::NAME_BYTES_MAX;
use crate::memory::{DeferredCall, Terminal};
use crate::reset::{self, Reset};
use crate::scribe::{Finished, Line, Scribe, shortened};
use crate::usage::{NanoUsd, Usage};
use serde_json::Value;
use std::borrow::Cow;

pub(crate) fn line(line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(object) = scribe.object(line) else { return };
    match object.word("type").as_ref() {
        "system" => system(&object, line, scribe),
        "assistant" => assistant(&object, line, scribe),
        "user" => user(&object, scribe),
        "result" => result(&object, scribe),
        "tool_progress" => tool_progress(&object, scribe),
        "rate_limit_event" => rate_limit(&object, scribe),
        "control_request" => asked(&object, line, scribe),
        // Pieces of what follows whole; answers and marks of a conversation held on stdin.
        "stream_event"
        | "control_response"
        | "control_cancel_request"
        | "keep_alive"
        | "command_lifecycle"
        | "attachment" => scribe.quiet(),
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

/// A line of stderr. Some versions wrote their events there when stdout was no terminal.
pub(crate) fn stderr_line(line: Line<'_>, scribe: &mut Scribe<'_>) {
    let is_event = line.text.starts_with('{')
        && Object::parse(line.text).is_some_and(|object| {
            matches!(object.word("type").as_ref(), "system" | "assistant" | "user" | "result")
        });
    if is_event { self::line(line, scribe) } else { note_stderr(line, scribe) }
}

/// What was used at least, if there was no `result` to say it.
pub(crate) fn closed(scribe: &mut Scribe<'_>) {
    if scribe.memory.end.is_none() && !scribe.memory.estimate.is_nothing() {
        let estimate = scribe.memory.estimate;
        scribe.metrics(&estimate);
    }
}

fn system(object: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    match object.word("subtype").as_ref() {
        "init" => init(object, scribe),
        "api_retry" => retry(object, scribe),
        "retry" => match object.object("data") {
            Some(detail) => retry(&detail, scribe),
            None => retry(object, scribe),
        },
        "permission_denied" => {
            let tool = object.word("tool_name");
            scribe.status(Phase::Denied, format!("{tool}: {}", object.word("message")));
        }
        "informational" => {
            let text = object.text("content").or_else(|| object.text("message"));
            scribe.log(Level::Info, Speaker::Cli, text.unwrap_or_default());
        }
        "hook_response" => {
            let said = format!(
                "hook {} ({}) {}",
                object.word("hook_name"),
                object.word("hook_event"),
                object.word("outcome")
            );
            scribe.log(Level::Debug, Speaker::Cli, said);
        }
        "status" | "hook_started" | "thinking_tokens" => scribe.quiet(),
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

fn init(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    scribe.conversation(&object.word("session_id"));
    scribe.model(object.text("model"));
    scribe.version(object.text("claude_code_version").or_else(|| object.text("qwen_code_version")));
    for server in object.items("mcp_servers").into_iter().filter_map(Json::object) {
        if server.word("status") == "failed" {
            scribe.status(Phase::ToolsMissing, server.word("name").into_owned());
        }
    }
}

fn retry(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let error = object.text("error").or_else(|| object.text("reason")).unwrap_or_default();
    let status = object.u64("error_status").and_then(|status| u16::try_from(status).ok());
    let attempt = object.u64("attempt").unwrap_or(0);
    let wait = object.u64("retry_delay_ms").or_else(|| object.u64("delayMs")).unwrap_or(0);
    let number = status.map(|status| format!(" {status}")).unwrap_or_default();
    scribe.status(Phase::Retrying, format!("{error}{number}, attempt {attempt}, in {wait} ms"));
    if status.is_some() {
        let failure = Failure::read(status, &error);
        if scribe.memory.failure.as_ref().is_none_or(|known| known.weight() <= failure.weight()) {
            scribe.failing(failure);
        }
    }
}

fn assistant(object: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    let Some(message) = object.object("message") else {
        return scribe.raw(Unread::Incomplete, line);
    };
    let error = object.text("error");
    if let Some(id) = object.text("session_id") {
        scribe.conversation(&id);
    }
    if error.is_none() && message.word("model") != "<synthetic>" {
        estimate(&message, scribe);
    }
    if let Some(text) = message.text("content") {
        return scribe.said(&text);
    }
    let blocks = message.items("content");
    if blocks.is_empty() {
        return scribe.quiet();
    }
    for block in blocks.into_iter().filter_map(Json::object) {
        match block.word("type").as_ref() {
            "text" if error.is_some() => {
                let text = block.word("text");
                scribe.log(Level::Error, Speaker::Cli, &text);
                let status = object.u64("api_error_status");
                let status = status.and_then(|status| u16::try_from(status).ok());
                failing(api_failure(status, error.as_deref().unwrap_or_default(), &text), scribe);
            }
            "text" => scribe.said(&block.word("text")),
            "thinking" => scribe.thought(&block.word("thinking")),
            "tool_use" | "server_tool_use" => {
                scribe.call(&block.word("id"), &block.word("name"), block.get("input"));
            }
            // Thoughts that the vendor does not show.
            "redacted_thinking" => {}
            _ => scribe.raw(Unread::UnknownKind, line),
        }
    }
}

/// The usage of a message stands on each of its blocks and is, on claude, that of its beginning.
fn estimate(message: &Object<'_>, scribe: &mut Scribe<'_>) {
    let Some(usage) = message.object("usage").map(|usage| tokens(&usage)) else { return };
    let id = message.word("id");
    let id = clip::encoded(&id, NAME_BYTES_MAX);
    if scribe.memory.mark != id {
        id.clone_into(&mut scribe.memory.mark);
        scribe.memory.estimate.add(&usage);
    }
}

fn user(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let blocks =
        object.object("message").map(|message| message.items("content")).unwrap_or_default();
    if blocks.is_empty() {
        // The prompt, said back.
        return scribe.quiet();
    }
    let refused = refusals(object);
    for block in blocks.into_iter().filter_map(Json::object) {
        match block.word("type").as_ref() {
            "tool_result" => {
                let call_id = block.word("tool_use_id");
                let is_error = block.bool("is_error").unwrap_or(false);
                let outcome = match (refused.contains(&call_id), is_error) {
                    (true, _) => ToolOutcome::Denied,
                    (false, true) => ToolOutcome::Failed,
                    (false, false) => ToolOutcome::Done,
                };
                let output = block.get("content").and_then(content_text);
                scribe.finished(Finished { call_id, outcome, output, exit_code: None });
            }
            "text" => scribe.log(Level::Info, Speaker::Cli, block.word("text")),
            _ => scribe.log(
                Level::Debug,
                Speaker::Cli,
                format!("a block of kind {}", block.word("type")),
            ),
        }
    }
}

/// The calls that were refused, by their ids. A call that was broken off did not run either, but
/// nobody decided that.
fn refusals<'a>(object: &Object<'a>) -> Vec<Cow<'a, str>> {
    let metas = object.items("tool_result_meta").into_iter().filter_map(Json::object);
    let refused = metas.filter(|meta| {
        let decision = meta.object("permission_decision");
        decision.is_some_and(|decision| decision.word("decision") == "reject")
    });
    refused.map(|meta| meta.word("id")).collect()
}

/// The text of a tool's answer: a string, or blocks of which some are text.
pub(crate) fn content_text(content: Json<'_>) -> Option<Cow<'_, str>> {
    if let Some(text) = content.text() {
        return Some(text);
    }
    let blocks = content.items().into_iter().filter_map(Json::object);
    let texts: Vec<_> = blocks.filter_map(|block| block.text("text")).collect();
    (!texts.is_empty()).then(|| Cow::Owned(texts.join("\n")))
}

fn tool_progress(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let seconds = object.f64("elapsed_time_seconds").unwrap_or(0.0).clamp(0.0, 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    let seconds = seconds as u64;
    let tool = object.text("tool_name").map(|name| clip::head(&name, NAME_BYTES_MAX).to_owned());
    scribe.progress(seconds, "seconds", tool);
}

fn rate_limit(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let Some(limit) = object.object("rate_limit_info") else { return scribe.quiet() };
    let status = limit.word("status");
    let which = limit.word("rateLimitType");
    if status.is_empty() || status == "allowed" {
        return scribe.quiet();
    }
    scribe.status(Phase::RateLimited, format!("{which} {status}"));
    if matches!(status.as_ref(), "rejected" | "denied") {
        let mut failure =
            Failure::of(Class::UsageLimited, &format!("the {which} limit is used up"));
        failure.reset = limit.u64("resetsAt").and_then(reset::at_epoch);
        failing(failure, scribe);
    }
}

fn asked(object: &Object<'_>, line: Line<'_>, scribe: &mut Scribe<'_>) {
    match object.object("request") {
        Some(request) if request.word("subtype") == "can_use_tool" => {
            scribe.status(Phase::Asked, request.word("tool_name").into_owned());
        }
        _ => scribe.raw(Unread::UnknownKind, line),
    }
}

fn result(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let is_error =
        object.bool("is_error").unwrap_or(false) || object.word("subtype").starts_with("error");
    // A refused resume names the conversation that there is not.
    if !(is_error && object.u64("num_turns") == Some(0))
        && let Some(id) = object.text("session_id")
    {
        scribe.conversation(&id);
    }
    usage(object, scribe);
    let denials = object.items("permission_denials").len() as u64;
    scribe.memory.counts.denied = scribe.memory.counts.denied.max(denials);
    let output = object.get("structured_output").map_or(Value::Null, shortened);
    if is_error {
        let failure = why(object);
        let text = failure.message.clone();
        failing(failure, scribe);
        return scribe.ended(Terminal::Failed, Some(Cow::Owned(text)), output);
    }
    let text = object.text("result");
    if let Some(call) = object.object("deferred_tool_use") {
        let short = |name| clip::encoded(&call.word(name), NAME_BYTES_MAX).to_owned();
        scribe.memory.deferred = Some(DeferredCall { id: short("id"), tool: short("name") });
        scribe.status(Phase::Deferred, short("name"));
        return scribe.ended(Terminal::Deferred, text, output);
    }
    scribe.ended(Terminal::Ok, text, output);
}

/// Why a result is an error. `subtype` may still say success: that of the CLI, not of the request.
fn why(object: &Object<'_>) -> Failure {
    let errors: Vec<_> = object.items("errors").into_iter().filter_map(Json::text).collect();
    let message = match object.text("result") {
        Some(text) => text,
        None if !errors.is_empty() => Cow::Owned(errors.join("; ")),
        None => object.object("error").map(|error| error.word("message")).unwrap_or_default(),
    };
    let class = match (object.word("subtype").as_ref(), object.word("terminal_reason").as_ref()) {
        ("error_max_turns", _) | (_, "max_turns") => Class::MaxTurns,
        ("error_max_budget_usd", _) | (_, "budget_exhausted") => Class::Budget,
        (_, "aborted_streaming" | "aborted_tools") => Class::Interrupted,
        (_, "prompt_too_long" | "blocking_limit") => Class::ContextFull,
        _ => {
            let status = object.u64("api_error_status");
            let status = status.and_then(|status| u16::try_from(status).ok());
            return api_failure(status, &object.word("api_error_type"), &message);
        }
    };
    Failure::of(class, &message)
}

/// A refused request: by its status and words, or else by the CLI's own word for it.
fn api_failure(status: Option<u16>, word: &str, message: &str) -> Failure {
    let mut failure = Failure::read(status, message);
    if failure.class == Class::Other {
        failure.class = match word {
            "rate_limit" | "rate_limit_error" => Class::RateLimited,
            "authentication_failed" | "authentication_error" | "permission_error" => Class::Auth,
            "server_error" | "api_error" | "overloaded_error" => Class::Overloaded,
            "billing_error" => Class::Billing,
            "model_not_found" => Class::ModelUnknown,
            "invalid_request" | "invalid_request_error" => Class::BadRequest,
            "max_output_tokens" => Class::OutputFull,
            _ => Class::Other,
        };
    }
    failure
}

/// A limit's end was perhaps told before, and more precisely than in the last words.
fn failing(mut failure: Failure, scribe: &mut Scribe<'_>) {
    if let Some(known) = &scribe.memory.failure
        && failure.class.remedy() == Remedy::Park
        && matches!(known.reset, Some(Reset::AtMs(_)))
    {
        failure.reset = known.reset.clone();
        failure.class = known.class;
    }
    scribe.failing(failure);
}

/// `usage` is that of this run, but for a call that was broken off. `total_cost_usd` and
/// `modelUsage` are those of the whole conversation, through every resume and fork.
fn usage(object: &Object<'_>, scribe: &mut Scribe<'_>) {
    let dollars = object.f64("total_cost_usd").and_then(NanoUsd::from_dollars);
    let total = object.object("modelUsage").map(|models| per_model(&models)).unwrap_or_default();
    let total = Usage { cost: dollars.filter(|cost| cost.0 > 0), ..total };
    // A run that failed before it began counts nothing, and the conversation costs what it did.
    if !total.is_nothing() {
        scribe.memory.total = Some(total);
    }
    let mut used = object.object("usage").map(|usage| tokens(&usage)).unwrap_or_default();
    if let Some(models) = object.object("model_usage_since_last_result") {
        used = per_model(&models);
    } else if let Some(cost) = dollars {
        let before = scribe.memory.base.and_then(|base| base.total.cost);
        let is_known = before.is_some() || !is_continued(scribe);
        let before = scribe.memory.used.cost.unwrap_or_default().0 + before.unwrap_or_default().0;
        used.cost = is_known.then(|| NanoUsd(cost.0.saturating_sub(before)));
        scribe.memory.is_partial |= !is_known;
    }
    scribe.memory.estimate = Usage::default();
    scribe.used(&used);
}

fn is_continued(scribe: &Scribe<'_>) -> bool {
    use crate::turn::Conversation;
    matches!(scribe.memory.asked, Conversation::Resume(_) | Conversation::Fork(_))
}

fn per_model(models: &Object<'_>) -> Usage {
    let mut sum = Usage::default();
    for (_, model) in models.fields() {
        let Some(model) = model.object() else { continue };
        sum.add(&Usage {
            input: model.u64("inputTokens").unwrap_or(0),
            output: model.u64("outputTokens").unwrap_or(0),
            cache_read: model.u64("cacheReadInputTokens").unwrap_or(0),
            cache_write: model.u64("cacheCreationInputTokens").unwrap_or(0),
            reasoning: model.u64("thinkingTokens").unwrap_or(0),
            cost: model.f64("costUSD").and_then(NanoUsd::from_dollars),
        });
    }
    sum
}

fn tokens(usage: &Object<'_>) -> Usage {
    let mut input = usage.u64("input_tokens").unwrap_or(0);
    let output = usage.u64("output_tokens").unwrap_or(0);
    let cache_read = usage.u64("cache_read_input_tokens").unwrap_or(0);
    // Where a total is given it shows whether the cached part is counted in, as qwen does.
    if usage.u64("total_tokens") == Some(input.saturating_add(output)) {
        input = input.saturating_sub(cache_read);
    }
    let details = usage.object("output_tokens_details");
    Usage {
        input,
        output,
        cache_read,
        cache_write: usage.u64("cache_creation_input_tokens").unwrap_or(0),
        reasoning: details.and_then(|details| details.u64("thinking_tokens")).unwrap_or(0),
        cost: None,
    }
}
