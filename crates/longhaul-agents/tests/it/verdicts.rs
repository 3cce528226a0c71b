//! How turns end: an exit code alone proves neither success nor failure.

use crate::runs::{self, read};
use longhaul_agents::{
    Class, Conversation, End, Ending, Exit, KINDS, Remedy, Reset, Turn, adapter,
};

fn ending(kind: &str, name: &str) -> Ending {
    let run = runs::one(kind, name);
    run.adapter().verdict(&run.read().memory, run.end).ending
}

fn class(kind: &str, name: &str) -> Class {
    match ending(kind, name) {
        Ending::Failed(failure) => failure.class,
        other => panic!("{kind}/{name}: {other:?}"),
    }
}

const DONE: Ending = Ending::Succeeded { despite: None };

#[test]
fn what_went_well_went_well() {
    for (kind, name) in [
        ("claude", "text"),
        ("claude", "resume-fork"),
        ("claude", "hook-deny"),
        ("claude", "cut"),
        ("codex", "shell"),
        ("codex", "write-default"),
        ("gemini", "shell-fail"),
        ("gemini", "unknown-tool"),
        ("opencode", "text"),
        ("opencode", "perm-two-writes"),
        ("pi", "shell"),
        ("omp", "resume-2"),
        ("qwen", "cut"),
        ("acp", "gemini-write-allow"),
    ] {
        assert_eq!(ending(kind, name), DONE, "{kind}/{name}");
    }
}

#[test]
fn an_exit_of_zero_is_no_success() {
    for (kind, name, expected) in [
        ("claude", "kill-INT-tool", Class::Interrupted),
        ("claude", "kill-INT-midstream", Class::Interrupted),
        ("claude", "malformed-noresult", Class::NoResult),
        ("gemini", "stream-error", Class::Network),
        ("gemini", "kill-TERM-pgrp-midstream", Class::NoResult),
        ("opencode", "perm-ask", Class::Denied),
        ("opencode", "maxtok", Class::OutputFull),
        ("pi", "e400", Class::BadRequest),
        ("pi", "e401", Class::Auth),
        ("pi", "e429", Class::RateLimited),
        ("pi", "e500", Class::Overloaded),
        ("pi", "cut", Class::Network),
    ] {
        let run = runs::one(kind, name);
        assert_eq!(run.end.exit, Exit::Code(0), "{kind}/{name}");
        assert_eq!(class(kind, name), expected, "{kind}/{name}");
    }
}

#[test]
fn failures_have_their_class() {
    for (kind, name, expected) in [
        ("claude", "e400", Class::BadRequest),
        ("claude", "e500", Class::Overloaded),
        ("claude", "e401", Class::Auth),
        ("claude", "nokey", Class::Auth),
        ("claude", "max-turns", Class::MaxTurns),
        ("claude", "max-budget", Class::Budget),
        ("claude", "resume-unknown", Class::ResumeRefused),
        ("claude", "bypass-hook-deny", Class::Misused),
        ("claude", "kill-KILL-tool", Class::Killed),
        ("claude", "kill-TERM-tool", Class::Interrupted),
        ("codex", "e401", Class::Auth),
        ("codex", "e429", Class::RateLimited),
        ("codex", "e500", Class::Overloaded),
        ("codex", "maxtok", Class::OutputFull),
        ("codex", "nokey", Class::Auth),
        ("codex", "resume-unknown", Class::ResumeRefused),
        ("codex", "kill-TERM-tool", Class::Killed),
        ("gemini", "e401", Class::Auth),
        ("gemini", "e429", Class::RateLimited),
        ("gemini", "e500", Class::Overloaded),
        ("gemini", "max-turns", Class::MaxTurns),
        ("gemini", "resume-1-again", Class::ConversationBusy),
        ("opencode", "e401", Class::Auth),
        ("omp", "e400", Class::BadRequest),
        ("qwen", "e401", Class::Auth),
        ("qwen", "max-turns", Class::MaxTurns),
        ("qwen", "resume-unknown", Class::ResumeRefused),
        ("acp", "gemini-e400", Class::BadRequest),
        ("acp", "codex-e400", Class::BadRequest),
        ("pi", "garbage", Class::Network),
    ] {
        assert_eq!(class(kind, name), expected, "{kind}/{name}");
    }
}

#[test]
fn a_call_that_was_put_off_names_itself() {
    let Ending::Deferred { call_id, tool } = ending("claude", "hook-defer") else { panic!() };
    assert_eq!((call_id.as_str(), tool.as_str()), ("toolu_dd390d7daa7b418d80ca", "Bash"));
    assert_eq!(ending("claude", "hook-defer-resume"), DONE);
}

