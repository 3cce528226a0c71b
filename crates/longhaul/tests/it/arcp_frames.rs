//! What a socket carries, and who may begin to speak on one.

use crate::arcp_support::{Client, Runtime, hello};
use longhaul_core::port::Table;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

/// A piece of a message, as it lies on the wire.
fn piece(bytes: &[u8], part: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(part), is_last))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_path_is_passed_over() {
    let runtime = Runtime::start().await;
    let stream = TcpStream::connect(runtime.address).await.unwrap();
    let url = format!("ws://{}/arcp?x=1&y", runtime.address);
    let mut client = Client::over(stream, &url).await.unwrap();
    client.hello("tok").await;
    client.submit("echo", json!(1)).await;
    client.until("job.result").await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_mebibyte_comes_back_in_one_frame() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let input = Value::from("x".repeat(512 << 10));
    client.submit("echo", input.clone()).await;
    let result = client.until("job.result").await;
    assert!(result["payload"]["result"]["echoed"] == input);
    assert!(result.to_string().len() < 1 << 20);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_pieces_is_one_frame() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let ping = json!({
        "arcp": "1.1", "id": "p", "type": "session.ping", "session_id": client.session,
        "payload": { "nonce": "n", "sent_at": "now" },
    });
    let ping = ping.to_string().into_bytes();
    let (first, rest) = ping.split_at(10);
    let (second, third) = rest.split_at(rest.len() / 2);
    client.send_raw(piece(first, Data::Text, false)).await.unwrap();
    client.send_raw(piece(second, Data::Continue, false)).await.unwrap();
    client.send_raw(piece(third, Data::Continue, true)).await.unwrap();
    assert_eq!(client.next().await["payload"]["ping_nonce"], "n");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_none_ends_the_connection_and_not_the_session() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("echo", json!(1)).await;
    let result = client.until("job.result").await;
    client.send_raw(piece(&[0xff, 0xfe, 0xc3], Data::Text, true)).await.unwrap();
    assert_eq!(client.until_closed().await, Some(1007));
    let mut again = runtime.connect().await;
    again.resume("tok", &client, 1).await;
    assert_eq!(again.next().await, result);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_farewell_is_bidden_farewell_and_has_its_session_still() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    client.submit("wait", json!(null)).await;
    let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    client.send_raw(Message::Close(Some(farewell))).await.unwrap();
    assert_eq!(client.until_closed().await, Some(1000));
    let mut again = runtime.connect().await;
    again.resume("tok", &client, 0).await;
    again.until("job.event").await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_back_as_they_were() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    let input = json!([0.992_543_412_176_065_1, -929_464_287_605_354.1, 1e50, 0.1, u64::MAX]);
    client.submit("echo", input.clone()).await;
    let result = client.until("job.result").await;
    assert_eq!(result["payload"]["result"]["echoed"].to_string(), input.to_string());
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn useless_tokens_open_nothing_however_often_they_come() {
    const TRIES: usize = 20;
    let runtime = Runtime::start().await;
    // On one connection there is one try.
    let mut client = runtime.connect().await;
    let said = json!({
        "arcp": "1.1", "id": "h", "type": "session.hello", "payload": hello("bad", json!({})),
    });
    for _ in 0..TRIES {
        // Whoever is sent away may notice it only at the next try.
        if client.send_raw(Message::text(said.to_string())).await.is_err() {
            break;
        }
    }
    assert_eq!(client.next().await["payload"]["code"], "UNAUTHENTICATED");
    assert!(matches!(client.frame().await, Err(Some(1008) | None)));
    // On many they are answered all the same, and keep nobody else out.
    let tries = (0..TRIES).map(|_| async {
        let mut client = runtime.connect().await;
        client.send("session.hello", hello("bad", json!({}))).await;
        let answer = client.next().await;
        (answer["payload"]["code"].clone(), client.until_closed().await)
    });
    for (code, close) in futures_util::future::join_all(tries).await {
        assert_eq!((code, close), (json!("UNAUTHENTICATED"), Some(1008)));
    }
    runtime.welcomed("tok").await;
    let read = runtime.daemon.ports.readers.read(|reader| reader.ids(Table::Session, "", 100));
    assert_eq!(read.await.unwrap().len(), 1);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_none_is_refused() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    for field in ["created_after", "created_before"] {
        for moment in ["nope", "", "2026-13-01T00:00:00Z"] {
            let filter = json!({ "filter": { field: moment } });
            let request = client.send("session.list_jobs", filter).await;
            let error = client.next().await;
            assert_eq!(error["type"], "session.error", "{error}");
            assert_eq!(error["payload"]["code"], "INVALID_REQUEST", "{error}");
            assert_eq!(error["payload"]["request_id"], request);
        }
    }
    client.send("session.list_jobs", json!({})).await;
    assert_eq!(client.next().await["payload"]["jobs"], json!([]));
    runtime.stop().await;
}
