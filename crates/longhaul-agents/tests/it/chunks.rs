//! However the bytes come, the events are the same; and whatever they are, there are events.

use crate::runs::{self, Read, Run};
use longhaul_agents::{Event, Intake, KINDS, Memory, Stream, Turn};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static RUNS: LazyLock<Vec<Run>> = LazyLock::new(runs::all);

/// Reads a stream in chunks of the given sizes, over and over, and starts anew from what would be
/// stored after every `anew`th of them.
fn in_chunks(run: &Run, bytes: &[u8], sizes: &[usize], anew: usize) -> Read {
    let mut intake = Intake::begin(run.adapter(), &run.turn());
    let mut events = vec![];
    let (mut taken, mut there) = (0, 0);
    for round in 0.. {
        if there == bytes.len() {
            break;
        }
        there = bytes.len().min(there + sizes[round % sizes.len()]);
        loop {
            let more = intake.take(Stream::Stdout, &bytes[taken..there]);
            taken += more.bytes;
            events.extend(more.events);
            if !more.is_full {
                break;
            }
        }
        if round % anew == 0 {
            let stored = intake.memory().to_json();
            intake = Intake::resume(run.adapter(), Memory::from_json(&stored).unwrap());
        }
    }
    events.extend(intake.close(Stream::Stdout, &bytes[taken..]));
    Read { events, memory: intake.memory().clone() }
}

fn whole(run: &Run, bytes: &[u8]) -> Read {
    in_chunks(run, bytes, &[bytes.len().max(1)], usize::MAX)
}

fn same(one: &Read, other: &Read) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.events, &other.events);
    prop_assert_eq!(&one.memory, &other.memory);
    Ok(())
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!(1e300)),
        Just(json!(0.000_000_001)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[{ "type": "text", "text": 1 }]]])),
        Just(json!("")),
        Just(json!("\u{1}".repeat(5_000))),
        Just(json!("é".repeat(70_000))),
        ".{0,40}".prop_map(Value::String),
    ]
}

/// How many values there are, the one itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Puts a value in the given place, counted as `count` counts.
fn put(value: &mut Value, place: &mut usize, new: &Value) -> bool {
    if *place == 0 {
        *value = new.clone();
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| put(item, place, new)),
        Value::Object(fields) => fields.values_mut().any(|field| put(field, place, new)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_split_of_any_recording_says_the_same(
        at in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1_usize..3_000, 1..12),
        anew in 1_usize..5,
    ) {
        let run = &RUNS[at.index(RUNS.len())];
        same(&in_chunks(run, &run.stdout, &sizes, anew), &whole(run, &run.stdout))?;
    }

    #[test]
    fn any_split_of_any_bytes_says_the_same(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), Just(b'"'), any::<u8>()], 0..600),
        sizes in prop::collection::vec(1_usize..40, 1..6),
        anew in 1_usize..4,
    ) {
        let kind = KINDS[at.index(KINDS.len())].kind();
        let run = Run { kind: kind.to_owned(), stdout: bytes, ..runs::one("codex", "text") };
        let read = whole(&run, &run.stdout);
        same(&in_chunks(&run, &run.stdout, &sizes, anew), &read)?;
        let counts = read.memory.counts();
        prop_assert_eq!(counts.understood + counts.raw + counts.quiet, counts.lines);
    }

    /// Fields exchanged, doubled and dropped: every shape that the adapters' own words can take.
    #[test]
    fn any_mix_of_pieces_of_recordings_is_read(
        at in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let run = &RUNS[at.index(RUNS.len())];
        let mut bytes = run.stdout.clone();
        for (from, to, byte) in cuts {
            if bytes.is_empty() { break; }
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            match byte % 4 {
                0 => bytes[from] = byte,
                1 => bytes.swap(from, to),
                2 => bytes.truncate(from.max(to)),
                _ => { let piece = bytes[from.min(to)..from.max(to)].to_vec(); bytes.splice(from..from, piece); }
            }
        }
        let read = whole(run, &bytes);
        prop_assert!(read.memory.to_json().len() <= longhaul_agents::limits::MEMORY_BYTES_MAX);
        run.adapter().verdict(&read.memory, run.end);
    }

    /// Every field of every kind of line, with a value that nobody expects there.
    #[test]
    fn any_value_in_any_place_is_read(
        at in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), strange()), 1..6),
    ) {
        let run = &RUNS[at.index(RUNS.len())];
        let text = String::from_utf8_lossy(&run.stdout);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, place, value) in changes {
            if lines.is_empty() { break; }
            let line = line.index(lines.len());
            let Ok(mut json) = serde_json::from_str::<Value>(&lines[line]) else { continue };
            let places = count(&json);
            let mut place = place.index(places);
            put(&mut json, &mut place, &value);
            lines[line] = json.to_string();
        }
        let bytes = lines.join("\n").into_bytes();
        let read = whole(run, &bytes);
        prop_assert!(read.memory.to_json().len() <= longhaul_agents::limits::MEMORY_BYTES_MAX);
        for event in &read.events {
            let stored = serde_json::to_string(event).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Event>(&stored).unwrap(), event);
        }
        run.adapter().verdict(&read.memory, run.end);
    }

    #[test]
    fn the_order_of_the_streams_changes_neither(
        at in any::<prop::sample::Index>(),
        steps in prop::collection::vec((any::<bool>(), 1_usize..400), 1..60),
    ) {
        let run = &RUNS[at.index(RUNS.len())];
        let mut intake = Intake::begin(run.adapter(), &run.turn());
        let mut events = [vec![], vec![]];
        let mut at = [0, 0];
        let streams = [(Stream::Stdout, &run.stdout), (Stream::Stderr, &run.stderr)];
        for (second, size) in steps {
            let index = usize::from(second);
            let (stream, bytes) = streams[index];
            let taken = intake.take(stream, &bytes[at[index]..bytes.len().min(at[index] + size)]);
            at[index] += taken.bytes;
            events[index].extend(taken.events);
        }
        for (index, (stream, bytes)) in streams.into_iter().enumerate().rev() {
            while at[index] < bytes.len() {
                let taken = intake.take(stream, &bytes[at[index]..]);
                if taken.bytes == 0 { break; }
                at[index] += taken.bytes;
                events[index].extend(taken.events);
            }
            events[index].extend(intake.close(stream, &bytes[at[index]..]));
        }
        let read = run.read();
        let [stdout, stderr] = events;
        let together: Vec<Event> = stdout.into_iter().chain(stderr).collect();
        prop_assert_eq!(together, read.events);
        prop_assert_eq!(intake.memory(), &read.memory);
    }
}

#[test]
fn no_bytes_are_no_events() {
    for kind in KINDS {
        let read = runs::read(*kind, &Turn::default(), b"", b"");
        assert_eq!(read.events, []);
    }
}
