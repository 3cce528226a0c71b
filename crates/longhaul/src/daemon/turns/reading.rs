//! One attempt's output, read from where the last commit ended. Each call gives what is to be
//! committed next; nothing here waits, and nothing is remembered that a commit does not hold.

use super::masks::Masks;
use longhaul_agents::limits::LINE_BYTES_MAX;
use longhaul_agents::{Adapter, Event, Intake, Level, Memory, Speaker, Stream, Taken, Turn};
use longhaul_core::id::JobId;
use longhaul_core::limits::TAKING_EVENTS_MAX;
use longhaul_core::turn::{Intake as Stored, Offsets, Seen, Taking, Used};
use longhaul_shim::folder::{Folder, FolderError};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of one stream that are read at once, unless a line is longer.
const READ_BYTES: usize = 256 * 1_024;
/// Bytes of the longest line that has to be there as a whole, and one that shows that it is longer.
const LOOK_BYTES_MAX: usize = LINE_BYTES_MAX + 1;
/// Events of one stream beside which there is room for the other's in one batch.
const SHARE_EVENTS_MAX: usize = 500;
/// Bytes of room that a stream keeps which has nothing more to give for now.
const REST_BYTES: usize = 4 * 1_024;

/// Why output cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("its output cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Up to where each stream is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) out: u64,
    pub(super) err: u64,
}

/// Reads an attempt's output.
pub(super) struct Reading {
    job: JobId,
    attempt: u32,
    adapter: &'static dyn Adapter,
    intake: Intake<'static>,
    masks: Masks,
    /// Up to where [`Self::next`] has given everything.
    at: Offsets,
    out: Spool,
    err: Spool,
}

/// One of its streams.
struct Spool {
    name: &'static str,
    file: Option<File>,
    /// What was read and not taken: the beginning of a line, or what did not fit a batch.
    rest: Vec<u8>,
    /// Whether a line may end in `rest`.
    is_worth_it: bool,
    /// Whether there was more than was read.
    is_behind: bool,
}

impl Reading {
    /// Begins where `stored` says, or at the beginning.
    pub(super) fn new(
        (job, attempt): (JobId, u32),
        adapter: &'static dyn Adapter,
        turn: &Turn,
        stored: Option<&Stored>,
    ) -> Self {
        let at = stored.map(|stored| stored.taken).unwrap_or_default();
        let memory = stored.and_then(|stored| {
            // Of a version that is gone: what follows is read as if nothing had come before.
            let memory = Memory::from_json(&stored.memory);
            memory.inspect_err(|error| tracing::error!(%job, attempt, %error, "begins anew")).ok()
        });
        let intake = match memory {
            Some(memory) => Intake::resume(adapter, memory),
            None => Intake::begin(adapter, turn),
        };
        let (out, err) = (Spool::new("out"), Spool::new("err"));
        Self { job, attempt, adapter, intake, masks: Masks::default(), at, out, err }
    }

    /// Keeps these out of the events.
    pub(super) fn masking(self, masks: Masks) -> Self {
        Self { masks, ..self }
    }

    /// Whether there is more than one call of [`Self::next`] takes.
    pub(super) fn is_behind(&self) -> bool {
        self.out.has_more() || self.err.has_more()
    }

    /// Whether both streams were taken to their ends.
    pub(super) fn is_closed(&self) -> bool {
        self.at.is_closed
    }

