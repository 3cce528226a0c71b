//! An agent of the Agent Client Protocol: the same steps, told as updates, and tools that are asked
//! about. `stubborn` makes it pass over being cancelled, `linger` after the end makes it stay.

use crate::Outcome;
use crate::asked::{Asked, Conversation};
use crate::play;
use crate::record::Record;
use crate::script::{Script, Step};
use crate::session::{self, Session};
use crate::signals;
use serde_json::{Value, json};
use std::io::BufRead;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Between two looks for what is waited for.
const LOOK: Duration = Duration::from_millis(5);

struct Agent<'a> {
    record: &'a Record,
    messages: Receiver<Value>,
    session: Session,
    asked: Asked,
    calls: u64,
    is_cancelled: bool,
}

/// How a turn ends that did not go to its end.
enum Early {
    Cancelled,
    Failed(Value),
    Left(u8),
}

pub(crate) fn serve(record: &Record) -> Outcome<u8> {
    let (send, messages) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let message = serde_json::from_str(&line).unwrap_or_default();
            if send.send(message).is_err() {
                return;
            }
        }
    });
    let (session, asked) = (Session::default(), Asked::default());
    let mut agent = Agent { record, messages, session, asked, calls: 0, is_cancelled: false };
    while let Ok(message) = agent.messages.recv() {
        if let Some(code) = agent.answer(&message)? {
            return Ok(code);
        }
    }
    // A script may have it stay when its stdin is closed, as some do.
    let stays = Script::of(record, &agent.asked.prompt)?;
    if let Some(ms) = stays.first("linger") {
        play::around(record, &Step { verb: "linger".to_owned(), rest: ms.to_owned() })?;
    }
    Ok(0)
}

