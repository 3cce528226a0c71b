//! pi, and omp that speaks as it does. pi exits with 0 whatever the vendor said.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene, line};
use crate::session::{NoSession, Spent};
use serde_json::{Value, json};

pub(super) struct Pi {
    pub(super) is_omp: bool,
}

impl Pi {
    fn message(scene: &Scene, content: &Value, reason: &str, spent: Spent) -> Value {
        json!({
            "role": "assistant", "content": content, "provider": "fake", "model": scene.model,
            "usage": {
                "input": spent.input, "output": spent.output, "cacheRead": spent.cached,
                "cacheWrite": 0, "cost": { "total": spent.usd },
            },
            "stopReason": reason, "timestamp": 1_795_202_051_934_u64,
        })
    }

    fn end(scene: &Scene, content: &Value, reason: &str) -> Vec<String> {
        let message = Self::message(scene, content, reason, Spent::default());
        line(json!({ "type": "message_end", "message": message }))
    }

    fn over(&self, message: &Value) -> Vec<String> {
        let mut end = json!({ "type": "agent_end", "messages": [message], "willRetry": false });
        let turn = line(json!({ "type": "turn_end", "message": message, "toolResults": [] }));
        if self.is_omp {
            end["isTerminal"] = true.into();
            return [turn, line(end)].concat();
        }
        [turn, line(end), line(json!({ "type": "agent_settled" }))].concat()
    }
}

impl Dialect for Pi {
    fn begin(&self, scene: &Scene) -> Vec<String> {
        let text = json!([{ "type": "text", "text": scene.prompt }]);
        let prompt = json!({ "role": "user", "content": text });
        let lines = [
            json!({ "type": "session", "version": 3, "id": scene.id, "cwd": scene.cwd }),
            json!({ "type": "agent_start" }),
            json!({ "type": "turn_start" }),
            json!({ "type": "message_start", "message": prompt }),
            json!({ "type": "message_end", "message": prompt }),
        ];
        lines.map(|line| line.to_string()).to_vec()
    }

    fn said(&self, scene: &Scene, text: &str) -> Vec<String> {
        Self::end(scene, &json!([{ "type": "text", "text": text }]), "stop")
    }

    fn thought(&self, scene: &Scene, text: &str) -> Vec<String> {
        Self::end(scene, &json!([{ "type": "thinking", "thinking": text }]), "stop")
    }

    fn called(&self, scene: &Scene, call: &Call) -> Vec<String> {
        let block = json!([{ "type": "toolCall", "id": call.id, "name": call.tool }]);
        let start = json!({
            "type": "tool_execution_start", "toolCallId": call.id, "toolName": call.tool,
            "args": call.args,
        });
        [Self::end(scene, &block, "toolUse"), line(start)].concat()
    }

    fn finished(&self, _scene: &Scene, call: &Call, how: &Finished) -> Vec<String> {
        line(json!({
            "type": "tool_execution_end", "toolCallId": call.id, "toolName": call.tool,
            "result": { "content": [{ "type": "text", "text": how.output }] },
            "isError": how.is_refused || how.code != 0,
        }))
    }

    fn done(&self, scene: &Scene) -> Vec<String> {
        // What was used is told with the last message, which need not say anything.
        let message = Self::message(scene, &json!([]), "stop", scene.run);
        let end = line(json!({ "type": "message_end", "message": message }));
        [end, self.over(&message)].concat()
    }

    fn failed(&self, scene: &Scene, failure: &Failure) -> Vec<String> {
        let mut message = Self::message(scene, &json!([]), "error", scene.run);
        let status = failure.status.map(|status| format!("{status}: ")).unwrap_or_default();
        let resets = failure.resets_at.map(|at| format!(" {{\"resets_at\":{at}}}"));
        let text = format!("{status}{}{}", failure.message, resets.unwrap_or_default());
        message["errorMessage"] = text.into();
        let end = line(json!({ "type": "message_end", "message": message }));
        [end, self.over(&message)].concat()
    }

    fn refused(&self, why: &NoSession) -> Refusal {
        let stderr = match why {
            NoSession::Unknown(id) => format!("No session found matching '{id}'"),
            NoSession::Taken(id) | NoSession::Busy(id) => format!("Session {id} is in use"),
        };
        Refusal { lines: vec![], stderr, code: 1 }
    }

    fn code(&self, _failure: &Failure) -> u8 {
        u8::from(self.is_omp)
    }
}
