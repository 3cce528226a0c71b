//! Where adapters write: events are bounded here, and what the verdict needs is remembered.

use crate::clip;
use crate::event::{Event, Level, Phase, Speaker, ToolOutcome, Unread};
use crate::failure::Failure;
use crate::intake::Stream;
use crate::json::{Json, Object};
use crate::limits::{
    ARGS_BYTES_MAX, ARGS_LOOK_BYTES_MAX, ARGS_TEXT_BYTES_MAX, CALL_ID_BYTES_MAX,
    CONVERSATION_BYTES_MAX, JOINED_BYTES_MAX, NAME_BYTES_MAX, OPEN_CALLS_MAX, PATH_BYTES_MAX,
    RAW_BYTES_MAX, SAID_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::memory::{Joined, Memory, OpenCall, Terminal};
use crate::turn::Conversation;
use crate::usage::Usage;
use serde_json::{Number, Value, json};
use std::borrow::Cow;

/// One line as an adapter sees it: text, and its length as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The line without its end. What was no UTF-8 is replaced.
    pub text: &'a str,
    /// Bytes that it had, without its end.
    pub bytes: u64,
}

/// Takes down what the lines say.
#[derive(Debug)]
pub struct Scribe<'a> {
    pub(crate) memory: &'a mut Memory,
    pub(crate) events: &'a mut Vec<Event>,
    /// Whether the line at hand was understood, known to say nothing, or kept raw.
    pub(crate) fate: Fate,
    /// Which stream the line at hand is of.
    pub(crate) stream: Stream,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Understood,
    Quiet,
    Raw,
}

/// A finished tool call, as adapters find it.
pub(crate) struct Finished<'t> {
    pub(crate) call_id: Cow<'t, str>,
    pub(crate) outcome: ToolOutcome,
    pub(crate) output: Option<Cow<'t, str>>,
    pub(crate) exit_code: Option<i64>,
}

