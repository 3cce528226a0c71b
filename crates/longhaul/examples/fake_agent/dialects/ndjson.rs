//! A program that writes our own events.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::NoSession;
use serde_json::json;

pub(super) struct Ndjson;

impl Dialect for Ndjson {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        line(json!({ "kind": "status", "phase": "conversation", "message": scene.id }))
    }

    fn said(&self, _scene: &Scene, text: &str) -> Vec<String> {
        line(json!({ "kind": "log", "level": "info", "message": text }))
    }

    fn thought(&self, _scene: &Scene, text: &str) -> Vec<String> {
        line(json!({ "kind": "thought", "text": text }))
    }

    fn called(&self, _scene: &Scene, call: &Call) -> Vec<String> {
        line(
            json!({ "kind": "tool_call", "tool": call.tool, "call_id": call.id, "args": call.args }),
        )
    }

    fn finished(&self, _scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        let outcome = if how.is_refused { "denied" } else { "done" };
        line(json!({
            "kind": "tool_result", "call_id": call.id, "outcome": outcome, "output": how.output,
            "exit_code": how.code,
        }))
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        let metrics = [
            ("tokens.input", json!(scene.run.input), "tokens"),
            ("tokens.output", json!(scene.run.output), "tokens"),
            ("cost.inference", json!(scene.run.usd), "USD"),
        ];
        let mut lines: Vec<String> = metrics
            .into_iter()
            .map(|(name, value, unit)| {
                json!({ "kind": "metric", "name": name, "value": value, "unit": unit }).to_string()
            })
            .collect();
        lines.extend(line(json!({ "kind": "result", "ok": true, "text": scene.said })));
        lines
    }

    fn failed(&self, _scene: &Scene, failure: &Failure) -> Vec<String> {
        let resets = failure.resets_at.map(|at| format!(" {{\"resets_at\":{at}}}"));
        let status = failure.status.map(|status| format!("{status} ")).unwrap_or_default();
        let text = format!("{status}{}{}", failure.message, resets.unwrap_or_default());
        line(json!({ "kind": "result", "ok": false, "text": text }))
    }

    fn refused(&self, _why: &NoSession) -> Refusal {
        Refusal { lines: vec![], stderr: "no such conversation".to_owned(), code: 1 }
    }
}
