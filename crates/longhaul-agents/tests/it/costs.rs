//! Tokens and money of a turn, though some CLIs count the conversation.

use crate::runs::{self, read};
use longhaul_agents::{Carry, Conversation, Event, NanoUsd, Turn, Usage};

/// The metrics of a run must add up to what the verdict says was used.
fn summed(events: &[Event]) -> Usage {
    let mut sum = Usage::default();
    for event in events {
        let Event::Metric { name, value, .. } = event else { continue };
        let count = value.as_u64().unwrap_or(0);
        match name.as_str() {
            "tokens.input" => sum.input += count,
            "tokens.output" => sum.output += count,
            "tokens.cache_read" => sum.cache_read += count,
            "tokens.cache_write" => sum.cache_write += count,
            "tokens.reasoning" => sum.reasoning += count,
            _ => {
                let cost = NanoUsd::from_dollars(value.as_f64().unwrap()).unwrap();
                sum.cost = Some(NanoUsd(sum.cost.unwrap_or_default().0 + cost.0));
            }
        }
    }
    sum
}

#[test]
fn the_metrics_of_every_recording_add_up_to_its_verdict() {
    for run in runs::all() {
        let read = run.read();
        let used = run.adapter().verdict(&read.memory, run.end).used;
        let sum = summed(&read.events);
        let cost = |usage: &Usage| usage.cost.unwrap_or_default();
        assert_eq!(
            Usage { cost: None, ..sum },
            Usage { cost: None, ..used },
            "{}/{}",
            run.kind,
            run.name
        );
        assert_eq!(cost(&sum), cost(&used), "{}/{}", run.kind, run.name);
    }
}

/// The thread of the recordings had 2,600 − 1,300 tokens before its second turn.
#[test]
fn a_thread_counted_as_a_whole_is_taken_apart_through_resume_and_fork() {
    let carry = |input, cache_read, output| {
        Some(Carry { total: Usage { input, cache_read, output, ..Usage::default() } })
    };
    for (name, before, input, output) in [
        ("resume-2", carry(1_100, 200, 50), 2_200, 100),
        ("fork", carry(3_300, 600, 150), 1_100, 50),
    ] {
        let run = runs::one("codex", name);
        let turn = Turn { carry: before, ..run.turn() };
        let read = read(run.adapter(), &turn, &run.stdout, &run.stderr);
        let verdict = run.adapter().verdict(&read.memory, run.end);
        assert_eq!((verdict.used.input, verdict.used.output), (input, output), "{name}");
        assert!(verdict.is_used_whole, "{name}");
    }
}

#[test]
fn a_thread_that_began_elsewhere_is_not_charged_to_its_next_turn() {
    let run = runs::one("codex", "resume-2");
    let read = run.read();
    let verdict = run.adapter().verdict(&read.memory, run.end);
    assert!(verdict.used.is_nothing() && !verdict.is_used_whole);
    assert_eq!(verdict.carry.unwrap().total.output, 150);
}

#[test]
fn a_fork_costs_what_it_adds_and_not_what_its_origin_cost() {
    let run = runs::one("claude", "resume-fork");
    assert!(matches!(run.conversation, Conversation::Fork(_)));
    let read = run.read();
    let verdict = run.adapter().verdict(&read.memory, run.end);
    assert_eq!(verdict.used.cost, Some(NanoUsd(5_540_000)));
    assert!(verdict.carry.unwrap().total.cost.unwrap() > NanoUsd(5_540_000));
}

/// Older versions tell the whole conversation's cost only.
#[test]
fn a_cost_of_the_whole_conversation_is_taken_apart() {
    let line = br#"{"type":"result","subtype":"success","is_error":false,"result":"ok","session_id":"s","num_turns":1,"total_cost_usd":0.5,"usage":{"input_tokens":10,"output_tokens":1}}"#;
    let claude = longhaul_agents::adapter("claude").unwrap();
    let resumed =
        |carry| Turn { conversation: Conversation::Resume("s".into()), carry, ..Turn::default() };
    let cost = |turn: &Turn| {
        let memory = read(claude, turn, line, b"").memory;
        let verdict = claude.verdict(&memory, longhaul_agents::End::code(0));
        (verdict.used.cost, verdict.is_used_whole)
    };
    let before = Usage { cost: NanoUsd::from_dollars(0.2), ..Usage::default() };
    assert_eq!(cost(&resumed(Some(Carry { total: before }))), (NanoUsd::from_dollars(0.3), true));
    assert_eq!(cost(&resumed(None)), (None, false));
    assert_eq!(cost(&Turn::default()), (NanoUsd::from_dollars(0.5), true));
}

#[test]
fn a_turn_that_was_killed_is_known_to_have_used_something() {
    let run = runs::one("claude", "kill-TERM-tool");
    let read = run.read();
    let verdict = run.adapter().verdict(&read.memory, run.end);
    assert_eq!(verdict.used.input, 1_000);
    assert!(!verdict.is_used_whole);
}