impl Agent<'_> {
    fn answer(&mut self, message: &Value) -> Outcome<Option<u8>> {
        let id = message["id"].clone();
        let params = &message["params"];
        if params["mcpServers"].as_array().is_some_and(|servers| !servers.is_empty()) {
            self.record.note(&json!({ "servers": params["mcpServers"] }))?;
        }
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => result(
                &id,
                json!({
                    "protocolVersion": 1, "agentInfo": { "name": "fake", "version": "1.0.0" },
                    "agentCapabilities": { "loadSession": true }, "authMethods": [],
                }),
            )?,
            "session/new" => {
                self.session.id = session::fresh_id("acp")?;
                self.record.cwd.clone_into(&mut self.session.cwd);
                result(&id, json!({ "sessionId": self.session.id }))?;
            }
            "session/load" => {
                let named = params["sessionId"].as_str().unwrap_or_default();
                self.asked.conversation = Conversation::Resume(named.to_owned());
                match session::load(self.record, named)? {
                    Some(known) => {
                        self.session = known;
                        self.update(json!({
                            "sessionUpdate": "agent_message_chunk",
                            "content": { "type": "text", "text": "what was said before" },
                        }))?;
                        result(&id, json!({}))?;
                    }
                    None => {
                        refuse(&id, &json!({ "code": -32_603, "message": "Session not found" }))?
                    }
                }
            }
            "session/prompt" => return self.prompt(&id, params),
            _ => {}
        }
        Ok(None)
    }

    fn prompt(&mut self, id: &Value, params: &Value) -> Outcome<Option<u8>> {
        params["prompt"][0]["text"].as_str().unwrap_or_default().clone_into(&mut self.asked.prompt);
        self.record.write(None, &self.asked)?;
        self.session.turns += 1;
        session::save(self.record, &self.session)?;
        let script = Script::of(self.record, &self.asked.prompt)?;
        if script.is_stubborn() {
            signals::obey("acp", true);
        }
        let is_deaf = script.is_stubborn();
        let mut ended = Ok(());
        let mut has_said = false;
        for step in &script.steps {
            has_said |= matches!(step.verb.as_str(), "say" | "done");
            ended = self.step(step)?;
            if ended.is_err() {
                break;
            }
            self.look();
            if self.is_cancelled && !is_deaf {
                ended = Err(Early::Cancelled);
                break;
            }
        }
        let reason = match ended {
            Ok(()) => "end_turn",
            Err(Early::Cancelled) => "cancelled",
            Err(Early::Failed(error)) => {
                refuse(id, &error)?;
                return Ok(None);
            }
            Err(Early::Left(code)) => return Ok(Some(code)),
        };
        if !has_said && reason == "end_turn" {
            self.chunk("agent_message_chunk", "Done.")?;
        }
        self.update(json!({
            "sessionUpdate": "usage_update", "used": 1_250, "size": 200_000,
            "cost": { "amount": 0.005_54, "currency": "USD" },
        }))?;
        let usage = json!({ "inputTokens": 1_000, "outputTokens": 50, "totalTokens": 1_050 });
        result(id, json!({ "stopReason": reason, "usage": usage }))?;
        Ok(None)
    }

    fn step(&mut self, step: &Step) -> Outcome<Result<(), Early>> {
        match step.verb.as_str() {
            "say" => self.chunk("agent_message_chunk", &step.rest)?,
            "think" => self.chunk("agent_thought_chunk", &step.rest)?,
            "done" if !step.rest.is_empty() => self.chunk("agent_message_chunk", &step.rest)?,
            "events" => {
                for number in 0..step.number().unwrap_or(0) {
                    self.chunk("agent_message_chunk", &format!("{number}\n"))?;
                }
            }
            "call" | "bash" | "write" => return self.tool(step),
            "fail" => {
                let message = if step.rest.is_empty() { "it went wrong" } else { &step.rest };
                return Ok(Err(Early::Failed(json!({ "code": -32_603, "message": message }))));
            }
            "status" => {
                let (status, text) = step.pair();
                let status: i64 = status.parse()?;
                return Ok(Err(Early::Failed(json!({ "code": status, "message": text }))));
            }
            "exit" => return Ok(Err(Early::Left(step.rest.trim().parse()?))),
            "sleep" | "await" => return self.wait(step),
            "linger" | "stubborn" | "deaf" | "done" => {}
            _ => play::around(self.record, step)?,
        }
        Ok(Ok(()))
    }

    /// Waits, and hears meanwhile that it is to stop.
    fn wait(&mut self, step: &Step) -> Outcome<Result<(), Early>> {
        let mut looks = step.number().unwrap_or(0).div_ceil(5);
        let is_deaf = Script::of(self.record, &self.asked.prompt)?.is_stubborn();
        loop {
            let is_there = match step.verb.as_str() {
                "await" => std::path::Path::new(&step.rest).exists(),
                _ => looks == 0,
            };
            if is_there {
                return Ok(Ok(()));
            }
            looks = looks.saturating_sub(1);
            std::thread::sleep(LOOK);
            self.look();
            if self.is_cancelled && !is_deaf {
                return Ok(Err(Early::Cancelled));
            }
        }
    }

    fn tool(&mut self, step: &Step) -> Outcome<Result<(), Early>> {
        self.calls += 1;
        let id = format!("call_{:04}", self.calls);
        let (first, second) = step.pair();
        let (kind, title, input) = match step.verb.as_str() {
            "bash" => ("execute", step.rest.clone(), json!({ "command": step.rest })),
            "write" => {
                ("edit", format!("Write {first}"), json!({ "path": first, "content": second }))
            }
            _ => ("other", first.to_owned(), serde_json::from_str(second).unwrap_or_default()),
        };
        let call = json!({
            "toolCallId": id, "title": title, "kind": kind, "status": "pending", "rawInput": input,
        });
        let mut told = call.clone();
        told["sessionUpdate"] = "tool_call".into();
        self.update(told)?;
        let question = 1_000 + self.calls;
        play::write(&[json!({
            "jsonrpc": "2.0", "id": question, "method": "session/request_permission",
            "params": {
                "sessionId": self.session.id, "toolCall": call,
                "options": [
                    { "optionId": "once", "name": "Yes", "kind": "allow_once" },
                    { "optionId": "reject", "name": "No", "kind": "reject_once" },
                ],
            },
        })
        .to_string()])?;
        let answer = loop {
            match self.messages.recv() {
                Ok(message) if message["id"] == question => break message,
                Ok(message) => self.is_cancelled |= message["method"] == "session/cancel",
                Err(_) => return Ok(Err(Early::Left(1))),
            }
        };
        let outcome = &answer["result"]["outcome"];
        if outcome["outcome"] == "cancelled" {
            return Ok(Err(Early::Cancelled));
        }
        let is_allowed = outcome["optionId"] == "once";
        self.record.note(&json!({ "asked": title, "allowed": is_allowed }))?;
        let status = if is_allowed { "completed" } else { "failed" };
        if is_allowed && step.verb == "bash" {
            play::around(self.record, &Step { verb: "sh".to_owned(), rest: step.rest.clone() })?;
        } else if is_allowed && step.verb == "write" {
            std::fs::write(std::path::Path::new(&self.record.cwd).join(first), second)?;
        }
        self.update(
            json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "status": status }),
        )?;
        Ok(Ok(()))
    }

    /// Takes what has been said to it meanwhile.
    fn look(&mut self) {
        loop {
            match self.messages.recv_timeout(Duration::ZERO) {
                Ok(message) => self.is_cancelled |= message["method"] == "session/cancel",
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn chunk(&self, kind: &str, text: &str) -> Outcome<()> {
        self.update(json!({
            "sessionUpdate": kind, "content": { "type": "text", "text": text },
        }))
    }

    fn update(&self, update: Value) -> Outcome<()> {
        let params = json!({ "sessionId": self.session.id, "update": update });
        play::write(&[
            json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }).to_string()
        ])
    }
}

fn result(id: &Value, result: Value) -> Outcome<()> {
    play::write(&[json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()])
}

fn refuse(id: &Value, error: &Value) -> Outcome<()> {
    play::write(&[json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()])
}
