//! Sessions over the standard streams of the program.

use crate::arcp_support::hello;
use crate::harness::{Home, signal};
use longhaul_arcp::limits::INBOUND_BYTES_MAX;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A client that has the program for its server.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    session: Value,
    said: u32,
}

impl Client {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = home.command(&[&["--json", "arcp", "--stdio"], arguments].concat());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, session: Value::Null, said: 0 }
    }

    /// One whom somebody vouches for, and who was welcomed.
    fn welcomed(home: &Home) -> Self {
        let mut client = Self::start(home, &["--as", "alice"]);
        let welcome = client.hello("any", json!({}));
        assert_eq!(welcome["type"], "session.welcome", "{welcome}");
        client
    }

    fn hello(&mut self, token: &str, more: Value) -> Value {
        self.say("session.hello", hello(token, more));
        let answer = self.next();
        self.session = answer["session_id"].clone();
        answer
    }

    fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn frame(&mut self, kind: &str, payload: Value) -> String {
        self.said += 1;
        let id = format!("msg_{:026}", self.said);
        let mut frame = json!({ "arcp": "1.1", "id": id, "type": kind, "payload": payload });
        if self.session.is_string() {
            frame["session_id"] = self.session.clone();
        }
        frame.to_string()
    }

    fn say(&mut self, kind: &str, payload: Value) {
        let frame = self.frame(kind, payload);
        self.write(format!("{frame}\n").as_bytes());
    }

    /// The next line; every one is a frame.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "{line:?}");
        serde_json::from_str(&line).unwrap()
    }

    /// The types of all frames to the end, the exit code, and what was said to people.
    fn ended(mut self) -> (Vec<String>, i32, String) {
        let mut kinds = Vec::new();
        for line in self.output.lines() {
            let frame: Value = serde_json::from_str(&line.unwrap()).unwrap();
            kinds.push(frame["type"].as_str().unwrap().to_owned());
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (kinds, self.child.wait().unwrap().code().unwrap(), said)
    }
}

#[test]
fn each_line_is_answered_with_lines_and_nothing_else_is_said() {
    let home = Home::new();
    let mut client = Client::start(&home, &["--as", "alice"]);
    let said = client.frame("session.hello", hello("any", json!({})));
    client.write(format!("\n\r\n{said}\r\n\n").as_bytes());
    let welcome = client.next();
    assert_eq!(welcome["type"], "session.welcome");
    client.session = welcome["session_id"].clone();
    client.say("job.submit", json!({ "agent": "nobody" }));
    assert_eq!(client.next()["payload"]["code"], "AGENT_NOT_AVAILABLE");
    client.say("session.list_jobs", json!({}));
    client.input = None;
    // What was asked before the end of the input is answered.
    assert_eq!(client.ended(), (vec!["session.jobs".to_owned()], 0, String::new()));
}

#[test]
fn a_line_that_is_no_frame_is_told_so_and_the_next_is_read() {
    let home = Home::new();
    let mut client = Client::welcomed(&home);
    let long = vec![b'x'; INBOUND_BYTES_MAX + 1];
    let bad: [&[u8]; 4] = [b"{", b"7", b"\xff\xfe", &long];
    for line in bad {
        client.write(line);
        client.write(b"\n");
        let answer = client.next();
        assert_eq!(answer["type"], "session.error", "{answer}");
        assert_eq!(answer["payload"]["code"], "INVALID_REQUEST", "{answer}");
        assert_eq!(answer["session_id"], client.session);
    }
    client.say("session.ping", json!({ "nonce": "n", "sent_at": "now" }));
    assert_eq!(client.next()["payload"]["ping_nonce"], "n");
    client.say("session.close", json!({}));
    assert_eq!(client.ended(), (vec!["session.closed".to_owned()], 0, String::new()));
}

