//! opencode: neither a beginning nor an end, and tools only when they are over.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::{NoSession, Spent};
use serde_json::{Value, json};

pub(super) struct Opencode;

impl Opencode {
    fn event(scene: &Scene, kind: &str, part: Value) -> String {
        json!({ "type": kind, "timestamp": 1_795_200_103_776_u64, "sessionID": scene.id, "part": part })
            .to_string()
    }

    fn start(scene: &Scene) -> String {
        Self::event(scene, "step_start", json!({ "type": "step-start" }))
    }

    fn finish(scene: &Scene, reason: &str, spent: Spent) -> String {
        Self::event(
            scene,
            "step_finish",
            json!({
                "type": "step-finish", "reason": reason, "cost": spent.usd,
                "tokens": {
                    "input": spent.input, "output": spent.output, "reasoning": 0,
                    "cache": { "read": spent.cached, "write": 0 },
                },
            }),
        )
    }
}

impl Dialect for Opencode {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        vec![Self::start(scene)]
    }

    fn said(&self, scene: &Scene, text: &str) -> Vec<String> {
        vec![Self::event(scene, "text", json!({ "type": "text", "text": text }))]
    }

    fn thought(&self, scene: &Scene, text: &str) -> Vec<String> {
        vec![Self::event(scene, "reasoning", json!({ "type": "reasoning", "text": text }))]
    }

    fn called(&self, _scene: &Scene, _call: &Call) -> Vec<String> {
        vec![]
    }

    fn finished(&self, scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        let state = if how.is_refused {
            let error = "The user rejected permission to use this specific tool call.";
            json!({ "status": "error", "input": call.args, "error": error })
        } else {
            json!({
                "status": "completed", "input": call.args, "output": how.output,
                "metadata": { "exit": how.code, "output": how.output },
            })
        };
        let part = json!({ "type": "tool", "tool": call.tool, "callID": call.id, "state": state });
        let tool = Self::event(scene, "tool_use", part);
        // Each step tells what it used; all that this turn used is told with the last.
        vec![tool, Self::finish(scene, "tool-calls", Spent::default()), Self::start(scene)]
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        vec![Self::finish(scene, "stop", scene.run)]
    }

    fn failed(&self, scene: &Scene, failure: &Failure) -> Vec<String> {
        let mut message = failure.message.clone();
        if let Some(at) = failure.resets_at {
            message = format!("{message} {{\"resets_at\":{at}}}");
        }
        line(json!({
            "type": "error", "timestamp": 1_795_200_103_776_u64, "sessionID": scene.id,
            "error": {
                "name": if failure.status.is_some() { "APIError" } else { "UnknownError" },
                "data": { "message": message, "statusCode": failure.status, "isRetryable": false },
            },
        }))
    }

    fn refused(&self, why: &NoSession) -> Refusal {
        let stderr = match why {
            NoSession::Unknown(_) => "Error: Session not found".to_owned(),
            NoSession::Taken(id) | NoSession::Busy(id) => format!("Error: Session {id} is busy"),
        };
        Refusal { lines: vec![], stderr, code: 1 }
    }

    fn write(&self, path: &str, text: &str) -> (&'static str, Value) {
        ("write", json!({ "filePath": path, "content": text }))
    }
}
