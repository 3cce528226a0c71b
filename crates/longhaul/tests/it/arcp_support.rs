//! Clients of the protocol on real sockets, and a daemon in this process that hosts bodies for them.

use crate::daemon_support::{PATIENCE, Place};
use crate::hosted_agents::bodies;
use futures_util::{FutureExt, SinkExt, StreamExt};
use longhaul::daemon::{Body, Daemon, Entry, PassingToken, Returned, Run};
use longhaul::embed::hosting::Hosting;
use longhaul::serve::Listen;
use longhaul_core::command::{Command, Entry as Told};
use longhaul_core::task::{TaskFailure, TaskResult};
use longhaul_core::time::Millis;
use longhaul_core::token::TokenRole;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// A daemon with hosted bodies that is reached over a network.
pub(crate) struct Runtime {
    pub(crate) place: Place,
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
}

impl Runtime {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these settings.
    pub(crate) async fn start_with(settings: &str) -> Self {
        Self::set_up(Place::new(), settings).await
    }

    /// With these settings, in a home that is yet to be made.
    pub(crate) async fn set_up(place: Place, settings: &str) -> Self {
        std::fs::create_dir(place.home()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(place.home(), mode).unwrap();
        std::fs::write(place.home().join("config.toml"), settings).unwrap();
        Self::at(place).await
    }

    /// In a home that is there.
    pub(crate) async fn at(place: Place) -> Self {
        Self::hosting(place, register).await
    }

    /// In a fresh home, with the agents that clients of others are checked against, and with more.
    pub(crate) async fn agents(more: impl FnOnce(&Hosting)) -> Self {
        let place = Place::new();
        let register = |daemon: &Daemon| {
            daemon.ports.inventory.set_grace(Millis::new(400));
            let hosting = Hosting::of(&daemon.ports);
            bodies::register(&hosting).unwrap();
            more(&hosting);
        };
        Self::hosting(place, register).await
    }

    async fn hosting(place: Place, register: impl FnOnce(&Daemon)) -> Self {
        let token = |token: &str, principal: &str, role| PassingToken {
            token: token.to_owned(),
            principal: principal.to_owned(),
            role,
        };
        let mut options = place.options();
        options.tokens = vec![
            token("tok", "alice", TokenRole::Client),
            token("tok-bob", "bob", TokenRole::Client),
            token("tok-root", "root", TokenRole::Operator),
        ];
        let mut daemon = Daemon::start(&options).unwrap();
        daemon.up().await;
        register(&daemon);
        let listen = Listen::new("127.0.0.1:0".to_owned());
        let (address, _server) = daemon.listen(&listen).await.unwrap();
        Self { place, daemon, address }
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client::over(stream, &format!("ws://{}/arcp", self.address)).await.unwrap()
    }

    /// A client that has been welcomed.
    pub(crate) async fn welcomed(&self, token: &str) -> Client<TcpStream> {
        let mut client = self.connect().await;
        client.hello(token).await;
        client
    }

    pub(crate) async fn unix(&self, query: &str) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.daemon.ports.home.socket()).await.unwrap();
        Client::over(stream, &format!("ws://longhaul/arcp{query}")).await.unwrap()
    }

    /// Ends the daemon and gives the home back.
    pub(crate) async fn stop(self) -> Place {
        self.daemon.finish().await.unwrap();
        self.place
    }
}

/// A body that a test hosts.
pub(crate) fn task(name: &str, version: Option<&str>) -> Entry {
    Entry::task(name, version, format!("test/{name}"))
}

/// What most tests ask for. `echo` gives its input, `count` tells so many events, `wait` runs until it is
/// asked to stop.
fn register(daemon: &Daemon) {
    let inventory = &daemon.ports.inventory;
    let ports = daemon.ports.clone();
    let echo: Body = Arc::new(move |run: Run| {
        let readers = ports.readers.clone();
        async move { gave(&json!({ "echoed": input(&readers, &run).await })) }.boxed()
    });
    inventory.register(task("echo", None), echo).unwrap();
    let ports = daemon.ports.clone();
    let count: Body = Arc::new(move |run: Run| {
        let ports = ports.clone();
        async move {
            let many = input(&ports.readers, &run).await["n"].as_u64().unwrap();
            for first in (0..many).step_by(50) {
                let texts = (first..many.min(first + 50)).map(log).collect();
                let (job, attempt) = (run.job.clone(), run.attempt);
                ports.engine.ask(Command::Tell { job, attempt, entries: texts }).await.unwrap();
            }
            gave(&json!({ "counted": many }))
        }
        .boxed()
    });
    inventory.register(task("count", None), count).unwrap();
    let ports = daemon.ports.clone();
    let fail: Body = Arc::new(move |run: Run| {
        let readers = ports.readers.clone();
        async move {
            let code = input(&readers, &run).await.as_str().unwrap().to_owned();
            let failure =
                TaskFailure { code, message: "as asked".into(), ..TaskFailure::default() };
            let result = TaskResult { failure: Some(failure), ..TaskResult::default() };
            Returned { error: Some("as asked".into()), result: Some(result) }
        }
        .boxed()
    });
    inventory.register(task("fail", None), fail).unwrap();
    let wait: Body = Arc::new(|run: Run| {
        async move {
            run.token.stopped().await;
            Returned::default()
        }
        .boxed()
    });
    inventory.register(task("wait", None), wait).unwrap();
    for version in ["1.0.0", "2.0.0"] {
        let body: Body = Arc::new(move |_| async move { gave(&json!({ "v": version })) }.boxed());
        let kind = format!("test/calc@{version}");
        let is_default = version == "2.0.0";
        let entry = Entry { is_default, ..Entry::task("calc", Some(version), kind) };
        inventory.register(entry, body).unwrap();
    }
}