#[test]
fn a_process_that_stays_on_or_ends_badly_keeps_its_verdict() {
    let run = runs::one("claude", "text");
    let memory = run.read().memory;
    assert!(memory.is_over());
    let judged = |end: End| run.adapter().verdict(&memory, end).ending;
    let killed = End { exit: Exit::Signal(9), cancelled: false, lingered: true };
    assert_eq!(judged(killed), DONE);
    assert_eq!(judged(End { lingered: false, cancelled: true, ..killed }), DONE);
    assert_eq!(judged(End::code(1)), Ending::Succeeded { despite: Some(Exit::Code(1)) });
}

#[test]
fn cancelling_is_no_failure() {
    for (kind, name) in
        [("claude", "kill-INT-tool"), ("claude", "kill-TERM-tool"), ("codex", "kill-TERM-tool")]
    {
        let run = runs::one(kind, name);
        let end = End { cancelled: true, ..run.end };
        let verdict = run.adapter().verdict(&run.read().memory, end);
        assert_eq!(verdict.ending, Ending::Cancelled, "{kind}/{name}");
        assert!(verdict.conversation.is_some(), "{kind}/{name} can be resumed");
    }
}

#[test]
fn a_cli_that_cannot_be_run_is_known_as_such() {
    for kind in KINDS {
        let memory = read(*kind, &Turn::default(), b"", b"sh: 1: claude: not found\n").memory;
        for exit in [Exit::Code(127), Exit::Code(126), Exit::NeverStarted] {
            let end = End { exit, cancelled: false, lingered: false };
            let Ending::Failed(failure) = kind.verdict(&memory, end).ending else { panic!() };
            assert_eq!((failure.class, failure.class.remedy()), (Class::NotRunnable, Remedy::Ask));
        }
    }
}

#[test]
fn silence_and_an_exit_are_no_result_whatever_the_code() {
    for kind in KINDS.iter().filter(|kind| kind.kind() != "plain") {
        let memory = read(*kind, &Turn::default(), b"", b"").memory;
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Unseen] {
            let end = End { exit, cancelled: false, lingered: false };
            let Ending::Failed(failure) = kind.verdict(&memory, end).ending else { panic!() };
            assert_eq!(failure.class, Class::NoResult, "{} {exit:?}", kind.kind());
        }
    }
}

#[test]
fn a_resume_that_ends_before_it_began_was_refused_unless_something_else_is_said() {
    let turn = Turn { conversation: Conversation::Resume("c-1".into()), ..Turn::default() };
    for kind in KINDS.iter().filter(|kind| !matches!(kind.kind(), "plain")) {
        let class = |stderr: &[u8]| {
            let memory = read(*kind, &turn, b"", stderr).memory;
            match kind.verdict(&memory, End::code(1)).ending {
                Ending::Failed(failure) => failure.class,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(class(b"no such thing\n"), Class::ResumeRefused, "{}", kind.kind());
        assert_eq!(class(b"Error: invalid api key\n"), Class::Auth, "{}", kind.kind());
    }
}

#[test]
fn another_conversation_than_the_one_to_be_resumed_is_noticed() {
    let run = runs::one("claude", "resume-after-kill");
    assert!(!run.adapter().verdict(&run.read().memory, run.end).is_mismatch);
    let turn = Turn { conversation: Conversation::Resume("another".into()), ..Turn::default() };
    let memory = read(run.adapter(), &turn, &run.stdout, b"").memory;
    let verdict = run.adapter().verdict(&memory, run.end);
    assert!(verdict.is_mismatch);
    assert_ne!(verdict.conversation.as_deref(), Some("another"));
}

#[test]
fn a_usage_limit_parks_until_it_ends() {
    let limits: &[(&str, &str, Option<Reset>)] = &[
        (
            "claude",
            concat!(
                r#"{"type":"system","subtype":"init","session_id":"s"}"#,
                "\n",
                r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1778565600,"rateLimitType":"five_hour"}}"#,
                "\n",
                r#"{"type":"result","subtype":"success","is_error":true,"num_turns":1,"api_error_status":429,"result":"You've hit your limit · resets 2pm (Asia/Shanghai)"}"#,
                "\n",
            ),
            Some(Reset::AtMs(1_778_565_600_000)),
        ),
        (
            "claude",
            "{\"type\":\"result\",\"is_error\":true,\"num_turns\":1,\"result\":\"Claude AI usage limit reached|1754870400\"}\n",
            Some(Reset::AtMs(1_754_870_400_000)),
        ),
        (
            "codex",
            "{\"type\":\"turn.failed\",\"error\":{\"message\":\"You've hit your usage limit. Upgrade to Pro or try again in 2 hours 5 minutes.\"}}\n",
            Some(Reset::AfterMs(7_500_000)),
        ),
    ];
    for (kind, lines, reset) in limits {
        let adapter = adapter(kind).unwrap();
        let memory = read(adapter, &Turn::default(), lines.as_bytes(), b"").memory;
        let Ending::Failed(failure) = adapter.verdict(&memory, End::code(1)).ending else {
            panic!()
        };
        assert_eq!((failure.class, failure.class.remedy()), (Class::UsageLimited, Remedy::Park));
        assert_eq!(&failure.reset, reset);
    }
}

