//! `longhaul logs`: the exact bytes that a job wrote.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::Stream;
use crate::api::JobView;
use crate::client::{Client, OutputAsk, OutputPiece};
use bytes::Bytes;
use serde_json::json;
use std::ops::Range;

/// Bytes at the end of a stream that are first looked through for the last lines, and the most that
/// are looked through at once.
const TAIL_BYTES: u64 = 64 * 1_024;
const TAIL_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Print what a job wrote, byte for byte
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul logs -f nightly
  longhaul logs --stderr --tail 20 job_01K5
  longhaul logs --stdout --from 4096 nightly > rest

Stdout of the job goes to stdout and stderr to stderr, each in order; without -f first the one, then \
the other. --tail and --from count in each stream by itself. With --json: one object of the job, the \
attempt and both texts, or with -f one such object for each piece; bytes that are no UTF-8 are \
replaced there.")]
pub(super) struct Logs {
    /// Which job
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on as the job writes, to its end
    #[arg(short, long)]
    follow: bool,
    /// Only its standard output
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Only its standard error
    #[arg(long)]
    stderr: bool,
    /// Begin at this byte
    #[arg(long, value_name = "BYTE", conflicts_with = "tail")]
    from: Option<u64>,
    /// Begin this many lines before the end
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// Of this attempt; the current one if not given, and all with -f
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
}

impl Logs {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let ask = self.ask(&client).await?;
        let mut printer = Printer::new(caller, self.follow);
        let mut pieces = client.output(ask);
        // Without -f the streams come in turn as they lie on disk, so order them for the reader.
        while let Some(piece) = pieces.next().await? {
            match piece {
                OutputPiece::Attempt(number) => printer.attempt = number,
                OutputPiece::Stdout(bytes) => printer.take(Stream::Out, &bytes)?,
                OutputPiece::Stderr(bytes) => printer.take(Stream::Err, &bytes)?,
                OutputPiece::End(job) => printer.end(&job)?,
            }
        }
        Ok(Leave::OK)
    }

    async fn ask(&self, client: &Client) -> Result<OutputAsk, CliError> {
        let from = self.from.unwrap_or(0);
        let mut ask = OutputAsk {
            job: self.job.clone(),
            follow: self.follow,
            attempt: self.attempt,
            stdout: (!self.stderr).then_some(from),
            stderr: (!self.stdout).then_some(from),
        };
        let Some(lines) = self.tail else { return Ok(ask) };
        let job = client.job(&self.job).await?;
        let attempt = self.attempt.unwrap_or(job.attempt);
        if attempt == 0 {
            return Ok(ask);
        }
        ask.attempt = Some(attempt);
        let (stdout_bytes, stderr_bytes) = sizes(&job, attempt);
        for (stream, size) in [(Stream::Out, stdout_bytes), (Stream::Err, stderr_bytes)] {
            let at = match stream {
                Stream::Out => &mut ask.stdout,
                Stream::Err => &mut ask.stderr,
            };
            if at.is_some() {
                *at = Some(tail_at(client, &job.id, attempt, stream, size, lines).await?);
            }
        }
        Ok(ask)
    }
}

fn sizes(job: &JobView, attempt: u32) -> (u64, u64) {
    let known = job.attempts.iter().flatten().find(|known| known.number == attempt);
    match known {
        Some(known) if attempt != job.attempt => (known.stdout_bytes, known.stderr_bytes),
        Some(_) | None => (job.stdout_bytes, job.stderr_bytes),
    }
}

/// Where the last `lines` lines of a stream of `size` bytes begin. Reads from the end backwards, a
/// window at a time, and keeps none: one line may be as long as the whole output.
async fn tail_at(
    client: &Client,
    job: &str,
    attempt: u32,
    stream: Stream,
    size: u64,
    lines: u64,
) -> Result<u64, CliError> {
    // The break after the last line ends it and begins none.
    let mut breaks = Breaks { left: lines, ends_at: size.saturating_sub(1) };
    let (mut to, mut window) = (size, TAIL_BYTES);
    while to > 0 && lines > 0 {
        let from = to.saturating_sub(window);
        let bytes = read(client, job, attempt, stream, from..to).await?;
        if let Some(begin) = breaks.find(&bytes, from) {
            return Ok(begin);
        }
        (to, window) = (from, TAIL_BYTES_MAX.min(window * 2));
    }
    Ok(to)
}

