//! Runtimes that are poor hosts.

use super::*;
use tokio::net::TcpListener;

const WELCOME: &str = r#"{"arcp":"1.1","id":"msg_1","type":"session.welcome","session_id":"s",
    "payload":{"runtime":{"name":"r","version":"1"},"resume_token":"rt","resume_window_sec":600}}"#;

/// Welcomes one client and then says nothing, whatever it is asked.
async fn taciturn(listener: TcpListener) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.next().await.unwrap().unwrap();
    socket.send(Message::text(WELCOME)).await.unwrap();
    while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
}

/// Welcomes everybody, and hangs up at the first thing that it is asked.
async fn inhospitable(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.next().await.unwrap().unwrap();
        socket.send(Message::text(WELCOME)).await.unwrap();
        drop(socket.next().await);
    }
}

#[tokio::test]
async fn a_runtime_that_hangs_up_on_whoever_asks_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("ws://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(inhospitable(listener));
    let mut remote = Remote::connect(endpoint.unwrap(), None, GIVE_UP).await.unwrap();
    (remote.give_up, remote.trying) = (Duration::from_millis(100), None);
    let ask = Ask::Cancel { job_id: "job_1".to_owned(), reason: None };
    let error = remote.answer(ask).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
    server.abort();
}

#[tokio::test]
async fn a_runtime_that_welcomes_nobody_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("ws://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    });
    let give_up = Duration::from_millis(50);
    let error = Remote::connect(endpoint.unwrap(), None, give_up).await.unwrap_err();
    assert!(error.message.contains("does not welcome us"), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_runtime_that_never_answers_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/arcp", listener.local_addr().unwrap());
    let server = tokio::spawn(taciturn(listener));
    let endpoint = Endpoint::parse(&url).unwrap();
    let mut remote = Remote::connect(endpoint, None, GIVE_UP).await.unwrap();
    remote.give_up = Duration::from_millis(50);
    let ask = Ask::Cancel { job_id: "job_1".to_owned(), reason: None };
    let error = remote.answer(ask).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("does not answer"), "{error:?}");
    assert!(remote.leave().await.is_some());
    server.await.unwrap();
}
