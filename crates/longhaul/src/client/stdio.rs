//! A session over lines: frames of one client, one a line, are carried to the daemon's session socket
//! and back. Understands no more of them than it needs to leave in order.

use super::error::ClientError;
use super::methods::{Client, segment};
use super::options::{Options, Target};
use futures_util::{SinkExt, StreamExt};
use longhaul_arcp::limits::{INBOUND_BYTES_MAX, OUTBOUND_BYTES_MAX};
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long the answers to what was asked before the end of the input may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(10);
/// Bytes of one frame that is taken from the daemon: more than it sends.
const FRAME_BYTES_MAX: usize = 2 * OUTBOUND_BYTES_MAX;

/// Whatever bytes go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A session socket.
type Socket = WebSocketStream<Box<dyn Stream>>;

/// What of a frame is read here.
#[derive(Deserialize)]
struct Glance {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    session_id: Option<String>,
}

/// Carries frames until the client leaves, its input ends, or the daemon goes away. `vouched` is whom
/// the person at the daemon's own socket vouches for; otherwise the client brings a token.
///
/// # Errors
/// Unavailable: the daemon cannot be reached, or went away.
pub async fn carry(
    options: Options,
    vouched: Option<&str>,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), ClientError> {
    let target = options.target.clone();
    // Starts the daemon, if that is wished.
    drop(Client::connect(options).await?);
    let socket = dial(&target, vouched).await.map_err(|error| {
        ClientError::unavailable(format!("the daemon holds no sessions: {error}"))
    })?;
    Carrier { socket, input, output, line: Vec::new(), session: None }.run().await
}