impl Scribe<'_> {
    pub(crate) fn push(&mut self, event: Event) {
        // A line of stderr ends no sentence on stdout: which comes first is chance.
        if self.stream == Stream::Stdout {
            self.flush();
        }
        self.events.push(event);
    }

    /// The line is known and says nothing.
    pub(crate) fn quiet(&mut self) {
        self.fate = Fate::Quiet;
    }

    /// The line is not understood.
    pub(crate) fn raw(&mut self, why: Unread, line: Line<'_>) {
        self.fate = Fate::Raw;
        let text = clip::head(line.text, RAW_BYTES_MAX).to_owned();
        self.push(Event::Raw { why, text, bytes: line.bytes });
    }

    /// The line as an object, or kept raw.
    pub(crate) fn object<'l>(&mut self, line: Line<'l>) -> Option<Object<'l>> {
        let found = Object::parse(line.text);
        if found.is_none() && line.text.trim().is_empty() {
            self.quiet();
        } else if found.is_none() {
            self.raw(Unread::NotAnObject, line);
        }
        found
    }

    pub(crate) fn log(&mut self, level: Level, from: Speaker, message: impl AsRef<str>) {
        let message = clip::noted(Cow::Borrowed(message.as_ref()), TEXT_BYTES_MAX);
        if !message.is_empty() {
            self.push(Event::Log { level, message, from });
        }
    }

    /// The model said something, whole.
    pub(crate) fn said(&mut self, text: &str) {
        self.log(Level::Info, Speaker::Agent, text);
        if !text.trim().is_empty() {
            clip::encoded(text, SAID_BYTES_MAX).clone_into(&mut self.memory.said);
        }
    }

    /// The model thought something, whole.
    pub(crate) fn thought(&mut self, text: &str) {
        if !text.is_empty() {
            let text = clip::noted(Cow::Borrowed(text), TEXT_BYTES_MAX);
            self.push(Event::Thought { text });
        }
    }

    /// The model said or thought a piece; the pieces are joined until something else comes.
    pub(crate) fn piece(&mut self, thought: bool, text: &str) {
        if self.memory.joined.as_ref().is_some_and(|joined| joined.thought != thought) {
            self.flush();
        }
        let mut rest = text;
        while !rest.is_empty() {
            let joined =
                self.memory.joined.get_or_insert_with(|| Joined { thought, text: String::new() });
            let free = JOINED_BYTES_MAX.saturating_sub(clip::encoded_bytes(&joined.text));
            let fits = clip::encoded(rest, free);
            joined.text.push_str(fits);
            rest = &rest[fits.len()..];
            if !rest.is_empty() {
                self.flush_full();
            }
        }
    }

    /// Makes room where a reader would: after a line, or else after a word.
    fn flush_full(&mut self) {
        let Some(joined) = &mut self.memory.joined else { return };
        let cut = joined.text.rfind('\n').or_else(|| joined.text.rfind(' '));
        let kept = cut.map(|cut| joined.text.split_off(cut + 1)).unwrap_or_default();
        let thought = joined.thought;
        self.flush();
        if !kept.is_empty() {
            self.memory.joined = Some(Joined { thought, text: kept });
        }
    }

    /// Writes down what was said in pieces.
    pub(crate) fn flush(&mut self) {
        let Some(joined) = self.memory.joined.take() else { return };
        if joined.thought {
            self.events.push(Event::Thought { text: joined.text });
            return;
        }
        clip::encoded(&joined.text, SAID_BYTES_MAX).clone_into(&mut self.memory.said);
        self.events.push(Event::Log {
            level: Level::Info,
            message: joined.text,
            from: Speaker::Agent,
        });
    }

    pub(crate) fn status(&mut self, phase: Phase, message: impl Into<Option<String>>) {
        let message = message.into().map(|text| clip::noted(Cow::Owned(text), RAW_BYTES_MAX));
        self.push(Event::Status { phase, message });
    }

    /// The CLI named its conversation. Said again it is nothing new.
    pub(crate) fn conversation(&mut self, id: &str) {
        if id.is_empty()
            || id.len() > CONVERSATION_BYTES_MAX
            || clip::encoded_bytes(id) > CONVERSATION_BYTES_MAX
            || self.memory.conversation.as_deref() == Some(id)
        {
            return;
        }
        let asked = match &self.memory.asked {
            Conversation::Resume(asked) if asked != id => Some(asked.clone()),
            _ => None,
        };
        self.memory.conversation = Some(id.to_owned());
        self.status(Phase::Conversation, id.to_owned());
        if let Some(asked) = asked {
            self.status(Phase::Mismatch, format!("{asked} was to be resumed, {id} answers"));
        }
    }

    pub(crate) fn model(&mut self, name: Option<Cow<'_, str>>) {
        if let Some(name) = name {
            self.memory.model = Some(clip::encoded(&name, NAME_BYTES_MAX).to_owned());
        }
    }

    pub(crate) fn version(&mut self, version: Option<Cow<'_, str>>) {
        if let Some(version) = version {
            self.memory.version = Some(clip::encoded(&version, NAME_BYTES_MAX).to_owned());
        }
    }

    pub(crate) fn call(&mut self, id: &str, tool: &str, args: Option<Json<'_>>) {
        let path = args.filter(|_| is_writer(tool)).and_then(path_in);
        self.called(id, tool, args.map_or(Value::Null, shortened), path);
    }

    /// A call whose arguments are bounded already, and what it writes, if it does.
    pub(crate) fn called(&mut self, id: &str, tool: &str, args: Value, path: Option<String>) {
        self.memory.counts.tool_calls += 1;
        let id = clip::head(id, CALL_ID_BYTES_MAX);
        let tool = if tool.is_empty() { UNNAMED } else { tool };
        let name = clip::encoded(tool, NAME_BYTES_MAX).to_owned();
        let hash = hash(id);
        self.memory.open.retain(|call| call.id != hash);
        if self.memory.open.len() == OPEN_CALLS_MAX {
            self.memory.open.remove(0);
        }
        self.memory.open.push(OpenCall { id: hash, tool: name.clone(), path });
        self.push(Event::ToolCall { tool: name, call_id: id.to_owned(), args });
    }

    /// Whether a call is open under this id.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        let id = hash(clip::head(id, CALL_ID_BYTES_MAX));
        self.memory.open.iter().any(|call| call.id == id)
    }

    pub(crate) fn finished(&mut self, call: Finished<'_>) {
        let id = clip::head(&call.call_id, CALL_ID_BYTES_MAX);
        let hash = hash(id);
        let at = self.memory.open.iter().position(|open| open.id == hash);
        let open = at.map(|at| self.memory.open.remove(at));
        let (tool, path) = open.map_or((None, None), |open| (Some(open.tool), open.path));
        if call.outcome == ToolOutcome::Denied {
            self.memory.counts.denied += 1;
        }
        let output = call.output.filter(|output| !output.is_empty());
        self.push(Event::ToolResult {
            call_id: id.to_owned(),
            tool,
            outcome: call.outcome,
            output: output.map(|output| clip::noted(output, TEXT_BYTES_MAX)),
            exit_code: call.exit_code,
        });
        if let Some(path) = path.filter(|_| call.outcome == ToolOutcome::Done) {
            self.artifact(&path);
        }
    }

    pub(crate) fn artifact(&mut self, path: &str) {
        if !path.is_empty() {
            self.push(Event::ArtifactRef {
                uri: clip::head(path, RAW_BYTES_MAX).to_owned(),
                content_type: None,
                byte_size: None,
            });
        }
    }

    pub(crate) fn progress(&mut self, current: u64, units: &str, message: Option<String>) {
        self.push(Event::Progress {
            current: Number::from(current),
            total: None,
            units: Some(units.to_owned()),
            message,
        });
    }

    /// The turn used so much more.
    pub(crate) fn used(&mut self, more: &Usage) {
        self.memory.used.add(more);
        self.metrics(more);
    }

    pub(crate) fn metrics(&mut self, usage: &Usage) {
        for (name, value, unit) in usage.metrics() {
            self.push(Event::Metric { name: name.to_owned(), value, unit: Some(unit.to_owned()) });
        }
    }

    /// A failure that may still be mended. The last that stdout tells of counts.
    pub(crate) fn failing(&mut self, failure: Failure) {
        self.memory.failure = Some(failure);
    }

    /// stderr hints at a failure. What says most counts; of equals, the first.
    pub(crate) fn heard(&mut self, failure: Failure) {
        let known = self.memory.heard.as_ref().map(Failure::weight);
        if known.is_none_or(|known| known < failure.weight()) {
            self.memory.heard = Some(failure);
        }
    }

    /// The CLI says that the turn is over.
    pub(crate) fn ended(&mut self, end: Terminal, text: Option<Cow<'_, str>>, output: Value) {
        self.flush();
        let answer = text.as_deref().filter(|_| end != Terminal::Failed);
        if let Some(text) = answer.filter(|text| !text.trim().is_empty()) {
            clip::encoded(text, SAID_BYTES_MAX).clone_into(&mut self.memory.said);
        }
        self.memory.end = Some(end);
        self.memory.open.clear();
        self.push(Event::Result {
            ok: end != Terminal::Failed,
            text: text
                .filter(|text| !text.is_empty())
                .map(|text| clip::noted(text, TEXT_BYTES_MAX)),
            output,
        });
    }
}

