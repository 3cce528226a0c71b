//! What is too long, too much or too deep is bounded and counted.

use crate::runs::read;
use longhaul_agents::limits::{LINE_BYTES_MAX, MEMORY_BYTES_MAX, TEXT_BYTES_MAX};
use longhaul_agents::{Event, Intake, KINDS, Stream, Turn, Unread, adapter};
use serde_json::json;

#[test]
fn a_line_without_an_end_is_taken_in_pieces_and_counted_to_the_byte() {
    for extra in [1, 50, 1_234] {
        for chunk in [usize::MAX, LINE_BYTES_MAX + 1, LINE_BYTES_MAX + 20, 1_000_003] {
            too_long(extra, chunk);
        }
    }
}

/// A line that is so much too long, in chunks of so many bytes.
fn too_long(extra: usize, chunk: usize) {
    let mut bytes = vec![b'x'; LINE_BYTES_MAX + extra];
    bytes.extend_from_slice(b"\n{\"type\":\"stream_event\"}\n");
    let mut intake = Intake::begin(adapter("claude").unwrap(), &Turn::default());
    let (mut taken, mut there) = (0, 0);
    let mut events = vec![];
    while there < bytes.len() {
        there = bytes.len().min(there.saturating_add(chunk));
        let more = intake.take(Stream::Stdout, &bytes[taken..there]);
        taken += more.bytes;
        events.extend(more.events);
    }
    let sizes: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Raw { why, bytes, .. } => (*why, *bytes),
            other => panic!("{other:?}"),
        })
        .collect();
    let most = LINE_BYTES_MAX as u64;
    assert_eq!(sizes, [(Unread::TooLong, most), (Unread::TooLongRest, extra as u64)]);
    assert_eq!(intake.memory().counts().too_long, 1);
    assert_eq!(intake.memory().counts().quiet, 1);
}

#[test]
fn a_line_of_exactly_the_limit_is_a_line() {
    let plain = adapter("plain").unwrap();
    let mut bytes = vec![b'x'; LINE_BYTES_MAX];
    bytes.push(b'\n');
    let read = read(plain, &Turn::default(), &bytes, b"");
    let [Event::Log { message, .. }] = read.events.as_slice() else { panic!("{:?}", read.events) };
    assert!(message.len() < TEXT_BYTES_MAX + 64, "{}", message.len());
    assert!(message.ends_with(&format!("({} bytes cut)", LINE_BYTES_MAX - TEXT_BYTES_MAX)));
}

#[test]
fn a_memory_filled_to_the_brim_still_fits() {
    // Control characters take six bytes each as JSON, and numbers twenty digits.
    let long = "\u{1}".repeat(2_000);
    let most = u64::MAX;
    let mut lines = vec![];
    let usage = json!({ "input_tokens": most, "output_tokens": most, "cache_read_input_tokens": most,
        "cache_creation_input_tokens": most, "output_tokens_details": { "thinking_tokens": most } });
    let models = json!({ "m": { "inputTokens": most, "outputTokens": most, "cacheReadInputTokens": most,
        "cacheCreationInputTokens": most, "thinkingTokens": most, "costUSD": 8e9 } });
    lines.push(json!({ "type": "system", "subtype": "init", "session_id": "s".repeat(96), "model": long, "claude_code_version": long }));
    lines.push(json!({ "type": "result", "is_error": false, "result": long, "usage": usage, "total_cost_usd": 8e9,
        "modelUsage": models, "model_usage_since_last_result": models,
        "deferred_tool_use": { "id": long, "name": long } }));
    lines.push(json!({ "type": "rate_limit_event", "rate_limit_info": { "status": "rejected", "rateLimitType": long, "resetsAt": 9_999_999_999_u64 } }));
    for call in 0..20 {
        lines.push(json!({ "type": "assistant", "message": { "id": format!("{long}{call}"), "usage": usage,
            "content": [{ "type": "text", "text": long }, { "type": "tool_use", "id": format!("{call}"), "name": "notebookedit", "input": { "path": "p".repeat(100) } }] } }));
    }
    lines.push(json!({ "type": "assistant", "error": "rate_limit", "api_error_status": 429, "message": {
        "content": [{ "type": "text", "text": format!("hit your limit, resets Feb 3 at 10:59pm ({}) {long}", "z".repeat(40)) }] } }));
    let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let stderr =
        format!("error 429 usage limit, resets Feb 3 at 10:59pm ({}) {long}\n", "z".repeat(40));
    let turn = Turn {
        conversation: longhaul_agents::Conversation::Resume("r".repeat(96)),
        carry: Some(longhaul_agents::Carry {
            total: longhaul_agents::Usage {
                input: most,
                output: most,
                cache_read: most,
                cache_write: most,
                reasoning: most,
                cost: Some(longhaul_agents::NanoUsd(most)),
            },
        }),
        ..Turn::default()
    };
    for kind in KINDS {
        let bytes = read(*kind, &turn, stdout.as_bytes(), stderr.as_bytes()).memory.to_json().len();
        assert!(bytes <= MEMORY_BYTES_MAX, "{}: {bytes}", kind.kind());
        if kind.kind() == "claude" {
            // Otherwise this test would have stopped testing what it says.
            assert!(bytes > MEMORY_BYTES_MAX / 2, "{bytes}");
        }
    }
}