/// Requests that were served near a limit are no failure.
#[test]
fn a_warning_of_a_limit_fails_nothing() {
    let run = runs::one("claude", "text");
    let mut stdout = br#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed_warning","resetsAt":1778565600,"rateLimitType":"seven_day"}}
"#.to_vec();
    stdout.extend_from_slice(&run.stdout);
    let memory = read(run.adapter(), &Turn::default(), &stdout, b"").memory;
    assert_eq!(run.adapter().verdict(&memory, run.end).ending, DONE);
}

#[test]
fn of_two_results_the_last_counts_and_both_are_told() {
    let lines = concat!(
        r#"{"type":"result","is_error":true,"num_turns":1,"result":"API Error: 500"}"#,
        "\n",
        r#"{"type":"result","is_error":false,"num_turns":2,"result":"done"}"#,
        "\n",
    );
    let claude = adapter("claude").unwrap();
    let read = read(claude, &Turn::default(), lines.as_bytes(), b"");
    assert_eq!(claude.verdict(&read.memory, End::code(0)).ending, DONE);
    let results =
        read.events.iter().filter(|event| matches!(event, longhaul_agents::Event::Result { .. }));
    assert_eq!(results.count(), 2);
}

/// A format that nobody has seen yet costs what is new in it, and not the turn.
#[test]
fn a_newer_format_is_kept_raw_and_the_turn_is_judged_all_the_same() {
    for (kind, name) in [
        ("codex", "malformed-noise"),
        ("gemini", "malformed-noise"),
        ("opencode", "malformed-noise"),
    ] {
        let read = runs::one(kind, name).read();
        assert!(read.memory.counts().raw > 3, "{kind}");
        assert_eq!(ending(kind, name), DONE, "{kind}");
    }
}

#[test]
fn events_on_stderr_are_events() {
    let run = runs::one("claude", "text");
    let swapped = read(run.adapter(), &Turn::default(), b"", &run.stdout);
    assert_eq!(run.adapter().verdict(&swapped.memory, run.end).ending, DONE);
    assert_eq!(swapped.events, run.read().events);
}

#[test]
fn a_refused_run_does_not_forget_what_the_conversation_cost() {
    let run = runs::one("claude", "nokey");
    let carry = longhaul_agents::Carry {
        total: longhaul_agents::Usage { input: 7, ..longhaul_agents::Usage::default() },
    };
    let turn = Turn { carry: Some(carry), ..run.turn() };
    let memory = read(run.adapter(), &turn, &run.stdout, b"").memory;
    assert_eq!(run.adapter().verdict(&memory, run.end).carry, Some(carry));
}

#[test]
fn of_what_stderr_hints_at_the_plainest_counts_and_then_the_first() {
    let codex = adapter("codex").unwrap();
    let failure = |stderr: &[u8]| {
        let memory = read(codex, &Turn::default(), b"", stderr).memory;
        match codex.verdict(&memory, End::code(1)).ending {
            Ending::Failed(failure) => (failure.class, failure.message),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        failure(b"socket hang up\nerror: usage limit, for now\nsocket hang up\n").0,
        Class::UsageLimited
    );
    assert_eq!(failure(b"socket one\nsocket two\n").1, "socket one");
}

#[test]
fn a_run_that_stops_at_a_tool_call_that_nobody_refused_has_no_result() {
    let line = br#"{"type":"step_finish","sessionID":"s","part":{"reason":"tool-calls"}}"#;
    let opencode = adapter("opencode").unwrap();
    let memory = read(opencode, &Turn::default(), line, b"").memory;
    let Ending::Failed(failure) = opencode.verdict(&memory, End::code(0)).ending else { panic!() };
    assert_eq!(failure.class, Class::NoResult);
}

#[test]
fn an_error_that_was_mended_is_not_what_a_later_kill_is_put_down_to() {
    let lines = concat!(
        r#"{"type":"message_end","message":{"role":"assistant","stopReason":"error","errorMessage":"500 broke"}}"#,
        "\n",
        r#"{"type":"message_end","message":{"role":"assistant","stopReason":"toolUse"}}"#,
        "\n",
    );
    let pi = adapter("pi").unwrap();
    let memory = read(pi, &Turn::default(), lines.as_bytes(), b"").memory;
    let end = End { exit: Exit::Signal(9), cancelled: false, lingered: false };
    let Ending::Failed(failure) = pi.verdict(&memory, end).ending else { panic!() };
    assert_eq!(failure.class, Class::Killed);
}
