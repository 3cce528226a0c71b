//! A notice as a request by HTTP, in the form that Standard Webhooks describes. One request a try,
//! on a connection of its own; what the receiver does with doubles it decides by `webhook-id`.

use super::Letter;
use super::answer::{ANSWER_BYTES_MAX, Answer, sentence};
use super::connect::{Connector, Wire};
use super::signature::Secret;
use super::target::Target;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use longhaul_core::time::{Millis, Timestamp};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of an answer's head; a receiver of webhooks has little to say there.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// How long the words after an answer's head are waited for: they are only for the receipt.
const WORDS_WAIT_MAX: Duration = Duration::from_secs(1);
const AGENT: &str = concat!("longhaul/", env!("CARGO_PKG_VERSION"));

/// A webhook, as its sink has it.
#[derive(Clone, Copy)]
pub(super) struct Webhook<'a> {
    pub(super) url: &'a str,
    pub(super) secret_file: Option<&'a Path>,
    /// For connecting, sending, and the head of the answer together.
    pub(super) limit: Duration,
}

impl Webhook<'_> {
    /// Sends a notice once. `sent_at` is the wall clock's time, which is what receivers compare
    /// with their own.
    pub(super) async fn send(
        self,
        connector: &Connector,
        letter: &Letter,
        sent_at: Timestamp,
    ) -> Answer {
        let give_up_at = Instant::now() + self.limit;
        let late = || Answer::failed(format!("no answer within {} s", self.limit.as_secs_f32()));
        let asking = async {
            let target = Target::parse(self.url)?;
            let request = self.request(&target, letter, sent_at).await?;
            Ok::<_, String>((connector.connect(&target).await?, request))
        };
        let (wire, request) = match timeout_at(give_up_at, asking).await {
            Ok(Ok(asking)) => asking,
            Ok(Err(why)) => return Answer::failed(why),
            Err(_) => return late(),
        };
        let patience = Patience { head_at: give_up_at, words: WORDS_WAIT_MAX.min(self.limit) };
        match exchange(wire, request, patience).await {
            Ok(Some((head, words))) => judge(head.status, &head.headers, &words, sent_at),
            Ok(None) => late(),
            Err(error) => Answer::failed(format!("no answer: {}", with_causes(&error))),
        }
    }

    async fn request(
        self,
        target: &Target,
        letter: &Letter,
        sent_at: Timestamp,
    ) -> Result<Request<Full<Bytes>>, String> {
        let unix_secs = sent_at.as_millis().div_euclid(1_000);
        let mut request = Request::post(&target.asks_for)
            .header(HOST, &target.authority)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header("webhook-id", &letter.id)
            .header("webhook-timestamp", unix_secs);
        if let Some(path) = self.secret_file {
            let path = path.to_owned();
            // A file on a server that is away would hold up a thread that others need.
            let reading = tokio::task::spawn_blocking(move || Secret::read(&path));
            let secret = reading.await.unwrap_or_else(|error| Err(error.to_string()))?;
            let signature = secret.sign(&letter.id, unix_secs, &letter.body);
            request = request.header("webhook-signature", signature);
        }
        let body = Full::new(Bytes::clone(&letter.body));
        request.body(body).map_err(|error| format!("no request can be made of this: {error}"))
    }
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

/// Until when an answer's head is waited for, and how long the words after it.
#[derive(Clone, Copy)]
struct Patience {
    head_at: Instant,
    words: Duration,
}

/// Sends and takes the answer: its head, and the beginning of what follows. `None` if no head came
/// in time.
async fn exchange(
    wire: Box<dyn Wire>,
    request: Request<Full<Bytes>>,
    patience: Patience,
) -> hyper::Result<Option<(Head, Vec<u8>)>> {
    let talk = async {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
        let asked = async {
            let Ok(answer) = timeout_at(patience.head_at, sender.send_request(request)).await
            else {
                return Ok(None);
            };
            let (head, body) = answer?.into_parts();
            let head = Head { status: head.status, headers: head.headers };
            // Once the head is there the try has its answer, whatever becomes of the rest.
            let words = words(body, Instant::now() + patience.words).await;
            Ok(Some((head, words)))
        };
        let (mut asked, mut connection) = (pin!(asked), pin!(connection));
        tokio::select! {
            biased;
            answer = &mut asked => return answer,
            // How it ended, the request learns as well, and what was read before is still there.
            _ = &mut connection => {}
        }
        asked.await
    };
    match timeout_at(patience.head_at + patience.words, talk).await {
        Ok(answer) => answer,
        Err(_) => Ok(None),
    }
}

/// The beginning of what follows a head: as much as a receipt keeps, and as much as comes in time.
async fn words(mut body: Incoming, until: Instant) -> Vec<u8> {
    let mut said = vec![];
    while said.len() < ANSWER_BYTES_MAX {
        let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await else { break };
        if let Some(bytes) = frame.data_ref() {
            let room = ANSWER_BYTES_MAX - said.len();
            said.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
    said
}

/// What an answer means.
fn judge(status: StatusCode, headers: &HeaderMap, words: &[u8], now: Timestamp) -> Answer {
    let said = sentence(&format!("HTTP {}", status.as_u16()), words);
    if status.is_success() {
        return Answer::delivered(said);
    }
    // Whoever answers with a redirect could send the notice, and its signature, anywhere.
    if status.is_redirection() {
        return Answer::failed(format!(
            "HTTP {}, a redirect, which is never followed: give the sink the URL it leads to",
            status.as_u16()
        ));
    }
    if status == StatusCode::GONE {
        return Answer::is_final(said);
    }
    let names_a_time =
        matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let again_after = headers.get(RETRY_AFTER).filter(|_| names_a_time);
    Answer::later(said, again_after.and_then(|value| span_of(value, now)))
}

/// `Retry-After` is a number of seconds or a date.
fn span_of(value: &HeaderValue, now: Timestamp) -> Option<Millis> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Millis::new(seconds.saturating_mul(1_000)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_millis(date.timestamp().as_millisecond()).since(now))
}

/// An error and what caused it, since the outermost says only that something broke.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said.push_str(": ");
        said.push_str(&inner.to_string());
        cause = inner.source();
    }
    said
}

#[cfg(test)]
mod tests;