#[test]
fn lines_that_are_no_objects_and_strange_shapes_are_kept_raw() {
    let odd = [
        "null",
        "true",
        "42",
        "\"x\"",
        "[]",
        "{}",
        "{\"type\":null}",
        "{\"type\":\"new\"}",
        "noise",
        "{\"type\":\"assistant\"}",
        "{\"type\":\"item.completed\"}",
        "{\"type\":\"message_end\"}",
        "{\"kind\":\"log\"}",
    ];
    for kind in KINDS.iter().filter(|kind| kind.kind() != "plain") {
        for line in odd {
            let read = read(*kind, &Turn::default(), format!("{line}\n").as_bytes(), b"");
            let [Event::Raw { text, bytes, .. }] = read.events.as_slice() else {
                panic!("{} {line}: {:?}", kind.kind(), read.events);
            };
            assert_eq!((text.as_str(), *bytes), (line, line.len() as u64));
        }
    }
}

#[test]
fn message_content_may_be_a_string_or_missing() {
    let claude = adapter("claude").unwrap();
    let lines = "{\"type\":\"assistant\",\"message\":{\"content\":\"hello\"}}\n{\"type\":\"assistant\",\"message\":{}}\n";
    let read = read(claude, &Turn::default(), lines.as_bytes(), b"");
    assert_eq!(read.events.len(), 1);
    assert!(matches!(&read.events[0], Event::Log { message, .. } if message == "hello"));
}

#[test]
fn text_in_pieces_is_joined_and_parted_after_words() {
    let text = "a word and another, ".repeat(60);
    let mut lines = String::new();
    for piece in text.as_bytes().chunks(7) {
        let piece = std::str::from_utf8(piece).unwrap();
        let line =
            json!({ "type": "message", "role": "assistant", "content": piece, "delta": true });
        lines.push_str(&format!("{line}\n"));
    }
    let read = read(adapter("gemini").unwrap(), &Turn::default(), lines.as_bytes(), b"");
    let said: Vec<&str> = read
        .events
        .iter()
        .map(|event| match event {
            Event::Log { message, .. } => message.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said.concat(), text);
    assert!(said.len() < 6, "{}", said.len());
    assert!(said.iter().all(|part| part.ends_with(' ')), "{said:?}");
}

#[test]
fn a_call_that_is_told_twice_is_one_call_in_flight() {
    let call = r#"{"kind":"tool_call","tool":"shell","call_id":"1"}"#;
    let done = r#"{"kind":"tool_result","call_id":"1"}"#;
    let ndjson = adapter("ndjson").unwrap();
    let in_tool =
        |lines: &str| read(ndjson, &Turn::default(), lines.as_bytes(), b"").memory.is_in_tool();
    assert!(in_tool(&format!("{call}\n{call}\n")));
    assert!(!in_tool(&format!("{call}\n{call}\n{done}\n")));
}
