//! A client that says what has to be said and looks at nothing else: what is measured is the server.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::client_with_config};

/// How long a frame may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are read at once: a thousand clients live in one process.
const READ_BYTES: usize = 4 * 1_024;

/// One connection with its session.
pub(super) struct Client {
    socket: WebSocket<TcpStream>,
    session: Session,
    sent: u64,
}

/// What it takes to go on with a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: String,
    token: String,
}

impl Client {
    /// Opens a session, or goes on with one from its start.
    pub(super) fn open(at: SocketAddr, resumed: Option<&Session>) -> Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
        let url = format!("ws://{at}/arcp");
        let (socket, _) = client_with_config(url, stream, Some(config))
            .map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))?;
        let session = Session { id: "none".to_owned(), token: String::new() };
        let mut client = Self { socket, session, sent: 0 };
        let resume = resumed.map(|session| {
            json!({ "session_id": session.id, "resume_token": session.token, "last_event_seq": 0 })
        });
        let mut hello = json!({
            "client": { "name": "bench", "version": "1" },
            "auth": { "scheme": "bearer", "token": "tok" },
            "capabilities": { "features": ["subscribe", "result_chunk", "progress"] },
        });
        if let Some(resume) = resume {
            hello["resume"] = resume;
        }
        client.send("session.hello", &hello)?;
        let welcome = client.next()?;
        ensure!(welcome["type"] == "session.welcome", "{welcome} is no welcome");
        let text =
            |value: &Value| value.as_str().map(str::to_owned).context("the welcome lacks one");
        let token = text(&welcome["payload"]["resume_token"])?;
        client.session = Session { id: text(&welcome["session_id"])?, token };
        Ok(client)
    }

    fn send(&mut self, kind: &str, payload: &Value) -> Result<()> {
        self.sent += 1;
        let mut envelope = json!({
            "arcp": "1.1", "id": format!("msg_{:026}", self.sent), "type": kind, "payload": payload,
        });
        if kind != "session.hello" {
            envelope["session_id"] = json!(self.session.id);
        }
        self.socket.send(Message::text(envelope.to_string()))?;
        Ok(())
    }

    pub(super) fn submit(&mut self, agent: &str, input: &Value) -> Result<()> {
        self.send("job.submit", &json!({ "agent": agent, "input": input }))
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Result<Value> {
        loop {
            if let Message::Text(text) = self.socket.read()? {
                return serde_json::from_str(&text).context("a frame is no JSON");
            }
        }
    }

    /// A job that does nothing, from the ask to its result.
    pub(super) fn noop(&mut self) -> Result<()> {
        self.submit("noop", &Value::Null)?;
        loop {
            let frame = self.next()?;
            match frame["type"].as_str().unwrap_or_default() {
                "job.result" => return Ok(()),
                "job.error" | "session.error" => bail!("{frame}"),
                _ => {}
            }
        }
    }

    /// Goes without a word.
    pub(super) fn leave(self) -> Session {
        self.session
    }
}
