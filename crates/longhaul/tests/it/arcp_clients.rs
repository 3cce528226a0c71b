//! The libraries that others wrote, as far as frames show them: each says what it says in its own way,
//! and reads only what its decoder lets pass.

use crate::arcp_support::{Client, Runtime};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const FEATURES: [&str; 11] = [
    "heartbeat",
    "ack",
    "list_jobs",
    "subscribe",
    "lease_expires_at",
    "cost.budget",
    "progress",
    "result_chunk",
    "agent_versions",
    "model.use",
    "provisioned_credentials",
];
/// Bytes of the largest message that the strictest of them reads.
const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;
/// Fields that may be null; any other that is makes a frame unreadable.
const NULLABLE: [&str; 4] = ["next_cursor", "parent_job_id", "result", "output"];

/// What is particular to a library.
struct Library {
    /// How it names its frames.
    id: fn(u64) -> String,
    /// What it says at first, besides its token.
    hello: fn() -> Value,
    /// Fails on a frame that its decoder refuses.
    read: fn(&Value),
}

/// A client that is made with one of them.
struct Peer {
    client: Client<TcpStream>,
    library: Library,
    said: u64,
    /// The newest number that it was told.
    seq: u64,
}

impl Peer {
    async fn welcomed(runtime: &Runtime, library: Library) -> Self {
        let client = runtime.connect().await;
        let mut peer = Self { client, library, said: 0, seq: 0 };
        peer.hello(json!({})).await;
        peer
    }

    async fn hello(&mut self, more: Value) -> Value {
        let mut payload = (self.library.hello)();
        payload["auth"] = json!({ "scheme": "bearer", "token": "tok" });
        for (name, value) in more.as_object().unwrap() {
            payload[name] = value.clone();
        }
        self.say("session.hello", None, payload).await;
        let welcome = self.next().await;
        self.client.session = welcome["session_id"].as_str().unwrap().to_owned();
        let token = &welcome["payload"]["resume_token"];
        self.client.resume_token = token.as_str().unwrap().to_owned();
        welcome
    }

    async fn say(&mut self, kind: &str, job: Option<&str>, payload: Value) -> String {
        self.said += 1;
        let id = (self.library.id)(self.said);
        let mut frame = json!({ "arcp": "1.1", "id": id, "type": kind, "payload": payload });
        if !self.client.session.is_empty() {
            frame["session_id"] = json!(self.client.session);
        }
        if let Some(job) = job {
            frame["job_id"] = json!(job);
        }
        self.client.send_text(&frame.to_string()).await;
        id
    }

    async fn next(&mut self) -> Value {
        let frame = self.client.next().await;
        assert_eq!(frame["arcp"], "1.1");
        assert!(frame.to_string().len() < MESSAGE_BYTES_MAX);
        for part in [&frame, &frame["payload"]] {
            for (field, value) in part.as_object().unwrap() {
                assert!(!value.is_null() || NULLABLE.contains(&field.as_str()), "{frame}");
            }
        }
        assert!(frame["session_id"].as_str().is_some_and(|id| !id.is_empty()), "{frame}");
        if let Some(seq) = frame["event_seq"].as_u64() {
            assert_eq!(seq, self.seq + 1, "a session whose numbers have gaps is broken: {frame}");
            self.seq = seq;
        }
        if let Some(code) = frame["payload"]["code"].as_str() {
            let retryable = code == "INTERNAL_ERROR" || code == "TIMEOUT";
            assert_eq!(frame["payload"]["retryable"], retryable, "{frame}");
        }
        (self.library.read)(&frame);
        frame
    }

    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Breaks off and comes back as its library does.
    async fn come_back(&mut self, runtime: &Runtime) {
        let resume = json!({
            "session_id": self.client.session, "resume_token": self.client.resume_token,
            "last_event_seq": self.seq,
        });
        self.client = runtime.connect().await;
        let welcome = self.hello(json!({ "resume": resume })).await;
        assert_eq!(welcome["session_id"], resume["session_id"]);
    }

