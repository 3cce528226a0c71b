//! What agents tell, over real sockets: numbers with what tells them apart, and results in pieces.

use crate::arcp_support::Runtime;
use longhaul::embed::hosting::{AgentFailure, AgentOutput, Metric};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_keep_what_tells_them_apart() {
    let runtime = Runtime::agents(|hosting| {
        let meter = hosting.agent("meter");
        meter
            .body(|context| async move {
                let metric = Metric::new("tokens", 12.5).unit("count").dimension("model", "m");
                context.metric(metric).await?;
                context.metric(Metric::new("plain", 3.0)).await?;
                Ok(AgentOutput::default())
            })
            .unwrap();
    })
    .await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("meter", Value::Null).await;
    client.until("job.event").await;
    let dimensions = json!({ "model": "m" });
    let full =
        json!({ "name": "tokens", "value": 12.5, "unit": "count", "dimensions": dimensions });
    for expected in [full, json!({ "name": "plain", "value": 3 })] {
        let payload = &client.until("job.event").await["payload"];
        assert_eq!((&payload["kind"], &payload["body"]), (&json!("metric"), &expected));
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_between_two_pieces_is_an_error_and_the_pieces_stay() {
    let runtime = Runtime::agents(|hosting| {
        let breaks = hosting.agent("breaks");
        breaks
            .body(|context| async move {
                context.stream()?.text("half of it").await?;
                Err(AgentFailure::new("out of ink"))
            })
            .unwrap();
    })
    .await;
    let mut client = runtime.welcomed("tok").await;
    let job = client.submit("breaks", Value::Null).await;
    let mut told = vec![];
    while told.len() < 3 {
        told.push(client.next().await);
    }
    assert_eq!(told[1]["payload"]["body"]["data"], "half of it");
    assert_eq!(told[1]["payload"]["body"]["more"], true);
    assert_eq!(told[2]["type"], "job.error", "{}", told[2]);
    assert_eq!(told[2]["payload"]["message"], "out of ink");
    assert_eq!(told[2]["payload"]["result_id"], Value::Null);
    let mut other = runtime.welcomed("tok").await;
    other.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
    assert_eq!(other.next().await["payload"]["current_status"], "error");
    for frame in &told {
        assert_eq!(other.next().await["payload"], frame["payload"]);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_told_once_over_a_connection_that_breaks() {
    let go = Arc::new(Notify::new());
    let waits = Arc::clone(&go);
    let runtime = Runtime::agents(|hosting| {
        let paced = hosting.agent("paced");
        paced
            .body(move |context| {
                let waits = Arc::clone(&waits);
                async move {
                    let mut stream = context.stream()?;
                    for word in ["one ", "two ", "three "] {
                        stream.text(word).await?;
                        waits.notified().await;
                    }
                    stream.last_text("four").await?;
                    Ok(AgentOutput::default())
                }
            })
            .unwrap();
    })
    .await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("paced", Value::Null).await;
    let mut told = vec![];
    let ended = loop {
        let frame = client.next().await;
        if frame["type"] == "job.result" {
            break frame;
        }
        let is_piece = frame["payload"]["kind"] == "result_chunk";
        told.push(frame);
        if is_piece {
            // Each piece is the last that its connection brings.
            let mut next = runtime.connect().await;
            next.resume("tok", &client, told.len() as u64).await;
            client = next;
            go.notify_one();
        }
    };
    let seqs: Vec<u64> = told.iter().map(|frame| frame["event_seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let pieces: Vec<&Value> = told[1..].iter().map(|frame| &frame["payload"]["body"]).collect();
    let numbers: Vec<u64> =
        pieces.iter().map(|piece| piece["chunk_seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let data: String = pieces.iter().map(|piece| piece["data"].as_str().unwrap()).collect();
    assert_eq!(data, "one two three four");
    assert_eq!(ended["payload"]["result_size"], data.len());
    assert_eq!(ended["payload"]["result_id"], pieces[0]["result_id"]);
    runtime.stop().await;
}
