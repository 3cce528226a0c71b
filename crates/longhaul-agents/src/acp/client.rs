//! One turn with one agent: say hello, open the conversation, prompt, answer what it asks, stop.

use super::ask::{self, PermissionAsk};
use super::method;
use crate::json::{Json, Object};
use crate::limits::QUESTIONS_MAX;
use crate::turn::{Conversation, ToolServer, Turn};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// A client for one turn. Give it every line of the agent; after each, `poll` until there is nothing.
#[derive(Debug)]
pub struct Client {
    step: Step,
    turn: Opening,
    session: Option<String>,
    next_id: u64,
    /// The requests that wait for a decision, by their numbers, with what may be chosen.
    asked: BTreeMap<usize, Asked>,
    /// Questions so far.
    questions: usize,
    is_cancelled: bool,
    out: VecDeque<ClientEvent>,
}

/// Which answer is waited for, by the request's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello(u64),
    Opening(u64),
    Prompting(u64),
    Over,
}

/// What of a turn is told over the protocol.
#[derive(Debug)]
struct Opening {
    prompt: String,
    cwd: String,
    resume: Option<String>,
    servers: Vec<Value>,
}

#[derive(Debug)]
struct Asked {
    /// The agent's own id for its request: a number or a string, as it stood there.
    id: Value,
    options: Vec<(String, String)>,
}

/// What the holder of the agent has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Write this and a line's end to the agent, and to the log before that.
    Send(String),
    /// Decide whether a tool may run, and call `answer`.
    Ask(PermissionAsk),
    /// The turn is over: close the agent's stdin, wait a little, then stop it. Some stay for ever.
    Over,
}

/// What may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionChoice {
    /// This once.
    Allow,
    /// Not this time; the agent may go on with something else, or end.
    Deny,
}

