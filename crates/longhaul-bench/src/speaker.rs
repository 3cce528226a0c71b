//! An agent CLI that only speaks: it writes a stream such as `claude -p --output-format stream-json`
//! does, as fast or as slowly as it is told, and ends well. A two-line script named `claude` runs it.

use crate::bench::Bench;
use crate::clock;
use crate::subject::Subject;
use anyhow::{Context, Result};
use rustix::fs::Mode;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The word that makes this binary such a CLI: `speak EVENTS EVERY_US BYTES LINGER_MS [ARGUMENT…]`.
pub(crate) const WORD: &str = "speak";
/// Stands before the moment in every event, in nanoseconds of the monotonic clock.
pub(crate) const STAMP: &str = "stamp=";
/// Bytes of an event's own text in an ordinary stream: a line then has some 360.
pub(crate) const TEXT_BYTES: usize = 100;

/// What one turn says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    /// Events that say or do something; two lines more begin and end the stream.
    pub(crate) events: u64,
    /// Microseconds between two; as fast as it can if zero.
    pub(crate) every_us: u64,
    /// Bytes of each event's own text.
    pub(crate) text_bytes: usize,
    /// How long it stays once all is said.
    pub(crate) linger_ms: u64,
}

impl Speech {
    /// So many events of ordinary size, as fast as possible.
    pub(crate) fn of(events: u64) -> Self {
        Self { events, every_us: 0, text_bytes: TEXT_BYTES, linger_ms: 0 }
    }

    /// Makes the CLI of an agent, and says in which folder it lies.
    pub(crate) fn install(self, bench: &Bench, name: &str) -> Result<PathBuf> {
        let folder = bench.fresh(name)?;
        let own = std::env::current_exe()?;
        let own = own.to_str().context("the benchmark's path is not UTF-8")?;
        let Self { events, every_us, text_bytes, linger_ms } = self;
        let words = format!("{events} {every_us} {text_bytes} {linger_ms}");
        let script = format!("#!/bin/sh\nexec '{own}' {WORD} {words} \"$@\"\n");
        let path = program(&folder);
        fs_err::write(&path, script)?;
        rustix::fs::chmod(&path, Mode::RWXU)?;
        Ok(folder)
    }
}

/// The CLI in its folder.
pub(crate) fn program(folder: &Path) -> PathBuf {
    folder.join("claude")
}

/// Adds an agent whose CLI lies in `folder`.
pub(crate) fn add_agent(subject: &Subject, agent: &str, folder: &Path) -> Result<()> {
    let folder = folder.to_str().context("the folder's path is not UTF-8")?;
    let path = format!("{folder}:/usr/bin:/bin");
    let spec = serde_json::json!({ "kind": "claude", "cwd": "/", "env": { "PATH": path } });
    subject.connect()?.put(&format!("/v1/agents/{agent}"), &spec).map(drop)
}

/// Speaks.
pub(crate) fn work(words: &[String]) -> Result<()> {
    let [events, every_us, text_bytes, linger_ms, rest @ ..] = words else {
        anyhow::bail!("usage: {WORD} EVENTS EVERY_US BYTES LINGER_MS [ARGUMENT…]")
    };
    let (events, every_us): (u64, u64) = (events.parse()?, every_us.parse()?);
    let text_bytes: usize = text_bytes.parse()?;
    // A prompt may come this way, and whoever sends it waits until it is taken.
    std::io::stdin().read_to_end(&mut vec![])?;
    let session = session(rest);
    // Rust's stdout is buffered by lines; the descriptor itself is what CLIs write to.
    let mut out = std::fs::File::from(rustix::io::dup(std::io::stdout())?);
    let begin = format!(
        "{{\"type\":\"system\",\"subtype\":\"init\",\"cwd\":\"/\",\"session_id\":\"{session}\",\
         \"tools\":[\"Bash\",\"Read\"],\"mcp_servers\":[],\"model\":\"claude-bench\",\
         \"permissionMode\":\"default\",\"apiKeySource\":\"none\"}}\n"
    );
    out.write_all(begin.as_bytes())?;
    let pad = "the quick brown fox jumps over the lazy dog ".repeat(text_bytes / 44 + 1);
    let started_ns = clock::monotonic_ns();
    for number in 0..events {
        if every_us > 0 {
            let due_ns = started_ns + number * every_us * 1_000;
            let early_ns = due_ns.saturating_sub(clock::monotonic_ns());
            clock::rest(Duration::from_nanos(early_ns));
        }
        let stamp = format!("{STAMP}{} of {number} ", clock::monotonic_ns());
        let text = &pad[..text_bytes.saturating_sub(stamp.len())];
        out.write_all(line(number, &session, &stamp, text).as_bytes())?;
    }
    clock::rest(Duration::from_millis(linger_ms.parse()?));
    let end = format!(
        "{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"duration_ms\":1,\
         \"num_turns\":{events},\"result\":\"Done.\",\"session_id\":\"{session}\",\
         \"total_cost_usd\":0.01,\"usage\":{{\"input_tokens\":10,\"output_tokens\":20}}}}\n"
    );
    out.write_all(end.as_bytes())?;
    Ok(())
}

/// What it was told to go on with; a conversation of its own otherwise.
fn session(arguments: &[String]) -> String {
    let named = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    let own = || format!("00000000-0000-4000-8000-{:012}", std::process::id());
    named("--resume").or_else(|| named("--session-id")).unwrap_or_else(own)
}

/// Text, a call, its result and another call, again and again.
fn line(number: u64, session: &str, stamp: &str, text: &str) -> String {
    let tail = format!(
        "\"parent_tool_use_id\":null,\"session_id\":\"{session}\",\
         \"uuid\":\"00000000-0000-4000-8000-{number:012}\"}}\n"
    );
    let said = |content: &str| {
        format!(
            "{{\"type\":\"assistant\",\"message\":{{\"id\":\"msg_{number:08}\",\"type\":\"message\",\
             \"role\":\"assistant\",\"model\":\"claude-bench\",\"content\":[{content}],\
             \"stop_reason\":null}},{tail}"
        )
    };
    match number % 4 {
        0 => said(&format!("{{\"type\":\"text\",\"text\":\"{stamp}{text}\"}}")),
        1 | 3 => {
            let tool = if number % 4 == 1 { "Read" } else { "Bash" };
            said(&format!(
                "{{\"type\":\"tool_use\",\"id\":\"toolu_{number:08}\",\"name\":\"{tool}\",\
                 \"input\":{{\"argument\":\"{stamp}{text}\"}}}}"
            ))
        }
        _ => format!(
            "{{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":[{{\
             \"tool_use_id\":\"toolu_{:08}\",\"type\":\"tool_result\",\"content\":\
             \"{stamp}{text}\"}}]}},{tail}",
            number - 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_json_of_the_size_of_an_ordinary_stream() {
        let pad = "x".repeat(TEXT_BYTES - 30);
        let mut bytes = 0;
        for number in 0..8 {
            let line = line(number, "s", "stamp=12345678901234 of 7 ", &pad);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(value["message"]["content"][0]["type"].is_string(), "{line}");
            bytes += line.len();
        }
        assert!((250..450).contains(&(bytes / 8)), "{} bytes a line", bytes / 8);
    }

    #[test]
    fn it_goes_on_with_the_conversation_that_it_is_told() {
        let words = ["-p", "x", "--resume", "abc"].map(str::to_owned);
        assert_eq!(session(&words), "abc");
        assert!(session(&[]).starts_with("00000000-"));
    }
}
