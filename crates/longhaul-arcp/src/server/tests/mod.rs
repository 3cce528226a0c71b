//! What a client sees, for everything it can say.

mod garbage;
mod handshake;
mod jobs;
mod session;

use super::*;
use crate::error::{Code, Denial};
use crate::message::{Accepted, AgentEntry};
use longhaul_core::time::Millis;
use serde_json::{Value, json};

const SESSION: &str = "sess_01JD0000000000000000000000";
/// So small that tests come to its end.
const BACKLOG: Backlog = Backlog { events_max: 100, patience: Millis::from_secs(50) };
const ALL: [&str; 9] = [
    "heartbeat",
    "ack",
    "list_jobs",
    "subscribe",
    "lease_expires_at",
    "cost.budget",
    "progress",
    "result_chunk",
    "agent_versions",
];

/// A connection, and whoever drives it.
struct Rig {
    connection: Connection,
    now: Timestamp,
    said: u32,
    asks: Vec<(AskId, Ask)>,
    follows: Vec<u64>,
    closed: Option<Close>,
}

impl Rig {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(profile: Option<Profile>) -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let runtime = Runtime { name: "longhaul".into(), version: "1".into(), fingerprint: None };
        let features = Features::always();
        let (heartbeat, backlog) = (Millis::from_secs(30), BACKLOG);
        let config = Config { runtime, features, heartbeat, backlog, profile };
        let connection = Connection::new(config, "connection-1", now);
        Self { connection, now, said: 0, asks: vec![], follows: vec![], closed: None }
    }

    /// One that has its session, with all features.
    fn welcomed() -> Self {
        let mut rig = Self::new();
        rig.greet("examplectl");
        rig
    }

    fn greet(&mut self, client: &str) {
        let frames = self.hello(json!({
            "client": {"name": client, "version": "1"},
            "auth": {"scheme": "bearer", "token": "tok"},
            "capabilities": {"encodings": ["json"], "features": ALL},
        }));
        assert_eq!(frames, [""; 0]);
        let frames = self.answer(Ok(Answer::Opened(Box::new(opened(0)))));
        assert_eq!(kinds(&frames), ["session.welcome"]);
    }

    fn hello(&mut self, payload: Value) -> Vec<String> {
        self.text(
            &json!({"arcp": "1.1", "id": self.id(), "type": "session.hello", "payload": payload}),
        )
    }

    fn id(&self) -> String {
        format!("c{}", self.said + 1)
    }

    /// Says something within the session. Gives the frames that come of it.
    fn say(&mut self, kind: &str, payload: Value) -> Vec<String> {
        self.say_with(kind, payload, json!({}))
    }

    fn say_with(&mut self, kind: &str, payload: Value, more: Value) -> Vec<String> {
        let mut frame = json!({"arcp": "1.1", "id": self.id(), "type": kind, "session_id": SESSION,
            "payload": payload});
        for (key, value) in more.as_object().unwrap() {
            frame[key] = value.clone();
        }
        self.text(&frame)
    }

    fn text(&mut self, frame: &Value) -> Vec<String> {
        self.said += 1;
        self.connection.on_message(&frame.to_string(), self.now);
        self.drain()
    }

    /// Answers the oldest ask.
    fn answer(&mut self, answer: Answered) -> Vec<String> {
        let (ask, _) = self.asks.remove(0);
        self.answer_to(ask, answer)
    }

    fn answer_to(&mut self, ask: AskId, answer: Answered) -> Vec<String> {
        self.connection.on_answer(ask, answer, self.now);
        self.drain()
    }

    fn feed(&mut self, frames: &[(u64, &str)]) -> Vec<String> {
        let fed = |(event_seq, job): &(u64, &str)| Fed {
            event_seq: *event_seq,
            job_id: (*job).to_owned(),
            is_last: false,
            accepted: None,
            text: format!("{{\"type\":\"fed\",\"event_seq\":{event_seq}}}"),
        };
        self.connection.on_feed(frames.iter().map(fed).collect::<Vec<_>>(), self.now);
        self.drain()
    }

    fn wait(&mut self, secs: u64) -> Vec<String> {
        self.now = self.now.plus(Millis::from_secs(secs));
        self.connection.on_due(self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<String> {
        let mut frames = vec![];
        while let Some(output) = self.connection.poll() {
            assert!(self.closed.is_none(), "nothing comes after a close: {output:?}");
            match output {
                Output::Send(text) => frames.push(text),
                Output::Ask(id, ask) => self.asks.push((id, ask)),
                Output::Follow { after } => self.follows.push(after),
                Output::Close(close) => self.closed = Some(close),
            }
        }
        frames
    }

    /// Submits something and has it accepted.
    fn submit(&mut self, job: &str) -> Vec<String> {
        assert_eq!(self.say("job.submit", json!({"agent": "echo"})), [""; 0]);
        self.answer(accepted(job))
    }
}

fn opened(after: u64) -> Opened {
    let calc = AgentEntry {
        name: "calc".to_owned(),
        versions: vec!["1.0.0".to_owned(), "2.0.0".to_owned()],
        default: Some("2.0.0".to_owned()),
    };
    Opened {
        session_id: SESSION.to_owned(),
        resume_token: "rt_1".to_owned(),
        window: Millis::from_secs(600),
        agents: vec![calc],
        after,
        profile: None,
    }
}

fn accepted(job: &str) -> Answered {
    Ok(Answer::Submitted(Box::new(Submitted { accepted: acceptance(job), ended: None })))
}

fn acceptance(job: &str) -> Accepted {
    let text = json!({"job_id": job, "lease": {}, "accepted_at": "now", "agent": "echo"});
    serde_json::from_value(text).unwrap()
}

fn read(frame: &str) -> Value {
    serde_json::from_str(frame).unwrap()
}

/// The types of these frames; of errors also the code.
fn kinds(frames: &[String]) -> Vec<String> {
    let kind = |frame: &String| {
        let frame = read(frame);
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        match frame["payload"]["code"].as_str() {
            Some(code) => format!("{kind} {code}"),
            None => kind,
        }
    };
    frames.iter().map(kind).collect()
}

/// Every frame says what known clients cannot do without.
fn assert_sound(frame: &str) {
    let frame = read(frame);
    assert_eq!(frame["arcp"], "1.1");
    assert!(frame["id"].as_str().is_some_and(|id| id.starts_with("msg_") && id.len() == 30));
    assert!(frame["session_id"].as_str().is_some_and(|id| !id.is_empty()), "{frame}");
    assert!(frame["payload"].is_object(), "{frame}");
    if let Some(code) = frame["payload"]["code"].as_str() {
        assert!(Code::named(code).is_some(), "{frame}");
        assert!(frame["payload"].get("details").is_none_or(Value::is_object), "{frame}");
    }
}