    /// What all of them do: a job, a list, a subscription with history, a result in pieces, and going on.
    async fn does_its_work(&mut self, runtime: &Runtime) {
        let request = self.say("job.submit", None, submit("echo", json!({ "x": 1 }))).await;
        let accepted = self.next().await;
        assert_eq!(accepted["payload"]["request_id"], request);
        let job = accepted["job_id"].as_str().unwrap().to_owned();
        let result = self.until("job.result").await;
        assert_eq!(result["payload"]["result"], json!({ "echoed": { "x": 1 } }));

        self.say("session.list_jobs", None, json!({ "limit": 10 })).await;
        let jobs = self.next().await["payload"]["jobs"].clone();
        assert_eq!((&jobs[0]["job_id"], &jobs[0]["status"]), (&json!(job), &json!("success")));
        self.say("job.subscribe", None, json!({ "job_id": job, "history": true })).await;
        assert_eq!(self.next().await["type"], "job.subscribed");
        assert_eq!(self.until("job.result").await["payload"], result["payload"]);

        self.say("job.submit", None, submit("streamer", Value::Null)).await;
        let mut data = String::new();
        let result = loop {
            let frame = self.next().await;
            if frame["type"] == "job.result" {
                break frame;
            }
            data += frame["payload"]["body"]["data"].as_str().unwrap_or_default();
        };
        assert_eq!(
            (data.as_str(), &result["payload"]["result_size"]),
            ("hello, world!", &json!(13))
        );
        self.come_back(runtime).await;
        self.say("job.submit", None, submit("noop", Value::Null)).await;
        self.until("job.result").await;
    }

    /// The end of a job that is cancelled.
    async fn cancels(&mut self) -> Value {
        self.say("job.submit", None, submit("slow", json!({}))).await;
        let job = self.until("job.accepted").await["job_id"].as_str().unwrap().to_owned();
        assert_eq!(self.next().await["payload"]["body"]["phase"], "running");
        self.say("job.cancel", Some(&job), json!({ "reason": "enough" })).await;
        assert_eq!(self.next().await["type"], "job.cancelled");
        self.next().await
    }
}

fn submit(agent: &str, input: Value) -> Value {
    json!({ "agent": agent, "input": input })
}

fn has(frame: &Value, fields: &[&str]) {
    for field in fields {
        assert!(frame["payload"].get(field).is_some(), "no `{field}` in {frame}");
    }
}

/// A name of Crockford's letters that looks like any other.
fn ulid(number: u64) -> String {
    format!("01M7ZY9KW89PPVYDGVYHR8{number:04}")
}

fn in_typescript() -> Library {
    let hello = || {
        json!({
            "client": { "name": "demo", "version": "1.0.0" },
            "capabilities": { "encodings": ["json"], "features": FEATURES },
        })
    };
    Library { id: |number| format!("msg_{}", ulid(number)), hello, read: read_in_typescript }
}