    pub(super) fn adapter(&self) -> &'static dyn Adapter {
        self.adapter
    }

    pub(super) fn memory(&self) -> &Memory {
        self.intake.memory()
    }

    /// Whether both streams are open. They may not be there yet.
    pub(super) const fn is_open(&self) -> bool {
        self.out.file.is_some() && self.err.file.is_some()
    }

    /// Opens the streams that are not open and are there.
    pub(super) fn open(&mut self, folder: &Folder) -> Result<(), Unreadable> {
        for spool in [&mut self.out, &mut self.err] {
            if spool.file.is_none() {
                spool.file = folder.open_file(spool.name)?;
            }
        }
        Ok(())
    }

    /// Takes what is there, as far as it fits a batch; `None` if no whole line is. Blocks as long as
    /// reading does.
    pub(super) fn next(&mut self) -> Result<Option<Taking>, Unreadable> {
        let all = Sizes { out: u64::MAX, err: u64::MAX };
        let (from, mut events) = (self.at, vec![]);
        self.take(all, &mut events)?;
        Ok((self.at != from).then(|| self.taking(from, &events)))
    }

    /// Takes what is left of output that has ended at `sizes`, as far as it fits a batch; the last
    /// says that nothing follows, and is `None` only if that was said before.
    pub(super) fn last(&mut self, sizes: Sizes) -> Result<Option<Taking>, Unreadable> {
        if self.at.is_closed {
            return Ok(None);
        }
        let (from, mut events) = (self.at, vec![]);
        self.take(sizes, &mut events)?;
        if !self.is_behind() {
            self.close(&mut events);
        }
        Ok(Some(self.taking(from, &events)))
    }

    /// The end of output that cannot be read any more.
    pub(super) fn cut(&mut self) -> Taking {
        let (from, mut events) = (self.at, vec![]);
        self.close(&mut events);
        self.taking(from, &events)
    }

    fn take(&mut self, sizes: Sizes, events: &mut Vec<Event>) -> Result<(), Unreadable> {
        let out = self
            .out
            .take(self.at.out, sizes.out, |bytes| self.intake.take(Stream::Stdout, bytes))?;
        self.at.out += out.bytes as u64;
        events.extend(out.events);
        if out.is_full || events.len() >= SHARE_EVENTS_MAX {
            self.err.is_behind = true;
            return Ok(());
        }
        let err = self
            .err
            .take(self.at.err, sizes.err, |bytes| self.intake.take(Stream::Stderr, bytes))?;
        self.at.err += err.bytes as u64;
        events.extend(err.events);
        Ok(())
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        events.extend(self.intake.close(Stream::Stdout, &self.out.rest));
        self.at.out += std::mem::take(&mut self.out.rest).len() as u64;
        events.extend(self.intake.close(Stream::Stderr, &self.err.rest));
        self.at.err += std::mem::take(&mut self.err.rest).len() as u64;
        self.at.is_closed = true;
    }

    fn taking(&self, from: Offsets, events: &[Event]) -> Taking {
        let memory = self.intake.memory();
        let bodies = events.iter().take(TAKING_EVENTS_MAX);
        let mut bodies: Vec<String> = bodies.map(|event| self.masks.over(body(event))).collect();
        if let Some(more) = events.len().checked_sub(TAKING_EVENTS_MAX).filter(|more| *more > 0) {
            // One line says all of that, and cannot be taken in parts.
            bodies.pop();
            bodies.push(body(&left_out(more + 1)));
        }
        Taking {
            job: self.job.clone(),
            attempt: self.attempt,
            from,
            to: self.at,
            memory: memory.to_json(),
            events: bodies,
            seen: seen(memory),
        }
    }
}

fn left_out(count: usize) -> Event {
    let message = format!("{count} more entries of one line were left out; its output has them");
    Event::Log { level: Level::Warn, message, from: Speaker::Cli }
}

/// What follows from what the output came to so far.
fn seen(memory: &Memory) -> Seen {
    Seen {
        conversation: memory.conversation().map(str::to_owned),
        is_mismatch: memory.is_mismatch(),
        used: used(&memory.used()),
        is_answered: memory.is_over(),
    }
}

/// An amount in core's words.
pub(super) fn used(usage: &longhaul_agents::Usage) -> Used {
    Used {
        input: usage.input,
        output: usage.output,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
        reasoning: usage.reasoning,
        nano_usd: usage.cost.map(|cost| cost.0),
    }
}

fn body(event: &Event) -> String {
    serde_json::to_string(event).expect("an event has no keys but text")
}

impl Spool {
    fn new(name: &'static str) -> Self {
        Self { name, file: None, rest: vec![], is_worth_it: false, is_behind: false }
    }

    /// Reads on and has `take` take of it. `at` is where `rest` begins, `end` where the stream ends.
    fn take(
        &mut self,
        at: u64,
        end: u64,
        take: impl FnOnce(&[u8]) -> Taken,
    ) -> Result<Taken, Unreadable> {
        self.is_behind = false;
        while !self.is_worth_it {
            self.read(at, end)?;
            if !self.is_behind {
                break;
            }
        }
        if !self.is_worth_it {
            return Ok(Taken::default());
        }
        let taken = take(&self.rest);
        self.is_worth_it = taken.is_full;
        self.rest.drain(..taken.bytes);
        if !self.has_more() {
            // Many turns are quiet at the same time, and a long line leaves much room behind.
            self.rest.shrink_to(REST_BYTES);
        }
        Ok(taken)
    }

    /// Whether there is more than was taken, apart from the beginning of a line.
    fn has_more(&self) -> bool {
        self.is_worth_it || self.is_behind
    }

    /// Adds a stretch to `rest`.
    fn read(&mut self, at: u64, end: u64) -> Result<(), Unreadable> {
        let Some(file) = &self.file else { return Ok(()) };
        let known = self.rest.len();
        let from = at + known as u64;
        let there = end.min(file.metadata()?.len()).saturating_sub(from);
        // What is known begins a line and is no longer than one may be.
        let room = LOOK_BYTES_MAX.saturating_sub(known).min(READ_BYTES);
        let room = usize::try_from(there).map_or(room, |there| there.min(room));
        if known + room > self.rest.capacity() {
            // By doubling, and not far beyond what the longest line needs.
            let most = (self.rest.capacity() * 2).min(LOOK_BYTES_MAX);
            self.rest.reserve_exact(most.max(known + room) - known);
        }
        self.rest.resize(known + room, 0);
        if let Err(error) = file.read_exact_at(&mut self.rest[known..], from) {
            self.rest.truncate(known);
            return Err(error.into());
        }
        self.is_behind = there > room as u64;
        self.is_worth_it = self.rest[known..].contains(&b'\n') || self.rest.len() >= LOOK_BYTES_MAX;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
