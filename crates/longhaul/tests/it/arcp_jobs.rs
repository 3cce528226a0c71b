//! Lists and subscriptions over real sockets, and who may what.

use crate::arcp_support::{Client, Runtime};
use serde_json::{Value, json};
use tokio::net::TcpStream;

async fn listed(client: &mut Client<TcpStream>, payload: Value) -> Value {
    client.send("session.list_jobs", payload).await;
    client.until("session.jobs").await["payload"].clone()
}

fn ids(page: &Value) -> Vec<&str> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_page_by_page_the_oldest_first() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let mut made = vec![];
    for agent in ["echo", "calc@1.0.0", "calc", "echo", "wait"] {
        made.push(client.submit(agent, json!(1)).await);
        if agent != "wait" {
            client.until("job.result").await;
        }
    }
    let (mut found, mut cursor) = (vec![], Value::Null);
    loop {
        let page = listed(&mut client, json!({ "limit": 2, "cursor": cursor })).await;
        found.extend(ids(&page).into_iter().map(str::to_owned));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(found, made);
    let filtered = |filter: Value| json!({ "filter": filter });
    let page = listed(&mut client, filtered(json!({ "agent": "calc" }))).await;
    assert_eq!(ids(&page), made[1..3]);
    let page = listed(&mut client, filtered(json!({ "agent": "calc@2.0.0" }))).await;
    assert_eq!(ids(&page), made[2..3]);
    let page = listed(&mut client, filtered(json!({ "status": ["pending", "running"] }))).await;
    assert_eq!(ids(&page), made[4..]);
    let page = listed(&mut client, filtered(json!({ "status": ["success"] }))).await;
    assert_eq!(ids(&page), made[..4]);
    let first = &page["jobs"][0];
    assert_eq!((&first["agent"], &first["last_event_seq"]), (&json!("echo"), &json!(2)));
    assert_eq!((&first["parent_job_id"], &first["lease"]), (&Value::Null, &json!({})));
    assert_eq!(first["created_at"], first["submitted_at"]);
    let at = first["created_at"].clone();
    let page = listed(&mut client, filtered(json!({ "created_before": at }))).await;
    assert_eq!(ids(&page), [""; 0]);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_others_are_neither_seen_nor_touched_but_by_operators() {
    let runtime = Runtime::start().await;
    let mut alice = runtime.welcomed("tok").await;
    let job = alice.submit("wait", Value::Null).await;
    let mut bob = runtime.welcomed("tok-bob").await;
    assert_eq!(ids(&listed(&mut bob, json!({})).await), [""; 0]);
    bob.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(bob.next().await["payload"]["code"], "JOB_NOT_FOUND");
    bob.send("job.subscribe", json!({ "job_id": job })).await;
    assert_eq!(bob.next().await["payload"]["code"], "PERMISSION_DENIED");
    // The same principal on another session may look and not touch.
    let mut other = runtime.welcomed("tok").await;
    assert_eq!(ids(&listed(&mut other, json!({})).await), [&*job]);
    other.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(other.next().await["payload"]["code"], "PERMISSION_DENIED");
    let mut root = runtime.welcomed("tok-root").await;
    assert_eq!(ids(&listed(&mut root, json!({})).await), [&*job]);
    root.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(root.next().await["type"], "job.cancelled");
    assert_eq!(alice.until("job.error").await["payload"]["code"], "CANCELLED");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_is_subscribed_to_with_all_that_was_told() {
    let runtime = Runtime::start().await;
    let mut owner = runtime.welcomed("tok").await;
    let job = owner.submit("count", json!({ "n": 30 })).await;
    let mut told = vec![];
    while told.len() < 32 {
        told.push(owner.next().await);
    }
    let mut other = runtime.welcomed("tok").await;
    let asked = json!({ "job_id": job, "history": true, "from_event_seq": 10 });
    other.send("job.subscribe", asked).await;
    let subscribed = other.next().await;
    assert_eq!(subscribed["type"], "job.subscribed", "{subscribed}");
    assert_eq!(subscribed["payload"]["current_status"], "success");
    assert_eq!(subscribed["payload"]["replayed"], true);
    for (number, before) in told[10..].iter().enumerate() {
        let frame = other.next().await;
        assert_eq!(frame["event_seq"], number + 1, "{frame}");
        assert_eq!(frame["payload"], before["payload"]);
    }
    other.send("job.subscribe", json!({ "job_id": format!("job_{}", "0".repeat(26)) })).await;
    assert_eq!(other.next().await["payload"]["code"], "JOB_NOT_FOUND");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_goes_on_when_the_owner_is_gone() {
    let runtime = Runtime::start().await;
    let mut owner = runtime.welcomed("tok").await;
    let job = owner.submit("wait", Value::Null).await;
    owner.until("job.event").await;
    let mut other = runtime.welcomed("tok").await;
    other.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
    assert_eq!(other.next().await["payload"]["current_status"], "running");
    assert_eq!(other.next().await["payload"]["body"]["phase"], "running");
    drop(owner);
    let mut root = runtime.welcomed("tok-root").await;
    root.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(other.next().await["payload"]["code"], "CANCELLED");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_gets_everything_and_hurts_nobody() {
    let runtime = Runtime::start().await;
    let mut slow = runtime.welcomed("tok").await;
    slow.send("job.submit", json!({ "agent": "count", "input": { "n": 20_000 } })).await;
    // Nothing is read of it while others are served.
    let mut other = runtime.welcomed("tok").await;
    for _ in 0..5 {
        other.submit("echo", json!(1)).await;
        other.until("job.result").await;
    }
    let (mut expected, mut told) = (1, 0);
    loop {
        let frame = slow.next().await;
        if frame["type"] == "job.accepted" {
            continue;
        }
        assert_eq!(frame["event_seq"], expected);
        expected += 1;
        told += u64::from(frame["payload"]["kind"] == "log");
        if frame["type"] == "job.result" {
            break;
        }
    }
    assert_eq!(told, 20_000);
    runtime.stop().await;
}
