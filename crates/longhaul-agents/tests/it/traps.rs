//! What the CLIs do that nobody would expect, one test a trap that no recording shows by itself.

use longhaul_agents::{
    Class, Conversation, End, Ending, Exit, Intake, Remedy, Stdin, Stream, Turn, adapter,
};

fn turn(conversation: Conversation) -> Turn {
    Turn { prompt: "go".into(), cwd: "/r".into(), conversation, ..Turn::default() }
}

fn class(kind: &str, conversation: Conversation, out: &str, err: &str, exit: Exit) -> Class {
    let adapter = adapter(kind).unwrap();
    let mut intake = Intake::begin(adapter, &turn(conversation));
    intake.close(Stream::Stdout, out.as_bytes());
    intake.close(Stream::Stderr, err.as_bytes());
    let end = End { exit, cancelled: false, lingered: false };
    match adapter.verdict(intake.memory(), end).ending {
        Ending::Failed(failure) => failure.class,
        other => panic!("{kind}: {other:?}"),
    }
}

#[test]
fn pi_warns_of_a_new_conversation_under_our_id_and_that_is_no_refused_resume() {
    let warning = "Warning: No project session found with id '0591-b835'; creating a new session \
                   with that id.\n";
    let began = "{\"type\":\"session\",\"version\":3,\"id\":\"0591-b835\",\"cwd\":\"/r\"}\n";
    let new = || Conversation::NewAs("0591-b835".into());
    assert_eq!(class("pi", new(), began, warning, Exit::Signal(9)), Class::Killed);
    assert_eq!(class("pi", new(), began, warning, Exit::Code(0)), Class::NoResult);
}

#[test]
fn nobody_waits_for_a_stdin_that_stays_open() {
    for kind in ["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen"] {
        let launch = adapter(kind).unwrap().launch(&turn(Conversation::New)).unwrap();
        assert_eq!(launch.stdin, Stdin::Nothing, "{kind}");
    }
}

#[test]
fn nobody_is_given_what_only_the_owner_of_the_machine_may_say() {
    for kind in ["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen"] {
        let launch = adapter(kind).unwrap().launch(&turn(Conversation::New)).unwrap();
        let set: Vec<&String> = launch.set.keys().chain(launch.default.keys()).collect();
        assert!(!set.iter().any(|name| *name == "IS_SANDBOX"), "{kind}: {set:?}");
        let bad = ["--include-partial-messages", "--bare", "--no-session-persistence"];
        assert!(!launch.argv.iter().any(|word| bad.contains(&word.as_str())), "{kind}");
    }
}

#[test]
fn claude_repeats_a_refused_request_a_few_times_and_not_for_minutes() {
    let claude = adapter("claude").unwrap();
    let launch = claude.launch(&turn(Conversation::New)).unwrap();
    assert_eq!(launch.default["CLAUDE_CODE_MAX_RETRIES"], "3");
    let wished = Turn { retries_max: Some(0), ..turn(Conversation::New) };
    assert_eq!(claude.launch(&wished).unwrap().set["CLAUDE_CODE_MAX_RETRIES"], "0");
}

#[test]
fn gemini_is_one_process_that_hears_signals_and_trusts_its_folder() {
    let launch = adapter("gemini").unwrap().launch(&turn(Conversation::New)).unwrap();
    assert_eq!(launch.default["GEMINI_CLI_NO_RELAUNCH"], "true");
    assert_eq!(launch.default["GEMINI_CLI_TRUST_WORKSPACE"], "true");
}

#[test]
fn an_exit_without_a_word_is_no_success_whatever_its_code() {
    for kind in ["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen", "ndjson", "acp"] {
        let found = class(kind, Conversation::New, "", "", Exit::Code(0));
        assert_eq!(found.remedy(), Remedy::Retry, "{kind}: {found:?}");
    }
}
