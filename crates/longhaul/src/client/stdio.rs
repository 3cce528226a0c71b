//! A session over lines: frames of one client, one a line, are carried to the daemon's session socket
//! and back. Understands no more of them than it needs to leave in order. Both directions go on side by
//! side, so that neither end waits for the other one to read.

use super::error::{ClientError, ErrorKind};
use super::methods::{Client, segment};
use super::options::{Options, Target};
use crate::ids;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use longhaul_arcp::codec;
use longhaul_arcp::error::Code;
use longhaul_arcp::id::Seed;
use longhaul_arcp::limits::{INBOUND_BYTES_MAX, OUTBOUND_BYTES_MAX};
use longhaul_arcp::message::{Bye, Envelope, Error as SessionError, Message as Said};
use longhaul_arcp::server::NO_SESSION;
use serde::Deserialize;
use std::io;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long the answers to what was asked before the end of the input may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(30);
/// Bytes of one frame that is taken from the daemon: more than it sends.
const FRAME_BYTES_MAX: usize = 2 * OUTBOUND_BYTES_MAX;
/// Lines that could not be carried and wait for being told so.
const UNFIT_LINES_MAX: usize = 16;

/// Whatever bytes go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A session socket.
type Socket = WebSocketStream<Box<dyn Stream>>;

/// Carries frames until the client leaves, its input ends, or the daemon goes away. `vouched` is whom
/// the person at the daemon's own socket vouches for; otherwise the client brings a token.
///
/// # Errors
/// Refused: the daemon turned the client away. Unavailable: it cannot be reached, or went away; the
/// session can be resumed.
pub async fn carry(
    options: Options,
    vouched: Option<&str>,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), ClientError> {
    let target = options.target.clone();
    if let (Some(name), Target::Tcp(authority)) = (vouched, &target) {
        let words = format!("nobody can vouch for `{name}` at `{authority}`, over a network");
        let error = ClientError::new(ErrorKind::Usage, "bad_request", words);
        return Err(error.hint("leave `--as` out, and let the client bring its token"));
    }
    // Starts the daemon, if that is wished.
    drop(Client::connect(options).await?);
    let socket = dial(&target, vouched).await.map_err(|error| match error {
        Error::Http(answer) => {
            ClientError::answered(answer.status(), answer.body().as_deref().unwrap_or_default())
        }
        error => ClientError::unavailable(format!("the daemon holds no sessions: {error}")),
    })?;
    exchange(socket, input, output).await
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

async fn exchange(
    socket: Socket,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), ClientError> {
    let name = ids::connection_id().map_err(|error| {
        ClientError::unavailable(format!("the system gives no random numbers: {error}"))
    })?;
    let (sink, stream) = socket.split();
    let (unfit, unfit_lines) = mpsc::channel(UNFIT_LINES_MAX);
    let session = Session::default();
    let ids = Seed::new(name.as_str());
    let mut up = Up { sink, input, unfit, ids, session: &session, has_asked: false };
    let down = Down { stream, output, unfit_lines, ids, count: 1, session: &session };
    let mut down = pin!(down.run());
    tokio::select! {
        ended = &mut down => return ended,
        over = up.run() => over?,
    }
    if !up.has_asked {
        return Ok(());
    }
    let last = async {
        tokio::select! {
            ended = &mut down => ended,
            () = up.leave() => down.await,
        }
    };
    let late = || ClientError::unavailable("the daemon has not answered what was asked last");
    tokio::time::timeout(LAST_ANSWERS_MAX, last).await.unwrap_or_else(|_| Err(late()))
}

/// The session, once the daemon has named it.
#[derive(Default)]
struct Session {
    id: OnceLock<String>,
    is_known: Notify,
}

impl Session {
    fn set(&self, id: String) {
        // A connection has one session, so the first welcome is the only one.
        if self.id.set(id).is_ok() {
            self.is_known.notify_one();
        }
    }

    async fn wait(&self) -> &str {
        loop {
            if let Some(id) = self.id.get() {
                return id;
            }
            self.is_known.notified().await;
        }
    }
}

/// From the client to the daemon.
struct Up<'a, I> {
    sink: SplitSink<Socket, Message>,
    input: I,
    /// Tells the other direction what could not be carried.
    unfit: mpsc::Sender<String>,
    ids: Seed,
    session: &'a Session,
    /// Whether anything was carried that could be answered.
    has_asked: bool,
}

impl<I: AsyncBufRead + Unpin> Up<'_, I> {
    /// Returns at the end of the input.
    async fn run(&mut self) -> Result<(), ClientError> {
        loop {
            let line = read_line(&mut self.input).await.map_err(|error| {
                ClientError::unavailable(format!("the input cannot be read: {error}"))
            })?;
            match line {
                Line::Whole(line) => match String::from_utf8(line) {
                    Ok(text) if text.trim().is_empty() => {}
                    Ok(text) => {
                        self.has_asked = true;
                        self.send(text).await;
                    }
                    Err(_) => self.refuse("the line is not UTF-8".to_owned()).await,
                },
                Line::TooLong => {
                    let words = format!("the line is longer than {INBOUND_BYTES_MAX} bytes");
                    self.refuse(words).await;
                }
                Line::End => return Ok(()),
            }
        }
    }

    async fn send(&mut self, text: String) {
        if self.sink.send(Message::text(text)).await.is_err() {
            // Why it is gone is what the other direction hears last.
            std::future::pending().await
        }
    }

    async fn refuse(&self, words: String) {
        if self.unfit.send(words).await.is_err() {
            std::future::pending().await
        }
    }

    /// Says bye in the client's name: what was asked before it is still answered, and the session can be
    /// gone on with.
    async fn leave(&mut self) {
        let session = self.session.wait().await;
        let bye = Said::Bye(Bye { reason: Some("the input is over".to_owned()) });
        let envelope = Envelope::new(self.ids.id("msg_", 0), session, bye);
        self.send(codec::write(&envelope)).await;
    }
}

