//! From the bytes of two spools to events. However the bytes are cut into chunks, the events are
//! the same; whatever the bytes are, there are events, and every line is counted.

use crate::adapter::Adapter;
use crate::clip;
use crate::event::{Event, Unread};
use crate::limits::{BATCH_EVENTS_MAX, LINE_BYTES_MAX, RAW_BYTES_MAX};
use crate::memory::Memory;
use crate::scribe::{Fate, Line, Scribe};
use crate::turn::Turn;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Where the events are.
    Stdout,
    /// Where noise and, from some CLIs, the reason of a failure is.
    Stderr,
}

/// What one call took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes from the beginning of the chunk that are done with. The rest is the beginning of a
    /// line, or more than fits a batch: offer it again, with what follows it.
    pub bytes: usize,
    /// What they said, in order.
    pub events: Vec<Event>,
    /// Whether whole lines are left because the batch is full: call again before reading on.
    pub is_full: bool,
}

/// Reads one attempt of one turn. Store `memory` with the two offsets and the events, in one commit;
/// after a crash, begin again from what is stored.
#[derive(Clone)]
pub struct Intake<'a> {
    adapter: &'a dyn Adapter,
    memory: Memory,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl<'a> Intake<'a> {
    /// For an attempt that begins.
    #[must_use]
    pub fn begin(adapter: &'a dyn Adapter, turn: &Turn) -> Self {
        let memory =
            Memory { asked: turn.conversation.clone(), base: turn.carry, ..Memory::default() };
        Self { adapter, memory }
    }

    /// For an attempt of which something was taken before.
    #[must_use]
    pub fn resume(adapter: &'a dyn Adapter, memory: Memory) -> Self {
        Self { adapter, memory }
    }

    /// What is to be stored.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes the whole lines of a chunk that begins where the last call ended.
    pub fn take(&mut self, stream: Stream, chunk: &[u8]) -> Taken {
        let mut taken = Taken::default();
        while taken.bytes < chunk.len() {
            if taken.events.len() >= BATCH_EVENTS_MAX {
                taken.is_full = true;
                break;
            }
            let rest = &chunk[taken.bytes..];
            let Some(bytes) = self.line(stream, rest, &mut taken.events) else { break };
            taken.bytes += bytes;
        }
        taken
    }

    /// Takes what is left when the stream has ended: `rest` is all that no call has taken.
    pub fn close(&mut self, stream: Stream, rest: &[u8]) -> Vec<Event> {
        let mut events = vec![];
        let mut at = 0;
        while let Some(bytes) = self.line(stream, &rest[at..], &mut events) {
            at += bytes;
        }
        let tail = &rest[at..];
        if self.memory.skipped[index(stream)] > 0 {
            self.skipped(stream, tail.len(), true, &mut events);
        } else if !tail.is_empty() {
            self.whole(stream, tail, &mut events);
        }
        let adapter = self.adapter;
        let mut scribe = self.scribe(stream, &mut events);
        if stream == Stream::Stdout {
            scribe.flush();
            adapter.closed(&mut scribe);
        }
        events
    }

    /// Takes one line or one piece of a line that is too long; says how many bytes, or nothing if
    /// more must be known.
    fn line(&mut self, stream: Stream, rest: &[u8], events: &mut Vec<Event>) -> Option<usize> {
        // Where a line is too long must not depend on how much of it is there.
        let look = &rest[..rest.len().min(LINE_BYTES_MAX + 1)];
        let end = memchr::memchr(b'\n', look);
        if self.memory.skipped[index(stream)] > 0 {
            if look.is_empty() {
                return None;
            }
            self.skipped(stream, end.unwrap_or(look.len()), end.is_some(), events);
            return Some(end.map_or(look.len(), |end| end + 1));
        }
        match end {
            Some(end) => {
                self.whole(stream, &rest[..end], events);
                Some(end + 1)
            }
            None if look.len() > LINE_BYTES_MAX => {
                self.too_long(stream, &rest[..LINE_BYTES_MAX], events);
                Some(LINE_BYTES_MAX)
            }
            None => None,
        }
    }

    fn whole(&mut self, stream: Stream, line: &[u8], events: &mut Vec<Event>) {
        let bytes = line.len() as u64;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        self.memory.counts.lines += 1;
        if matches!(text, std::borrow::Cow::Owned(_)) {
            self.memory.counts.invalid_utf8 += 1;
        }
        let line = Line { text: &text, bytes };
        let adapter = self.adapter;
        let mut scribe = self.scribe(stream, events);
        match stream {
            Stream::Stdout => adapter.stdout(line, &mut scribe),
            Stream::Stderr => adapter.stderr(line, &mut scribe),
        }
        match scribe.fate {
            Fate::Understood => self.memory.counts.understood += 1,
            Fate::Quiet => self.memory.counts.quiet += 1,
            Fate::Raw => self.memory.counts.raw += 1,
        }
    }

    fn too_long(&mut self, stream: Stream, piece: &[u8], events: &mut Vec<Event>) {
        self.memory.counts.lines += 1;
        self.memory.counts.raw += 1;
        self.memory.counts.too_long += 1;
        self.memory.skipped[index(stream)] = 1;
        // A few bytes more than are shown, so that a character at the edge is whole.
        let shown = String::from_utf8_lossy(&piece[..RAW_BYTES_MAX + 4]);
        let text = clip::head(&shown, RAW_BYTES_MAX).to_owned();
        let bytes = piece.len() as u64;
        self.scribe(stream, events).push(Event::Raw { why: Unread::TooLong, text, bytes });
    }

    /// Counts more of a line that is too long, and says how much it was when it ends.
    fn skipped(&mut self, stream: Stream, bytes: usize, is_end: bool, events: &mut Vec<Event>) {
        let skipped = &mut self.memory.skipped[index(stream)];
        *skipped += bytes as u64;
        if is_end {
            // One was added at the beginning, so that the first byte skipped is known as such.
            let bytes = *skipped - 1;
            *skipped = 0;
            let text = String::new();
            self.scribe(stream, events).push(Event::Raw { why: Unread::TooLongRest, text, bytes });
        }
    }

    fn scribe<'s>(&'s mut self, stream: Stream, events: &'s mut Vec<Event>) -> Scribe<'s> {
        Scribe { memory: &mut self.memory, events, fate: Fate::Understood, stream }
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}
