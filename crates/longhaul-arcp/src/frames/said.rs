//! What an agent's program said, as events of the protocol. The journal has it in the words of the
//! program's adapter; the words of the wire differ in a few places only.

use super::{Object, Parts, Said};
use crate::error::Code;
use crate::event::check;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What to call a file whose media type nobody told.
const UNKNOWN_TYPE: &str = r#""application/octet-stream""#;

/// The event that says what this entry says; nothing if the entry is none of a program's.
pub(super) fn event<'a>(parts: &Parts<'_>) -> Option<Said<'a>> {
    let body = match parts.kind.as_ref() {
        "log" => log(parts.level, parts.message, parts.from),
        "thought" => Object::new().raw("text", get(parts.text)).end(),
        "tool_call" => Object::new()
            .raw("tool", get(parts.tool))
            .raw("args", get(parts.args))
            .raw("call_id", get(parts.call_id))
            .end(),
        "tool_result" => tool_result(parts),
        "status" => {
            Object::new().raw("phase", get(parts.phase)).raw("message", get(parts.message)).end()
        }
        "metric" => Object::new()
            .raw("name", get(parts.name))
            .raw("value", get(parts.value))
            .raw("unit", get(parts.unit))
            .end(),
        "artifact_ref" => Object::new()
            .raw("uri", get(parts.uri))
            .raw("content_type", get(parts.content_type).or(Some(UNKNOWN_TYPE)))
            .raw("byte_size", get(parts.byte_size))
            .end(),
        "progress" => Object::new()
            .raw("current", get(parts.current))
            .raw("total", get(parts.total))
            .raw("units", get(parts.units))
            .raw("message", get(parts.message))
            .end(),
        "result" => return Some(answered(parts)),
        "raw" => return Some(unread(parts)),
        "emitted" => return reported(parts),
        _ => return None,
    };
    Some(Said::event(&parts.kind, body))
}

fn get(part: Option<&RawValue>) -> Option<&str> {
    part.map(RawValue::get)
}

fn log(level: Option<&RawValue>, message: Option<&RawValue>, from: Option<&RawValue>) -> String {
    let attributes = from.map(|from| Object::new().raw("from", Some(from.get())).end());
    Object::new()
        .raw("level", get(level).or(Some(r#""info""#)))
        .raw("message", get(message).or(Some(r#""""#)))
        .raw("attributes", attributes.as_deref())
        .end()
}

/// A call that ran has a result, whatever it did; one that failed or was refused has an error.
fn tool_result(parts: &Parts<'_>) -> String {
    let error = |code: Code, words: &str| {
        Object::new()
            .text("code", Some(code.name()))
            .raw("message", get(parts.output).or(Some(words)))
            .raw("retryable", Some(if code.is_retryable() { "true" } else { "false" }))
            .end()
    };
    let body = Object::new().raw("call_id", get(parts.call_id));
    let body = match get(parts.outcome) {
        Some(r#""denied""#) => {
            let error = error(Code::PermissionDenied, r#""the tool call was refused""#);
            body.raw("error", Some(&error))
        }
        Some(r#""failed""#) => {
            let error = error(Code::InternalError, r#""the tool call failed""#);
            body.raw("error", Some(&error))
        }
        _ => {
            let result = Object::new()
                .raw("output", get(parts.output))
                .raw("exit_code", get(parts.exit_code))
                .end();
            body.raw("result", Some(&result))
        }
    };
    body.end()
}

/// The program says that the turn is over. What that is worth is told with the job's end.
fn answered<'a>(parts: &Parts<'_>) -> Said<'a> {
    let phase = if get(parts.ok) == Some("false") { "gave_up" } else { "answered" };
    let body = Object::new().text("phase", Some(phase)).raw("message", get(parts.text)).end();
    Said::event("status", body)
}

/// Output that nobody understood is passed on for people.
fn unread<'a>(parts: &Parts<'_>) -> Said<'a> {
    let attributes = Object::new()
        .text("from", Some("raw"))
        .raw("why", get(parts.why))
        .raw("bytes", get(parts.bytes))
        .end();
    let body = Object::new()
        .raw("level", Some(r#""debug""#))
        .raw("message", get(parts.text).or(Some(r#""""#)))
        .raw("attributes", Some(&attributes))
        .end();
    Said::event("log", body)
}

/// What a job reported of itself: in the words of the wire where they say the same, and as an event of
/// ours else. A report lies in the journal as text within text.
fn reported<'a>(parts: &Parts<'_>) -> Option<Said<'a>> {
    let report: String = serde_json::from_str(parts.report?.get()).ok()?;
    let text: String = serde_json::from_str(parts.body?.get()).ok()?;
    let body: &RawValue = serde_json::from_str(&text).ok()?;
    let said = match report.as_str() {
        "log" | "thought" | "status" | "metric" | "progress" => {
            let mut inner: Parts<'_> = serde_json::from_str(&text).ok()?;
            inner.kind = Cow::Borrowed(&report);
            event(&inner)?
        }
        "artifact" => {
            let file: Artifact<'_> = serde_json::from_str(&text).ok()?;
            let body = Object::new()
                .raw("uri", Some(file.path.get()))
                .raw("content_type", Some(UNKNOWN_TYPE))
                .end();
            Said::event("artifact_ref", body)
        }
        _ => Said::event(&ours(&report), body.get().to_owned()),
    };
    let Said::Event { kind, body: text } = &said else { return Some(said) };
    let name = kind.trim_matches('"');
    if check(name, text).is_ok() {
        return Some(said);
    }
    Some(Said::event(&ours(&report), body.get().to_owned()))
}

/// A file that a job said it made.
#[derive(serde::Deserialize)]
struct Artifact<'a> {
    #[serde(borrow)]
    path: &'a RawValue,
}

/// The kind of event that a report is which the wire has no word for.
fn ours(report: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("x-vendor.longhaul.{}", report.chars().map(word).collect::<String>())
}
