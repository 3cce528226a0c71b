//! Sessions over real sockets: the handshake, what is numbered, and how a session is gone on with.

use crate::arcp_support::{Runtime, hello};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_welcomed_with_what_was_agreed_on() {
    let runtime = Runtime::start().await;
    let mut client = runtime.connect().await;
    let welcome = client.hello("tok").await;
    let payload = &welcome["payload"];
    assert_eq!(payload["session_id"], welcome["session_id"]);
    assert!(client.session.starts_with("sess_") && client.resume_token.len() == 67);
    assert_eq!(payload["resume_window_sec"], 600);
    assert_eq!(payload["heartbeat_interval_sec"], 30);
    let features = payload["capabilities"]["features"].as_array().unwrap();
    assert!(features.contains(&json!("ack")) && !features.contains(&json!("model.use")));
    let agents = payload["capabilities"]["agents"].as_array().unwrap();
    let calc = agents.iter().find(|agent| agent["name"] == "calc").unwrap();
    assert_eq!(*calc, json!({"name":"calc","versions":["1.0.0","2.0.0"],"default":"2.0.0"}));

    client.send("session.ping", json!({ "nonce": "n1", "sent_at": "now" })).await;
    assert_eq!(client.next().await["payload"]["ping_nonce"], "n1");
    client.send("session.bye", json!({})).await;
    assert_eq!(client.until_closed().await, Some(1000));
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brings_no_good_token_is_told_so_and_sent_away() {
    let runtime = Runtime::start().await;
    for token in ["", "wrong", "tok-"] {
        let mut client = runtime.connect().await;
        client.send("session.hello", hello(token, json!({}))).await;
        let error = client.next().await;
        assert_eq!(error["type"], "session.error", "{error}");
        assert_eq!(error["payload"]["code"], "UNAUTHENTICATED");
        assert_eq!(error["payload"]["retryable"], false);
        assert!(error["session_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!(client.until_closed().await, Some(1008));
    }
    // However many such there were, a good one is not hurt.
    runtime.welcomed("tok").await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_accepted_told_of_and_gives_its_result() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let asked = json!({ "agent": "echo", "input": { "b": 1, "a": [null, "ä"] } });
    let request = client.send("job.submit", asked).await;
    let accepted = client.next().await;
    assert_eq!(accepted["type"], "job.accepted", "{accepted}");
    assert_eq!(accepted["payload"]["request_id"], request);
    let running = client.next().await;
    assert_eq!((&running["type"], &running["event_seq"]), (&json!("job.event"), &json!(1)));
    assert_eq!(running["payload"]["body"]["phase"], "running");
    let result = client.next().await;
    assert_eq!((&result["type"], &result["event_seq"]), (&json!("job.result"), &json!(2)));
    assert_eq!(result["payload"]["result"], json!({"echoed": {"a": [null, "ä"], "b": 1}}));
    for frame in [&running, &result] {
        assert_eq!(frame["trace_id"], accepted["trace_id"]);
        assert_eq!(frame["job_id"], accepted["job_id"]);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_there_costs_only_that_submission() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let job = client.submit("wait", Value::Null).await;
    for (agent, code) in [
        ("nobody", "AGENT_NOT_AVAILABLE"),
        ("calc@9.9.9", "AGENT_VERSION_NOT_AVAILABLE"),
        ("Not An Agent", "INVALID_REQUEST"),
    ] {
        let request = client.send("job.submit", json!({ "agent": agent })).await;
        let error = client.until("job.error").await;
        assert_eq!(error["payload"]["code"], code, "{error}");
        assert_eq!(error["payload"]["request_id"], request);
        assert_ne!(error["job_id"], job);
        assert_eq!(error["event_seq"], Value::Null);
    }
    client.send_about("job.cancel", Some(&job), json!({ "reason": "enough" })).await;
    assert_eq!(client.until("job.cancelled").await["payload"]["reason"], "enough");
    let error = client.until("job.error").await;
    assert_eq!(error["payload"]["final_status"], "cancelled");
    assert_eq!(error["payload"]["code"], "CANCELLED");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_fails_in_its_own_words() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    for (asked, code, reason) in [
        ("PERMISSION_DENIED", "PERMISSION_DENIED", Value::Null),
        ("out_of_cheese", "INTERNAL_ERROR", json!("out_of_cheese")),
    ] {
        client.submit("fail", json!(asked)).await;
        let error = client.until("job.error").await;
        assert_eq!(error["payload"]["code"], code, "{error}");
        assert_eq!(error["payload"]["message"], "as asked");
        assert_eq!(error["payload"]["details"]["code"], reason);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_told_again_the_same_and_once() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    first.submit("count", json!({ "n": 200 })).await;
    let mut seen = Vec::new();
    while seen.len() < 202 {
        seen.push(first.next().await);
    }
    drop_abruptly(first, &runtime, seen).await;
    runtime.stop().await;
}

async fn drop_abruptly(
    first: crate::arcp_support::Client<tokio::net::TcpStream>,
    runtime: &Runtime,
    seen: Vec<Value>,
) {
    let seqs: Vec<u64> = seen.iter().map(|frame| frame["event_seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=202).collect::<Vec<_>>());
    let mut second = runtime.connect().await;
    let welcome = second.resume("tok", &first, 150).await;
    assert_eq!(welcome["session_id"], first.session);
    assert_ne!(second.resume_token, first.resume_token);
    for frame in &seen[150..] {
        assert_eq!(second.next().await, *frame);
    }
    // Caught up: nothing is told again, and what comes is the next number.
    let mut third = runtime.connect().await;
    third.resume("tok", &second, 202).await;
    third.submit("echo", json!(1)).await;
    assert_eq!(third.next().await["event_seq"], 203);
    assert_eq!(second.until_closed().await, Some(1008), "it was displaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_goes_on_with_a_session() {
    let runtime = Runtime::start().await;
    let mut mine = runtime.welcomed("tok").await;
    mine.submit("echo", json!(1)).await;
    mine.until("job.result").await;
    let resume = |token: &str, after: u64| {
        json!({ "resume": {
            "session_id": mine.session, "resume_token": token, "last_event_seq": after,
        } })
    };
    let wrong = format!("rt_{}", "0".repeat(64));
    for (who, payload) in [
        ("tok-bob", resume(&mine.resume_token, 0)),
        ("tok", resume(&wrong, 0)),
        ("tok", resume(&mine.resume_token, 99)),
    ] {
        let mut other = runtime.connect().await;
        other.send("session.hello", hello(who, payload)).await;
        let error = other.next().await;
        assert_eq!(error["payload"]["code"], "RESUME_WINDOW_EXPIRED", "{error}");
        // A fresh hello on the same connection is welcome.
        other.hello(who).await;
    }
    let mut again = runtime.connect().await;
    again.resume("tok", &mine, 2).await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_its_daemon() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    first.submit("count", json!({ "n": 60 })).await;
    let mut seen = vec![];
    while seen.len() < 62 {
        seen.push(first.next().await);
    }
    let place = runtime.stop().await;
    assert_eq!(first.until_closed().await, Some(1012));
    let runtime = Runtime::at(place).await;
    let mut second = runtime.connect().await;
    second.resume("tok", &first, 0).await;
    for frame in &seen {
        assert_eq!(second.next().await, *frame);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_job_and_its_end_once_more() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    let asked = json!({ "agent": "echo", "input": { "x": 1 }, "idempotency_key": "k" });
    first.send("job.submit", asked.clone()).await;
    let accepted = first.until("job.accepted").await;
    let result = first.until("job.result").await;
    first.send("job.submit", asked.clone()).await;
    assert_eq!(first.next().await["job_id"], accepted["job_id"]);
    assert_eq!(first.next().await, result);
    let mut second = runtime.welcomed("tok").await;
    second.send("job.submit", asked.clone()).await;
    assert_eq!(second.next().await["job_id"], accepted["job_id"]);
    let told = second.next().await;
    assert_eq!((&told["payload"], &told["event_seq"]), (&result["payload"], &json!(1)));
    let other = json!({ "agent": "echo", "input": { "x": 2 }, "idempotency_key": "k" });
    second.send("job.submit", other).await;
    let error = second.next().await;
    assert_eq!(error["payload"]["code"], "DUPLICATE_KEY", "{error}");
    assert_eq!(error["payload"]["details"]["existing_job_id"], accepted["job_id"]);
    // Another principal's key is another key.
    let mut bob = runtime.welcomed("tok-bob").await;
    bob.send("job.submit", asked).await;
    assert_ne!(bob.next().await["job_id"], accepted["job_id"]);
    runtime.stop().await;
}
