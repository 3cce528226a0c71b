//! What agent CLIs ask before their tool calls, and what people answer.

use crate::agents_support::FakeAgents;
use crate::harness::{Home, Ran, eventually, ran};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// A home with one agent, whose CLI does as its prompts say.
struct Stage {
    home: Home,
    fake: FakeAgents,
}

impl Stage {
    fn new(kind: &str, policy: &[&str]) -> Self {
        let home = Home::new();
        let fake = FakeAgents::new(&home);
        let path = format!("PATH={}", fake.path().into_string().unwrap());
        let agent = ["agent", "add", "ann", "--kind", kind, "--env", &path];
        home.run(&[&agent[..], policy].concat()).ok();
        Self { home, fake }
    }

    fn turn(&self, prompt: &str) -> String {
        let turn = self.home.json(&["turn", "ann", prompt]);
        turn["id"].as_str().unwrap().to_owned()
    }

    /// The one question that waits.
    fn asked(&self) -> Value {
        let mut found = Value::Null;
        eventually("a person is asked", || {
            found = self.home.json(&["approvals"])["approvals"][0].clone();
            found.is_object()
        });
        found
    }

    fn kinds(&self, job: &str) -> Vec<String> {
        let shown = self.home.show(job);
        let history = shown["history"].as_array().unwrap().clone();
        history.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn decisions(&self, job: &str) -> Vec<String> {
        let history = self.home.show(job)["history"].as_array().unwrap().clone();
        let decided = history.iter().filter(|entry| entry["kind"] == "tool_decided");
        decided.map(|entry| entry["decision"].as_str().unwrap().to_owned()).collect()
    }
}

/// A call as Claude Code tells it to its hook.
fn call(tool: &str, input: &Value) -> String {
    json!({
        "session_id": "s", "transcript_path": "/t", "cwd": "/w", "permission_mode": "default",
        "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": input,
        "tool_use_id": "toolu_1",
    })
    .to_string()
}

/// The hook in an environment that says so of a job.
fn hook(home: &Home, arguments: &[&str], environment: &[(&str, &str)], told: &str) -> Ran {
    let mut command = home.command(&[&["hook"], arguments].concat());
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A hook that has nothing to read it for may be gone already.
    drop(child.stdin.take().unwrap().write_all(told.as_bytes()));
    ran(child.wait_with_output().unwrap())
}

#[test]
fn a_call_is_put_off_without_a_process_until_a_person_has_answered() {
    let stage = Stage::new("claude", &["--ask-tool", "Bash", "--allow-tool", "Read"]);
    let job = stage.turn("[[bash touch made]] [[done fine]]");
    let asked = stage.asked();
    assert_eq!((&asked["tool"], &asked["about"]), (&json!("Bash"), &json!("tool")));
    assert_eq!(asked["input"]["command"], "touch made");
    let id = asked["id"].as_str().unwrap();
    let waiting = stage.home.until(&job, "queued");
    assert_eq!(waiting["pid"], Value::Null, "no process waits");
    assert!(!stage.home.work().join("made").exists());
    let owner = waiting["owner"].as_str().unwrap();
    let inbox = stage.home.json(&["inbox", "--owner", owner]);
    assert_eq!(inbox["notices"][0]["type"], "approval.asked");
    assert_eq!(inbox["notices"][0]["approval"]["id"], id);

    // It waits through a daemon that was stopped, too.
    stage.home.run(&["daemon", "stop"]).ok();
    assert_eq!(stage.asked()["id"], id);
    stage.home.run(&["approvals", "--allow", id]).ok();
    let ended = stage.home.until(&job, "ended");
    assert_eq!(ended["outcome"]["kind"], "succeeded", "{ended:#}");
    assert!(stage.home.work().join("made").exists(), "{:#?}", stage.fake.notes());
    assert_eq!(stage.decisions(&job), ["asked", "allowed"]);
    assert!(stage.kinds(&job).contains(&"question_answered".to_owned()));
    let told = stage.home.json(&["inbox", "--owner", owner]);
    assert_eq!(told["notices"][0]["type"], "job.ended", "the question is no news any more");
}

#[test]
fn a_no_is_told_to_the_agent_with_its_reason() {
    let stage = Stage::new("claude", &["--ask-tool", "Bash"]);
    let job = stage.turn("[[bash touch made]] [[done fine]]");
    let id = stage.asked()["id"].as_str().unwrap().to_owned();
    let denied = stage.home.json(&["approvals", "--deny", &id, "--reason", "not today"]);
    assert_eq!((&denied["state"], &denied["reason"]), (&json!("denied"), &json!("not today")));
    stage.home.until(&job, "ended");
    assert!(!stage.home.work().join("made").exists());
    let said = serde_json::to_string(&stage.fake.notes()).unwrap();
    assert!(said.contains("not today"), "{said}");
    stage.home.run(&["approvals", "--allow", &id]).fails(3, "denied already");
    stage.home.run(&["approvals", "--allow", "apr_0000"]).fails(3, "there is no question");
}

#[test]
fn who_cannot_put_a_call_off_is_held_until_the_answer_comes() {
    let stage = Stage::new("qwen", &["--ask-tool", "run_shell_command"]);
    let job = stage.turn("[[bash touch made]] [[done fine]]");
    let id = stage.asked()["id"].as_str().unwrap().to_owned();
    let held = stage.home.show(&job);
    assert_eq!((&held["state"], &held["attempt"]), (&json!("running"), &json!(1)));
    stage.home.run(&["approvals", "--allow", &id]).ok();
    let ended = stage.home.until(&job, "ended");
    assert_eq!((&ended["outcome"]["kind"], &ended["attempt"]), (&json!("succeeded"), &json!(1)));
    assert!(stage.home.work().join("made").exists(), "{:#?}", stage.fake.notes());
    assert_eq!(stage.decisions(&job), ["asked", "allowed"]);
}

#[test]
fn what_the_policy_denies_is_denied_and_recorded() {
    let stage = Stage::new("claude", &["--allow-tool", "Bash", "--deny-tool", "Bash(rm *)"]);
    let job = stage.turn("[[bash touch made]] [[bash ls; rm made]] [[done fine]]");
    stage.home.until(&job, "ended");
    assert!(stage.home.work().join("made").exists(), "{:#?}", stage.fake.notes());
    assert_eq!(stage.decisions(&job), ["allowed", "denied"]);
}

#[test]
fn it_fails_closed_in_each_ones_own_words() {
    let home = Home::new();
    let nowhere = home.work().join("no.socket");
    let job = "job_01JD0000000000000000000000";
    let inside = [
        ("LONGHAUL_JOB_ID", job),
        ("LONGHAUL_ATTEMPT", "1"),
        ("LONGHAUL_JOB_TOKEN", "x"),
        ("LONGHAUL_SOCKET", nowhere.to_str().unwrap()),
    ];
    let told = call("Bash", &json!({ "command": "ls" }));
    let claude = hook(&home, &["claude"], &inside, &told);
    let said: Value = serde_json::from_str(claude.ok()).unwrap();
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "deny", "{said:#}");
    for kind in ["codex", "gemini", "qwen", "opencode", "pi", "omp"] {
        let ran = hook(&home, &[kind], &inside, &told);
        assert_eq!((ran.code, ran.text()), (2, ""), "{kind}: {ran:?}");
        assert!(ran.stderr.contains("may not"), "{kind}: {ran:?}");
    }
    let unread = hook(&home, &["claude"], &inside, "no JSON");
    assert!(unread.ok().contains("\"deny\""), "{unread:?}");
    let other = hook(&home, &["claude"], &inside, r#"{"hook_event_name":"SessionStart"}"#);
    assert_eq!(other.ok(), "", "nobody has to be asked about that");
    hook(&home, &["claude"], &[], &told).fails(2, "not inside a job");
    hook(&home, &["tmux"], &inside, &told).fails(2, "tmux");
    assert!(!home.path().exists(), "a hook starts no daemon");
}

#[test]
fn a_token_answers_for_its_own_attempt_only_and_for_no_person() {
    let stage = Stage::new("claude", &["--ask-tool", "Bash"]);
    stage.turn("[[bash true]] [[done]]");
    let id = stage.asked()["id"].as_str().unwrap().to_owned();
    let socket = stage.home.json(&["daemon", "status"])["socket"].as_str().unwrap().to_owned();
    let job = stage.asked()["job"].as_str().unwrap().to_owned();
    let inside = [
        ("LONGHAUL_JOB_ID", job.as_str()),
        ("LONGHAUL_ATTEMPT", "1"),
        ("LONGHAUL_JOB_TOKEN", "0000"),
        ("LONGHAUL_SOCKET", socket.as_str()),
    ];
    let told = call("Bash", &json!({ "command": "ls" }));
    let forged = hook(&stage.home, &["claude"], &inside, &told);
    assert!(forged.ok().contains("the token is not that of this job"), "{forged:?}");
    let mut answer = stage.home.command(&["approvals", "--allow", &id]);
    answer.envs(inside);
    ran(answer.output().unwrap()).fails(3, "a job may not answer for a person");
}
