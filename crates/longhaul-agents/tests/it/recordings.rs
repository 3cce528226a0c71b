//! A snapshot for every recording: all events, then the verdict. `UPDATE_EXPECT=1` writes them.

use crate::runs::{self, Run};
use expect_test::expect_file;
use longhaul_agents::{Ending, Memory, resume_command};
use std::fmt::Write;
use std::path::Path;

#[test]
fn every_recording_says_what_its_snapshot_says() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for run in runs::all() {
        let path = snapshots.join(&run.kind).join(format!("{}.txt", run.name));
        expect_file![path].assert_eq(&told(&run));
    }
}

#[test]
fn every_line_of_every_recording_is_counted() {
    for run in runs::all() {
        let lines = |bytes: &[u8]| {
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
        };
        let counts = run.read().memory.counts();
        let seen = counts.understood + counts.raw + counts.quiet;
        assert_eq!(seen, counts.lines, "{}/{}", run.kind, run.name);
        let least = lines(&run.stdout) + lines(&run.stderr);
        assert!(counts.lines >= least as u64, "{}/{}", run.kind, run.name);
    }
}

#[test]
fn nothing_of_an_undamaged_recording_is_left_raw() {
    for run in runs::all().iter().filter(|run| !run.name.starts_with("malformed")) {
        assert_eq!(run.read().memory.counts().raw, 0, "{}/{}", run.kind, run.name);
    }
}

#[test]
fn memory_comes_back_as_it_was_stored() {
    for run in runs::all() {
        let memory = run.read().memory;
        assert_eq!(Memory::from_json(&memory.to_json()).unwrap(), memory);
    }
}

fn told(run: &Run) -> String {
    let read = run.read();
    let mut text = String::new();
    for event in &read.events {
        writeln!(text, "{}", serde_json::to_string(event).unwrap()).unwrap();
    }
    let verdict = run.adapter().verdict(&read.memory, run.end);
    writeln!(text, "\n{:?}", run.end.exit).unwrap();
    match &verdict.ending {
        Ending::Failed(failure) => {
            writeln!(text, "Failed {}", serde_json::to_string(failure).unwrap())
        }
        other => writeln!(text, "{other:?}"),
    }
    .unwrap();
    writeln!(text, "said: {:?}", verdict.said).unwrap();
    let whole = if verdict.is_used_whole { "all" } else { "at least" };
    writeln!(text, "used: {whole} {}", serde_json::to_string(&verdict.used).unwrap()).unwrap();
    if let Some(carry) = &verdict.carry {
        writeln!(text, "carry: {}", serde_json::to_string(carry).unwrap()).unwrap();
    }
    if let Some(id) = &verdict.conversation {
        let command = resume_command(run.adapter(), "/home/dev/repo", id);
        writeln!(text, "by hand: {}", command.as_deref().unwrap_or("cannot")).unwrap();
    }
    let counts = read.memory.counts();
    writeln!(text, "denied: {}, mismatch: {}", verdict.denied, verdict.is_mismatch).unwrap();
    writeln!(text, "lines: {}", serde_json::to_string(&counts).unwrap()).unwrap();
    text
}