/// The bytes of a stream in this range; fewer if there are not so many.
async fn read(
    client: &Client,
    job: &str,
    attempt: u32,
    stream: Stream,
    range: Range<u64>,
) -> Result<Vec<u8>, CliError> {
    let (stdout, stderr) = match stream {
        Stream::Out => (Some(range.start), None),
        Stream::Err => (None, Some(range.start)),
    };
    let attempt = Some(attempt);
    let ask = OutputAsk { job: job.to_owned(), follow: false, attempt, stdout, stderr };
    let mut pieces = client.output(ask);
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut read = Vec::with_capacity(length);
    // What comes after the range is not waited for.
    while read.len() < length
        && let Some(piece) = pieces.next().await?
    {
        if let OutputPiece::Stdout(bytes) | OutputPiece::Stderr(bytes) = piece {
            read.extend(&bytes[..]);
        }
    }
    read.truncate(length);
    Ok(read)
}

/// Counts line breaks from the end of a stream.
struct Breaks {
    left: u64,
    /// Offset of the last byte of all.
    ends_at: u64,
}

impl Breaks {
    /// Where the wanted lines begin, if that is within `bytes`, which stand at `from`.
    fn find(&mut self, bytes: &[u8], from: u64) -> Option<u64> {
        let breaks = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        for at in breaks.map(|(index, _)| from + index as u64).filter(|at| *at != self.ends_at) {
            self.left -= 1;
            if self.left == 0 {
                return Some(at + 1);
            }
        }
        None
    }
}

/// Prints pieces as they come, or collects them for one JSON object.
struct Printer<'a> {
    caller: &'a Caller,
    is_following: bool,
    attempt: u32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Printer<'a> {
    const fn new(caller: &'a Caller, is_following: bool) -> Self {
        Self { caller, is_following, attempt: 0, stdout: Vec::new(), stderr: Vec::new() }
    }

    fn take(&mut self, stream: Stream, bytes: &Bytes) -> Result<(), CliError> {
        let output = self.caller.output;
        if !output.json {
            return output.bytes(stream, bytes);
        }
        let (kept, name) = match stream {
            Stream::Out => (&mut self.stdout, "stdout"),
            Stream::Err => (&mut self.stderr, "stderr"),
        };
        kept.extend(&bytes[..]);
        if !self.is_following {
            return Ok(());
        }
        // A character that is split between two pieces waits for its rest.
        let whole: Vec<u8> = kept.drain(..whole_characters(kept)).collect();
        if whole.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&whole);
        output.value(&json!({"attempt": self.attempt, "stream": name, "text": text}))
    }

    fn end(&self, job: &JobView) -> Result<(), CliError> {
        if !self.caller.output.json || self.is_following {
            return Ok(());
        }
        self.caller.output.value(&json!({
            "job": job.id,
            "attempt": self.attempt,
            "stdout": String::from_utf8_lossy(&self.stdout),
            "stderr": String::from_utf8_lossy(&self.stderr),
        }))
    }
}

/// How many of the bytes do not end within a character.
fn whole_characters(bytes: &[u8]) -> usize {
    let start = bytes.len().saturating_sub(3);
    let begun = bytes[start..].iter().rposition(|byte| *byte >= 0xc0).map(|index| start + index);
    match begun {
        Some(index)
            if std::str::from_utf8(&bytes[index..]).is_err_and(|e| e.error_len().is_none()) =>
        {
            index
        }
        Some(_) | None => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found_from_the_end_whatever_the_windows() {
        let find = |text: &[u8], left: u64, window: usize| {
            let mut breaks = Breaks { left, ends_at: (text.len() as u64).saturating_sub(1) };
            let mut to = text.len();
            while to > 0 {
                let from = to.saturating_sub(window);
                if let Some(begin) = breaks.find(&text[from..to], from as u64) {
                    return Some(begin);
                }
                to = from;
            }
            None
        };
        for window in 1..8 {
            assert_eq!(find(b"a\nb\nc\n", 1, window), Some(4));
            assert_eq!(find(b"a\nb\nc", 2, window), Some(2));
            assert_eq!(find(b"a\nb\n", 2, window), None);
            assert_eq!(find(b"a\n\n", 1, window), Some(2));
            assert_eq!(find(b"\n", 1, window), None);
            assert_eq!(find(b"", 3, window), None);
        }
    }

    #[test]
    fn a_split_character_waits_for_its_rest() {
        assert_eq!(whole_characters("aé".as_bytes()), 3);
        assert_eq!(whole_characters(&"aé".as_bytes()[..2]), 1);
        assert_eq!(whole_characters(&"a€".as_bytes()[..3]), 1);
        assert_eq!(whole_characters(b"a\xff\xfe"), 3);
    }
}
