//! Entries of the journal as numbered frames of a session. Frames are not kept: the same entry under
//! the same number is the same text each time, so that what is told again is what was told.
//!
//! [arcp §8.3] Numbers have no gaps, so nothing here fails: an entry that nobody understands still has
//! its number, and one that is left out ends the session for known clients.

mod ended;
mod facts;
mod said;
#[cfg(test)]
mod tests;

pub use ended::Ending;

use crate::features::{Feature, Features};
use crate::id::Seed;
use crate::profile::Profile;
use longhaul_core::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Bytes of a frame besides its body, generously.
const AROUND_BYTES: usize = 384;

/// How entries are told to one session.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The session's id, as JSON.
    session: String,
    seed: Seed,
    profile: Profile,
    has_progress: bool,
    has_chunks: bool,
}

/// The job that an entry is about.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its trace: 32 hexadecimal digits.
    pub trace: Option<&'a str>,
}

/// An entry of the journal that is told.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened, as the journal's JSON text.
    pub text: &'a str,
    /// What the job's end has to say besides; for that entry only.
    pub ending: Option<&'a Ending<'a>>,
}

/// What an entry of any kind can have, each part unread.
#[derive(Default, Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    level: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    tool: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    exit_code: Option<&'a RawValue>,
    #[serde(borrow)]
    phase: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    unit: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow)]
    content_type: Option<&'a RawValue>,
    #[serde(borrow)]
    byte_size: Option<&'a RawValue>,
    #[serde(borrow)]
    current: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    units: Option<&'a RawValue>,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    #[serde(borrow)]
    why: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    report: Option<&'a RawValue>,
}

/// What a frame says: an event of a kind, or the end.
enum Said<'a> {
    /// A `job.event`: the kind and the body, as JSON.
    Event { kind: Cow<'a, str>, body: Cow<'a, str> },
    /// A message that ends the job: its type and its payload, as JSON.
    End { name: &'static str, payload: String },
}

impl Said<'_> {
    fn event(kind: &str, body: String) -> Self {
        Said::Event { kind: Cow::Owned(quoted(kind)), body: Cow::Owned(body) }
    }
}

impl Frames {
    /// How entries are told to the session with this id.
    pub fn new(session_id: &str, profile: Profile, features: &Features) -> Self {
        Self {
            session: quoted(session_id),
            seed: Seed::new(session_id).of("fed"),
            profile,
            has_progress: features.has(Feature::Progress),
            has_chunks: features.has(Feature::ResultChunk),
        }
    }

    /// The frame that tells `entry` under this number.
    pub fn frame(&self, event_seq: u64, job: Job<'_>, entry: &Entry<'_>) -> String {
        let ts = entry.at.rfc3339();
        let text = self.written(event_seq, job, &ts, &self.said(entry));
        let most = self.profile.frame_bytes_max();
        if text.len() <= most {
            return text;
        }
        let size = text.len();
        for ending in entry.ending.iter().flat_map(|ending| ending.lesser(size)) {
            let less = ended::said(entry, Some(&ending), self.profile);
            let text = less.map(|less| self.written(event_seq, job, &ts, &less));
            if let Some(text) = text.filter(|text| text.len() <= most) {
                return text;
            }
        }
        let words = format!("an event of {size} bytes is larger than a frame may be");
        self.written(event_seq, job, &ts, &facts::status("left_out", Some(&words)))
    }

    /// The frame that tells a session that it reads too slowly. Counts as being about `job`.
    pub fn lagging(&self, event_seq: u64, job: Job<'_>, at: Timestamp, behind: u64) -> String {
        let words = format!("{behind} events are not acknowledged");
        let said = facts::status("back_pressure", Some(&words));
        self.written(event_seq, job, &at.rfc3339(), &said)
    }

    fn said<'a>(&self, entry: &Entry<'a>) -> Said<'a> {
        let Ok(parts) = serde_json::from_str::<Parts<'a>>(entry.text) else {
            return facts::status("unreadable", None);
        };
        if parts.kind == "told" {
            return self.told(&parts);
        }
        said::event(&parts)
            .map_or_else(|| facts::said(entry, self.profile, &parts.kind), |said| self.agreed(said))
    }

    /// The hot path: the body was checked when it was told, and goes out as it is.
    fn told<'a>(&self, parts: &Parts<'a>) -> Said<'a> {
        let body = parts.body.map_or("{}", RawValue::get);
        let name = parts.name.filter(|name| name.get().starts_with('"'));
        let Some(name) = name else { return facts::status("unreadable", None) };
        self.agreed(Said::Event { kind: Cow::Borrowed(name.get()), body: Cow::Borrowed(body) })
    }

    /// [arcp §6.2] What was not agreed on is not used: the number is told with a status instead.
    fn agreed<'a>(&self, said: Said<'a>) -> Said<'a> {
        match &said {
            Said::Event { kind, .. } if kind == "\"progress\"" && !self.has_progress => {
                facts::status("progress", None)
            }
            Said::Event { kind, .. } if kind == "\"result_chunk\"" && !self.has_chunks => {
                facts::status("result_chunk", None)
            }
            Said::Event { .. } | Said::End { .. } => said,
        }
    }

    /// [arcp §8.1] The session, the job, the number, and what happened, with its kind.
    fn written(&self, event_seq: u64, job: Job<'_>, ts: &str, said: &Said<'_>) -> String {
        let (name, size) = match said {
            Said::Event { body, .. } => ("job.event", body.len()),
            Said::End { name, payload } => (*name, payload.len()),
        };
        let mut out = String::with_capacity(AROUND_BYTES + size);
        out.push_str(r#"{"arcp":"1.1","id":"msg_"#);
        self.seed.write(event_seq, &mut out);
        out.push_str(r#"","type":""#);
        out.push_str(name);
        out.push_str(r#"","session_id":"#);
        out.push_str(&self.session);
        out.push_str(r#","job_id":"#);
        quote(job.id, &mut out);
        if let Some(trace) = job.trace.filter(|trace| !trace.is_empty()) {
            out.push_str(r#","trace_id":"#);
            quote(trace, &mut out);
        }
        write!(out, r#","event_seq":{event_seq},"payload":"#).expect("a text takes any text");
        match said {
            Said::Event { kind, body } => {
                out.push_str(r#"{"kind":"#);
                out.push_str(kind);
                out.push_str(r#","ts":""#);
                out.push_str(ts);
                out.push_str(r#"","body":"#);
                out.push_str(body);
                out.push_str("}}");
            }
            Said::End { payload, .. } => {
                out.push_str(payload);
                out.push('}');
            }
        }
        out
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}

/// Appends `text` as JSON.
fn quote(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
    }
}

/// An object that is put together of parts that are JSON already.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a field whose value is JSON; nothing if there is none.
    fn raw(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.key(key);
            self.0.push_str(value);
        }
        self
    }

    /// Adds a field whose value is a text; nothing if there is none.
    fn text(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.key(key);
            quote(value, &mut self.0);
        }
        self
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(key, &mut self.0);
        self.0.push(':');
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