/// From the daemon to the client.
struct Down<'a, O> {
    stream: SplitStream<Socket>,
    output: O,
    unfit_lines: mpsc::Receiver<String>,
    ids: Seed,
    /// Ids that were given.
    count: u64,
    session: &'a Session,
}

/// What of a frame is read here.
#[derive(Deserialize)]
struct Glance {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    session_id: Option<String>,
}

impl<O: AsyncWrite + Unpin> Down<'_, O> {
    /// Returns when the session is over for this client.
    async fn run(mut self) -> Result<(), ClientError> {
        loop {
            let text = tokio::select! {
                Some(words) = self.unfit_lines.recv() => self.refusal(words),
                came = self.stream.next() => match came {
                    Some(Ok(Message::Text(text))) => {
                        self.welcomed(text.as_str());
                        text.as_str().to_owned()
                    }
                    Some(Ok(Message::Close(close))) => return closed(close),
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(gone(&error.to_string())),
                    None => return Err(gone("the connection broke off")),
                },
            };
            if self.write(&text).await.is_err() {
                // Nobody reads any more: the client has left without a word.
                return Ok(());
            }
        }
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes()).await?;
        self.output.write_all(b"\n").await?;
        self.output.flush().await
    }

    /// Takes note of the session that a frame welcomes to.
    fn welcomed(&self, text: &str) {
        if self.session.id.get().is_none()
            && let Some(id) = session_welcomed_to(text)
        {
            self.session.set(id);
        }
    }

    /// What the client is told of a line that could not be carried.
    fn refusal(&mut self, message: String) -> String {
        let code = Code::InvalidRequest;
        let details = None;
        let error = SessionError { code, message, retryable: false, details, request_id: None };
        let session = self.session.id.get().map_or(NO_SESSION, String::as_str);
        self.count += 1;
        let id = self.ids.id("msg_", self.count);
        codec::write(&Envelope::new(id, session, Said::Error(error)))
    }
}

fn session_welcomed_to(text: &str) -> Option<String> {
    let glance: Glance = serde_json::from_str(text).ok()?;
    glance.session_id.filter(|_| glance.kind == "session.welcome")
}

/// How a connection that was closed in order is told.
fn closed(close: Option<CloseFrame>) -> Result<(), ClientError> {
    let Some(close) = close else { return Err(gone("it closed the connection")) };
    match (close.code, close.reason.as_str()) {
        (CloseCode::Normal, _) => Ok(()),
        (CloseCode::Policy, "unauthenticated") => {
            let words = "the client's token is good for nothing here";
            let error = ClientError::new(ErrorKind::Refused, "unauthenticated", words);
            Err(error.hint("`longhaul token add NAME` makes a token; `--as NAME` does without one"))
        }
        (_, reason) => Err(gone(reason)),
    }
}

fn gone(why: &str) -> ClientError {
    ClientError::unavailable(format!("the daemon went away: {why}"))
        .hint("jobs go on, and the session can be resumed")
}

/// What a read of the input gave.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// The next line, without its end. One that is too long is read to its end, and not kept.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Line> {
    let mut line = Vec::new();
    let (mut is_too_long, mut is_any) = (false, false);
    loop {
        let bytes = input.fill_buf().await?;
        let is_over = bytes.is_empty();
        is_any |= !is_over;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if !is_too_long {
            line.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
        }
        input.consume(taken);
        if line.len() > INBOUND_BYTES_MAX {
            line = Vec::new();
            is_too_long = true;
        }
        if end.is_none() && !is_over {
            continue;
        }
        return Ok(match (is_any, is_too_long) {
            (false, _) => Line::End,
            (true, true) => Line::TooLong,
            (true, false) => Line::Whole(line),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(mut input: &[u8]) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            match read_line(&mut input).await.unwrap() {
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
        assert_eq!(lines(long.as_bytes()).await, ["too long"]);
        assert_eq!(lines(&long.as_bytes()[1..]).await, [format!("{INBOUND_BYTES_MAX} Some(120)")]);
        assert_eq!(lines(b"").await, [""; 0]);
    }

    #[test]
    fn only_a_welcome_names_the_session() {
        let frame = |kind: &str| format!(r#"{{"type":"{kind}","session_id":"sess_1"}}"#);
        assert_eq!(session_welcomed_to(&frame("session.welcome")).as_deref(), Some("sess_1"));
        assert_eq!(session_welcomed_to(&frame("session.error")), None);
        assert_eq!(session_welcomed_to("x"), None);
    }

    #[test]
    fn only_an_orderly_end_is_none_of_our_concern() {
        let end = |code, reason: &'static str| {
            closed(Some(CloseFrame { code, reason: reason.into() })).map_err(|error| error.kind)
        };
        assert_eq!(end(CloseCode::Normal, "bye"), Ok(()));
        assert_eq!(end(CloseCode::Policy, "unauthenticated"), Err(ErrorKind::Refused));
        assert_eq!(end(CloseCode::Policy, "silent"), Err(ErrorKind::Unavailable));
        assert_eq!(end(CloseCode::Restart, "restart"), Err(ErrorKind::Unavailable));
        assert_eq!(closed(None).map_err(|error| error.kind), Err(ErrorKind::Unavailable));
    }
}