/// As its schemas have it.
fn read_in_typescript(frame: &Value) {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if let Some(trace) = frame.get("trace_id") {
        let trace = trace.as_str().unwrap();
        assert!(trace.len() == 32 && trace.bytes().all(is_hex), "{frame}");
    }
    let payload = &frame["payload"];
    match frame["type"].as_str().unwrap() {
        "session.welcome" => {
            has(frame, &["runtime", "resume_token", "resume_window_sec", "capabilities"]);
            assert!(payload["resume_window_sec"].as_u64().is_some_and(|secs| secs > 0));
        }
        "job.accepted" => {
            has(frame, &["job_id", "lease", "accepted_at"]);
            let budget = payload["budget"].as_object();
            assert!(budget.is_none_or(|all| all.values().all(Value::is_number)), "{frame}");
        }
        "job.event" => has(frame, &["kind", "ts", "body"]),
        "job.result" => {
            assert_eq!(payload["final_status"], "success");
            assert!(payload.get("result").is_none() || payload.get("result_id").is_none());
        }
        "job.error" => has(frame, &["final_status", "code", "message"]),
        "session.jobs" => has(frame, &["request_id", "jobs", "next_cursor"]),
        "job.subscribed" => {
            has(frame, &["job_id", "current_status", "agent", "lease"]);
            has(frame, &["subscribed_from", "replayed"]);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_typescript_is_served_in_its_own_way() {
    let runtime = Runtime::agents(|_| ()).await;
    let mut peer = Peer::welcomed(&runtime, in_typescript()).await;
    peer.does_its_work(&runtime).await;
    // It settles a refused submission by an error of a job that never was, and nothing else.
    peer.say("job.submit", None, submit("nobody", Value::Null)).await;
    let refused = peer.next().await;
    assert_eq!((&refused["type"], &refused["event_seq"]), (&json!("job.error"), &Value::Null));
    let budget = json!({ "agent": "noop", "lease_request": { "cost.budget": ["USD:1.5"] } });
    peer.say("job.submit", None, budget).await;
    assert_eq!(peer.next().await["payload"]["budget"], json!({ "USD": 1.5 }));
    peer.until("job.result").await;
    let cancelled = peer.cancels().await;
    assert_eq!(cancelled["type"], "job.error");
    assert_eq!(cancelled["payload"]["final_status"], "cancelled");
    peer.say("session.bye", None, json!({ "reason": "done" })).await;
    assert_eq!(peer.client.until_closed().await, Some(1000));
    runtime.stop().await;
}

fn in_python() -> Library {
    // Programs give names of their own: it is known by how it says hello.
    let hello = || {
        json!({
            "client": { "name": "demo", "version": "1.1.3" },
            "capabilities": { "encodings": ["json"], "features": FEATURES, "agents": [] },
        })
    };
    Library { id: ulid, hello, read: read_in_python }
}

/// As its models have it: more is required than the draft does, and errors are errors only.
fn read_in_python(frame: &Value) {
    let id = frame["id"].as_str().unwrap();
    let bare = id.split_once('_').map_or(id, |(_, bare)| bare);
    assert_eq!(bare.len(), 26, "{frame}");
    assert!(frame.get("event_seq").is_none_or(|seq| seq.as_u64().unwrap() >= 1));
    assert_ne!(frame["trace_id"], "0".repeat(32));
    let payload = &frame["payload"];
    match frame["type"].as_str().unwrap() {
        "session.welcome" => has(frame, &["session_id", "accepted_at", "resume_token"]),
        "job.accepted" => {
            let budget = payload["budget"].as_object();
            assert!(budget.is_none_or(|all| all.values().all(Value::is_string)), "{frame}");
        }
        "job.result" => has(frame, &["final_status", "completed_at"]),
        "job.error" => {
            has(frame, &["completed_at"]);
            assert_eq!(payload["final_status"], "error", "{frame}");
        }
        "session.jobs" => {
            let jobs = payload["jobs"].as_array().unwrap();
            assert!(jobs.iter().all(|job| job["submitted_at"].is_string()), "{frame}");
        }
        "job.subscribed" => has(frame, &["request_id"]),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_python_is_served_in_its_own_way() {
    let runtime = Runtime::agents(|_| ()).await;
    let mut peer = Peer::welcomed(&runtime, in_python()).await;
    peer.does_its_work(&runtime).await;
    // An error of a job that it does not know is passed over by it, and it would wait for ever.
    let request = peer.say("job.submit", None, submit("nobody", Value::Null)).await;
    let refused = peer.next().await;
    assert_eq!(refused["type"], "session.error", "{refused}");
    assert_eq!(refused["payload"]["code"], "AGENT_NOT_AVAILABLE");
    assert_eq!(refused["payload"]["request_id"], request);
    let budget = json!({ "agent": "noop", "lease_request": { "cost.budget": ["USD:1.50"] } });
    peer.say("job.submit", None, budget).await;
    assert_eq!(peer.next().await["payload"]["budget"], json!({ "USD": "USD:1.5" }));
    peer.until("job.result").await;
    let cancelled = peer.cancels().await;
    assert_eq!(cancelled["type"], "job.result", "{cancelled}");
    assert_eq!(cancelled["payload"]["final_status"], "cancelled");
    let asked = json!({ "agent": "slow", "lease_request": {}, "max_runtime_sec": 1 });
    peer.say("job.submit", None, asked).await;
    assert_eq!(peer.until("job.result").await["payload"]["final_status"], "timed_out");
    peer.say("job.submit", None, submit("boom", Value::Null)).await;
    assert_eq!(peer.until("job.error").await["payload"]["message"], "boom");
    peer.say("session.bye", None, json!({ "reason": "client closing" })).await;
    assert_eq!(peer.client.until_closed().await, Some(1000));
    runtime.stop().await;
}

fn in_go() -> Library {
    let hello = || {
        json!({
            "client": { "name": "arcp-go", "version": "0.1.0" },
            "capabilities": { "encodings": ["json"], "features": FEATURES },
        })
    };
    let id = |number| format!("0190f3a2-1c4d-7{number:03x}-8a2b-3c4d5e6f7a8b");
    // It reads results as `output`.
    let read = |frame: &Value| {
        if frame["type"] == "job.result" && frame["payload"].get("result").is_some() {
            assert_eq!(frame["payload"]["output"], frame["payload"]["result"], "{frame}");
        }
    };
    Library { id, hello, read }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_go_is_served_in_its_own_way() {
    let runtime = Runtime::agents(|_| ()).await;
    let mut peer = Peer::welcomed(&runtime, in_go()).await;
    peer.does_its_work(&runtime).await;
    let request = peer.say("job.submit", None, submit("calc@9.9.9", Value::Null)).await;
    let refused = peer.next().await;
    assert_eq!(refused["type"], "session.error", "{refused}");
    assert_eq!(refused["payload"]["code"], "AGENT_VERSION_NOT_AVAILABLE");
    assert_eq!(refused["payload"]["request_id"], request);
    assert!(refused["job_id"].is_string());
    let cancelled = peer.cancels().await;
    assert_eq!(
        (&cancelled["type"], &cancelled["payload"]["code"]),
        (&json!("job.error"), &json!("CANCELLED"))
    );
    peer.say("session.close", None, json!({})).await;
    assert_eq!(peer.next().await["type"], "session.closed");
    assert_eq!(peer.client.until_closed().await, Some(1000));
    runtime.stop().await;
}