async fn dial(target: &Target, vouched: Option<&str>) -> Result<Socket, Error> {
    let (stream, authority): (Box<dyn Stream>, &str) = match target {
        Target::Home(home) => (Box::new(UnixStream::connect(home.socket()).await?), "longhaul"),
        Target::Unix(path) => (Box::new(UnixStream::connect(path).await?), "longhaul"),
        Target::Tcp(authority) => (Box::new(TcpStream::connect(authority).await?), authority),
    };
    let query = vouched.map(|name| format!("?as={}", segment(name))).unwrap_or_default();
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let request = format!("ws://{authority}/arcp{query}");
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

struct Carrier<I, O> {
    socket: Socket,
    input: I,
    output: O,
    /// The line so far.
    line: Vec<u8>,
    /// The session, once the daemon has named it.
    session: Option<String>,
}

/// What came.
enum Came {
    Line(Line),
    Frame(Option<Result<Message, Error>>),
}

/// What a read of the input gave.
enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

impl<I: AsyncBufRead + Unpin, O: AsyncWrite + Unpin> Carrier<I, O> {
    async fn run(mut self) -> Result<(), ClientError> {
        let mut is_skipping = false;
        loop {
            let came = tokio::select! {
                frame = self.socket.next() => Came::Frame(frame),
                line = read_line(&mut self.input, &mut self.line, &mut is_skipping) => {
                    Came::Line(line.map_err(|error| no_input(&error))?)
                }
            };
            match came {
                Came::Frame(frame) => {
                    if self.frame(frame).await? {
                        return Ok(());
                    }
                }
                Came::Line(Line::Whole(line)) => self.line(line).await?,
                Came::Line(Line::TooLong) => {
                    tracing::warn!(bytes = INBOUND_BYTES_MAX, "a line that is longer was left out");
                }
                Came::Line(Line::End) => return self.leave().await,
            }
        }
    }

    async fn line(&mut self, line: Vec<u8>) -> Result<(), ClientError> {
        match String::from_utf8(line) {
            Ok(text) if text.trim().is_empty() => Ok(()),
            Ok(text) => self.send(text).await,
            Err(_) => {
                tracing::warn!("a line that is not UTF-8 was left out");
                Ok(())
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<(), ClientError> {
        match self.socket.send(Message::text(text)).await {
            // What it said before it closed is still to be read.
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Ok(()),
            Err(error) => Err(gone(&error)),
        }
    }

    /// True once the session is over for this client.
    async fn frame(&mut self, frame: Option<Result<Message, Error>>) -> Result<bool, ClientError> {
        match frame {
            Some(Ok(Message::Text(text))) => {
                if self.session.is_none() {
                    self.session = welcomed(text.as_str());
                }
                let written = async {
                    self.output.write_all(text.as_bytes()).await?;
                    self.output.write_all(b"\n").await?;
                    self.output.flush().await
                };
                // Nobody reads any more: the client has left without a word.
                Ok(written.await.is_err())
            }
            Some(Ok(Message::Close(close))) => match close {
                Some(close) if close.code != CloseCode::Normal => Err(ClientError::unavailable(
                    format!("the daemon closed the session's connection: {}", close.reason),
                )),
                Some(_) | None => Ok(true),
            },
            Some(Ok(_)) => Ok(false),
            Some(Err(error)) => Err(gone(&error)),
            None => Ok(true),
        }
    }

    /// The input is over: what was asked is still answered, and the session can be gone on with.
    async fn leave(mut self) -> Result<(), ClientError> {
        let Some(session) = self.session.clone() else { return Ok(()) };
        let close = json!({
            "arcp": "1.1", "id": "msg_00000000000000000000000000", "type": "session.close",
            "session_id": session, "payload": { "reason": "the input is over" },
        });
        self.send(close.to_string()).await?;
        let rest = async {
            loop {
                let frame = self.socket.next().await;
                if self.frame(frame).await? {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(LAST_ANSWERS_MAX, rest).await.unwrap_or(Ok(()))
    }
}

/// The session that a frame welcomes to.
fn welcomed(text: &str) -> Option<String> {
    let glance: Glance = serde_json::from_str(text).ok()?;
    glance.session_id.filter(|_| glance.kind == "session.welcome")
}

/// Reads on in a line. May be dropped at any moment: what was read is in `line`.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    is_skipping: &mut bool,
) -> io::Result<Line> {
    loop {
        let bytes = input.fill_buf().await?;
        if bytes.is_empty() {
            let rest = std::mem::take(line);
            let is_whole = !rest.is_empty() && !*is_skipping;
            return Ok(if is_whole { Line::Whole(rest) } else { Line::End });
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if !*is_skipping {
            line.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
        }
        input.consume(taken);
        if line.len() > INBOUND_BYTES_MAX {
            *line = Vec::new();
            *is_skipping = true;
        }
        if end.is_some() {
            if std::mem::take(is_skipping) {
                return Ok(Line::TooLong);
            }
            return Ok(Line::Whole(std::mem::take(line)));
        }
    }
}

fn gone(error: &Error) -> ClientError {
    ClientError::unavailable(format!("the daemon went away: {error}"))
        .hint("the session can be resumed; jobs go on")
}

fn no_input(error: &io::Error) -> ClientError {
    ClientError::unavailable(format!("the input cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<String> {
        let (mut input, mut line, mut is_skipping) = (input, Vec::new(), false);
        let mut read = Vec::new();
        loop {
            match read_line(&mut input, &mut line, &mut is_skipping).await.unwrap() {
                Line::Whole(line) => read.push(format!("{} {:?}", line.len(), line.first())),
                Line::TooLong => read.push("too long".to_owned()),
                Line::End => return read,
            }
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_left_out_and_the_next_is_read() {
        let long = "x".repeat(INBOUND_BYTES_MAX + 1);
        let input = format!("a\n\n{long}\nbc\nd");
        assert_eq!(
            lines(input.as_bytes()).await,
            ["1 Some(97)", "0 None", "too long", "2 Some(98)", "1 Some(100)"]
        );
        assert_eq!(lines(b"").await, [""; 0]);
    }

    #[test]
    fn only_a_welcome_names_the_session() {
        let frame = |kind: &str| format!(r#"{{"type":"{kind}","session_id":"sess_1"}}"#);
        assert_eq!(welcomed(&frame("session.welcome")).as_deref(), Some("sess_1"));
        assert_eq!(welcomed(&frame("session.error")), None);
        assert_eq!(welcomed("x"), None);
    }
}
