//! The agent CLIs of the tests are what the adapters take them for: they are started as a turn is, and
//! what they write is judged as a turn is.

use crate::agents_support::FakeAgents;
use crate::harness::Home;
use longhaul_agents::{
    Access, Conversation, End, Ending, Event, Exit, Grant, Hook, Intake, Launch, Remedy, Reset,
    Stdin, Stream, Turn, Verdict, adapter,
};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The kinds with an adapter of their own dialect, under the names that they are started by.
const KINDS: &[&str] = &["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen", "ndjson"];

struct Ran {
    verdict: Verdict,
    events: Vec<Event>,
}

struct Stage {
    home: Home,
    fake: FakeAgents,
}

impl Stage {
    fn new() -> Self {
        let home = Home::new();
        let fake = FakeAgents::new(&home);
        Self { home, fake }
    }

    fn turn(&self, kind: &str, prompt: &str) -> Turn {
        let is_program = matches!(kind, "ndjson" | "plain");
        let name = if kind == "plain" { "aider" } else { kind };
        Turn {
            prompt: prompt.to_owned(),
            cwd: self.home.work().into_os_string().into_string().unwrap(),
            folder: self.home.work().join("..").into_os_string().into_string().unwrap(),
            program: is_program.then(|| self.fake.program(name)),
            ..Turn::default()
        }
    }

    fn run(&self, kind: &str, turn: &Turn) -> Ran {
        let adapter = adapter(kind).unwrap();
        let launch = adapter.launch(turn).unwrap();
        let (out, err) = (self.home.work().join("../out"), self.home.work().join("../err"));
        let mut command = self.command(&launch, turn);
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let status = command.spawn().unwrap().wait().unwrap();
        let mut intake = Intake::begin(adapter, turn);
        let mut events = intake.close(Stream::Stdout, &std::fs::read(out).unwrap());
        events.extend(intake.close(Stream::Stderr, &std::fs::read(err).unwrap()));
        let exit = match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap()),
        };
        let end = End { exit, cancelled: false, lingered: false };
        assert_eq!(intake.memory().counts().raw, 0, "{kind}: {events:#?}");
        Ran { verdict: adapter.verdict(intake.memory(), end), events }
    }

    /// As the driver starts it: in an environment of its own, with a file or nothing on stdin.
    fn command(&self, launch: &Launch, turn: &Turn) -> Command {
        for file in &launch.files {
            std::fs::write(&file.path, &file.text).unwrap();
        }
        let mut command = Command::new("env");
        command.args(&launch.argv).current_dir(&turn.cwd).env_clear();
        command.env("PATH", self.fake.path()).env("HOME", &turn.folder);
        command.envs(&launch.default).envs(&launch.set);
        command.stdin(match &launch.stdin {
            Stdin::Nothing => Stdio::null(),
            Stdin::Text(text) => File::open(self.home.write("stdin", text)).unwrap().into(),
            Stdin::Protocol => unreachable!("no kind here speaks a protocol"),
        });
        command
    }
}

fn said(events: &[Event]) -> Vec<&str> {
    let logs = events.iter().filter_map(|event| match event {
        Event::Log { message, from: longhaul_agents::Speaker::Agent, .. } => Some(message.as_str()),
        _ => None,
    });
    logs.collect()
}

#[test]
fn each_plays_a_turn_that_its_adapter_understands() {
    let stage = Stage::new();
    for kind in KINDS {
        let turn = stage.turn(kind, "Count. [[tokens 10 5]] [[say one, two]]");
        let ran = stage.run(kind, &turn);
        assert_eq!(ran.verdict.ending, Ending::Succeeded { despite: None }, "{kind}");
        assert_eq!(ran.verdict.said, "one, two", "{kind}");
        assert!(said(&ran.events).concat().contains("one, two"), "{kind}: {:?}", ran.events);
        assert_eq!((ran.verdict.used.input, ran.verdict.used.output), (10, 5), "{kind}");
        let calls = stage.fake.calls(kind);
        assert_eq!(calls.len(), 1, "{kind}");
        assert_eq!(calls[0]["prompt"], turn.prompt, "{kind}");
    }
}

#[test]
fn what_is_long_or_looks_like_a_flag_arrives_once_and_whole() {
    let stage = Stage::new();
    for kind in KINDS {
        for prompt in ["-p is not meant".to_owned(), "long ".repeat(10_000)] {
            let ran = stage.run(kind, &stage.turn(kind, &prompt));
            assert_eq!(ran.verdict.ending, Ending::Succeeded { despite: None }, "{kind}");
            assert_eq!(stage.fake.calls(kind).last().unwrap()["prompt"], prompt.trim(), "{kind}");
        }
    }
}

