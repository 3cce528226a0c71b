//! The process that holds an agent of the Agent Client Protocol: what it writes, when it ends, and
//! what becomes of the agent.

use crate::agents_support::FakeAgents;
use crate::harness::{Home, eventually, pid_of, signal};
use longhaul::hold::{FILE, Held, command};
use longhaul_agents::{
    Conversation, End, Ending, Exit, Intake, Remedy, Stream, ToolServer, Turn, Verdict, adapter,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

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

    fn out(&self) -> PathBuf {
        self.home.work().join("../out")
    }

    fn turn(&self, prompt: &str) -> Turn {
        let cwd = self.home.work().into_os_string().into_string().unwrap();
        Turn { prompt: prompt.to_owned(), cwd, ..Turn::default() }
    }

    /// Starts it as the shim does: a group of its own, and files for its streams.
    fn start(&self, turn: &Turn, argv: &[String]) -> Child {
        use std::os::unix::process::CommandExt;
        let folder = self.home.work().join("..").canonicalize().unwrap();
        let folder = folder.to_str().unwrap();
        std::fs::write(format!("{folder}/{FILE}"), Held::of(argv.to_vec(), turn).text()).unwrap();
        let words = command(env!("CARGO_BIN_EXE_longhaul"), folder);
        Command::new(&words[0])
            .args(&words[1..])
            .current_dir(&turn.cwd)
            .env_clear()
            .env("PATH", self.fake.path())
            .stdin(Stdio::null())
            .stdout(File::create(self.out()).unwrap())
            .stderr(File::create(self.home.work().join("../err")).unwrap())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    /// Runs a turn to its end and gives its exit code.
    fn run(&self, turn: &Turn) -> i32 {
        self.start(turn, &["acp".to_owned()]).wait().unwrap().code().unwrap()
    }

    fn verdict(&self, turn: &Turn, code: i32, cancelled: bool) -> Verdict {
        let adapter = adapter("acp").unwrap();
        let mut intake = Intake::begin(adapter, turn);
        intake.close(Stream::Stdout, &std::fs::read(self.out()).unwrap());
        let end = End { exit: Exit::Code(code), cancelled, lingered: false };
        adapter.verdict(intake.memory(), end)
    }

    /// The messages that went to the agent, by their methods; an answer has none.
    fn sent(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.out()).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let sent = lines.filter(|line| line["dir"] == "to_agent");
        sent.map(|line| line["msg"]["method"].as_str().unwrap_or("answer").to_owned()).collect()
    }

    /// Waits until the agent is in the middle of its turn; its script touches the file.
    fn until_busy(&self) {
        eventually("the agent is busy", || self.home.work().join("busy").exists());
    }
}

#[test]
fn a_turn_is_held_to_its_end_and_goes_on_in_the_next() {
    let stage = Stage::new();
    let first = stage.turn("Begin. [[think hm]] [[say first]]");
    assert_eq!(stage.run(&first), 0);
    let verdict = stage.verdict(&first, 0, false);
    assert_eq!(verdict.ending, Ending::Succeeded { despite: None });
    assert_eq!((verdict.said.as_str(), verdict.used.output), ("first", 50));
    assert_eq!(stage.sent(), ["initialize", "session/new", "session/prompt"]);

    let conversation = Conversation::Resume(verdict.conversation.clone().unwrap());
    let second = Turn { conversation, ..stage.turn("Go on. [[say second]]") };
    assert_eq!(stage.run(&second), 0);
    let again = stage.verdict(&second, 0, false);
    // What was said before is told again when it is loaded, and is no news.
    assert_eq!((again.said.as_str(), again.conversation), ("second", verdict.conversation.clone()));

    stage.fake.forget(&verdict.conversation.unwrap());
    let code = stage.run(&second);
    let Ending::Failed(failure) = stage.verdict(&second, code, false).ending else {
        panic!("it resumed what is gone")
    };
    assert_eq!(failure.class.remedy(), Remedy::Afresh, "{failure:?}");
}

#[test]
fn a_tool_that_nobody_can_be_asked_about_does_not_run() {
    let stage = Stage::new();
    let turn = stage.turn("Do. [[bash touch made]] [[say went on]]");
    assert_eq!(stage.run(&turn), 0);
    let verdict = stage.verdict(&turn, 0, false);
    assert_eq!(verdict.ending, Ending::Succeeded { despite: None });
    assert_eq!((verdict.said.as_str(), verdict.denied), ("went on", 1));
    assert!(!stage.home.work().join("made").exists());
}

