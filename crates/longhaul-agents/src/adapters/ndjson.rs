//! Any program that speaks our own events: one JSON object a line, its `kind` and its fields as in
//! `Event`, or with the fields in `body`. A line of kind `result` ends the turn; without one it failed.

use super::plain;
use crate::adapter::{Adapter, Tried};
use crate::event::{Event, Level, Phase, Speaker, ToolOutcome, Unread};
use crate::failure::Failure;
use crate::json::Object;
use crate::memory::{Memory, Terminal};
use crate::scribe::{Finished, Line, Scribe, shortened};
use crate::turn::{Launch, Turn, Unsuited};
use crate::usage::{NanoUsd, Usage};
use crate::verdict::{End, Table, Verdict, judge};
use crate::{clip, limits::NAME_BYTES_MAX, limits::RAW_BYTES_MAX};
use serde_json::{Number, Value};
use std::borrow::Cow;

pub(crate) struct Ndjson;

impl Adapter for Ndjson {
    fn kind(&self) -> &'static str {
        "ndjson"
    }

    fn tried(&self) -> Tried {
        Tried { package: "any program", notes: "the kinds and fields are those of `Event`" }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        plain::launch(turn)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        let Some(object) = scribe.object(line) else { return };
        let Some(kind) = object.text("kind") else {
            return scribe.raw(Unread::UnknownKind, line);
        };
        let body = object.object("body").unwrap_or(object);
        if read(&kind, &body, scribe).is_none() {
            scribe.raw(Unread::Incomplete, line);
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

/// Writes the event down, or nothing if something that must be in it is not there.
fn read(kind: &str, body: &Object<'_>, scribe: &mut Scribe<'_>) -> Option<()> {
    match kind {
        "log" => {
            let level = match body.word("level").as_ref() {
                "trace" | "debug" => Level::Debug,
                "warn" => Level::Warn,
                "error" | "critical" => Level::Error,
                _ => Level::Info,
            };
            let message = body.text("message").filter(|message| !message.is_empty())?;
            if level == Level::Info {
                scribe.said(&message)
            } else {
                scribe.log(level, Speaker::Agent, &message)
            }
        }
        "thought" => scribe.thought(&body.text("text").filter(|text| !text.is_empty())?),
        "tool_call" => {
            let tool = body.text("tool").filter(|tool| !tool.is_empty())?;
            scribe.call(&body.text("call_id")?, &tool, body.get("args"));
        }
        "tool_result" => tool_result(body, scribe)?,
        "status" => status(body, scribe)?,
        "metric" => metric(body, scribe)?,
        "artifact_ref" => artifact(body, scribe)?,
        "progress" => {
            let message = body.text("message").map(|text| clip::noted(text, RAW_BYTES_MAX));
            scribe.push(Event::Progress {
                current: number(body, "current")?,
                total: number(body, "total"),
                units: body.text("units").map(|units| short(&units)),
                message,
            });
        }
        "result" => result(body, scribe),
        _ => return None,
    }
    Some(())
}

fn tool_result(body: &Object<'_>, scribe: &mut Scribe<'_>) -> Option<()> {
    let error = body.object("error");
    let code = error.as_ref().map(|error| error.word("code").into_owned()).unwrap_or_default();
    let outcome = match (body.word("outcome").as_ref(), code.as_str()) {
        ("denied", _) | (_, "PERMISSION_DENIED") => ToolOutcome::Denied,
        ("failed", _) => ToolOutcome::Failed,
        _ if error.is_some() => ToolOutcome::Failed,
        _ => ToolOutcome::Done,
    };
    let output =
        error.map(|error| error.word("message")).or_else(|| body.text("output")).or_else(|| {
            body.get("result")
                .map(|value| value.text().unwrap_or_else(|| Cow::Borrowed(value.raw())))
        });
    let exit_code = body.i64("exit_code");
    scribe.finished(Finished { call_id: body.text("call_id")?, outcome, output, exit_code });
    Some(())
}

fn status(body: &Object<'_>, scribe: &mut Scribe<'_>) -> Option<()> {
    let phase = body.text("phase").filter(|phase| !phase.is_empty())?;
    let message = body.text("message").map(Cow::into_owned);
    match phase.as_ref() {
        "conversation" => scribe.conversation(message.as_deref()?),
        "working" => scribe.status(Phase::Working, message),
        "retrying" => scribe.status(Phase::Retrying, message),
        "denied" => scribe.status(Phase::Denied, message),
        "asked" => scribe.status(Phase::Asked, message),
        "rate_limited" => {
            scribe.failing(Failure::read(Some(429), message.as_deref().unwrap_or_default()));
            scribe.status(Phase::RateLimited, message);
        }
        other => {
            let message =
                message.map_or_else(|| other.to_owned(), |message| format!("{other}: {message}"));
            scribe.status(Phase::Other, message);
        }
    }
    Some(())
}

fn metric(body: &Object<'_>, scribe: &mut Scribe<'_>) -> Option<()> {
    let name = short(&body.text("name").filter(|name| !name.is_empty())?);
    let value = number(body, "value")?;
    let unit = body.text("unit").map(|unit| short(&unit));
    let count = value.as_u64().unwrap_or(0);
    let mut used = Usage::default();
    match name.as_str() {
        "tokens.input" => used.input = count,
        "tokens.output" => used.output = count,
        "tokens.cache_read" => used.cache_read = count,
        "tokens.cache_write" => used.cache_write = count,
        "tokens.reasoning" => used.reasoning = count,
        cost if cost.starts_with("cost.") && unit.as_deref().is_none_or(|unit| unit == "USD") => {
            used.cost = value.as_f64().and_then(NanoUsd::from_dollars);
        }
        _ => {}
    }
    scribe.memory.used.add(&used);
    scribe.push(Event::Metric { name, value, unit });
    Some(())
}

fn artifact(body: &Object<'_>, scribe: &mut Scribe<'_>) -> Option<()> {
    let uri = body.text("uri").filter(|uri| !uri.is_empty())?;
    scribe.push(Event::ArtifactRef {
        uri: clip::head(&uri, RAW_BYTES_MAX).to_owned(),
        content_type: body.text("content_type").map(|kind| short(&kind)),
        byte_size: body.u64("byte_size"),
    });
    Some(())
}

fn result(body: &Object<'_>, scribe: &mut Scribe<'_>) {
    let error = body.object("error").map(|error| error.word("message").into_owned());
    let error = error.or_else(|| body.text("error").map(Cow::into_owned));
    let text = body.text("text").or_else(|| body.get("result").and_then(crate::json::Json::text));
    let output = body.get("output").or_else(|| body.get("result")).map_or(Value::Null, shortened);
    if body.bool("ok") == Some(false) || error.is_some() {
        let said = error.or_else(|| text.map(Cow::into_owned)).unwrap_or_default();
        scribe.failing(Failure::read(None, &said));
        return scribe.ended(Terminal::Failed, Some(Cow::Owned(said)), output);
    }
    scribe.ended(Terminal::Ok, text, output);
}

fn number(body: &Object<'_>, name: &str) -> Option<Number> {
    serde_json::from_str(body.get(name)?.raw()).ok()
}

fn short(text: &str) -> String {
    clip::encoded(text, NAME_BYTES_MAX).to_owned()
}
