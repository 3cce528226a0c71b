//! Agents, turns and mail on the command line, with CLIs that do as the test tells them.

use crate::agents_support::Team;
use crate::harness::{eventually, ran};
use serde_json::{Value, json};

#[test]
fn a_turn_is_followed_to_its_end() {
    let team = Team::new();
    team.fake.script("claude", "say Looking around\ndone All is well");
    team.add("fixer", &[]);
    let turn = team.run(&["turn", "fixer", "Look", "--follow"]);
    assert_eq!(turn.ok(), "Looking around\nAll is well\n");
    let agent = team.agent("fixer");
    assert_eq!((&agent["state"], &agent["turns"]), (&json!("idle"), &json!(1)));
    let conversation = agent["conversation"].as_str().unwrap();
    let by_hand = agent["resume_command"].as_str().unwrap();
    assert!(by_hand.contains("claude") && by_hand.contains(conversation), "{by_hand}");
    let listed = team.json(&["agent", "list"]);
    assert_eq!(listed["agents"][0]["used"], agent["used"]);
    assert!(team.run(&["agent", "list"]).ok().contains("fixer"));
    assert!(team.run(&["agent", "show", "fixer"]).ok().contains(conversation));
    let jobs = team.json(&["list", "--agent", "fixer"]);
    assert_eq!(jobs["jobs"][0]["agent"], "fixer");
    assert!(team.run(&["list"]).ok().contains("turn of fixer"));
}

#[test]
fn a_turn_is_handed_in_and_goes_on_with_the_conversation() {
    let team = Team::new();
    team.add("fixer", &[]);
    let first = team.run(&["turn", "fixer", "One"]);
    let first = first.ok().trim().to_owned();
    assert!(first.starts_with("job_") && first.len() == 30, "{first}");
    let mut command = team.home.command(&["--json", "turn", "fixer", "-", "--after", &first]);
    let mut child = command
        .env("PATH", team.fake.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"Two").unwrap();
    let second: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let second = second["id"].as_str().unwrap();
    let ended = team.json(&["wait", second])[0].clone();
    assert_eq!(ended["outcome"]["kind"], "succeeded", "{ended}");
    let first = team.json(&["show", &first]);
    assert_eq!(first["turn"]["conversation"], ended["turn"]["conversation"]);
    assert_eq!(ended["turn"]["is_mismatch"], false);
    let told = team.prompts();
    assert!(told[0].contains("One") && told[1].contains("Two"), "{told:?}");
}

#[test]
fn a_turn_that_fails_says_so_and_how_to_go_on_by_hand() {
    let team = Team::new();
    team.fake.script("claude", "say Trying\nfail It broke");
    team.add("fixer", &[]);
    let turn = team.run(&["turn", "fixer", "Try", "--follow"]);
    turn.fails(1, "failed");
    assert!(
        turn.stderr.contains("It broke") && turn.stderr.contains("claude --resume"),
        "{turn:?}"
    );
    let with_json = team.run(&["--json", "turn", "fixer", "Try", "--follow"]);
    assert_eq!(with_json.code, 1);
    let job: Value = serde_json::from_str(with_json.text()).unwrap();
    assert_eq!(job["outcome"]["reason"], "agent_failed");
    assert_eq!(job["turn"]["end"]["how"], "failed");
    let why = team.run(&["why", job["id"].as_str().unwrap()]);
    assert!(why.ok().contains("turn of agent `fixer`"), "{why:?}");
    let agent = team.agent("fixer");
    assert_eq!(agent["last_turn"]["message"], "It broke");
    assert_eq!(team.run(&["agent", "show", "fixer"]).ok().matches("It broke").count(), 1);
}