impl Client {
    /// Begins a turn: the first message is ready at once.
    #[must_use]
    pub fn new(turn: &Turn) -> Self {
        let resume = match &turn.conversation {
            Conversation::Resume(id) => Some(id.clone()),
            Conversation::New | Conversation::NewAs(_) | Conversation::Fork(_) => None,
        };
        let opening = Opening {
            prompt: turn.prompt.clone(),
            cwd: turn.cwd.clone(),
            resume,
            servers: turn.tool_servers.iter().map(server).collect(),
        };
        let mut client = Self {
            step: Step::Over,
            turn: opening,
            session: None,
            next_id: 1,
            asked: BTreeMap::new(),
            questions: 0,
            is_cancelled: false,
            out: VecDeque::new(),
        };
        // Files and terminals are the agent's own affair: we offer neither.
        let id = client.request(method::INITIALIZE, &json!({
            "protocolVersion": 1,
            "clientCapabilities": { "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false },
            "clientInfo": { "name": "longhaul", "version": env!("CARGO_PKG_VERSION") },
        }));
        client.step = Step::Hello(id);
        client
    }

    /// What is to be done next, until there is nothing.
    pub fn poll(&mut self) -> Option<ClientEvent> {
        self.out.pop_front()
    }

    /// The conversation, once it is open.
    #[must_use]
    pub fn conversation(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether the turn is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.step == Step::Over
    }

    /// Takes one line from the agent. What is no message is passed over: the log has it.
    pub fn on_line(&mut self, line: &str) {
        let Some(message) = Object::parse(line) else { return };
        let id = message.get("id").and_then(|id| serde_json::from_str::<Value>(id.raw()).ok());
        match (message.text("method"), id) {
            (Some(method), Some(id)) => self.asked_for(&method, id, &message),
            // Notices: the log has them, and whoever reads the log makes events of them.
            (Some(_), None) => {}
            (None, Some(id)) => self.answered(&id, &message),
            (None, None) => {}
        }
    }

    /// Decides a question. One that was decided before, or never asked, is passed over.
    pub fn answer(&mut self, number: usize, choice: PermissionChoice) {
        let Some(asked) = self.asked.remove(&number) else { return };
        // Never one that holds for later calls: each of those is a question of its own.
        let kinds: &[&str] = match choice {
            PermissionChoice::Allow => &["allow_once"],
            PermissionChoice::Deny => &["reject_once", "reject_always"],
        };
        let id = asked.id;
        let option = kinds.iter().find_map(|kind| asked.options.iter().find(|(_, of)| of == kind));
        let outcome = match option {
            Some((option, _)) => json!({ "outcome": "selected", "optionId": option }),
            None => json!({ "outcome": "cancelled" }),
        };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } }));
    }

    /// Asks the agent to stop. The turn is over when it says so; an agent that does not is for its
    /// holder to end.
    pub fn cancel(&mut self) {
        if self.is_cancelled || self.is_over() {
            return;
        }
        self.is_cancelled = true;
        // Open questions must be answered so, or the agent waits for ever.
        for asked in std::mem::take(&mut self.asked).into_values() {
            let outcome = json!({ "outcome": { "outcome": "cancelled" } });
            self.send(&json!({ "jsonrpc": "2.0", "id": asked.id, "result": outcome }));
        }
        match (&self.session, self.step) {
            (Some(session), Step::Prompting(_)) => {
                let params = json!({ "sessionId": session });
                self.send(&json!({ "jsonrpc": "2.0", "method": method::CANCEL, "params": params }));
            }
            _ => self.over(),
        }
    }

    fn asked_for(&mut self, method: &str, id: Value, message: &Object<'_>) {
        if method != method::PERMISSION || self.is_over() {
            let error = json!({ "code": -32601, "message": "Method not found" });
            return self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
        }
        if self.is_cancelled {
            let outcome = json!({ "outcome": { "outcome": "cancelled" } });
            return self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": outcome }));
        }
        let params = message.object("params").unwrap_or_default();
        let call = params.object("toolCall").unwrap_or_default();
        let options = params.items("options").into_iter().filter_map(Json::object);
        let options = options
            .map(|option| (option.word("optionId").into_owned(), option.word("kind").into_owned()));
        let number = self.questions;
        self.questions += 1;
        self.asked.insert(number, Asked { id, options: options.collect() });
        if self.asked.len() > QUESTIONS_MAX {
            return self.answer(number, PermissionChoice::Deny);
        }
        self.out.push_back(ClientEvent::Ask(ask::read(number, &call)));
    }

    fn answered(&mut self, id: &Value, message: &Object<'_>) {
        let is = |number: u64| id.as_u64() == Some(number);
        let result = message.object("result");
        match self.step {
            Step::Hello(number) if is(number) => match result {
                Some(result) => self.open(&result),
                None => self.over(),
            },
            Step::Opening(number) if is(number) => {
                let named = result.as_ref().and_then(|result| result.text("sessionId"));
                let named = named.map(|id| id.into_owned()).or_else(|| self.turn.resume.clone());
                // A refused conversation ends the turn: beginning afresh is not ours to decide.
                match (message.get("error"), named) {
                    (None, Some(session)) => self.prompt(session),
                    _ => self.over(),
                }
            }
            Step::Prompting(number) if is(number) => self.over(),
            Step::Hello(_) | Step::Opening(_) | Step::Prompting(_) | Step::Over => {}
        }
    }

    fn open(&mut self, hello: &Object<'_>) {
        let can = hello.object("agentCapabilities").unwrap_or_default();
        let can_resume = can
            .object("sessionCapabilities")
            .is_some_and(|sessions| sessions.get("resume").is_some());
        let mut params = json!({ "cwd": self.turn.cwd, "mcpServers": self.turn.servers });
        let method = match &self.turn.resume {
            None => method::NEW,
            Some(id) => {
                params["sessionId"] = Value::String(id.clone());
                // Loading tells the whole past again; resuming does not. It was never tried.
                if can.bool("loadSession") == Some(true) || !can_resume {
                    method::LOAD
                } else {
                    method::RESUME
                }
            }
        };
        let id = self.request(method, &params);
        self.step = Step::Opening(id);
    }

    fn prompt(&mut self, session: String) {
        if self.is_cancelled {
            return self.over();
        }
        let text = json!({ "type": "text", "text": self.turn.prompt });
        let id = self.request(method::PROMPT, &json!({ "sessionId": session, "prompt": [text] }));
        self.session = Some(session);
        self.step = Step::Prompting(id);
    }

    fn over(&mut self) {
        self.step = Step::Over;
        self.out.push_back(ClientEvent::Over);
    }

    fn request(&mut self, method: &str, params: &Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn send(&mut self, message: &Value) {
        self.out.push_back(ClientEvent::Send(message.to_string()));
    }
}

fn server(server: &ToolServer) -> Value {
    let env: Vec<Value> =
        server.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "name": server.name, "command": server.command, "args": server.args, "env": env })
}