#[test]
fn a_conversation_goes_on_and_one_that_is_gone_is_refused() {
    let stage = Stage::new();
    for kind in KINDS.iter().filter(|kind| **kind != "ndjson") {
        let first = stage.run(kind, &stage.turn(kind, "Begin."));
        let id = first.verdict.conversation.clone().unwrap();
        let next = Turn {
            conversation: Conversation::Resume(id.clone()),
            carry: first.verdict.carry,
            ..stage.turn(kind, "Go on.")
        };
        let second = stage.run(kind, &next);
        assert_eq!(second.verdict.conversation.as_deref(), Some(id.as_str()), "{kind}");
        assert!(!second.verdict.is_mismatch, "{kind}");
        // Some count the whole conversation; a turn is still charged with itself alone.
        assert_eq!(second.verdict.used, first.verdict.used, "{kind}");
        stage.fake.forget(&id);
        let Ending::Failed(failure) = stage.run(kind, &next).verdict.ending else {
            panic!("{kind} resumed what is gone")
        };
        assert_eq!(failure.class.remedy(), Remedy::Afresh, "{kind}: {failure:?}");
    }
}

#[test]
fn the_vendors_limit_is_known_with_its_end() {
    let stage = Stage::new();
    for kind in KINDS {
        let ran = stage.run(kind, &stage.turn(kind, "Try. [[limit 1795199131]]"));
        let Ending::Failed(failure) = ran.verdict.ending else { panic!("{kind} has no limit") };
        assert_eq!(failure.class.remedy(), Remedy::Park, "{kind}: {failure:?}");
        assert_eq!(failure.reset, Some(Reset::AtMs(1_795_199_131_000)), "{kind}");
    }
}

#[test]
fn a_failure_is_one_whatever_the_exit_code_is() {
    let stage = Stage::new();
    for kind in KINDS.iter().filter(|kind| **kind != "opencode") {
        let ran = stage.run(kind, &stage.turn(kind, "Try. [[fail0 no such thing]]"));
        assert!(matches!(ran.verdict.ending, Ending::Failed(_)), "{kind}: {:?}", ran.verdict);
        let ran = stage.run(kind, &stage.turn(kind, "Try. [[silent]]"));
        assert!(matches!(ran.verdict.ending, Ending::Failed(_)), "{kind}: {:?}", ran.verdict);
        let ran = stage.run(kind, &stage.turn(kind, "Try. [[done]] [[kill 9]]"));
        let despite = Some(Exit::Signal(9));
        assert_eq!(ran.verdict.ending, Ending::Succeeded { despite }, "{kind}");
    }
}

#[test]
fn a_flag_that_is_not_there_is_refused_as_the_real_ones_do() {
    let stage = Stage::new();
    for (kind, code) in [("claude", 1), ("codex", 2), ("gemini", 1), ("opencode", 1), ("pi", 1)] {
        let turn = Turn { extra: vec!["--no-such".to_owned()], ..stage.turn(kind, "x") };
        let launch = adapter(kind).unwrap().launch(&turn).unwrap();
        let status = stage.command(&launch, &turn).status().unwrap();
        assert_eq!(status.code(), Some(code), "{kind}");
    }
}

#[test]
fn a_script_of_its_own_number_comes_before_the_others() {
    let stage = Stage::new();
    stage.fake.script("pi", "say as always");
    stage.fake.script("pi.2", "# the second time\nsay otherwise");
    let turn = stage.turn("pi", "Go. [[say not this]]");
    let said: Vec<String> = (0..3).map(|_| stage.run("pi", &turn).verdict.said).collect();
    assert_eq!(said, ["as always", "otherwise", "as always"]);
}

#[test]
fn a_deferred_call_is_asked_about_again_and_then_runs() {
    let stage = Stage::new();
    let hook = |answer: &str| {
        let decision = format!(r#"{{"hookSpecificOutput":{{"permissionDecision":"{answer}"}}}}"#);
        Hook { command: format!("echo '{decision}'"), timeout_s: 5 }
    };
    let grant = Grant { tools: vec!["Bash".to_owned()], ..Grant::default() };
    let first = Turn {
        access: Access::Only(grant),
        hook: Some(hook("defer")),
        ..stage.turn("claude", "Do it. [[bash touch made]] [[say it is done]]")
    };
    let ran = stage.run("claude", &first);
    let Ending::Deferred { tool, .. } = &ran.verdict.ending else { panic!("{:?}", ran.verdict) };
    assert_eq!(tool, "Bash");
    assert!(!stage.home.work().join("made").exists());
    let second = Turn {
        prompt: String::new(),
        resumes_deferred: true,
        conversation: Conversation::Resume(ran.verdict.conversation.unwrap()),
        hook: Some(hook("allow")),
        ..first
    };
    let ran = stage.run("claude", &second);
    assert_eq!(ran.verdict.ending, Ending::Succeeded { despite: None });
    assert_eq!(ran.verdict.said, "it is done");
    assert!(stage.home.work().join("made").exists());
}
