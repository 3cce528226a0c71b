//! Against receivers that answer, and such that do not: real sockets on this machine.

use super::super::answer::Verdict;
use super::*;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Far longer than an answer on this machine takes.
const AMPLE: Duration = Duration::from_secs(30);
/// For receivers that never answer: the shorter, the quicker the test.
const BRIEF: Duration = Duration::from_millis(60);
const NOW: Timestamp = Timestamp::from_millis(784_111_777_500);

/// What a receiver does once it has read the request.
#[derive(Clone)]
enum Then {
    Say(Vec<u8>),
    HangUp,
    /// Says nothing until the sender gave up, and only then this.
    SayTooLate(&'static [u8]),
    /// Says this, and keeps the connection.
    SayAndStay(&'static [u8]),
}

fn say(text: &str) -> Then {
    Then::Say(text.as_bytes().to_vec())
}

/// Takes one connection and gives back what was asked.
async fn receiver(then: Then) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receiving = tokio::spawn(async move {
        let (wire, _) = listener.accept().await.unwrap();
        serve(wire, then).await
    });
    (address, receiving)
}

async fn serve(mut wire: impl Wire, then: Then) -> String {
    let mut asked = vec![];
    while !is_whole(&asked) {
        if wire.read_buf(&mut asked).await.unwrap_or(0) == 0 {
            break;
        }
    }
    let mut rest = vec![];
    match then {
        Then::Say(text) => {
            // Whoever has heard enough may hang up before the end.
            let _ = wire.write_all(&text).await;
            let _ = wire.shutdown().await;
        }
        Then::HangUp => {}
        Then::SayTooLate(text) => {
            let _ = wire.read_to_end(&mut rest).await;
            let _ = wire.write_all(text).await;
        }
        Then::SayAndStay(text) => {
            wire.write_all(text).await.unwrap();
            let _ = wire.read_to_end(&mut rest).await;
        }
    }
    String::from_utf8(asked).unwrap()
}

fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    body.len() >= length.parse::<usize>().unwrap()
}

fn letter() -> Letter {
    Letter { id: "dlv_1".to_owned(), number: 1, body: Bytes::from_static(b"{\"x\":1}") }
}

async fn send(url: &str, limit: Duration) -> Answer {
    let webhook = Webhook { url, secret_file: None, limit };
    webhook.send(&Connector::new(false, None), &letter(), NOW).await
}

/// What becomes of a try whose receiver does this.
async fn told(then: Then, limit: Duration) -> Answer {
    let (address, receiving) = receiver(then).await;
    let answer = send(&format!("http://{address}/hook?token=s3cret"), limit).await;
    assert!(receiving.await.unwrap().starts_with("POST /hook?token=s3cret HTTP/1.1\r\n"));
    assert!(!answer.text.contains("s3cret"), "{answer:?}");
    answer
}

fn again_after(answer: &Answer) -> Option<Millis> {
    match answer.verdict {
        Verdict::Failed { again_after } => again_after,
        Verdict::Delivered | Verdict::Final => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_receiver_that_answers_has_it() {
    let answer = told(say("HTTP/1.1 204 No Content\r\n\r\n"), AMPLE).await;
    assert_eq!(answer, Answer::delivered("HTTP 204"));
    let answer = told(say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nth\x1bnx"), AMPLE).await;
    assert_eq!(answer, Answer::delivered("HTTP 200: th\\u{1b}nx"));
}

#[tokio::test]
async fn a_receiver_can_check_who_sent_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs_err::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(&path, private).unwrap();
    let (address, receiving) = receiver(say("HTTP/1.1 200 OK\r\n\r\n")).await;
    let url = format!("http://{address}/");
    let webhook = Webhook { url: &url, secret_file: Some(&path), limit: AMPLE };
    let answer = webhook.send(&Connector::new(false, None), &letter(), NOW).await;
    assert_eq!(answer.verdict, Verdict::Delivered);
    let asked = receiving.await.unwrap();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "{\"x\":1}");
    let signature = Secret::read(&path).unwrap().sign("dlv_1", 784_111_777, body.as_bytes());
    for line in [
        "webhook-id: dlv_1",
        "webhook-timestamp: 784111777",
        &format!("webhook-signature: {signature}"),
        "content-type: application/json",
        &format!("host: {address}"),
    ] {
        assert!(head.lines().any(|other| other == line), "{line} is not in {head}");
    }
}

#[tokio::test]
async fn without_its_secret_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    let webhook = Webhook { url: "http://127.0.0.1:1/", secret_file: Some(&path), limit: AMPLE };
    let answer = webhook.send(&Connector::new(false, None), &letter(), NOW).await;
    assert!(answer.text.contains("cannot be read"), "{answer:?}");
}

#[tokio::test]
async fn gone_is_final_and_other_failures_are_not() {
    let answer = told(say("HTTP/1.1 410 Gone\r\n\r\n"), AMPLE).await;
    assert_eq!(answer, Answer::is_final("HTTP 410"));
    let answer = told(say("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno"), AMPLE).await;
    assert_eq!(answer, Answer::failed("HTTP 404: no"));
}

