//! A WebSocket as the driver sees it: texts come in, and go out as fast as they are taken.

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use longhaul_arcp::server::Close;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;
use tokio_tungstenite::tungstenite;

/// Bytes of frames that are taken from the machine before the socket took those before them.
const ROOM_BYTES: usize = 128 * 1_024;
/// Frames that one go sends before it is looked at what else has happened.
const FRAMES_AT_ONCE: usize = 64;
/// How long the last frames and the farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// A frame that is larger than any may be.
const TOO_LARGE: Close = Close { code: 1009, reason: "a frame is too large" };
/// A text that is none.
const NO_TEXT: Close = Close { code: 1007, reason: "a text is not UTF-8" };
/// Whatever else breaks the rules of WebSockets.
const BROKEN: Close = Close { code: 1002, reason: "that is no WebSocket" };

/// Both directions of a WebSocket.
pub(super) struct Wire {
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
}

/// What is being sent.
pub(super) struct Outgoing {
    sink: SplitSink<WebSocket, Message>,
    queue: VecDeque<String>,
    queued_bytes: usize,
    is_unflushed: bool,
}

/// What comes in.
pub(super) struct Incoming(SplitStream<WebSocket>);

/// Something that came in.
pub(super) enum Came {
    /// A message.
    Text(Utf8Bytes),
    /// Something that says nothing.
    Nothing,
    /// Something that no frame can be; how the connection is to be ended for it.
    Unfit(Close),
    /// The transport is gone.
    Gone,
}

impl Wire {
    pub(super) fn new(socket: WebSocket) -> Self {
        let (sink, stream) = socket.split();
        let queue = VecDeque::new();
        let outgoing = Outgoing { sink, queue, queued_bytes: 0, is_unflushed: false };
        Self { outgoing, incoming: Incoming(stream) }
    }

    /// Sends what is left, says farewell, and waits for the other end to hear it: a transport that is
    /// closed with something unread takes what was sent last with it.
    pub(super) async fn close(mut self, close: &Close) {
        let frame = CloseFrame { code: close.code, reason: Utf8Bytes::from_static(close.reason) };
        let farewell = async {
            while self.outgoing.is_sending() {
                if !self.outgoing.send_some().await {
                    return;
                }
            }
            if self.outgoing.sink.send(Message::Close(Some(frame))).await.is_ok() {
                while !matches!(self.incoming.next().await, Came::Gone | Came::Unfit(_)) {}
            }
        };
        // Whoever does not listen is not waited for.
        let _ = tokio::time::timeout(FAREWELL_MAX, farewell).await;
    }
}

impl Outgoing {
    /// Whether more may be pushed.
    pub(super) const fn has_room(&self) -> bool {
        self.queued_bytes < ROOM_BYTES
    }

    pub(super) fn push(&mut self, text: String) {
        self.queued_bytes += text.len();
        self.queue.push_back(text);
    }

    /// Whether something is on its way.
    pub(super) fn is_sending(&self) -> bool {
        self.is_unflushed || !self.queue.is_empty()
    }

    /// Sends some of what waits, as soon as the socket takes it; false if the transport is gone. May be
    /// dropped at any moment.
    pub(super) async fn send_some(&mut self) -> bool {
        for _ in 0..FRAMES_AT_ONCE {
            if self.queue.is_empty() {
                break;
            }
            if poll_fn(|cx| self.sink.poll_ready_unpin(cx)).await.is_err() {
                return false;
            }
            let Some(text) = self.queue.pop_front() else { break };
            self.queued_bytes -= text.len();
            self.is_unflushed = true;
            if self.sink.start_send_unpin(Message::Text(text.into())).is_err() {
                return false;
            }
        }
        if !self.queue.is_empty() {
            return true;
        }
        // What one burst needed is not kept by a session that is idle afterwards.
        self.queue.shrink_to(0);
        let is_open = self.sink.flush().await.is_ok();
        self.is_unflushed = false;
        is_open
    }
}

impl Incoming {
    /// What comes next. May be dropped at any moment.
    pub(super) async fn next(&mut self) -> Came {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Came::Text(text),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Came::Nothing,
            Some(Ok(Message::Close(_))) | None => Came::Gone,
            Some(Err(error)) => unfit(error),
        }
    }
}

fn unfit(error: Error) -> Came {
    let inner = error.into_inner();
    match inner.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => Came::Unfit(TOO_LARGE),
        Some(tungstenite::Error::Utf8(_)) => Came::Unfit(NO_TEXT),
        // One that breaks off without a farewell is a drop like any other.
        Some(tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )) => Came::Gone,
        Some(tungstenite::Error::Protocol(_)) => Came::Unfit(BROKEN),
        _ => Came::Gone,
    }
}
