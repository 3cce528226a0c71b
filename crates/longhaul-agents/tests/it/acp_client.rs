//! The client's half of the protocol, against what real agents said.

use crate::runs;
use longhaul_agents::{Client, ClientEvent, Conversation, PermissionChoice, Turn};
use serde_json::{Value, json};

fn turn(conversation: Conversation) -> Turn {
    Turn {
        prompt: "go [[stub:write]]".into(),
        cwd: "/home/dev/repo".into(),
        conversation,
        ..Turn::default()
    }
}

fn sent(client: &mut Client) -> Vec<Value> {
    std::iter::from_fn(|| client.poll())
        .filter_map(|event| match event {
            ClientEvent::Send(line) => Some(serde_json::from_str(&line).unwrap()),
            ClientEvent::Ask(_) | ClientEvent::Over => None,
        })
        .collect()
}

/// Says what the agent said, up to its end.
fn played(name: &str) -> (Client, Vec<Value>) {
    let run = runs::one("acp", name);
    let mut client = Client::new(&turn(Conversation::New));
    let mut all = sent(&mut client);
    for line in String::from_utf8(run.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["dir"] != "from_agent" || client.is_over() {
            continue;
        }
        client.on_line(&line["msg"].to_string());
        while let Some(event) = client.poll() {
            match event {
                ClientEvent::Send(line) => all.push(serde_json::from_str(&line).unwrap()),
                ClientEvent::Ask(ask) => client.answer(ask.number, PermissionChoice::Allow),
                ClientEvent::Over => {}
            }
        }
    }
    (client, all)
}

#[test]
fn it_says_what_was_said_to_a_real_agent() {
    let (client, said) = played("claude-write-allow");
    assert!(client.is_over());
    let run = runs::one("acp", "claude-write-allow");
    let recorded: Vec<Value> = String::from_utf8(run.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["dir"] == "to_agent")
        .map(|line| line["msg"].clone())
        .collect();
    assert_eq!(said.len(), recorded.len());
    for (mine, theirs) in said.iter().zip(&recorded).skip(1) {
        assert_eq!(mine, theirs);
    }
}

#[test]
fn requests_that_are_not_ours_to_answer_are_refused() {
    let mut client = Client::new(&turn(Conversation::New));
    sent(&mut client);
    client.on_line(r#"{"jsonrpc":"2.0","id":"x-1","method":"fs/write_text_file","params":{}}"#);
    let [answer] = sent(&mut client).try_into().unwrap();
    assert_eq!(
        (answer["id"].as_str(), answer["error"]["code"].as_i64()),
        (Some("x-1"), Some(-32601))
    );
}

fn opened(conversation: Conversation) -> Client {
    let mut client = Client::new(&turn(conversation));
    sent(&mut client);
    client.on_line(
        r#"{"id":1,"result":{"protocolVersion":1,"agentCapabilities":{"loadSession":true}}}"#,
    );
    client
}

#[test]
fn a_conversation_is_loaded_and_one_that_is_refused_ends_the_turn() {
    let mut client = opened(Conversation::Resume("c-1".into()));
    let [load] = sent(&mut client).try_into().unwrap();
    assert_eq!(
        (load["method"].as_str(), load["params"]["sessionId"].as_str()),
        (Some("session/load"), Some("c-1"))
    );
    client.on_line(r#"{"id":2,"error":{"code":-32603,"message":"Internal error"}}"#);
    assert!(client.is_over());
}

#[test]
fn cancelling_answers_open_questions_and_waits_for_the_agents_word() {
    let mut client = opened(Conversation::New);
    client.on_line(r#"{"id":2,"result":{"sessionId":"s"}}"#);
    assert_eq!(client.conversation(), Some("s"));
    client.on_line(r#"{"id":0,"method":"session/request_permission","params":{"toolCall":{"toolCallId":"t","title":"Write"},"options":[{"optionId":"no","kind":"reject_once"}]}}"#);
    sent(&mut client);
    client.cancel();
    let said = sent(&mut client);
    assert_eq!(
        said[0],
        json!({ "jsonrpc": "2.0", "id": 0, "result": { "outcome": { "outcome": "cancelled" } } })
    );
    assert_eq!(said[1]["method"], "session/cancel");
    assert!(!client.is_over());
    client.answer(0, PermissionChoice::Deny);
    assert_eq!(sent(&mut client), [] as [Value; 0]);
    client.on_line(r#"{"id":3,"result":{"stopReason":"cancelled"}}"#);
    assert!(client.is_over());
}

#[test]
fn no_line_of_an_agent_is_too_strange() {
    let mut client = opened(Conversation::New);
    for line in [
        "",
        "null",
        "[]",
        "{}",
        "noise",
        r#"{"id":{}}"#,
        r#"{"id":null,"result":1}"#,
        r#"{"method":7,"id":1}"#,
        r#"{"id":99,"result":{}}"#,
    ] {
        client.on_line(line);
        client.answer(7, PermissionChoice::Allow);
    }
    assert!(!client.is_over());
}

#[test]
fn questions_without_end_are_denied_and_an_allowance_never_holds_for_the_next() {
    let mut client = opened(Conversation::New);
    client.on_line(r#"{"id":2,"result":{"sessionId":"s"}}"#);
    sent(&mut client);
    for id in 0..100 {
        client.on_line(&format!(
            r#"{{"id":{id},"method":"session/request_permission","params":{{"toolCall":{{}},"options":[{{"optionId":"no","kind":"reject_once"}},{{"optionId":"ever","kind":"allow_always"}}]}}}}"#
        ));
    }
    let denied = sent(&mut client);
    assert_eq!(denied.len(), 100 - longhaul_agents::limits::QUESTIONS_MAX);
    assert_eq!(denied[0]["result"]["outcome"]["optionId"], "no");
    client.answer(0, PermissionChoice::Allow);
    let [allowed] = sent(&mut client).try_into().unwrap();
    assert_eq!(allowed["result"]["outcome"], json!({ "outcome": "cancelled" }));
}
