//! Codex: items that start and complete, and tokens of the whole thread.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::NoSession;
use serde_json::{Value, json};

pub(super) struct Codex;

impl Codex {
    fn item(call: &Call) -> Value {
        match call.tool.as_str() {
            "apply_patch" => json!({
                "id": call.id, "type": "file_change", "status": "in_progress",
                "changes": [{ "path": call.args["path"], "kind": "add" }],
            }),
            _ => json!({
                "id": call.id, "type": "command_execution", "command": call.args["command"],
                "aggregated_output": "", "exit_code": null, "status": "in_progress",
            }),
        }
    }
}

impl Dialect for Codex {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        let thread = json!({ "type": "thread.started", "thread_id": scene.id });
        [line(thread), line(json!({ "type": "turn.started" }))].concat()
    }

    fn said(&self, scene: &Scene, text: &str) -> Vec<String> {
        let id = format!("item_{}", scene.number);
        line(json!({
            "type": "item.completed", "item": { "id": id, "type": "agent_message", "text": text },
        }))
    }

    fn thought(&self, scene: &Scene, text: &str) -> Vec<String> {
        let id = format!("item_{}", scene.number);
        line(json!({
            "type": "item.completed", "item": { "id": id, "type": "reasoning", "text": text },
        }))
    }

    fn called(&self, _scene: &Scene, _call: &Call) -> Vec<String> {
        // Told when it is known to run: of a refused one nothing is said at all.
        vec![]
    }

    fn finished(&self, _scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        if how.is_refused {
            return vec![];
        }
        let started = Self::item(call);
        let mut completed = started.clone();
        completed["status"] = if how.code == 0 { "completed" } else { "failed" }.into();
        if call.tool != "apply_patch" {
            completed["aggregated_output"] = how.output.clone().into();
            completed["exit_code"] = how.code.into();
        }
        let started = line(json!({ "type": "item.started", "item": started }));
        [started, line(json!({ "type": "item.completed", "item": completed }))].concat()
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        line(json!({
            "type": "turn.completed",
            "usage": {
                // What came from a cache is counted in.
                "input_tokens": scene.total.input + scene.total.cached,
                "cached_input_tokens": scene.total.cached, "cache_write_input_tokens": 0,
                "output_tokens": scene.total.output, "reasoning_output_tokens": 0,
            },
        }))
    }

    fn failed(&self, _scene: &Scene, failure: &Failure) -> Vec<String> {
        let message = match (failure.status, failure.resets_at) {
            (Some(429), Some(at)) => format!(
                "You've hit your usage limit. {{\"type\":\"usage_limit_reached\",\"resets_at\":{at}}}"
            ),
            (Some(status), _) => format!("unexpected status {status}: {}", failure.message),
            (None, _) => failure.message.clone(),
        };
        let error = line(json!({ "type": "error", "message": message }));
        let failed = json!({ "type": "turn.failed", "error": { "message": message } });
        [error, line(failed)].concat()
    }

    fn refused(&self, why: &NoSession) -> Refusal {
        let stderr = match why {
            NoSession::Unknown(id) => format!(
                "Error: thread/resume: thread/resume failed: no rollout found for thread id {id} \
                 (code -32600)"
            ),
            NoSession::Taken(id) | NoSession::Busy(id) => {
                format!("Error: thread {id} already has an active writer")
            }
        };
        Refusal { lines: vec![], stderr, code: 1 }
    }

    fn shell(&self, command: &str) -> (&'static str, Value) {
        ("Bash", json!({ "command": command }))
    }

    fn write(&self, path: &str, text: &str) -> (&'static str, Value) {
        let patch = format!("*** Begin Patch\n*** Add File: {path}\n+{text}\n*** End Patch\n");
        ("apply_patch", json!({ "command": patch, "path": path, "content": text }))
    }
}
