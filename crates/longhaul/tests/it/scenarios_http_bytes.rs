//! Any bytes at the socket of a real daemon are answered or hung up on, and it goes on serving.

use crate::harness::{Home, PATIENCE};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Requests as they should be, to be cut, joined and damaged.
const WHOLE: [&str; 6] = [
    "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /v1/jobs?limit=2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    "POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 17\r\n\r\n{\"command\":\"no\"} ",
    "POST /v1/batch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "GET /v1/jobs/../../etc/passwd HTTP/1.0\r\n\r\n",
    "PUT /v1/pools/a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n{}}",
];

/// What is done to one request on its way.
#[derive(Clone, Debug)]
enum Harm {
    None,
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(usize),
}

impl Harm {
    fn done_to(&self, request: &str) -> Vec<u8> {
        let mut bytes = request.as_bytes().to_vec();
        match self {
            Self::None => {}
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Flip(at, with) => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(times) => bytes = bytes.repeat(*times),
        }
        bytes
    }
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::None),
        any::<prop::sample::Index>().prop_map(Harm::Cut),
        (any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(at, with)| Harm::Flip(at, with)),
        (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, more)| Harm::Insert(at, more)),
        (2..5_usize).prop_map(Harm::Repeat),
    ]
}

/// What one connection sends: damaged requests in a row, or bytes that are none.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let requests = prop::collection::vec((0..WHOLE.len(), harm()), 1..4).prop_map(|requests| {
        requests.iter().flat_map(|(which, harm)| harm.done_to(WHOLE[*which])).collect()
    });
    prop_oneof![4 => requests, 1 => prop::collection::vec(any::<u8>(), 0..400)]
}

/// Sends the bytes in pieces, says that no more will come, and reads until the daemon hangs up.
fn converse(socket: &Path, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).expect("the daemon accepts");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    for part in bytes.chunks(piece.max(1)) {
        match stream.write_all(part) {
            Ok(()) => {}
            // It has seen enough and hung up, which is one of the two right answers.
            Err(error) if is_hung_up(error.kind()) => break,
            Err(error) => panic!("{error}: the daemon takes no more bytes"),
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if is_hung_up(error.kind()) => {}
        Err(error) => panic!("{error}: the daemon neither answers nor hangs up"),
    }
    answer
}

fn is_hung_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected)
}

fn assert_well(answer: &[u8], sent: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let sent = String::from_utf8_lossy(sent);
    assert!(answer.is_empty() || text.starts_with("HTTP/1."), "{sent:?} gave {text:?}");
    assert!(!text.contains(" 500 ") && !text.contains("root:"), "{sent:?} gave {text:?}");
}

#[test]
fn any_bytes_are_answered_or_hung_up_on() {
    let home = Home::new();
    home.run(&["pool", "pause", "default"]).ok();
    let (pid, socket) = (home.daemon_pid(), home.path().join("socket"));
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    let ran = runner.run(&(stream(), 1..200_usize), |(bytes, piece)| {
        assert_well(&converse(&socket, &bytes, piece), &bytes);
        Ok(())
    });
    ran.unwrap();
    assert_eq!(home.daemon_pid(), pid, "the daemon that got them is not there any more");
    assert_eq!(home.json(&["list"])["jobs"], serde_json::json!([]));
    assert_eq!(home.json(&["doctor"])["sound"], true);
}

#[test]
fn a_request_without_end_is_hung_up_on_while_others_are_served() {
    let home = Home::new();
    home.run(&["list"]).ok();
    let (pid, socket) = (home.daemon_pid(), home.path().join("socket"));
    // Clients that begin and say no more stay connected for all of this.
    let half = |text: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let idle: Vec<UnixStream> = ["", "G", "GET /v1/status HTTP/1.1\r\nhost"]
        .iter()
        .cycle()
        .take(60)
        .map(|t| half(t))
        .collect();
    let megabyte = "a".repeat(1_024 * 1_024);
    for endless in [
        format!("GET /v1/jobs/{megabyte} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /v1/status HTTP/1.1\r\nhost: {megabyte}\r\n\r\n"),
        format!("GET /v1/status HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100_000)),
        megabyte,
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n{".to_owned(),
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n"
            .to_owned(),
    ] {
        let answer = converse(&socket, endless.as_bytes(), 65_536);
        assert_well(&answer, &endless.as_bytes()[..60]);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 2"), "{:.60} gave {text:.200}", endless);
        assert!(answer.len() < 4_000, "the answer repeats too much");
    }
    let id = home.submit(&["--", "true"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    assert_eq!(home.daemon_pid(), pid);
    drop(idle);
}
