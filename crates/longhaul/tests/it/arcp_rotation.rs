//! Values of credentials that are replaced, or are a delegated job's: told to the session that asked for
//! the job, live and once more, and to nobody else.

use crate::arcp_issuing::{Issuing, SECRET};
use crate::arcp_support::Client;
use crate::harness::eventually;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::net::TcpStream;

/// Reads on until a credential is said to be replaced, and gives that frame.
async fn until_rotated(client: &mut Client<TcpStream>) -> Value {
    loop {
        let frame = client.until("job.event").await;
        if frame["payload"]["body"]["phase"] == "credential_rotated" {
            return frame;
        }
    }
}

async fn submit(client: &mut Client<TcpStream>, payload: Value) -> (String, Value) {
    client.send("job.submit", payload).await;
    let accepted = client.until("job.accepted").await;
    (accepted["job_id"].as_str().unwrap().to_owned(), accepted["payload"].clone())
}

fn sleeper() -> Value {
    json!({ "agent": "sleeper", "idempotency_key": "once" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_is_told_to_who_asked_for_the_job_and_to_nobody_else() {
    let mut issuing = Issuing::start();
    let (alice, root) = (issuing.token("alice", "client"), issuing.token("root", "operator"));
    let mut first = issuing.welcomed(&alice).await;
    let (job, accepted) = submit(&mut first, sleeper()).await;
    let old = accepted["credentials"][0].clone();
    let (mut same, mut other) = (issuing.welcomed(&alice).await, issuing.welcomed(&root).await);
    for client in [&mut same, &mut other] {
        client.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
        client.until("job.subscribed").await;
    }
    let listed = issuing.home.json(&["credentials", "list", &job]);
    let listed = &listed["credentials"][0];
    assert_eq!((&listed["issuer"], &listed["state"]), (&json!("vault"), &json!("active")));
    assert_eq!(listed["id"], old["id"]);
    let rotated = issuing.home.json(&["credentials", "rotate", &job, "vault"]);
    assert_eq!(rotated, json!({ "rotated": 1 }));

    let told = until_rotated(&mut first).await;
    let body = &told["payload"]["body"];
    assert_eq!((&body["id"], &body["endpoint"]), (&old["id"], &old["endpoint"]));
    let new = body["value"].as_str().unwrap().to_owned();
    assert!(new.starts_with(SECRET) && body["value"] != old["value"], "{told}");
    for client in [&mut same, &mut other] {
        let seen = until_rotated(client).await;
        assert_eq!(seen["payload"]["body"]["id"], old["id"]);
        assert!(!seen.to_string().contains(SECRET), "{seen}");
    }
    // Nowhere but in what its processes are given, whatever people look at.
    for look in [&["events", &job][..], &["show", &job], &["credentials", "list", &job]] {
        let shown = issuing.home.run(&[&["--json"], look].concat());
        assert!(!String::from_utf8_lossy(&shown.stdout).contains(SECRET), "{look:?}");
    }
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());

    // Told again it is the same, although a daemon was killed in between.
    issuing.kill();
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());
    issuing.serve_again();
    let mut again = issuing.connected().await;
    again.resume(&alice, &first, 0).await;
    assert_eq!(until_rotated(&mut again).await, told);
    // Who asks once more, or follows it now, has the value that is good now.
    let (_, accepted) = submit(&mut again, sleeper()).await;
    assert_eq!(accepted["credentials"][0]["value"], new.as_str());
    let mut late = issuing.welcomed(&alice).await;
    late.send("job.subscribe", json!({ "job_id": job })).await;
    let subscribed = late.until("job.subscribed").await;
    assert_eq!(subscribed["payload"]["credentials"][0]["value"], new.as_str());

    // What is good no more is not told again.
    again.send_about("job.cancel", Some(&job), json!({})).await;
    again.until("job.error").await;
    eventually("both are revoked", || issuing.count("revoke") == 2);
    let mut last = issuing.connected().await;
    last.resume(&alice, &again, 0).await;
    let seen = until_rotated(&mut last).await;
    assert_eq!((&seen["id"], &seen["event_seq"]), (&told["id"], &told["event_seq"]));
    assert!(!seen.to_string().contains(SECRET), "{seen}");
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replaced_is_refused_by_name() {
    let issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut client = issuing.welcomed(&alice).await;
    let (job, _) = submit(&mut client, sleeper()).await;
    issuing.home.run(&["credentials", "rotate", &job, "nobody"]).fails(3, "no credential of");
    client.send_about("job.cancel", Some(&job), json!({})).await;
    client.until("job.error").await;
    issuing.home.run(&["credentials", "rotate", &job]).fails(3, "already ended");
    let plain = issuing.home.submit(&["--", "true"]);
    let none = issuing.home.json(&["credentials", "list", &plain]);
    assert_eq!(none, json!({ "credentials": [] }));
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_jobs_credential_is_told_to_the_session_that_asked_for_its_parent() {
    let issuing = Issuing::start();
    let (alice, root) = (issuing.token("alice", "client"), issuing.token("root", "operator"));
    let mut first = issuing.welcomed(&alice).await;
    let lease = json!({ "agent.delegate": ["sleeper"] });
    let asked = json!({ "agent": "parent", "lease_request": lease });
    let (parent, _) = submit(&mut first, asked).await;
    let (mut same, mut other) = (issuing.welcomed(&alice).await, issuing.welcomed(&root).await);
    for client in [&mut same, &mut other] {
        client.send("job.subscribe", json!({ "job_id": parent })).await;
        client.until("job.subscribed").await;
    }
    let go = issuing.home.work().join("go");
    tokio::task::spawn_blocking(move || std::fs::write(go, "go\n")).await.unwrap().unwrap();
    let child = first.until("job.accepted").await;
    let payload = &child["payload"];
    assert_eq!(
        (&payload["parent_job_id"], &payload["delegate_id"]),
        (&json!(parent), &json!("part"))
    );
    let value = payload["credentials"][0]["value"].as_str().unwrap();
    assert!(value.starts_with(SECRET), "{child}");
    for client in [&mut same, &mut other] {
        let seen = client.until("job.accepted").await;
        assert_eq!(seen["job_id"], child["job_id"]);
        assert!(seen["payload"].get("credentials").is_none(), "{seen}");
    }
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());
    // What it is found again by is nobody's business.
    let shown = issuing.home.show(child["job_id"].as_str().unwrap());
    assert_eq!(shown["spec"]["key"], Value::Null);
    // It ends with its parent, and its credential with it.
    first.send_about("job.cancel", Some(&parent), json!({})).await;
    eventually("the child's credential is revoked", || issuing.count("revoke") == 1);
    assert_eq!(issuing.count("mint"), 1);
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}
