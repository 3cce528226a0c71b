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
    /// A farewell, which waits for ours.
    Farewell,
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
            if self.outgoing.sink.send(Message::Close(Some(frame))).await.is_err() {
                // They were first: the answer to their farewell lies there, and has to go out.
                let _ = self.outgoing.sink.flush().await;
                return;
            }
            let is_over =
                |came: &Came| matches!(came, Came::Gone | Came::Unfit(_) | Came::Farewell);
            while !is_over(&self.incoming.next().await) {}
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

    /// Gives up what no part of was sent yet.
    pub(super) fn forget(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
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
            Some(Ok(Message::Close(_))) => Came::Farewell,
            None => Came::Gone,
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::WebSocketUpgrade;
    use axum::routing::get;
    use hyper::server::conn::http1;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc;
    use tokio_tungstenite::{WebSocketStream, client_async};

    /// Bytes that are on their way at most.
    const TRANSPORT_BYTES: usize = 4 * 1_024;
    const FRAMES: usize = 100;

    /// Both ends of a connection, of which the far one takes nothing unless it is read.
    async fn pair() -> (Wire, WebSocketStream<DuplexStream>) {
        let (near, far) = tokio::io::duplex(TRANSPORT_BYTES);
        let (give, mut given) = mpsc::channel(1);
        let upgrade = |socket: WebSocketUpgrade| async move {
            let socket = socket.write_buffer_size(TRANSPORT_BYTES);
            socket.on_upgrade(|socket| async move { give.send(socket).await.unwrap() })
        };
        let service = TowerToHyperService::new(Router::new().route("/", get(upgrade)));
        let served = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(served.with_upgrades());
        let (client, _) = client_async("ws://localhost/", near).await.unwrap();
        (Wire::new(given.recv().await.unwrap()), client)
    }

    /// Sends until nothing more is taken.
    async fn stall(wire: &mut Wire) {
        let Wire { outgoing, .. } = wire;
        (0..FRAMES).for_each(|number| outgoing.push(format!("{number} {}", "x".repeat(1_000))));
        let sending = async { while outgoing.send_some().await {} };
        assert!(tokio::time::timeout(FAREWELL_MAX, sending).await.is_err());
        outgoing.forget();
    }

    /// How many frames came, in their order, and with which code that ended.
    async fn read(client: &mut WebSocketStream<DuplexStream>) -> (usize, Option<u16>) {
        let mut frames = 0;
        loop {
            match client.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    assert!(text.starts_with(&format!("{frames} ")), "{text}");
                    frames += 1;
                }
                Some(Ok(tungstenite::Message::Close(close))) => {
                    return (frames, close.map(|close| close.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return (frames, None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_took_nothing_hears_why_once_it_does() {
        let (mut wire, mut client) = pair().await;
        stall(&mut wire).await;
        let closing = tokio::spawn(async move { wire.close(&Close::SLOW).await });
        let (frames, code) = read(&mut client).await;
        assert!(frames > 0 && frames < FRAMES, "{frames}");
        assert_eq!(code, Some(1013));
        closing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_takes_anything_is_not_waited_for() {
        let (mut wire, mut client) = pair().await;
        stall(&mut wire).await;
        wire.close(&Close::SLOW).await;
        let (frames, code) = read(&mut client).await;
        assert!(frames < FRAMES, "{frames}");
        assert_eq!(code, None);
    }
}
