//! Connections that break, and sessions that are gone on with: what was told is told the same again, once,
//! in its order.

use crate::arcp_support::{Runtime, hello};
use crate::daemon_support::eventually;
use longhaul_core::port::Table;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_told_again_to_who_asks_for_it() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    first.submit("count", json!({ "n": 20 })).await;
    let mut told = vec![];
    while told.len() < 22 {
        told.push(first.next().await);
    }
    first.send("session.ack", json!({ "last_processed_seq": 10 })).await;
    first.send("session.bye", json!({})).await;
    assert_eq!(first.until_closed().await, Some(1000));
    let mut second = runtime.connect().await;
    second.resume("tok", &first, 0).await;
    for frame in &told {
        assert_eq!(second.next().await, *frame);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_anywhere_leave_no_gap() {
    const BREAKS: u64 = 100;
    const EVENTS: u64 = 3_000;
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("count", json!({ "n": EVENTS })).await;
    let (mut at, mut logs, mut breaks) = (0, vec![], 0);
    let ended = 'told: loop {
        let most = if breaks < BREAKS { (breaks * 7_919) % 53 } else { u64::MAX };
        for _ in 0..most {
            let frame = client.next().await;
            at += 1;
            assert_eq!(frame["event_seq"], at, "{frame}");
            if frame["payload"]["kind"] == "log" {
                logs.push(frame["payload"]["body"]["message"].as_str().unwrap().to_owned());
            } else if frame["type"] != "job.event" {
                break 'told frame;
            }
        }
        // Dropped with something unread, a socket breaks off.
        breaks += 1;
        let mut again = runtime.connect().await;
        again.resume("tok", &client, at).await;
        client = again;
    };
    assert_eq!(ended["payload"]["result"], json!({ "counted": EVENTS }));
    assert_eq!(logs, (0..EVENTS).map(|number| format!("event {number}")).collect::<Vec<_>>());
    assert!(breaks >= BREAKS / 2, "{breaks}");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_features_hold_from_the_resume_on() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    first.submit("count", json!({ "n": 5 })).await;
    let mut told = vec![];
    while told.len() < 7 {
        told.push(first.next().await);
    }
    let mut second = runtime.connect().await;
    let resume = json!({
        "session_id": first.session, "resume_token": first.resume_token, "last_event_seq": 0,
    });
    let less = json!({ "resume": resume, "capabilities": { "features": ["ack"] } });
    let welcome = second.hello_with("tok", less).await;
    assert_eq!(welcome["payload"]["capabilities"]["features"], json!(["ack"]));
    assert_eq!(welcome["payload"]["heartbeat_interval_sec"], Value::Null);
    for frame in &told {
        assert_eq!(second.next().await, *frame);
    }
    second.send("session.list_jobs", json!({})).await;
    assert_eq!(second.next().await["payload"]["code"], "INVALID_REQUEST");
    let mut third = runtime.connect().await;
    third.resume("tok", &second, 7).await;
    third.send("session.list_jobs", json!({})).await;
    assert_eq!(third.next().await["type"], "session.jobs");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_frames_are_told_again_in_order() {
    const EVENTS: u64 = 50_000;
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    first.submit("count", json!({ "n": EVENTS })).await;
    while first.next().await["event_seq"] != EVENTS / 5 {}
    let mut second = runtime.connect().await;
    second.resume("tok", &first, 0).await;
    let mut at = 0;
    let ended = loop {
        let frame = second.next().await;
        at += 1;
        assert_eq!(frame["event_seq"], at, "{frame}");
        if frame["type"] != "job.event" {
            break frame;
        }
    };
    assert_eq!(ended["payload"]["result"], json!({ "counted": EVENTS }));
    // Its start and its end, and that nothing was acknowledged.
    assert_eq!(at, EVENTS + 3);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_removed() {
    let settings = "[sessions]\nwindow = \"1s\"\n[retention]\njobs_max = 1\n";
    let runtime = Runtime::start_with(settings).await;
    let mut client = runtime.welcomed("tok").await;
    let mut old = vec![];
    for _ in 0..3 {
        old.push(client.submit("echo", json!(1)).await);
        client.until("job.result").await;
    }
    let place = runtime.stop().await;
    let runtime = Runtime::at(place).await;
    let handle = tokio::runtime::Handle::current();
    let count = |table: Table| {
        let read = runtime.daemon.ports.readers.read(move |reader| reader.ids(table, "", 100));
        handle.block_on(read).unwrap().len()
    };
    tokio::task::block_in_place(|| {
        eventually("the session is gone", || count(Table::Session) == 0);
        assert_eq!(count(Table::Feed), 0);
    });
    let mut gone = runtime.connect().await;
    let resume = json!({
        "session_id": client.session, "resume_token": client.resume_token, "last_event_seq": 0,
    });
    let said = hello("tok", json!({ "resume": resume }));
    gone.send("session.hello", said).await;
    assert_eq!(gone.next().await["payload"]["code"], "RESUME_WINDOW_EXPIRED");
    // Whatever happens to jobs is an occasion to look at how many there are.
    gone.hello("tok").await;
    gone.submit("echo", json!(2)).await;
    gone.until("job.result").await;
    let handle = tokio::runtime::Handle::current();
    let is_gone = |id: &String| {
        let id = id.clone();
        let read = runtime.daemon.ports.readers.read(move |reader| reader.load(Table::Job, &id));
        handle.block_on(read).unwrap().is_none()
    };
    tokio::task::block_in_place(|| {
        eventually("the oldest jobs are gone", || old[..2].iter().all(is_gone));
    });
    runtime.stop().await;
}