#[test]
fn servers_of_tools_are_named_to_whoever_opens_a_conversation_or_goes_on_with_one() {
    let stage = Stage::new();
    let tool_servers = vec![ToolServer {
        name: "jobs".to_owned(),
        command: "longhaul".to_owned(),
        args: vec!["mcp".to_owned()],
        env: [("K".to_owned(), "V".to_owned())].into(),
    }];
    let first = Turn { tool_servers, ..stage.turn("Begin. [[say first]]") };
    assert_eq!(stage.run(&first), 0);
    let conversation = stage.verdict(&first, 0, false).conversation.unwrap();
    let second = Turn { conversation: Conversation::Resume(conversation), ..first };
    assert_eq!(stage.run(&second), 0);
    let mut told = stage.fake.notes().into_iter().filter(|note| note["servers"].is_array());
    let server = json!({
        "name": "jobs", "command": "longhaul", "args": ["mcp"], "env": [{"name": "K", "value": "V"}],
    });
    for _ in 0..2 {
        assert_eq!(told.next().unwrap()["servers"], json!([server]));
    }
    assert_eq!(told.next(), None);
}

#[test]
fn asked_to_stop_it_asks_the_agent_and_lets_it_say_so() {
    let stage = Stage::new();
    let turn = stage.turn("Work. [[touch busy]] [[sleep 60000]]");
    let mut holder = stage.start(&turn, &["acp".to_owned()]);
    stage.until_busy();
    signal(pid_of(&holder), Signal::TERM);
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    assert_eq!(stage.sent().last().map(String::as_str), Some("session/cancel"));
    assert_eq!(stage.verdict(&turn, 0, true).ending, Ending::Cancelled);
    // Stopped by somebody else than us it has failed.
    assert!(matches!(stage.verdict(&turn, 0, false).ending, Ending::Failed(_)));
}

#[test]
fn an_agent_that_does_not_leave_is_made_to() {
    let stage = Stage::new();
    let turn = stage.turn("Work. [[stubborn]] [[say all of it]] [[linger]]");
    assert_eq!(stage.run(&turn), 0);
    assert_eq!(stage.verdict(&turn, 0, false).ending, Ending::Succeeded { despite: None });
    let text = std::fs::read_to_string(stage.out()).unwrap();
    assert!(text.ends_with("{\"dir\":\"exit\",\"msg\":{\"rc\":137}}\n"), "{text}");
}

#[test]
fn an_agent_that_dies_in_the_middle_has_the_last_word() {
    let stage = Stage::new();
    let turn = stage.turn("Work. [[say half]] [[exit 3]]");
    assert_eq!(stage.run(&turn), 3);
    assert!(matches!(stage.verdict(&turn, 3, false).ending, Ending::Failed(_)));
}

#[test]
fn a_program_that_is_not_there_is_told_as_such() {
    let stage = Stage::new();
    let turn = stage.turn("Work.");
    let mut holder = stage.start(&turn, &["no-such-agent".to_owned()]);
    assert_eq!(holder.wait().unwrap().code(), Some(127));
    let Ending::Failed(failure) = stage.verdict(&turn, 127, false).ending else { panic!() };
    assert_eq!(failure.class.remedy(), Remedy::Ask);
}

#[test]
fn noise_and_lines_without_end_are_kept_and_the_turn_goes_on() {
    let stage = Stage::new();
    let turn = stage.turn(
        "Work. [[raw noise]] [[sh head -c 9000000 /dev/zero | tr '\\0' x > long]] \
                           [[say still there]]",
    );
    assert_eq!(stage.run(&turn), 0);
    assert_eq!(stage.verdict(&turn, 0, false).said, "still there");

    // An agent that is only a line of nine million letters, and closes.
    let long = stage.home.work().join("long").into_os_string().into_string().unwrap();
    let mut holder = stage.start(&turn, &["cat".to_owned(), long]);
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    let written = std::fs::metadata(stage.out()).unwrap().len();
    assert!(written > 9_000_000, "{written}");
    assert!(matches!(stage.verdict(&turn, 0, false).ending, Ending::Failed(_)));
}
