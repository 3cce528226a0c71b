//! What a job tells, as people read it: one line for each event.

use crate::cli::output::plain;
use longhaul_arcp::message::Event;
use serde_json::Value;

/// Characters of an argument or a result that are shown.
const VALUE_CHARS_MAX: usize = 400;

/// The event in a line.
pub(super) fn event(event: &Event) -> String {
    let body = event.body.as_ref().map_or("null", |body| body.get());
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let text = |key: &str| body[key].as_str().map(plain).unwrap_or_default();
    let value = |key: &str| short(&body[key]);
    match event.kind.as_str() {
        "log" => match text("level").as_str() {
            "info" | "" => text("message"),
            level => format!("{level}: {}", text("message")),
        },
        "thought" => format!("thought: {}", text("text")),
        "status" => match text("message") {
            words if words.is_empty() => format!("status: {}", text("phase")),
            words => format!("status: {}: {words}", text("phase")),
        },
        "tool_call" => format!("call {}: {} {}", text("call_id"), text("tool"), value("args")),
        "tool_result" if body["error"].is_object() => {
            let error = &body["error"];
            format!(
                "result of {}: {} {}",
                text("call_id"),
                short(&error["code"]),
                short(&error["message"])
            )
        }
        "tool_result" => format!("result of {}: {}", text("call_id"), value("result")),
        "metric" => format!("metric {}: {} {}", text("name"), value("value"), text("unit"))
            .trim_end()
            .to_owned(),
        "progress" => {
            let total = if body["total"].is_null() {
                String::new()
            } else {
                format!(" of {}", value("total"))
            };
            format!("progress: {}{total} {} {}", value("current"), text("units"), text("message"))
                .trim_end()
                .to_owned()
        }
        "artifact_ref" => format!("artifact {} ({})", text("uri"), text("content_type")),
        "delegate" => format!("delegate {}: {}", text("delegate_id"), text("agent")),
        other => format!("{}: {}", plain(other), short(&body)),
    }
}

/// As much of a value as a line has room for; a text without its quotes.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    };
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(kind: &str, body: &Value) -> String {
        let said = json!({"kind": kind, "ts": "t", "body": body});
        event(&serde_json::from_value(said).unwrap())
    }

    #[test]
    fn every_kind_is_one_harmless_line() {
        for (kind, body, expected) in [
            ("log", json!({"level": "info", "message": "a\u{1b}[31mb"}), "a\u{fffd}[31mb"),
            ("log", json!({"level": "error", "message": "x"}), "error: x"),
            ("status", json!({"phase": "running"}), "status: running"),
            (
                "metric",
                json!({"name": "cost.x", "value": 0.5, "unit": "USD"}),
                "metric cost.x: 0.5 USD",
            ),
            (
                "progress",
                json!({"current": 1, "total": 3, "units": "steps"}),
                "progress: 1 of 3 steps",
            ),
            (
                "tool_call",
                json!({"tool": "t", "call_id": "c", "args": {"a": 1}}),
                r#"call c: t {"a":1}"#,
            ),
            (
                "tool_result",
                json!({"call_id": "c", "error": {"code": "X", "message": "no"}}),
                "result of c: X no",
            ),
            ("x-vendor.a.b", json!({"n": 1}), r#"x-vendor.a.b: {"n":1}"#),
            ("log", json!(7), ""),
        ] {
            assert_eq!(line(kind, &body), expected, "{kind}");
        }
    }
}
