//! Jobs that are followed by sessions which did not ask for them.

use crate::arcp_support::{Client, Runtime};
use longhaul::embed::hosting::{AgentOutput, LogLevel, Metric};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What a log says.
fn message(frame: &Value) -> Option<&str> {
    frame["payload"]["body"]["message"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_hears_of_what_was_as_much_as_it_asks_for() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let runtime = Runtime::agents(move |hosting| {
        let body = move |context: longhaul::embed::hosting::AgentContext| {
            let gate = Arc::clone(&gate);
            async move {
                context.log(LogLevel::Info, "a").await?;
                context.log(LogLevel::Info, "b").await?;
                gate.notified().await;
                context.log(LogLevel::Info, "c").await?;
                Ok(AgentOutput::default())
            }
        };
        hosting.agent("gate").body(body).unwrap();
    })
    .await;
    let mut owner = runtime.welcomed("tok").await;
    let job = owner.submit("gate", Value::Null).await;
    while message(&owner.next().await) != Some("b") {}
    // Without history a number to begin at means nothing.
    let mut later = runtime.welcomed("tok").await;
    let asked = json!({ "job_id": job, "history": false, "from_event_seq": 1 });
    later.send("job.subscribe", asked).await;
    let subscribed = later.next().await;
    assert_eq!(subscribed["type"], "job.subscribed", "{subscribed}");
    assert_eq!(subscribed["payload"]["replayed"], false);
    assert_eq!(subscribed["payload"]["subscribed_from"], 0);
    // The numbers are those of the session that asked for the job: 1 is its start, 2 `a`, 3 `b`.
    let mut partly = runtime.welcomed("tok").await;
    let asked = json!({ "job_id": job, "history": true, "from_event_seq": 2 });
    partly.send("job.subscribe", asked).await;
    assert_eq!(partly.next().await["payload"]["replayed"], true);
    go.notify_one();
    for (mut client, expected) in [(later, vec!["c"]), (partly, vec!["b", "c"])] {
        let mut told = vec![];
        for number in 1.. {
            let frame = client.next().await;
            assert_eq!(frame["event_seq"], number, "{frame}");
            told.extend(message(&frame).map(str::to_owned));
            if frame["type"] == "job.result" {
                break;
            }
        }
        assert_eq!(told, expected);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_what_the_job_may_do_and_what_it_has_left() {
    let runtime = Runtime::agents(|hosting| {
        let body = |context: longhaul::embed::hosting::AgentContext| async move {
            context.metric(Metric::new("cost.inference", 1.25).unit("USD")).await?;
            context.cancelled().await;
            Ok(AgentOutput::default())
        };
        hosting.agent("spends").body(body).unwrap();
    })
    .await;
    let mut owner = runtime.welcomed("tok").await;
    let lease = json!({ "cost.budget": ["USD:5"], "tool.call": ["web.*"] });
    let ends = json!({ "expires_at": "2099-01-01T00:00:00.000Z" });
    let asked = json!({ "agent": "spends", "lease_request": lease, "lease_constraints": ends });
    owner.send("job.submit", asked).await;
    let accepted = owner.until("job.accepted").await;
    while owner.next().await["payload"]["body"]["name"] != "cost.inference" {}
    let mut other = runtime.welcomed("tok").await;
    other.send("job.subscribe", json!({ "job_id": accepted["job_id"] })).await;
    let told = &other.until("job.subscribed").await["payload"];
    assert_eq!(told["lease"], lease);
    assert_eq!(told["lease_constraints"], accepted["payload"]["lease_constraints"]);
    assert_eq!((&told["budget"], &told["agent"]), (&json!({ "USD": 3.75 }), &json!("spends")));
    assert_eq!(
        (&told["current_status"], &told["parent_job_id"]),
        (&json!("running"), &Value::Null)
    );
    assert_eq!(told["trace_id"], accepted["trace_id"]);
    assert_eq!(told.get("credentials"), None);
    runtime.stop().await;
}

/// Reads a job to its end. Each number is the one after that before it, and so is what each log says.
async fn read_whole(mut client: Client<TcpStream>) -> usize {
    let mut logs = 0;
    for number in 1.. {
        let frame = client.next().await;
        assert_eq!(frame["event_seq"], number, "{frame}");
        if frame["payload"]["kind"] == "log" {
            assert_eq!(message(&frame), Some(format!("tick {logs}").as_str()));
            logs += 1;
        }
        if frame["type"] == "job.result" {
            break;
        }
        // Nobody who reads is taken for slow.
        if number % 100 == 0 {
            client.send("session.ack", json!({ "last_processed_seq": number })).await;
        }
    }
    logs
}

#[tokio::test(flavor = "multi_thread")]
async fn between_what_was_and_what_is_nothing_is_lost_or_doubled() {
    const FOLLOWERS: usize = 50;
    let is_enough = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_enough);
    let runtime = Runtime::agents(move |hosting| {
        let body = move |context: longhaul::embed::hosting::AgentContext| {
            let flag = Arc::clone(&flag);
            async move {
                let mut ticks = 0;
                while !flag.load(Ordering::Relaxed) {
                    context.log(LogLevel::Info, &format!("tick {ticks}")).await?;
                    context.settled().await?;
                    ticks += 1;
                }
                Ok(AgentOutput::from(json!(ticks)))
            }
        };
        hosting.agent("ticks").body(body).unwrap();
    })
    .await;
    let mut owner = runtime.welcomed("tok").await;
    let job = owner.submit("ticks", Value::Null).await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..FOLLOWERS {
        let mut follower = runtime.welcomed("tok").await;
        follower.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
        assert_eq!(follower.next().await["type"], "job.subscribed");
        readers.spawn(read_whole(follower));
    }
    is_enough.store(true, Ordering::Relaxed);
    let ticks = owner.until("job.result").await["payload"]["result"].as_u64().unwrap();
    assert!(ticks > 0);
    for logs in readers.join_all().await {
        assert_eq!(logs as u64, ticks);
    }
    runtime.stop().await;
}