#[tokio::test]
async fn a_receiver_may_say_when() {
    let told_later = |status: &str, value: &str| {
        told(say(&format!("HTTP/1.1 {status} x\r\nretry-after: {value}\r\n\r\n")), AMPLE)
    };
    assert_eq!(again_after(&told_later("429", "7").await), Some(Millis::from_secs(7)));
    let date = "Sun, 06 Nov 1994 08:49:47 GMT";
    assert_eq!(again_after(&told_later("503", date).await), Some(Millis::new(9_500)));
    let past = "Sun, 06 Nov 1994 08:49:00 GMT";
    assert_eq!(again_after(&told_later("503", past).await), Some(Millis::ZERO));
    assert_eq!(again_after(&told_later("503", "soon").await), None);
    assert_eq!(again_after(&told_later("500", "7").await), None);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let (inside, _receiving) = receiver(say("HTTP/1.1 200 OK\r\n\r\n")).await;
    let redirect = format!("HTTP/1.1 307 x\r\nlocation: http://{inside}/?token=s3cret\r\n\r\n");
    let answer = told(say(&redirect), AMPLE).await;
    assert!(answer.text.contains("a redirect, which is never followed"), "{answer:?}");
    assert_eq!(again_after(&answer), None);
}

#[tokio::test]
async fn a_receiver_that_never_answers_has_its_time() {
    let answer = told(Then::SayTooLate(b""), BRIEF).await;
    assert_eq!(answer, Answer::failed("no answer within 0.06 s"));
}

#[tokio::test]
async fn an_answer_after_the_limit_does_not_count() {
    let answer = told(Then::SayTooLate(b"HTTP/1.1 200 OK\r\n\r\n"), BRIEF).await;
    assert_eq!(answer, Answer::failed("no answer within 0.06 s"));
}

#[tokio::test]
async fn a_receiver_that_dies_before_it_answers_does_not_have_it() {
    let answer = told(Then::HangUp, AMPLE).await;
    assert!(answer.text.starts_with("no answer: "), "{answer:?}");
    assert_eq!(again_after(&answer), None);
    let answer = told(say("HTTP/1.1 20"), AMPLE).await;
    assert!(answer.text.starts_with("no answer: "), "{answer:?}");
    let answer = told(say("220 mail.example.com ESMTP\r\n"), AMPLE).await;
    assert!(answer.text.starts_with("no answer: "), "{answer:?}");
}

#[tokio::test]
async fn words_that_do_not_end_hold_up_no_answer() {
    let stays = Then::SayAndStay(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthan");
    let answer = told(stays, Duration::from_millis(500)).await;
    assert_eq!(answer, Answer::delivered("HTTP 200: than"));
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept() {
    let text = "x".repeat(64 * 1_024);
    let head = format!("HTTP/1.1 500 x\r\ncontent-length: {}\r\n\r\n", text.len());
    let answer = told(say(&format!("{head}{text}")), AMPLE).await;
    assert!(answer.text.starts_with("HTTP 500: xxx"), "{answer:?}");
    assert!(answer.text.len() < 2_000, "{} bytes", answer.text.len());
    let answer = told(say(&format!("HTTP/1.1 200 OK\r\nx: {text}\r\n\r\n")), AMPLE).await;
    assert!(answer.text.starts_with("no answer: "), "{answer:?}");
}

#[tokio::test]
async fn nobody_listening_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = send(&format!("http://{address}/"), AMPLE).await;
    assert!(answer.text.contains("cannot be connected to"), "{answer:?}");
}

/// `127.1` is no address in a URL, and still a name that resolvers take for this machine.
#[tokio::test]
async fn a_name_that_leads_into_the_machine_is_not_sent_to() {
    let (address, receiving) = receiver(say("HTTP/1.1 200 OK\r\n\r\n")).await;
    let url = format!("http://127.1:{}/", address.port());
    let answer = send(&url, AMPLE).await;
    assert!(answer.text.contains("127.0.0.1 is this machine"), "{answer:?}");
    let webhook = Webhook { url: &url, secret_file: None, limit: AMPLE };
    let answer = webhook.send(&Connector::new(true, None), &letter(), NOW).await;
    assert_eq!(answer.verdict, Verdict::Delivered, "{answer:?}");
    receiving.await.unwrap();
}

#[tokio::test]
async fn only_a_trusted_certificate_is_spoken_to() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs_err::write(&ca_file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let receiving = tokio::spawn(async move {
        loop {
            let (wire, _) = listener.accept().await.unwrap();
            // The one who does not trust us leaves in the middle of the handshake.
            let Ok(wire) = acceptor.accept(wire).await else { continue };
            return serve(wire, say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")).await;
        }
    });
    let url = format!("https://localhost:{port}/");
    let webhook = Webhook { url: &url, secret_file: None, limit: AMPLE };
    // A file of our own, so that the test does not depend on what this system trusts.
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other_file = folder.path().join("other.pem");
    fs_err::write(&other_file, other.cert.pem()).unwrap();
    let answer = webhook.send(&Connector::new(false, Some(other_file)), &letter(), NOW).await;
    assert!(answer.text.contains("no trusted connection to `localhost`"), "{answer:?}");
    let answer = webhook.send(&Connector::new(false, Some(ca_file)), &letter(), NOW).await;
    assert_eq!(answer, Answer::delivered("HTTP 200: ok"));
    receiving.await.unwrap();
}