#[test]
fn mail_wakes_an_agent_and_its_answer_comes_back() {
    let team = Team::new();
    let longhaul = env!("CARGO_BIN_EXE_longhaul");
    let send = format!("sh {longhaul} mail send --to asker --subject Answer --body 42");
    team.fake.script("claude.1", &format!("{send}\ndone Answered"));
    team.fake.script("claude", "done Thanks");
    team.add("helper", &[]);
    team.add("asker", &[]);
    let question =
        ["mail", "send", "--to", "helper", "--subject", "Question", "--body", "What is it?"];
    let sent = team.run(&question);
    let sent = sent.ok().trim().to_owned();
    assert!(sent.starts_with("mail_"), "{sent}");
    eventually("both have had their turn", || {
        ["helper", "asker"].iter().all(|name| {
            let agent = team.agent(name);
            agent["turns"] == 1 && agent["state"] == "idle"
        })
    });
    let question = team.json(&["mail", "read", &sent]);
    assert_eq!((&question["state"], &question["to"]), (&json!("read"), &json!("helper")));
    let answers = team.json(&["mail", "list", "--to", "asker"]);
    let answer = &answers["mail"][0];
    assert_eq!((&answer["from"], &answer["body"]), (&json!("helper"), &json!("42")));
    assert_eq!(answer["from_turn"], question["turn"], "the turn that read one sent the other");
    assert_eq!(answer["state"], "read");
    let told = team.prompts();
    assert!(told.iter().any(|call| call.contains("What is it?")), "{told:?}");
    assert!(told.iter().any(|call| call.contains("Answer")), "{told:?}");
}

#[test]
fn a_person_has_a_box_of_his_own() {
    let team = Team::new();
    team.add("fixer", &[]);
    let owner = team.agent("fixer")["owner"].as_str().unwrap().to_owned();
    let to = format!("@{owner}");
    let sent = team.run(&["mail", "send", "--to", &to, "--subject", "Note to self"]);
    let id = sent.ok().trim().to_owned();
    let unread = team.json(&["mail", "list", "--unread"]);
    assert_eq!(unread["mail"][0]["id"], id);
    let table = team.run(&["mail", "list"]);
    assert!(table.ok().contains("Note to self"));
    let handed = team.run(&["mail", "check"]);
    assert!(handed.ok().contains("Note to self"), "{handed:?}");
    assert_eq!(team.json(&["mail", "check"]), json!({"mail": []}));
    let prefix = &id[..25];
    assert_eq!(team.json(&["mail", "read", prefix])["state"], "read");
    assert_eq!(team.json(&["mail", "thread", &id])["mail"][0]["id"], id);
    assert_eq!(team.agent("fixer")["turns"], 0, "a person's mail wakes nobody");
}

#[test]
fn what_cannot_be_is_refused_with_its_exit_code_and_a_next_step() {
    let team = Team::new();
    team.add("fixer", &[]);
    let before =
        (team.json(&["agent", "list"]), team.json(&["mail", "list"]), team.json(&["list"]));
    let cases: [(&[&str], i32, &str, &str); 17] = [
        (&["agent", "add", "x", "--kind", "tmux"], 2, "`kind`", ""),
        (&["agent", "add", "x"], 2, "--kind", "the form is"),
        (&["agent", "add", "x", "--kind", "plain"], 2, "names no program", "after `--`"),
        (&["agent", "add", "x", "--kind", "claude", "--budget", "much"], 2, "much", "--help"),
        (&["agent", "add", "x", "--kind", "claude", "--budget-ask"], 2, "--budget", ""),
        (&["agent", "add", "x", "--kind", "claude", "--park", "later"], 2, "later", ""),
        (&["agent", "add", "x", "--kind", "claude", "--cwd", "/no/such"], 2, "/no/such", ""),
        (
            &["agent", "add", "x", "--kind", "claude", "--parent", "y"],
            3,
            "no agent `y`",
            "agent add y",
        ),
        (&["agent", "add", "fixer", "--kind", "codex"], 3, "another", "--replace"),
        (&["agent", "show", "nobody"], 3, "no agent `nobody`", "agent list"),
        (&["agent", "remove", "nobody"], 3, "no agent `nobody`", "agent list"),
        (&["agent", "stop", "nobody"], 3, "no agent `nobody`", "agent list"),
        (&["turn", "nobody", "x"], 3, "no agent `nobody`", "agent list"),
        (&["turn", "fixer"], 2, "nothing to tell", "`-`"),
        (
            &["mail", "send", "--to", "nobody", "--subject", "s"],
            3,
            "no agent `nobody`",
            "agent list",
        ),
        (
            &["mail", "send", "--to", "fixer", "--subject", "s", "--payload", "[1]"],
            2,
            "JSON object",
            "taskId",
        ),
        (&["mail", "read", "mail_0000"], 3, "no mail", "mail list"),
    ];
    for (arguments, code, message, hint) in cases {
        let refused = team.run(arguments);
        refused.fails(code, message);
        assert!(refused.stderr.contains(hint), "no `{hint}` in {refused:?}");
        let with_json = team.run(&[&["--json"], arguments].concat());
        let error: Value = serde_json::from_str(with_json.text()).unwrap();
        assert!(error["error"]["code"].is_string(), "{error}");
    }
    let after = (team.json(&["agent", "list"]), team.json(&["mail", "list"]), team.json(&["list"]));
    assert_eq!(after, before);
}

