//! Text to message and back. Reading is strict in what a message needs and forgiving in what else is
//! there; every failure says whether it is to be answered at all.

use crate::limits::{DEPTH_MAX, ID_BYTES_MAX, INBOUND_BYTES_MAX};
use crate::message::{Envelope, Message, VERSION};
use crate::trace::Trace;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// A text that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Whether its sender expects that nothing comes of it.
    pub is_optional: bool,
    /// Its id, where one could be read.
    pub id: Option<String>,
    /// Its type, where one could be read.
    pub kind: Option<String>,
    /// The session that it names.
    pub session_id: Option<String>,
    /// The trace that it names.
    pub trace: Option<Trace>,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// An envelope before any of its fields has been looked at: a bad one must not hide the others.
#[derive(Default, Deserialize)]
struct Loose<'a> {
    #[serde(borrow)]
    arcp: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    job_id: Option<&'a RawValue>,
    #[serde(borrow)]
    trace_id: Option<&'a RawValue>,
    #[serde(borrow)]
    event_seq: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Reads one message. [arcp §5] Fields that nobody knows are passed over, on the envelope and within.
pub fn read(text: &str) -> Result<Envelope, Box<Unread>> {
    let mut unread = Unread {
        is_optional: false,
        id: None,
        kind: None,
        session_id: None,
        trace: None,
        message: String::new(),
    };
    read_into(text, &mut unread).map_err(|message| {
        unread.message = message;
        Box::new(unread)
    })
}

fn read_into(text: &str, seen: &mut Unread) -> Result<Envelope, String> {
    if text.len() > INBOUND_BYTES_MAX {
        return Err(format!("the frame is larger than {INBOUND_BYTES_MAX} bytes"));
    }
    check_depth(text)?;
    if !text.trim_start().starts_with('{') {
        return Err("the frame is no JSON object".to_owned());
    }
    let loose: Loose<'_> =
        serde_json::from_str(text).map_err(|error| format!("the frame cannot be read: {error}"))?;
    // Whatever can be read of it is read first, so that the answer can say what it answers.
    let id = name(loose.id, "id");
    let kind = name(loose.kind, "type");
    let session_id = optional_name(loose.session_id, "session_id");
    let trace = trace(loose.trace_id);
    let extensions = extensions(loose.extensions);
    seen.id = id.as_ref().ok().cloned();
    seen.kind = kind.as_ref().ok().cloned();
    seen.session_id = session_id.as_ref().ok().cloned().flatten();
    seen.trace = trace.as_ref().ok().cloned().flatten();

    let version: Option<String> = loose.arcp.and_then(|raw| serde_json::from_str(raw.get()).ok());
    if version.as_deref() != Some(VERSION) {
        return Err(format!("`arcp` must be \"{VERSION}\""));
    }
    let (id, kind) = (id?, kind?);
    let extensions = extensions?;
    let is_vendors = kind.starts_with("x-vendor.");
    seen.is_optional = is_vendors && is_optional(extensions.as_ref());
    if is_vendors {
        return Err(format!("nobody here knows `{kind}`"));
    }
    Ok(Envelope {
        id,
        session_id: session_id?,
        job_id: optional_name(loose.job_id, "job_id")?,
        trace: trace?,
        event_seq: loose.event_seq.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        extensions,
        message: message(&kind, loose.payload)?,
    })
}

fn is_optional(extensions: Option<&Map<String, Value>>) -> bool {
    extensions.and_then(|all| all.get("optional")) == Some(&Value::Bool(true))
}

fn name(raw: Option<&RawValue>, field: &str) -> Result<String, String> {
    optional_name(raw, field)?.ok_or_else(|| format!("`{field}` is missing"))
}

fn optional_name(raw: Option<&RawValue>, field: &str) -> Result<Option<String>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let text: Option<String> =
        serde_json::from_str(raw.get()).map_err(|_| format!("`{field}` must be a text"))?;
    match text {
        Some(text) if text.is_empty() => Err(format!("`{field}` must not be empty")),
        Some(text) if text.len() > ID_BYTES_MAX => {
            Err(format!("`{field}` is longer than {ID_BYTES_MAX} bytes"))
        }
        text => Ok(text),
    }
}

fn trace(raw: Option<&RawValue>) -> Result<Option<Trace>, String> {
    let Some(text) = optional_name(raw, "trace_id")? else { return Ok(None) };
    let trace = Trace::parse(&text);
    let expected = "`trace_id` must be 32 lower-case hexadecimal digits, or a traceparent";
    trace.map(Some).ok_or_else(|| expected.to_owned())
}

/// Keys that are no vendor's are passed over like any other field that nobody knows.
fn extensions(raw: Option<&RawValue>) -> Result<Option<Map<String, Value>>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let all: Option<Map<String, Value>> =
        serde_json::from_str(raw.get()).map_err(|_| "`extensions` must be an object".to_owned())?;
    Ok(all.map(|mut all| {
        all.retain(|key, _| key == "optional" || is_vendor_key(key));
        all
    }))
}

