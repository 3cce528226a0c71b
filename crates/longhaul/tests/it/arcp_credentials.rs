//! Credentials of jobs over real sockets, made and revoked by a program that writes down what it was
//! asked: who is told of them, and that none is good for longer than its job, or found afterwards.

use crate::arcp_issuing::{Issuing, SECRET};
use crate::arcp_support::hello;
use crate::harness::eventually;
use serde_json::{Value, json};
use std::path::PathBuf;

fn submit() -> Value {
    json!({ "agent": "sleeper", "idempotency_key": "once" })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_the_job_is_told_its_credential_and_nobody_else() {
    let issuing = Issuing::start();
    let (alice, root) = (issuing.token("alice", "client"), issuing.token("root", "operator"));
    let mut first = issuing.welcomed(&alice).await;
    first.send("job.submit", submit()).await;
    let accepted = first.until("job.accepted").await;
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    let credentials = &accepted["payload"]["credentials"];
    let credential = &credentials[0];
    assert!(credential["value"].as_str().unwrap().starts_with(SECRET), "{accepted}");
    assert_eq!(credential["scheme"], "bearer");
    assert_eq!(credential["endpoint"], "http://vault/v1");
    assert_eq!(credential["profile"], "vault");
    first.send("job.submit", submit()).await;
    let again = first.until("job.accepted").await;
    assert_eq!(again["payload"]["credentials"], *credentials);

    first.send("session.list_jobs", json!({})).await;
    let listed = first.until("session.jobs").await;
    assert_eq!(listed["payload"]["jobs"][0]["job_id"], job.as_str());
    assert!(!listed.to_string().contains("credentials"), "{listed}");
    let mut same = issuing.welcomed(&alice).await;
    same.send("job.subscribe", json!({ "job_id": job })).await;
    let subscribed = same.until("job.subscribed").await;
    assert_eq!(subscribed["payload"]["credentials"], *credentials);
    // An operator may follow the job, and is another principal for all that.
    let mut other = issuing.welcomed(&root).await;
    other.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
    let subscribed = other.until("job.subscribed").await;
    assert_eq!(subscribed["payload"]["current_status"], "running");
    assert!(subscribed["payload"].get("credentials").is_none(), "{subscribed}");
    // Who did not agree on credentials is told of none.
    let mut plain = issuing.connected().await;
    let features = json!({ "encodings": ["json"], "features": ["subscribe"] });
    plain.hello_with(&alice, json!({ "capabilities": features })).await;
    plain.send("job.subscribe", json!({ "job_id": job })).await;
    let subscribed = plain.until("job.subscribed").await;
    assert!(subscribed["payload"].get("credentials").is_none(), "{subscribed}");

    assert_eq!((issuing.count("mint"), issuing.count("revoke")), (1, 0));
    first.send_about("job.cancel", Some(&job), json!({})).await;
    first.until("job.error").await;
    let ended = other.until("job.error").await;
    assert!(!ended.to_string().contains(SECRET));
    eventually("the credential is revoked", || issuing.count("revoke") == 1);
    first.send("job.submit", submit()).await;
    let again = first.until("job.accepted").await;
    assert!(again["payload"].get("credentials").is_none(), "{again}");
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_revoked_although_the_daemon_was_killed_with_its_job_under_way() {
    let mut issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut first = issuing.welcomed(&alice).await;
    first.send("job.submit", submit()).await;
    let accepted = first.until("job.accepted").await;
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    first.until("job.event").await;
    issuing.kill();
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());
    assert_eq!(issuing.count("revoke"), 0);
    issuing.serve_again();
    let mut second = issuing.connected().await;
    second.resume(&alice, &first, 0).await;
    second.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(second.until("job.error").await["payload"]["code"], "CANCELLED");
    eventually("the credential is revoked", || issuing.count("revoke") == 1);
    assert_eq!(issuing.count("mint"), 1);
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_the_credential_that_it_needs_is_not_accepted() {
    let issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut client = issuing.connected().await;
    client.send("session.hello", hello(&alice, json!({}))).await;
    let welcome = client.next().await;
    client.session = welcome["session_id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let asked = json!({ "agent": "refused", "idempotency_key": "once" });
        let id = client.send("job.submit", asked).await;
        let refused = client.next().await;
        assert_eq!(refused["type"], "job.error", "{refused}");
        assert_eq!(refused["payload"]["code"], "INTERNAL_ERROR");
        assert_eq!(refused["payload"]["details"]["reason"], "credentials");
        assert_eq!(refused["payload"]["request_id"], id.as_str());
        // The feed's own word on its end is no second error.
        let told = client.next().await;
        assert_eq!(told["type"], "job.event", "{told}");
    }
    // A key that nothing was accepted under is free.
    assert_eq!(issuing.count("mint"), 2);
    issuing.stop();
}
