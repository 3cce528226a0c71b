//! Tokens of sessions: those of issuers that are configured, and what becomes of a session whose token
//! is good for nothing any more.

use crate::arcp_support::{Client, Runtime, hello};
use crate::daemon_support::Place;
use jsonwebtoken::{EncodingKey, Header, encode};
use longhaul::client::{self, Options, Target};
use longhaul_core::command::Command;
use longhaul_core::token::TokenRole;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// By how much a token is good for longer than it says.
const LEEWAY_SECS: i64 = 10;

/// A daemon that believes an issuer.
async fn believing() -> Runtime {
    let place = Place::new();
    let key = place.root.path().join("secret");
    std::fs::write(&key, SECRET).unwrap();
    let settings = format!(
        "[[listen.issuers]]\nissuer = \"https://id.example\"\naudience = \"longhaul\"\n\
         algorithm = \"HS256\"\nkey_file = \"{}\"\nrole_claim = \"role\"\n",
        key.display()
    );
    Runtime::set_up(place, &settings).await
}

/// A token that is good for so many seconds, what it is good for longer than it says included.
fn signed(runtime: &Runtime, role: &str, for_secs: i64) -> String {
    let now_secs = runtime.daemon.ports.clock.now().as_millis() / 1_000;
    let claims = json!({
        "iss": "https://id.example", "aud": "longhaul", "sub": "ann", "role": role,
        "exp": now_secs + for_secs - LEEWAY_SECS,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// The status of an answer to an operator's question.
fn status(runtime: &Runtime, token: &str) -> String {
    let mut stream = TcpStream::connect(runtime.address).unwrap();
    let head = format!("GET /v1/jobs HTTP/1.1\r\nHost: {}\r\n", runtime.address);
    let rest = format!("Authorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// The session is asked for with its own token, and with nothing else.
async fn resumes_alone<T>(runtime: &Runtime, of: &Client<T>) -> Value {
    let mut alone = runtime.connect().await;
    let asked = json!({
        "session_id": of.session, "resume_token": of.resume_token, "last_event_seq": 0,
    });
    alone.send("session.resume", asked).await;
    alone.next().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_token_opens_sessions_and_for_operators_the_rest() {
    let runtime = believing().await;
    let mut client = runtime.welcomed(&signed(&runtime, "reader", 600)).await;
    let job = client.submit("echo", json!(1)).await;
    client.until("job.result").await;
    let mut bad = runtime.connect().await;
    let forged = signed(&runtime, "reader", 600).replace('.', ".e30");
    bad.send("session.hello", hello(&forged, json!({}))).await;
    assert_eq!(bad.next().await["payload"]["code"], "UNAUTHENTICATED");
    let at = |role: &str| status(&runtime, &signed(&runtime, role, 600));
    assert_eq!((at("reader").as_str(), at("operator").as_str()), ("403", "200"));
    // Another of the same name is the same principal.
    let mut again = runtime.welcomed(&signed(&runtime, "reader", 600)).await;
    again.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
    assert_eq!(again.until("job.subscribed").await["job_id"], job);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_over_ends_the_connection_and_a_new_one_resumes_the_session() {
    let runtime = believing().await;
    let mut client = runtime.welcomed(&signed(&runtime, "", 2)).await;
    assert_eq!(client.until_closed().await, Some(1008));
    // The resume token alone does not stand for one whose proof is over.
    let alone = resumes_alone(&runtime, &client).await;
    assert_eq!(alone["payload"]["code"], "UNAUTHENTICATED");
    let mut again = runtime.connect().await;
    again.resume(&signed(&runtime, "", 600), &client, 0).await;
    assert_eq!(again.session, client.session);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_ends_the_connections_that_it_opened() {
    let runtime = believing().await;
    let _server = runtime.daemon.serve().unwrap();
    let add = |name: &str, token: &str| Command::AddToken {
        sha256: longhaul::ids::sha256_hex(token),
        principal: name.to_owned(),
        role: TokenRole::Client,
    };
    let engine = &runtime.daemon.ports.engine;
    engine.ask(add("carl", "tok-carl")).await.unwrap();
    engine.ask(add("dora", "tok-dora")).await.unwrap();
    let mut carl = runtime.welcomed("tok-carl").await;
    let mut dora = runtime.welcomed("tok-dora").await;
    let target = Target::Unix(runtime.daemon.ports.home.socket());
    let options = Options { target, token: None, autostart: false };
    let person = client::Client::connect(options).await.unwrap();
    assert_eq!(person.revoke_tokens("carl").await.unwrap().revoked, 1);
    assert_eq!(carl.until_closed().await, Some(1008));
    dora.send("session.ping", json!({ "nonce": "n", "sent_at": "now" })).await;
    dora.until("session.pong").await;
    // One whose token is still good needs no other to go on.
    assert_eq!(resumes_alone(&runtime, &dora).await["type"], "session.welcome");
    let alone = resumes_alone(&runtime, &carl).await;
    assert_eq!(alone["payload"]["code"], "UNAUTHENTICATED");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_operator_any_more_is_none_in_its_old_session_either() {
    let runtime = Runtime::start().await;
    let _server = runtime.daemon.serve().unwrap();
    let add = |token: &str, role| Command::AddToken {
        sha256: longhaul::ids::sha256_hex(token),
        principal: "erin".to_owned(),
        role,
    };
    let engine = &runtime.daemon.ports.engine;
    engine.ask(add("tok-high", TokenRole::Operator)).await.unwrap();
    let mut alice = runtime.welcomed("tok").await;
    let job = alice.submit("wait", Value::Null).await;
    let mut erin = runtime.welcomed("tok-high").await;
    let subscribe = json!({ "job_id": job, "history": true });
    erin.send("job.subscribe", subscribe.clone()).await;
    assert_eq!(erin.next().await["type"], "job.subscribed");

    let target = Target::Unix(runtime.daemon.ports.home.socket());
    let options = Options { target, token: None, autostart: false };
    let person = client::Client::connect(options).await.unwrap();
    assert_eq!(person.revoke_tokens("erin").await.unwrap().revoked, 1);
    assert_eq!(erin.until_closed().await, Some(1008));
    engine.ask(add("tok-low", TokenRole::Client)).await.unwrap();
    let mut back = runtime.connect().await;
    back.resume("tok-low", &erin, 0).await;
    for (kind, payload) in [("job.subscribe", subscribe), ("job.cancel", json!({ "job_id": job }))]
    {
        back.send(kind, payload).await;
    }
    let mut codes = vec![];
    while codes.len() < 2 {
        codes.extend(back.next().await["payload"]["code"].as_str().map(str::to_owned));
    }
    assert_eq!(codes, ["PERMISSION_DENIED", "JOB_NOT_FOUND"]);
    // Nor by its own token alone.
    let mut alone = runtime.connect().await;
    let asked = json!({
        "session_id": back.session, "resume_token": back.resume_token, "last_event_seq": 0,
    });
    alone.send("session.resume", asked).await;
    alone.session.clone_from(&back.session);
    assert_eq!(alone.next().await["type"], "session.welcome");
    alone.send("session.list_jobs", json!({})).await;
    let listed = alone.until("session.jobs").await;
    assert_eq!(listed["payload"]["jobs"], json!([]));
    runtime.stop().await;
}
