//! Agents, turns and mail over HTTP: their exact shapes, what is refused and how, who is believed.

use crate::agents_support::FakeAgents;
use crate::serve_support::{Answer, Server};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use longhaul_core::id::JobId;
use serde_json::{Value, json};

/// A server, and a CLI that its agents run.
struct Stage {
    server: Server,
    fake: FakeAgents,
}

impl Stage {
    fn start() -> Self {
        let server = Server::start();
        let fake = FakeAgents::within(&server.place.root.path().join("agents"));
        Self { server, fake }
    }

    /// What an agent is asked to be, with more fields.
    fn agent(&self, more: Value) -> Value {
        let mut ask = json!({
            "kind": "ndjson",
            "cwd": self.server.place.root.path(),
            "extra": [self.fake.program("ndjson")],
            "owner": "me",
            "base_env": {"PATH": "/usr/bin:/bin", "SECRET_OF_OTHERS": "hunter2"},
        });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    }

    async fn add(&self, name: &str, more: Value) -> Answer {
        let body = self.agent(more).to_string();
        let answer = self.server.put(&format!("/v1/agents/{name}"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer
    }

    async fn show(&self, name: &str) -> Value {
        self.server.get(&format!("/v1/agents/{name}")).await.json()
    }

    /// Hands a turn in, lets it end, and gives its job.
    async fn turn(&self, agent: &str, ask: Value) -> Value {
        let answer = self.server.post(&format!("/v1/agents/{agent}/turns"), ask).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let id = answer.json()["job"]["id"].as_str().unwrap().to_owned();
        self.server.ended(&id).await
    }

    async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header("authorization", format!("Bearer {token}"));
        self.server.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        let request = Request::builder().method(Method::DELETE).uri(path);
        self.server.send(request.body(Body::empty()).unwrap()).await
    }

    /// All that a change could have touched.
    async fn everything(&self) -> (Value, Value, Value) {
        let get = |path: &'static str| async move { self.server.get(path).await.json() };
        (get("/v1/agents").await, get("/v1/mail").await, get("/v1/jobs").await["jobs"].clone())
    }
}

/// Asserts that `fields` stand in a text in this order.
#[track_caller]
fn in_order(text: &str, fields: &[&str]) {
    let mut from = 0;
    for field in fields {
        let at = text[from..].find(&format!("\"{field}\":"));
        from += at.unwrap_or_else(|| panic!("`{field}` is not where it belongs in {text}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_has_its_fields_in_their_order() {
    let stage = Stage::start();
    let added = stage.add("a", json!({"role": "builder", "budget": {"usd_max": "2usd"}})).await;
    let text = String::from_utf8(added.body.to_vec()).unwrap();
    let fields = [
        "name",
        "kind",
        "role",
        "parent",
        "model",
        "cwd",
        "state",
        "waiting_for",
        "conversation",
        "resume_command",
        "turns",
        "unread",
        "turn",
        "last_turn",
        "used",
        "used_tree",
        "budget",
        "children",
        "policy",
        "park",
        "resume",
        "quiet",
        "worktree",
        "added_at",
        "warnings",
    ];
    in_order(&text, &fields);
    assert_eq!(
        (&added.json()["state"], &added.json()["budget"]["usd_max"]),
        (&json!("idle"), &json!(2.0))
    );
    assert!(!text.contains("hunter2"), "a secret is shown: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_told_with_its_job_and_with_its_agent() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    stage.fake.script("ndjson", "say Hello\ncost 0.000123\ntokens 12 34\ndone Well done");
    let job = stage.turn("a", json!({"prompt": "Do it", "labels": {"k": "v"}})).await;
    assert_eq!(job["outcome"]["kind"], "succeeded", "{job}");
    assert_eq!((&job["agent"], &job["lane"]), (&json!("a"), &json!("agent/a")));
    let fields = [
        "agent",
        "is_wake",
        "conversation",
        "is_mismatch",
        "resume_command",
        "model",
        "used",
        "budget",
        "mail",
        "parks",
        "health",
        "answered_at",
        "end",
        "terminal",
        "asks",
        "events",
    ];
    for field in fields {
        assert!(job["turn"].get(field).is_some(), "no `{field}` in {}", job["turn"]);
    }
    assert_eq!(job["turn"]["end"]["how"], "done");
    assert_eq!(job["turn"].get("prompt"), None);
    let id = job["id"].as_str().unwrap();
    let shown = stage.server.get(&format!("/v1/jobs/{id}")).await.json();
    assert_eq!(shown["turn"]["prompt"], "Do it");
    let agent = stage.show("a").await;
    assert_eq!((&agent["turns"], &agent["last_turn"]["job"]), (&json!(1), &json!(id)));
    assert_eq!(agent["last_turn"]["outcome"]["kind"], "succeeded");
    assert_eq!(agent["used"], agent["used_tree"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_says_is_in_the_events_and_what_became_of_it_in_the_history() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    stage.fake.script("ndjson", "say Hello there\ndone Well done");
    let job = stage.turn("a", json!({"prompt": "Do it"})).await;
    let id = job["id"].as_str().unwrap();
    let answer = stage.server.get(&format!("/v1/events?job={id}")).await;
    let events: Vec<Value> = String::from_utf8(answer.body.to_vec())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said = events.iter().find(|event| event["kind"] == "log").expect("what it said");
    assert_eq!((&said["message"], &said["from"]), (&json!("Hello there"), &json!("agent")));
    assert!(
        events.windows(2).all(|pair| pair[0]["position"].as_u64() < pair[1]["position"].as_u64())
    );
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gap, nothing twice");
    let shown = stage.server.get(&format!("/v1/jobs/{id}")).await.json();
    let kinds: Vec<&str> =
        shown["history"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"created") && kinds.contains(&"ended"), "{kinds:?}");
    assert!(!kinds.contains(&"log") && !kinds.contains(&"result"), "{kinds:?}");
    let request =
        Request::get(format!("/v1/events?job={id}")).header("accept", "text/event-stream");
    let sse = stage.server.send(request.body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(sse.body.to_vec()).unwrap();
    assert!(text.contains("event: log\n") && text.contains("event: ended\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    let before = stage.everything().await;
    let agents = [
        (json!({"kind": "tmux"}), "bad_spec", "`kind`"),
        (json!({"kind": ""}), "bad_spec", "`kind`"),
        (json!({"rol": "x"}), "bad_request", "`rol`"),
        (json!({"cwd": "relative"}), "bad_spec", "`cwd`"),
        (json!({"cwd": "/no/such/folder"}), "bad_spec", "`cwd`"),
        (json!({"extra": []}), "bad_spec", "`extra`"),
        (json!({"parent": "nobody"}), "no_agent", "`nobody`"),
        (json!({"parent": "b"}), "bad_spec", "`parent`"),
        (json!({"pool": "nope"}), "no_pool", "`nope`"),
        (json!({"notify": ["nope"]}), "no_sink", "`nope`"),
        (json!({"budget": {"usd_max": "much"}}), "bad_request", "`much`"),
        (json!({"budget": {"usd_max": -1}}), "bad_request", "`-1` is not an amount"),
        (json!({"park": "later"}), "bad_request", "`later`"),
        (json!({"quiet": {"warn": "soon"}}), "bad_request", "`soon`"),
        (json!({"timeout": "0s"}), "bad_spec", "`timeout`"),
        (json!({"env": {"A=B": "x"}}), "bad_spec", "`env`"),
        (json!({"role": "a\nb"}), "bad_spec", "`role`"),
    ];
    for (more, code, words) in agents {
        let answer = stage.server.put("/v1/agents/b", stage.agent(more).to_string()).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(answer.message().contains(words), "no {words}: {answer:?}");
        assert!(answer.status.is_client_error());
    }
    let turns = [
        ("a", json!({}), "bad_request", "`prompt`"),
        ("a", json!({"prompt": " \n"}), "bad_spec", "`prompt`"),
        ("a", json!({"prompt": "x", "steps": 0}), "bad_spec", "steps"),
        ("a", json!({"prompt": "x", "tiemout": "1s"}), "bad_request", "`tiemout`"),
        ("a", json!({"prompt": "x", "id": "../x"}), "bad_spec", "`id`"),
        ("a", json!({"prompt": "x", "after": ["nobody"]}), "not_found", "`nobody`"),
        ("a", json!({"prompt": "x", "retry": 1_000}), "bad_spec", "`retry`"),
        ("nobody", json!({"prompt": "x"}), "no_agent", "`nobody`"),
    ];
    for (agent, ask, code, words) in turns {
        let answer = stage.server.post(&format!("/v1/agents/{agent}/turns"), ask).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(answer.message().contains(words), "no {words}: {answer:?}");
    }
    let same =
        stage.server.put("/v1/agents/a", stage.agent(json!({"model": "m"})).to_string()).await;
    assert_eq!((same.status, same.code().as_str()), (StatusCode::CONFLICT, "agent_taken"));
    for path in ["/v1/agents/nobody", "/v1/agents/%2e%2e%2fx"] {
        assert_eq!(stage.server.get(path).await.code(), "no_agent");
        assert_eq!(stage.delete(path).await.code(), "no_agent");
    }
    let stopped = stage.server.post("/v1/agents/nobody/stop", json!({})).await;
    assert_eq!(stopped.code(), "no_agent");
    assert_eq!(stage.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_cannot_be_sent_is_refused_whole() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    stage.add("gone", json!({})).await;
    let stopped = stage.server.post("/v1/agents/gone/stop", json!({"reason": "enough"})).await;
    assert_eq!(
        (&stopped.json()["state"], &stopped.json()["stop_reason"]),
        (&json!("stopped"), &json!("enough"))
    );
    let before = stage.everything().await;
    let letters = [
        (json!({"to": ["a"]}), "bad_spec", "`subject`"),
        (json!({"to": [], "subject": "s"}), "no_recipients", "nobody"),
        (json!({"to": ["a", "nobody"], "subject": "s"}), "no_agent", "`nobody`"),
        (json!({"to": ["a", "gone"], "subject": "s"}), "agent_ended", "stopped"),
        (json!({"to": ["@nosuchrole"], "subject": "s"}), "no_", "nosuchrole"),
        (json!({"to": ["a"], "subject": "s", "kind": "gossip"}), "bad_spec", "`kind`"),
        (json!({"to": ["a"], "subject": "s", "kind": "worker_done"}), "bad_spec", "`payload`"),
        (json!({"to": ["a"], "subject": "s", "priority": "now"}), "bad_request", "`now`"),
        (json!({"to": ["a"], "subject": "s", "from": "lead"}), "bad_request", "`from`"),
        (json!({"to": ["a"], "subject": "s", "id": "mail_1"}), "bad_spec", "`id`"),
        (json!({"to": ["a"], "subject": "s", "reply_to": "mail_0000"}), "no_mail", "mail_0000"),
        (json!({"to": ["a"], "subject": "x".repeat(5_000)}), "bad_spec", "`subject`"),
    ];
    for (letter, code, words) in letters {
        let answer = stage.server.post("/v1/mail", letter).await;
        assert!(answer.code().starts_with(code), "no {code}: {answer:?}");
        assert!(answer.message().contains(words), "no {words}: {answer:?}");
    }
    assert_eq!(stage.server.get("/v1/mail/mail_0000").await.code(), "no_mail");
    assert_eq!(stage.server.get("/v1/mail?state=lost").await.code(), "bad_request");
    assert_eq!(stage.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_for_himself_which_agent_he_is() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    stage.add("b", json!({})).await;
    stage.fake.script("ndjson", "await go\ndone");
    let answer = stage.server.post("/v1/agents/a/turns", json!({"prompt": "Wait"})).await;
    let job = answer.json()["job"]["id"].as_str().unwrap().to_owned();
    let id = JobId::parse(&job).unwrap();
    stage.running(&job).await;
    let token = stage.server.daemon.ports.tokens.of(&id, 1);
    let by = |attempt: u32| json!({"job": job, "attempt": attempt});
    let letter = |turn: Value| json!({"to": ["b"], "subject": "s", "turn": turn, "owner": "boss"});

    let sent = stage.post_as(&token, "/v1/mail", letter(by(1))).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{sent:?}");
    let mail = &sent.json()["mail"][0];
    assert_eq!((&mail["from"], &mail["from_turn"]), (&json!("a"), &json!(job)));

    let before = stage.server.get("/v1/mail").await.json();
    for (token, turn) in [("", by(1)), ("0".repeat(64).as_str(), by(1)), (token.as_str(), by(2))] {
        let refused = stage.post_as(token, "/v1/mail", letter(turn)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    }
    let other = json!({"job": "job_01JD0000000000000000000000", "attempt": 1});
    assert_eq!(stage.post_as(&token, "/v1/mail", letter(other)).await.code(), "forbidden");
    let unproven = stage.server.post("/v1/mail", letter(by(1))).await;
    assert_eq!(unproven.code(), "forbidden");
    let unsaid = json!({"to": ["b"], "subject": "s"});
    assert_eq!(stage.post_as(&token, "/v1/mail", unsaid).await.code(), "bad_request");
    let check = json!({"agent": "b", "turn": by(1)});
    assert_eq!(stage.post_as(&token, "/v1/mail/check", check).await.code(), "forbidden");
    assert_eq!(stage.server.get("/v1/mail").await.json(), before);

    std::fs::write(stage.server.place.root.path().join("go"), "").unwrap();
    let ended = stage.server.ended(&job).await;
    assert_eq!(ended["outcome"]["kind"], "succeeded", "{ended}");
    // What its last breath sent comes a little after its end, and is still its own.
    let late = stage.post_as(&token, "/v1/mail", letter(by(1))).await;
    assert_eq!((late.status, &late.json()["mail"][0]["from"]), (StatusCode::CREATED, &json!("a")));
}

impl Stage {
    /// Waits until the job's process runs, in the events that say so.
    async fn running(&self, job: &str) {
        let mut watch = self.server.daemon.ports.journal.watch_job(&JobId::parse(job).unwrap());
        loop {
            let shown = self.server.get(&format!("/v1/jobs/{job}")).await.json();
            if shown["state"] == "running" {
                return;
            }
            assert_ne!(shown["state"], "ended", "{shown}");
            watch.changed().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_once_listed_in_pages_and_read_by_whom_it_is_for() {
    let stage = Stage::start();
    stage.add("a", json!({})).await;
    let send =
        |subject: &str| json!({"to": ["@me"], "subject": subject, "body": "b", "owner": "you"});
    let mut letter = send("first");
    letter["id"] = json!("mail_01JD0000000000000000000000");
    for _ in 0..2 {
        let sent = stage.server.post("/v1/mail", letter.clone()).await;
        assert_eq!(sent.status, StatusCode::CREATED, "{sent:?}");
        assert_eq!(sent.json()["mail"].as_array().unwrap().len(), 1);
    }
    for subject in ["second", "third"] {
        assert_eq!(stage.server.post("/v1/mail", send(subject)).await.status, StatusCode::CREATED);
    }
    let subjects = |page: &Value| -> Vec<String> {
        page["mail"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["subject"].as_str().unwrap().into())
            .collect()
    };
    let first = stage.server.get("/v1/mail?to=%40me&limit=2").await.json();
    assert_eq!(subjects(&first), ["third", "second"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = stage.server.get(&format!("/v1/mail?to=%40me&limit=2&cursor={cursor}")).await.json();
    assert_eq!((subjects(&rest), &rest["next_cursor"]), (vec!["first".to_owned()], &Value::Null));

    let id = rest["mail"][0]["id"].as_str().unwrap();
    let read = |owner: &str| json!({"owner": owner});
    let path = format!("/v1/mail/{id}/read");
    assert_eq!(stage.server.post(&path, read("other")).await.json()["state"], "unread");
    assert_eq!(stage.server.post(&path, read("me")).await.json()["state"], "read");
    let answer = json!({"reply_to": id, "body": "thanks", "owner": "me"});
    let reply = stage.server.post("/v1/mail", answer).await.json()["mail"][0].clone();
    assert_eq!((&reply["to"], &reply["subject"]), (&json!("@you"), &json!("Re: first")));
    assert_eq!((&reply["thread"], &reply["kind"]), (&json!(id), &json!("status")));
    let thread =
        stage.server.get(&format!("/v1/mail?thread={}", reply["id"].as_str().unwrap())).await;
    assert_eq!(subjects(&thread.json()), ["Re: first", "first"]);

    let handed = stage.server.post("/v1/mail/check", read("me")).await.json();
    assert_eq!(subjects(&handed), ["second", "third"], "oldest first");
    let again = stage.server.post("/v1/mail/check", read("me")).await.json();
    assert_eq!(subjects(&again), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tree_of_agents_used_is_told_at_its_top() {
    let stage = Stage::start();
    stage.add("lead", json!({})).await;
    stage.add("worker", json!({"parent": "lead"})).await;
    stage.fake.script("ndjson", "say x\ncost 0.25\ntokens 10 5\ndone");
    let job = stage.turn("worker", json!({"prompt": "x"})).await;
    assert_eq!(job["outcome"]["kind"], "succeeded", "{job}");
    let (lead, worker) = (stage.show("lead").await, stage.show("worker").await);
    assert_eq!(lead["children"], json!(["worker"]));
    assert_eq!(lead["used"]["output_tokens"], 0);
    assert!(worker["used"]["output_tokens"].as_u64() > Some(0), "{worker}");
    assert_eq!(lead["used_tree"], worker["used"]);
    let listed = stage.server.get("/v1/agents").await.json();
    assert_eq!(listed["agents"][0]["used_tree"], lead["used_tree"]);
    assert_eq!(stage.delete("/v1/agents/lead").await.code(), "agent_busy");
    assert_eq!(stage.delete("/v1/agents/worker").await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.delete("/v1/agents/lead").await.status, StatusCode::NO_CONTENT);
    let turns = stage.server.get("/v1/jobs?agent=worker").await.json();
    assert_eq!(turns["jobs"].as_array().unwrap().len(), 1);
    let none = stage.server.get("/v1/jobs?agent=lead").await.json();
    assert_eq!(none["jobs"], json!([]));
}