/// A tool that the CLI did not name.
const UNNAMED: &str = "unnamed";

/// The same for the same id on every machine and in every version, for it is stored.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether a tool makes or changes the one file that its arguments name.
fn is_writer(tool: &str) -> bool {
    matches!(
        tool.to_ascii_lowercase().as_str(),
        "write" | "edit" | "multiedit" | "notebookedit" | "write_file" | "replace"
    )
}

fn path_in(args: Json<'_>) -> Option<String> {
    let args = args.object()?;
    let path = ["file_path", "filePath", "path", "notebook_path"]
        .iter()
        .find_map(|name| args.text(name))?;
    (clip::encoded_bytes(&path) <= PATH_BYTES_MAX).then(|| path.into_owned())
}

/// Arguments as they are, or with their long texts shortened, or only their size.
pub(crate) fn shortened(args: Json<'_>) -> Value {
    let raw = args.raw();
    if raw.len() > ARGS_LOOK_BYTES_MAX {
        return json!({ "cut_bytes": raw.len() });
    }
    let Ok(mut value) = serde_json::from_str(raw) else {
        // A lone surrogate, or nested too deeply to be built.
        return Value::String(clip::noted(Cow::Borrowed(raw), ARGS_TEXT_BYTES_MAX));
    };
    if raw.len() > ARGS_BYTES_MAX {
        shorten(&mut value);
        let bytes = serde_json::to_string(&value).map_or(usize::MAX, |text| text.len());
        if bytes > ARGS_BYTES_MAX {
            return json!({ "cut_bytes": raw.len() });
        }
    }
    value
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > ARGS_TEXT_BYTES_MAX => {
            *text = clip::noted(Cow::Borrowed(text), ARGS_TEXT_BYTES_MAX);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
