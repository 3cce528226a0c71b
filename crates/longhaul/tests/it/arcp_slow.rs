//! Clients that read slowly, acknowledge rarely or do neither: what is sent ahead of them is bounded, they
//! are waited for so long, and whoever comes back misses nothing.

use crate::arcp_support::{Client, Runtime, hello, task};
use crate::daemon_support::eventually;
use futures_util::FutureExt;
use longhaul::daemon::{Body, Returned, Run};
use longhaul_core::command::{Command, Entry};
use longhaul_core::id::ConnectionId;
use longhaul_core::port::{Record, Table};
use longhaul_core::session::Session;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpStream;

/// Numbers that are sent to a client that acknowledges none of them.
const AHEAD: u64 = 100;

/// Reads frames of the feed, each the number after the one before, up to and including `last`.
async fn read_up_to(client: &mut Client<TcpStream>, after: u64, last: u64) -> Vec<Value> {
    let mut frames = vec![];
    for number in after + 1..=last {
        let frame = client.next().await;
        assert_eq!(frame["event_seq"], number, "{frame}");
        frames.push(frame);
    }
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acknowledges_nothing_is_told_so_much_and_answered_all_the_same() {
    let runtime = Runtime::start_with("[sessions]\nunacknowledged_max = 100\n").await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("count", json!({ "n": 250 })).await;
    let mut told = read_up_to(&mut client, 0, AHEAD).await;
    // The feed stands still: what comes next are answers.
    client.send("session.ping", json!({ "nonce": "n", "sent_at": "now" })).await;
    assert_eq!(client.next().await["type"], "session.pong");
    client.send("job.submit", json!({ "agent": "echo", "input": 1 })).await;
    assert_eq!(client.next().await["type"], "job.accepted");
    client.send("session.list_jobs", json!({})).await;
    assert_eq!(client.next().await["type"], "session.jobs");
    // Nobody else waits for it.
    let mut other = runtime.welcomed("tok").await;
    other.submit("echo", json!(1)).await;
    other.until("job.result").await;
    client.send("session.ack", json!({ "last_processed_seq": 60 })).await;
    told.extend(read_up_to(&mut client, AHEAD, AHEAD + 60).await);
    client.send("session.ack", json!({ "last_processed_seq": AHEAD + 60 })).await;
    // Two entries of each job besides the 250; whose come first is open.
    told.extend(read_up_to(&mut client, AHEAD + 60, 254).await);
    assert_eq!(told.iter().filter(|frame| frame["type"] == "job.result").count(), 2);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_acknowledges_is_left_and_goes_on_where_it_was() {
    let settings = "[sessions]\nunacknowledged_max = 100\npatience = \"1s\"\n";
    let runtime = Runtime::start_with(settings).await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("count", json!({ "n": 250 })).await;
    let mut at = 0;
    while at + AHEAD < 252 {
        read_up_to(&mut client, at, at + AHEAD).await;
        at += AHEAD;
        assert_eq!(client.until_closed().await, Some(1013));
        let mut again = runtime.connect().await;
        again.resume("tok", &client, at).await;
        client = again;
    }
    let rest = read_up_to(&mut client, at, 252).await;
    assert_eq!(rest.last().unwrap()["type"], "job.result");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_behind_is_told_so_once() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("count", json!({ "n": 3_000 })).await;
    let told = read_up_to(&mut client, 0, 3_003).await;
    let of_it = |frame: &&Value| frame["payload"]["body"]["phase"] == "back_pressure";
    assert_eq!(told.iter().filter(of_it).count(), 1);
    assert_eq!(told.last().unwrap()["type"], "job.result");
    runtime.stop().await;
}

/// Tells so many events that no socket has room for all of them.
fn large(runtime: &Runtime, events: usize, bytes: usize) {
    let engine = runtime.daemon.ports.engine.clone();
    let body: Body = Arc::new(move |run: Run| {
        let engine = engine.clone();
        async move {
            let body = json!({ "level": "info", "message": "x".repeat(bytes) });
            let text = json!({ "kind": "told", "name": "log", "body": body }).to_string();
            for _ in 0..events {
                let entries = vec![Entry { text: text.clone(), charge: None, piece: None }];
                let (job, attempt) = (run.job.clone(), run.attempt);
                engine.ask(Command::Tell { job, attempt, entries }).await.unwrap();
            }
            Returned::default()
        }
        .boxed()
    });
    runtime.daemon.ports.inventory.register(task("large", None), body).unwrap();
}

/// The connection that has the session of a client; none if nobody has.
async fn holder(runtime: &Runtime, client: &Client<TcpStream>) -> Option<ConnectionId> {
    let id = client.session.clone();
    let row = runtime.daemon.ports.readers.read(move |reader| reader.load(Table::Session, &id));
    let session = Session::from_row(&row.await.unwrap().unwrap()).unwrap();
    session.connection().cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_left_and_misses_nothing() {
    const EVENTS: usize = 120;
    let runtime = Runtime::start_with("[sessions]\npatience = \"1s\"\n").await;
    large(&runtime, EVENTS, 200_000);
    let mut client = runtime.connect().await;
    // It agreed on nothing: how fast it is, only its socket says.
    client.hello_with("tok", json!({ "capabilities": { "features": [] } })).await;
    client.send("job.submit", json!({ "agent": "large" })).await;
    let handle = tokio::runtime::Handle::current();
    let is_left = || handle.block_on(holder(&runtime, &client)).is_none();
    tokio::task::block_in_place(|| eventually("it is left", is_left));
    let mut told = vec![];
    let code = loop {
        match client.frame().await {
            Ok(frame) if frame["type"] == "job.accepted" => {}
            Ok(frame) => told.push(frame["event_seq"].as_u64().unwrap()),
            Err(code) => break code,
        }
    };
    // It may have begun to read too late for the farewell.
    assert!(matches!(code, Some(1013) | None), "{code:?}");
    let newest = told.len() as u64;
    assert_eq!(told, (1..=newest).collect::<Vec<_>>());
    assert!(told.len() < EVENTS, "a socket took all of it");
    let mut again = runtime.connect().await;
    again.resume("tok", &client, newest).await;
    let rest = read_up_to(&mut again, newest, EVENTS as u64 + 2).await;
    assert_eq!(rest.last().unwrap()["type"], "job.result");
    // Whoever else there was did not notice.
    let mut other = runtime.connect().await;
    other.send("session.hello", hello("tok-bob", json!({}))).await;
    assert_eq!(other.next().await["type"], "session.welcome");
    runtime.stop().await;
}