/// Whether `key` is a vendor's name of at least two words: `x-vendor.acme.thing`.
pub fn is_vendor_key(key: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    };
    key.strip_prefix("x-vendor.")
        .is_some_and(|rest| rest.contains('.') && rest.split('.').all(is_word))
}

fn message(kind: &str, payload: Option<&RawValue>) -> Result<Message, String> {
    Ok(match kind {
        "session.hello" => Message::Hello(parse(kind, payload)?),
        "session.resume" => Message::Resume(parse(kind, payload)?),
        "session.welcome" => Message::Welcome(parse(kind, payload)?),
        "session.error" => Message::Error(parse(kind, payload)?),
        // Clients differ in whether a farewell says anything at all.
        "session.bye" => Message::Bye(parse_or_default(kind, payload)?),
        "session.close" => Message::Close(parse_or_default(kind, payload)?),
        "session.closed" => Message::Closed,
        "session.ping" => Message::Ping(parse(kind, payload)?),
        "session.pong" => Message::Pong(parse(kind, payload)?),
        "session.ack" => Message::Ack(parse(kind, payload)?),
        "session.list_jobs" => Message::ListJobs(parse_or_default(kind, payload)?),
        "session.jobs" => Message::Jobs(parse(kind, payload)?),
        "job.submit" => Message::Submit(parse(kind, payload)?),
        "job.accepted" => Message::Accepted(parse(kind, payload)?),
        "job.cancel" => Message::Cancel(parse_or_default(kind, payload)?),
        "job.cancelled" => Message::Cancelled(parse_or_default(kind, payload)?),
        "job.event" => Message::Event(parse(kind, payload)?),
        "job.result" => Message::Outcome(parse(kind, payload)?),
        "job.error" => Message::JobError(parse(kind, payload)?),
        "job.subscribe" => Message::Subscribe(parse(kind, payload)?),
        "job.subscribed" => Message::Subscribed(parse(kind, payload)?),
        "job.unsubscribe" => Message::Unsubscribe(parse(kind, payload)?),
        other => return Err(format!("there is no message `{other}`")),
    })
}

fn parse<T: DeserializeOwned>(kind: &str, payload: Option<&RawValue>) -> Result<T, String> {
    let Some(payload) = payload else { return Err(format!("`{kind}` has no payload")) };
    // A structure could be read from an array of its fields too; on the wire that is a mistake.
    if !payload.get().starts_with('{') {
        return Err(format!("the payload of `{kind}` must be an object"));
    }
    serde_json::from_str(payload.get()).map_err(|error| format!("`{kind}`: {error}"))
}

fn parse_or_default<T>(kind: &str, payload: Option<&RawValue>) -> Result<T, String>
where
    T: DeserializeOwned + Default,
{
    match payload {
        None => Ok(T::default()),
        Some(payload) => parse(kind, Some(payload)),
    }
}

/// Objects within objects cost stack to read; how deep they go is counted before.
fn check_depth(text: &str) -> Result<(), String> {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_text {
            in_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("the frame is nested deeper than {DEPTH_MAX}"));
        }
    }
    Ok(())
}

/// An envelope as it is written; what there is not is left out.
#[derive(Serialize)]
struct Written<'a, P> {
    arcp: &'a str,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a Map<String, Value>>,
    payload: P,
}

/// Writes one message. How large it may be is for whoever sends it to look at: other ends read less
/// than we do.
pub fn write(envelope: &Envelope) -> String {
    match &envelope.message {
        Message::Hello(payload) => written(envelope, payload),
        Message::Resume(payload) => written(envelope, payload),
        Message::Welcome(payload) => written(envelope, payload),
        Message::Error(payload) => written(envelope, payload),
        Message::Bye(payload) | Message::Close(payload) => written(envelope, payload),
        Message::Closed => written(envelope, Map::new()),
        Message::Ping(payload) => written(envelope, payload),
        Message::Pong(payload) => written(envelope, payload),
        Message::Ack(payload) => written(envelope, payload),
        Message::ListJobs(payload) => written(envelope, payload),
        Message::Jobs(payload) => written(envelope, payload),
        Message::Submit(payload) => written(envelope, payload),
        Message::Accepted(payload) => written(envelope, payload),
        Message::Cancel(payload) => written(envelope, payload),
        Message::Cancelled(payload) => written(envelope, payload),
        Message::Event(payload) => written(envelope, payload),
        Message::Outcome(payload) => written(envelope, payload),
        Message::JobError(payload) => written(envelope, payload),
        Message::Subscribe(payload) => written(envelope, payload),
        Message::Subscribed(payload) => written(envelope, payload),
        Message::Unsubscribe(payload) => written(envelope, payload),
    }
}

fn written(envelope: &Envelope, payload: impl Serialize) -> String {
    let written = Written {
        arcp: VERSION,
        id: &envelope.id,
        kind: envelope.message.name(),
        session_id: envelope.session_id.as_deref(),
        job_id: envelope.job_id.as_deref(),
        trace_id: envelope.trace.as_ref().map(Trace::id),
        event_seq: envelope.event_seq,
        extensions: envelope.extensions.as_ref(),
        payload,
    };
    serde_json::to_string(&written).expect("payloads are made of texts, numbers and maps by text")
}

#[cfg(test)]
mod tests;