#[test]
fn an_agent_is_stopped_begun_anew_and_removed() {
    let team = Team::new();
    team.fake.script("claude", "linger");
    team.add("fixer", &["--role", "builder"]);
    let job = team.run(&["turn", "fixer", "Stay"]).ok().trim().to_owned();
    team.home.until(&job, "running");
    team.run(&["agent", "remove", "fixer"]).fails(3, "still needed");
    team.run(&["agent", "stop", "fixer", "--reason", "enough", "--now"]).ok();
    let agent = team.agent("fixer");
    assert_eq!((&agent["state"], &agent["stop_reason"]), (&json!("stopped"), &json!("enough")));
    assert_eq!(team.home.until(&job, "ended")["outcome"]["kind"], "cancelled");
    team.run(&["turn", "fixer", "More"]).fails(3, "`fixer` is stopped");
    team.run(&["mail", "send", "--to", "fixer", "--subject", "s"]).fails(3, "`fixer` is stopped");
    team.fake.script("claude", "done");
    team.add("fixer", &["--role", "builder"]);
    assert_eq!(team.agent("fixer")["state"], "idle");
    team.run(&["agent", "remove", "fixer"]).ok();
    team.run(&["agent", "show", "fixer"]).fails(3, "no agent `fixer`");
}

#[test]
fn a_secret_of_somebody_else_never_reaches_an_agent() {
    let team = Team::new();
    let add = ["agent", "add", "fixer", "--kind", "claude", "--env", "MEANT=yes"];
    let mut command = team.home.command(&add);
    command
        .env("PATH", team.fake.path())
        .env("ANTHROPIC_API_KEY", "sk-mine")
        .env("OPENAI_API_KEY", "sk-other")
        .env("CLAUDECODE", "1");
    ran(command.output().unwrap()).ok();
    team.run(&["turn", "fixer", "Go", "--follow", "--env", "ONCE=1"]).ok();
    let call = team.fake.calls("claude").remove(0).to_string();
    for name in ["ANTHROPIC_API_KEY", "MEANT", "ONCE", "LONGHAUL_JOB_TOKEN"] {
        assert!(call.contains(name), "no {name} in {call}");
    }
    for name in ["OPENAI_API_KEY", "\"CLAUDECODE\""] {
        assert!(!call.contains(name), "{name} in {call}");
    }
    for entry in std::fs::read_dir(team.home.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let has = bytes.windows(8).any(|window| window == b"sk-other");
        assert!(!has, "another's secret is kept in {}", path.display());
    }
}

#[test]
fn a_question_is_told_by_whoever_is_asked_about_the_turn() {
    let team = Team::new();
    team.fake.script("claude", "bash echo hi\ndone Said it");
    team.add("fixer", &["--ask-tool", "Bash", "--allow-tool", "Bash"]);
    let job = team.run(&["turn", "fixer", "Say hi"]).ok().trim().to_owned();
    let mut asked = Value::Null;
    eventually("a person is asked", || {
        asked = team.json(&["show", &job])["turn"]["asks"].clone();
        asked.is_string()
    });
    let id = asked.as_str().unwrap();
    let doctor = team.json(&["doctor"]);
    let findings = doctor["findings"].as_array().unwrap().iter();
    let told: Vec<&Value> = findings.filter(|finding| finding["what"] == "questions").collect();
    assert_eq!((told.len(), &told[0]["level"]), (1, &json!("warning")), "{doctor}");
    assert!(told[0]["message"].as_str().unwrap().contains(id), "{doctor}");
    eventually("the turn waits without a process", || {
        team.json(&["show", &job])["waiting_for"]
            .as_str()
            .is_some_and(|what| what.contains("answer"))
    });
    assert!(team.run(&["why", &job]).ok().contains(id));
    team.run(&["approvals", "--allow", id]).ok();
    assert_eq!(team.home.until(&job, "ended")["outcome"]["kind"], "succeeded");
    let doctor = team.json(&["doctor"]);
    let findings = doctor["findings"].as_array().unwrap().iter();
    assert!(findings.filter(|f| f["what"] == "questions").all(|f| f["level"] == "ok"), "{doctor}");
}
