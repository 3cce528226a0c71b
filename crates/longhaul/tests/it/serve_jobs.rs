//! Jobs over HTTP: the exact shapes, what is refused and how, and what is told about a job.

use crate::serve_support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_job_object_has_its_fields_in_their_order() {
    let server = Server::start();
    let id = server.submit("echo hello; exit 3", json!({"name": "greet"})).await;
    let ended = server.ended(&id).await;
    assert_eq!(ended["outcome"]["kind"], "failed");
    assert_eq!(ended["outcome"]["exit_code"], 3);
    assert_eq!((&ended["stdout_bytes"], &ended["attempt"]), (&json!(6), &json!(1)));
    let shown = server.get("/v1/jobs/greet").await;
    let text = String::from_utf8(shown.body.to_vec()).unwrap();
    let fields = [
        "id",
        "name",
        "state",
        "outcome",
        "command",
        "cwd",
        "agent",
        "pool",
        "lane",
        "priority",
        "labels",
        "owner",
        "parent",
        "attempt",
        "waiting_for",
        "submitted_at",
        "started_at",
        "ended_at",
        "pid",
        "host",
        "stdout_bytes",
        "stderr_bytes",
        "retry_of",
        "cancel_requested_at",
        "cleanup",
        "attempts",
        "history",
    ];
    let mut from = 0;
    for field in fields {
        let at = text[from..].find(&format!("\"{field}\":"));
        from += at.unwrap_or_else(|| panic!("`{field}` is not where it belongs in {text}"));
    }
    let shown = shown.json();
    assert_eq!(shown["attempts"][0]["state"], "ended");
    let kinds: Vec<&str> =
        shown["history"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..4], ["created", "starting", "started", "attempt_ended"]);
    assert!(shown["ended_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_refused_by_name() {
    let server = Server::start();
    let cases = [
        ("/v1/jobs", json!({"command": ["x"], "tiemout": "1s"}), "bad_spec", "`tiemout`"),
        ("/v1/jobs", json!({"command": [], "cwd": "/"}), "bad_spec", "`command`"),
        ("/v1/jobs", json!({"command": ["x"], "cwd": "w"}), "bad_spec", "`cwd`"),
        ("/v1/jobs", json!({"command": ["x"], "timeout": "soon"}), "bad_spec", "`timeout`"),
        ("/v1/jobs", json!({"command": ["x"], "priority": 10}), "bad_spec", "`priority`"),
        ("/v1/jobs", json!({"command": ["x"], "id": "../x"}), "bad_spec", "`id`"),
        ("/v1/jobs", json!({"command": ["x"], "pool": "nope"}), "no_pool", "`nope`"),
        ("/v1/jobs", json!({"command": ["x"], "after": ["nobody"]}), "not_found", "`nobody`"),
        ("/v1/batch", json!({"jobs": [], "all": true}), "bad_request", "`all`"),
        ("/v1/prune", json!({"dryrun": true}), "bad_request", "`dryrun`"),
        ("/v1/nowhere", json!({}), "bad_request", "nothing at this path"),
    ];
    for (path, body, code, words) in cases {
        let answer = server.post(path, body).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(answer.message().contains(words), "{answer:?}");
        assert!(answer.status.is_client_error());
        assert!(longhaul::api::explain(code).is_some(), "{code} is not explained");
    }
    let answer = server.get("/v1/jobs?limt=3").await;
    assert_eq!(
        (answer.code().as_str(), answer.message().contains("`limt`")),
        ("bad_request", true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_ids_are_simply_not_found() {
    let server = Server::start();
    server.submit("true", json!({})).await;
    let long = "x".repeat(60_000);
    let hostile = [
        "%2e%2e%2fx",
        "%2Fetc%2Fpasswd",
        "..",
        "job_",
        "job_0",
        "%00",
        "*",
        "job_%25",
        "job_....",
        "%27%20or%201%3D1",
        &long,
    ];
    for id in hostile {
        for path in ["", "/why", "/wait", "/output", "/artifacts"] {
            let answer = server.get(&format!("/v1/jobs/{id}{path}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id} {answer:?}");
            assert!(answer.body.len() < 1_000, "the answer repeats too much");
        }
    }
    let answer = server.get("/v1/jobs/%ff").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert_eq!(answer.code(), "bad_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_name_lists_its_candidates() {
    let server = Server::start();
    let one = server.submit("true", json!({"name": "twin"})).await;
    let two = server.submit("true", json!({"name": "twin"})).await;
    let answer = server.get("/v1/jobs/twin").await;
    assert_eq!(answer.code(), "ambiguous");
    let candidates = answer.json()["error"]["candidates"].clone();
    assert_eq!(candidates, json!([two, one]));
    let prefix = &one[..one.len() - 1].to_lowercase();
    assert_eq!(server.get(&format!("/v1/jobs/{prefix}")).await.json()["id"], one);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_all_are_accepted_or_none() {
    let server = Server::start();
    let good = server.spec("true", json!({}));
    let bad = server.spec("true", json!({"pool": "nope"}));
    let answer = server.post("/v1/batch", json!({"jobs": [good, bad]})).await;
    assert_eq!((answer.code().as_str(), &answer.json()["error"]["index"]), ("no_pool", &json!(1)));
    assert_eq!(server.get("/v1/jobs").await.json()["jobs"], json!([]));
    let answer = server.post("/v1/batch", json!({"jobs": [good, good, good]})).await;
    let ids = answer.json()["ids"].clone();
    let page = server.get("/v1/jobs?limit=2").await.json();
    assert_eq!(page["jobs"][0]["id"], ids[2]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/v1/jobs?limit=2&cursor={cursor}")).await.json();
    assert_eq!((&rest["jobs"][0]["id"], &rest["next_cursor"]), (&ids[0], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_twice_makes_one_job() {
    let server = Server::start();
    let id = longhaul::ids::job_id().unwrap().to_string();
    let spec = server.spec("true", json!({"id": id}));
    assert_eq!(server.post("/v1/jobs", spec.clone()).await.status, StatusCode::CREATED);
    let again = server.post("/v1/jobs", spec).await;
    assert_eq!((again.status, &again.json()["created"]), (StatusCode::OK, &json!(false)));
    let other = server.post("/v1/jobs", server.spec("false", json!({"id": id}))).await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::CONFLICT, "id_taken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_cites_what_happened() {
    let server = Server::start();
    let id = server.submit("sleep 60", json!({"grace": "1s"})).await;
    let waited = server.get(&format!("/v1/jobs/{id}/wait?timeout_ms=1")).await;
    assert_eq!(waited.status, StatusCode::ACCEPTED);
    let after = server.submit("true", json!({"after": [id]})).await;
    let why = server.get(&format!("/v1/jobs/{after}/why")).await.json();
    assert!(why["why"][0].as_str().unwrap().contains(&id), "{why}");
    let cancel = json!({"reason": "enough", "now": true});
    let cancelled = server.post(&format!("/v1/jobs/{id}/cancel"), cancel).await;
    assert_eq!(cancelled.json()["changed"], 1);
    let ended = server.ended(&id).await;
    assert_eq!(ended["outcome"]["kind"], "cancelled");
    let why = server.get(&format!("/v1/jobs/{id}/why")).await.json()["why"].to_string();
    assert!(why.contains("It has ended") || why.contains("It ended at"), "{why}");
    assert!(why.contains("saying \\\"enough\\\"") && why.contains("Attempt 1 has"), "{why}");
    let again = server.post(&format!("/v1/jobs/{id}/cancel"), json!({})).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "ended"));
    assert_eq!(server.ended(&after).await["outcome"]["reason"], "dependency");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_needs_the_values_that_were_set_on_purpose() {
    let server = Server::start();
    let env =
        json!({"env": {"SECRET": "hunter2"}, "base_env": {"PATH": std::env::var("PATH").unwrap()}});
    let id = server.submit("echo $SECRET", env).await;
    server.ended(&id).await;
    let path = format!("/v1/jobs/{id}/retry");
    let refused = server.post(&path, json!({})).await;
    assert_eq!(refused.code(), "environment_gone");
    assert!(refused.message().contains("SECRET"), "{refused:?}");
    let again = server.post(&path, json!({"env": {"SECRET": "other"}})).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    let new = again.json()["job"]["id"].as_str().unwrap().to_owned();
    assert_eq!(again.json()["job"]["retry_of"], id);
    server.ended(&new).await;
    for job in [&id, &new] {
        let shown = server.get(&format!("/v1/jobs/{job}")).await;
        let text = String::from_utf8(shown.body.to_vec()).unwrap();
        assert!(text.contains("SECRET") && !text.contains("hunter2") && !text.contains("other\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_writes_nothing() {
    let server = Server::start();
    let id = server.submit("echo x", json!({})).await;
    server.ended(&id).await;
    let cleaned = async {
        while server.get(&format!("/v1/jobs/{id}")).await.json()["cleanup"]["state"] != "done" {}
    };
    tokio::time::timeout(crate::daemon_support::PATIENCE, cleaned).await.unwrap();
    let head = server.get("/v1/status").await.json()["head"].clone();
    let row = server.get(&format!("/v1/jobs/{id}")).await.body;
    for path in ["why", "wait", "output", "artifacts?verify=1", ""] {
        assert!(
            server
                .get(format!("/v1/jobs/{id}/{path}").trim_end_matches('/'))
                .await
                .status
                .is_success()
        );
    }
    for path in ["/v1/events", "/v1/pools", "/v1/doctor", "/v1/jobs?state=ended&label=a%3Db"] {
        assert_eq!(server.get(path).await.status, StatusCode::OK);
    }
    assert_eq!(server.get("/v1/status").await.json()["head"], head);
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).await.body, row);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_reports_with_its_own_token_only() {
    let server = Server::start();
    let id = server.submit("echo $LONGHAUL_JOB_TOKEN; sleep 60", json!({})).await;
    let path = format!("/v1/jobs/{id}/emit");
    let report = json!({"attempt": 1, "report": "progress", "body": {"current": 3}}).to_string();
    let send = |token: String| {
        let request = Request::post(&path).header("authorization", format!("Bearer {token}"));
        server.send(request.body(Body::from(report.clone())).unwrap())
    };
    let wrong = send("0".repeat(64)).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let job = longhaul_core::id::JobId::parse(&id).unwrap();
    crate::daemon_support::until(&server.daemon.ports, &job, |job| job.state_name() == "running")
        .await;
    let good = send(server.daemon.ports.tokens.of(&job, 1)).await;
    assert_eq!(good.status, StatusCode::NO_CONTENT, "{good:?}");
    let events = server.get(&format!("/v1/events?job={id}")).await;
    let last = String::from_utf8(events.body.to_vec()).unwrap();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["body"]["current"]), (&json!("emitted"), &json!(3)));
    server.post(&format!("/v1/jobs/{id}/cancel"), json!({"now": true})).await;
    server.ended(&id).await;
    assert_eq!(send(server.daemon.ports.tokens.of(&job, 1)).await.code(), "stale");
}
