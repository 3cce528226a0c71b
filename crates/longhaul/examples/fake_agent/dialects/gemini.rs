//! Gemini's stream: text in pieces, no thoughts, no exit codes, no money.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::NoSession;
use serde_json::{Value, json};

pub(super) struct Gemini;

const TIME: &str = "2026-01-01T00:00:00.000Z";

impl Dialect for Gemini {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        let init = json!({
            "type": "init", "timestamp": TIME, "session_id": scene.id, "model": scene.model,
        });
        let prompt = json!({ "type": "message", "timestamp": TIME, "role": "user", "content": scene.prompt });
        [line(init), line(prompt)].concat()
    }

    fn said(&self, _scene: &Scene, text: &str) -> Vec<String> {
        let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let (first, second) = text.split_at(half);
        let pieces = [first, second].into_iter().filter(|piece| !piece.is_empty());
        let tell = |piece| {
            json!({
                "type": "message", "timestamp": TIME, "role": "assistant", "content": piece,
                "delta": true,
            })
            .to_string()
        };
        pieces.map(tell).collect()
    }

    fn thought(&self, _scene: &Scene, _text: &str) -> Vec<String> {
        vec![]
    }

    fn called(&self, _scene: &Scene, call: &Call) -> Vec<String> {
        line(json!({
            "type": "tool_use", "timestamp": TIME, "tool_name": call.tool, "tool_id": call.id,
            "parameters": call.args,
        }))
    }

    fn finished(&self, _scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        let mut result = json!({
            "type": "tool_result", "timestamp": TIME, "tool_id": call.id, "status": "success",
            "output": how.output,
        });
        if how.is_refused {
            result["status"] = "error".into();
            result["error"] = json!({ "type": "policy_violation", "message": how.output });
        }
        line(result)
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        line(json!({
            "type": "result", "timestamp": TIME, "status": "success", "stats": stats(scene),
        }))
    }

    fn failed(&self, scene: &Scene, failure: &Failure) -> Vec<String> {
        let message = match failure.resets_at {
            Some(at) => format!("{} {{\"resets_at\":{at}}}", failure.message),
            None => failure.message.clone(),
        };
        line(json!({
            "type": "result", "timestamp": TIME, "status": "error",
            "error": { "type": "Error", "message": message }, "stats": stats(scene),
        }))
    }

    fn refused(&self, why: &NoSession) -> Refusal {
        let stderr = match why {
            NoSession::Unknown(_) => {
                "Error resuming session: No previous sessions found for this project.".to_owned()
            }
            NoSession::Taken(id) | NoSession::Busy(id) => format!(
                "Error starting session: Session ID \"{id}\" already exists. Use --resume to \
                 resume it, or provide a different ID."
            ),
        };
        Refusal { lines: vec![], stderr, code: 42 }
    }

    fn code(&self, failure: &Failure) -> u8 {
        // The status, as far as it fits.
        failure.status.map_or(1, |status| u8::try_from(status % 256).unwrap_or(1))
    }

    fn shell(&self, command: &str) -> (&'static str, Value) {
        ("run_shell_command", json!({ "command": command }))
    }

    fn write(&self, path: &str, text: &str) -> (&'static str, Value) {
        ("write_file", json!({ "file_path": path, "content": text }))
    }
}

fn stats(scene: &Scene) -> Value {
    json!({
        "total_tokens": scene.run.input + scene.run.cached + scene.run.output,
        "input_tokens": scene.run.input + scene.run.cached, "input": scene.run.input,
        "output_tokens": scene.run.output, "cached": scene.run.cached, "duration_ms": 51,
        "tool_calls": scene.answers.saturating_sub(1),
    })
}