#[test]
fn bye_ends_it_though_the_input_is_open_and_jobs_go_on() {
    let home = Home::new();
    home.json(&["daemon", "start"]);
    let agents = "[[agent]]\nname = \"sleeper\"\ncommand = [\"sleep\", \"1000\"]\n";
    std::fs::write(home.path().join("agents.toml"), agents).unwrap();
    let mut client = Client::welcomed(&home);
    let submit = client.frame("job.submit", json!({ "agent": "sleeper" }));
    let bye = client.frame("session.bye", json!({ "reason": "done" }));
    client.write(format!("{submit}\n{bye}\n").as_bytes());
    let accepted = client.next();
    assert_eq!(accepted["type"], "job.accepted", "{accepted}");
    let open = client.input.take();
    let (_, code, said) = client.ended();
    assert_eq!((code, said.as_str()), (0, ""));
    drop(open);
    home.until(accepted["job_id"].as_str().unwrap(), "running");
}

#[test]
fn an_input_that_is_over_at_once_is_answered_all_the_same() {
    let home = Home::new();
    let mut client = Client::start(&home, &["--as", "alice"]);
    client.say("session.hello", hello("any", json!({})));
    client.input = None;
    assert_eq!(client.ended(), (vec!["session.welcome".to_owned()], 0, String::new()));
    let mut silent = Client::start(&home, &[]);
    silent.input = None;
    assert_eq!(silent.ended(), (vec![], 0, String::new()));
}

#[test]
fn whoever_nobody_vouches_for_brings_a_token() {
    let home = Home::new();
    let token = home.json(&["token", "add", "bob"])["token"].as_str().unwrap().to_owned();
    let mut good = Client::start(&home, &[]);
    assert_eq!(good.hello(&token, json!({}))["type"], "session.welcome");
    good.input = None;
    assert_eq!(good.ended().1, 0);
    let mut bad = Client::start(&home, &[]);
    assert_eq!(bad.hello("nonsense", json!({}))["payload"]["code"], "UNAUTHENTICATED");
    let (rest, code, said) = bad.ended();
    assert_eq!((rest.len(), code), (0, 3));
    assert!(said.contains("good for nothing") && said.contains("--as"), "{said}");
    let mut far = home.command(&["arcp", "--stdio", "--as", "bob"]);
    let far = far.env("LONGHAUL_URL", "http://127.0.0.1:9").output().unwrap();
    assert_eq!(far.status.code(), Some(2));
}

#[test]
fn a_daemon_that_is_killed_ends_it_and_the_session_is_resumed() {
    let home = Home::new();
    let mut client = Client::start(&home, &["--as", "alice"]);
    let welcome = client.hello("any", json!({}));
    let open = client.input.take();
    signal(home.daemon_pid(), Signal::KILL);
    let (rest, code, said) = client.ended();
    assert_eq!((rest.len(), code), (0, 4), "{said}");
    assert!(said.contains("the session can be resumed"), "{said}");
    drop(open);
    let resume = json!({ "resume": {
        "session_id": welcome["session_id"], "last_event_seq": 0,
        "resume_token": welcome["payload"]["resume_token"],
    } });
    let mut again = Client::start(&home, &["--as", "alice"]);
    assert_eq!(again.hello("any", resume)["session_id"], welcome["session_id"]);
    again.input = None;
    assert_eq!(again.ended().1, 0);
}

#[test]
fn a_job_is_no_person_who_could_vouch_for_anybody() {
    let home = Home::new();
    let mut client = Client::welcomed(&home);
    let frame = client.frame("session.hello", hello("any", json!({})));
    client.input = None;
    assert_eq!(client.ended().1, 0);
    let script = "printf '%s\\n' \"$1\" | \"$2\" arcp --stdio --as alice";
    let program = env!("CARGO_BIN_EXE_longhaul");
    let ran = home.run(&["run", "--", "sh", "-c", script, "sh", &frame, program]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.text().contains("UNAUTHENTICATED"), "{}", ran.text());
}
