//! Claude Code's stream, which `qwen` speaks too, without money and in whole messages.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::{NoSession, Spent};
use serde_json::{Value, json};

pub(super) struct Claude {
    pub(super) is_qwen: bool,
}

impl Claude {
    fn assistant(&self, scene: &Scene, block: &Value) -> Vec<String> {
        line(json!({
            "type": "assistant",
            "message": {
                "id": format!("msg_{:08}", scene.answers), "type": "message", "role": "assistant",
                "model": scene.model, "content": [block], "stop_reason": null,
                "usage": { "input_tokens": 1_000, "output_tokens": 1 },
            },
            "parent_tool_use_id": null, "session_id": scene.id,
            "uuid": format!("00000000-0000-4000-8000-{:012}", scene.number),
        }))
    }

    fn result(&self, scene: &Scene, more: &Value) -> Vec<String> {
        let mut result = json!({
            "duration_api_ms": 47, "stop_reason": "end_turn", "session_id": scene.id,
            "usage": usage(scene.run), "permission_denials": scene.refused,
            "terminal_reason": "completed", "is_error": false, "num_turns": scene.answers.max(1),
            "subtype": "success", "result": scene.said, "type": "result", "duration_ms": 51,
        });
        let tell = |name: &str, value: Value, result: &mut Value| result[name] = value;
        if !self.is_qwen {
            // Counted over the whole conversation, through every resume and fork.
            tell("total_cost_usd", json!(scene.total.usd), &mut result);
            tell("modelUsage", json!({ &scene.model: per_model(scene.total) }), &mut result);
            let since = json!({ &scene.model: per_model(scene.run) });
            tell("model_usage_since_last_result", since, &mut result);
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            tell(name, value.clone(), &mut result);
        }
        line(result)
    }
}

impl Dialect for Claude {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        let version = if self.is_qwen { "qwen_code_version" } else { "claude_code_version" };
        let mut init = json!({
            "type": "system", "subtype": "init", "cwd": scene.cwd, "session_id": scene.id,
            "tools": ["Bash", "Edit", "Read", "Write"], "mcp_servers": [], "model": scene.model,
            "permissionMode": if scene.mode.is_empty() { "default" } else { &scene.mode },
            "apiKeySource": "none",
        });
        init[version] = if self.is_qwen { "0.24.4" } else { "2.1.329" }.into();
        line(init)
    }

    fn said(&self, scene: &Scene, text: &str) -> Vec<String> {
        self.assistant(scene, &json!({ "type": "text", "text": text }))
    }

    fn thought(&self, scene: &Scene, text: &str) -> Vec<String> {
        self.assistant(scene, &json!({ "type": "thinking", "thinking": text, "signature": "" }))
    }

    fn called(&self, scene: &Scene, call: &Call) -> Vec<String> {
        let block =
            json!({ "type": "tool_use", "id": call.id, "name": call.tool, "input": call.args });
        self.assistant(scene, &block)
    }

    fn finished(&self, scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        let decision = if how.is_refused { "reject" } else { "accept" };
        let result = json!({
            "type": "tool_result", "tool_use_id": call.id, "content": how.output,
            "is_error": how.is_refused || how.code != 0,
        });
        line(json!({
            "type": "user", "message": { "role": "user", "content": [result] },
            "parent_tool_use_id": null, "session_id": scene.id,
            "tool_result_meta": [{ "id": call.id, "permission_decision": { "decision": decision } }],
        }))
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        self.result(scene, &json!({}))
    }

    fn failed(&self, scene: &Scene, failure: &Failure) -> Vec<String> {
        let mut lines = vec![];
        let Some(status) = failure.status else {
            let errors = [&failure.message];
            let more = json!({
                "subtype": "error_during_execution", "is_error": true, "errors": errors,
                "result": null, "terminal_reason": "model_error",
            });
            return self.result(scene, &more);
        };
        if let Some(at) = failure.resets_at {
            lines.extend(line(json!({
                "type": "rate_limit_event", "session_id": scene.id,
                "rate_limit_info": {
                    "status": "rejected", "rateLimitType": "five_hour", "resetsAt": at,
                },
            })));
        }
        // The subtype says success even so.
        lines.extend(self.result(
            scene,
            &json!({
                "is_error": true, "terminal_reason": "api_error", "api_error_status": status,
                "result": failure.message,
            }),
        ));
        lines
    }

    fn deferred(&self, scene: &Scene, call: &Call) -> Vec<String> {
        self.result(
            scene,
            &json!({
                "stop_reason": "tool_deferred", "terminal_reason": "tool_deferred", "result": "",
                "deferred_tool_use": { "id": call.id, "name": call.tool, "input": call.args },
            }),
        )
    }

    fn refused(&self, why: &NoSession) -> Refusal {
        let (id, stderr) = match why {
            NoSession::Unknown(id) => (id, format!("No conversation found with session ID: {id}")),
            NoSession::Taken(id) | NoSession::Busy(id) => {
                (id, format!("Error: Session ID {id} is already in use."))
            }
        };
        let is_told = matches!(why, NoSession::Unknown(_)) && !self.is_qwen;
        let result = json!({
            "type": "result", "subtype": "error_during_execution", "duration_ms": 0,
            "is_error": true, "num_turns": 0, "session_id": id, "total_cost_usd": 0,
            "usage": usage(Spent::default()), "modelUsage": {}, "errors": [stderr],
        });
        let lines = if is_told { line(result) } else { vec![] };
        Refusal { lines, stderr, code: 1 }
    }

    fn shell(&self, command: &str) -> (&'static str, Value) {
        let name = if self.is_qwen { "run_shell_command" } else { "Bash" };
        (name, json!({ "command": command }))
    }

    fn write(&self, path: &str, text: &str) -> (&'static str, Value) {
        let name = if self.is_qwen { "write_file" } else { "Write" };
        (name, json!({ "file_path": path, "content": text }))
    }
}

fn usage(spent: Spent) -> Value {
    json!({
        "input_tokens": spent.input, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": spent.cached, "output_tokens": spent.output,
    })
}

fn per_model(spent: Spent) -> Value {
    json!({
        "inputTokens": spent.input, "outputTokens": spent.output,
        "cacheReadInputTokens": spent.cached, "cacheCreationInputTokens": 0,
        "costUSD": spent.usd,
    })
}