async fn input(readers: &longhaul::daemon::Readers, run: &Run) -> Value {
    use longhaul_core::job::Job;
    use longhaul_core::port::{Record, Table};
    let id = run.job.to_string();
    let read = readers.read(move |reader| reader.load(Table::Job, &id));
    let job = Job::from_row(&read.await.unwrap().unwrap()).unwrap();
    serde_json::from_str(&job.spec.hosted.unwrap().input).unwrap()
}

fn log(number: u64) -> Told {
    let body = json!({ "level": "info", "message": format!("event {number}") });
    let text = json!({ "kind": "told", "name": "log", "body": body }).to_string();
    Told { text, charge: None, piece: None }
}

fn gave(value: &Value) -> Returned {
    let structured = Some(value.to_string());
    Returned { error: None, result: Some(TaskResult { structured, ..TaskResult::default() }) }
}

/// A client on one connection.
pub(crate) struct Client<S> {
    socket: WebSocketStream<S>,
    pub(crate) session: String,
    pub(crate) resume_token: String,
    sent: u64,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S, url: &str) -> Result<Self, Error> {
        let (socket, _) = client_async(url, stream).await?;
        Ok(Self { socket, session: String::new(), resume_token: String::new(), sent: 0 })
    }

    /// Sends something, whatever it is.
    pub(crate) async fn send_raw(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message).await
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a message of the session and gives its id.
    pub(crate) async fn send(&mut self, kind: &str, payload: Value) -> String {
        self.send_about(kind, None, payload).await
    }

    pub(crate) async fn send_about(
        &mut self,
        kind: &str,
        job: Option<&str>,
        payload: Value,
    ) -> String {
        self.sent += 1;
        let id = format!("msg_{:026}", self.sent);
        let mut frame = json!({ "arcp": "1.1", "id": id, "type": kind, "payload": payload });
        if !self.session.is_empty() {
            frame["session_id"] = json!(self.session);
        }
        if let Some(job) = job {
            frame["job_id"] = json!(job);
        }
        self.send_text(&frame.to_string()).await;
        id
    }

    /// The next frame that is no ping. Pings are answered, for a test may take long.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let frame = self.frame().await.expect("the connection was closed");
            if frame["type"] != "session.ping" {
                return frame;
            }
            let nonce = &frame["payload"]["nonce"];
            self.send("session.pong", json!({ "ping_nonce": nonce, "received_at": "now" })).await;
        }
    }

    /// The next frame; the close code if there is none.
    pub(crate) async fn frame(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let came = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match came.expect("nothing came for too long") {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(close))) => {
                    return Err(close.map(|close| u16::from(close.code)));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads on until a frame of this type, and gives it.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends what is too large, and gives the close code, if that arrives: the transport may break off
    /// while it is still being sent.
    pub(crate) async fn send_too_much(&mut self, kind: &str, payload: Value) -> Option<u16> {
        let frame = json!({
            "arcp": "1.1", "id": "large", "type": kind, "session_id": self.session,
            "payload": payload,
        });
        if self.socket.send(Message::text(frame.to_string())).await.is_err() {
            return None;
        }
        self.until_closed().await
    }

    /// Reads on until the connection is closed, and gives the code.
    pub(crate) async fn until_closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.frame().await {
                return code;
            }
        }
    }

    pub(crate) async fn hello(&mut self, token: &str) -> Value {
        self.hello_with(token, json!({})).await
    }

    /// Says hello, with more in its payload; the welcome.
    pub(crate) async fn hello_with(&mut self, token: &str, more: Value) -> Value {
        self.send("session.hello", hello(token, more)).await;
        let welcome = self.next().await;
        assert_eq!(welcome["type"], "session.welcome", "{welcome}");
        self.session = welcome["session_id"].as_str().unwrap().to_owned();
        self.resume_token = welcome["payload"]["resume_token"].as_str().unwrap().to_owned();
        welcome
    }

    /// Goes on with the session of another connection; the welcome.
    pub(crate) async fn resume<T>(&mut self, token: &str, of: &Client<T>, after: u64) -> Value {
        let resume = json!({
            "session_id": of.session, "resume_token": of.resume_token, "last_event_seq": after,
        });
        self.hello_with(token, json!({ "resume": resume })).await
    }

    /// Asks for a job and gives its id, once it is accepted.
    pub(crate) async fn submit(&mut self, agent: &str, input: Value) -> String {
        self.send("job.submit", json!({ "agent": agent, "input": input })).await;
        let accepted = self.until("job.accepted").await;
        accepted["job_id"].as_str().unwrap().to_owned()
    }
}

/// The payload of a hello with all features.
pub(crate) fn hello(token: &str, more: Value) -> Value {
    let mut payload = json!({
        "client": { "name": "tests", "version": "1" },
        "auth": { "scheme": "bearer", "token": token },
        "capabilities": { "encodings": ["json"], "features": [
            "heartbeat", "ack", "list_jobs", "subscribe", "lease_expires_at", "cost.budget",
            "progress", "result_chunk", "agent_versions", "model.use", "provisioned_credentials",
        ] },
    });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}
