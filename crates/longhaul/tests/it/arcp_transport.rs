//! What stands before a session: names, paths, frames that are none, silence, and the other ways in.

use crate::arcp_support::{Client, Runtime, hello};
use crate::harness::{Home, pid_of, signal};
use longhaul::serve::{Listen, TlsFiles};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream as Plain;
use std::process::{Child, Stdio};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;

/// What a request is answered over the network: the status line and the rest.
fn asked(address: impl ToString, request: &str) -> String {
    let mut stream = Plain::connect(address.to_string()).unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_meant_for_us_is_let_in() {
    let runtime = Runtime::start().await;
    let at = runtime.address;
    let status = |head: &str| {
        let answer = asked(at, &format!("{head}\nConnection: close\n\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let bearer = "Authorization: Bearer";
    assert_eq!(status("GET /v1/status HTTP/1.1\nHost: localhost"), "401");
    assert_eq!(status(&format!("GET /v1/status HTTP/1.1\nHost: localhost\n{bearer} bad")), "401");
    assert_eq!(status(&format!("GET /v1/status HTTP/1.1\nHost: localhost\n{bearer} tok")), "200");
    assert_eq!(status(&format!("GET /v1/jobs HTTP/1.1\nHost: localhost\n{bearer} tok")), "403");
    assert_eq!(
        status(&format!("GET /v1/jobs HTTP/1.1\nHost: x.example\n{bearer} tok-root")),
        "403"
    );
    assert_eq!(
        status(&format!("GET /v1/jobs HTTP/1.1\nHost: localhost\n{bearer} tok-root")),
        "200"
    );
    let origin = "Origin: http://evil.example";
    assert_eq!(
        status(&format!("GET /v1/jobs HTTP/1.1\nHost: localhost\n{origin}\n{bearer} tok-root")),
        "403"
    );
    assert_eq!(status("GET /other HTTP/1.1\nHost: localhost"), "404");
    let upgrade = "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let first_line = |path: &str, host: &str| {
        let mut stream = Plain::connect(at).unwrap();
        let request = format!("GET {path} HTTP/1.1\nHost: {host}\n{upgrade}\n\n");
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(first_line("/arcp", "localhost"), "101");
    assert_eq!(first_line("/arcp?x=1", "127.0.0.1:1"), "101");
    assert_eq!(first_line("/arcp", "evil.example"), "403");
    assert_eq!(first_line("/other", "localhost"), "404");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_protocol_is_taken_where_one_is_offered() {
    let runtime = Runtime::start().await;
    let taken = |offered: &str| {
        let request = format!(
            "GET /arcp HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
             {offered}\n\n"
        );
        let mut stream = Plain::connect(runtime.address).unwrap();
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains("101"), "{head:?}");
        let named = head.iter().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        named.map(str::to_owned)
    };
    assert_eq!(taken("Sec-WebSocket-Protocol: other, arcp").as_deref(), Some("arcp"));
    assert_eq!(taken("Sec-WebSocket-Protocol: arcp.v1.1").as_deref(), Some("arcp.v1.1"));
    assert_eq!(taken("Sec-WebSocket-Protocol: other"), None);
    assert_eq!(taken("X-Nothing: offered"), None);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_none_cost_nothing_but_themselves() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    for bad in ["{", "[]", "7", "{\"arcp\":\"1.1\"}"] {
        client.send_text(bad).await;
    }
    client.send("session.ping", json!({ "nonce": "n", "sent_at": "now" })).await;
    assert_eq!(client.until("session.pong").await["payload"]["ping_nonce"], "n");
    let large = json!({ "agent": "echo", "input": "x".repeat(5 << 20) });
    let code = client.send_too_much("job.submit", large).await;
    assert!(matches!(code, Some(1009) | None), "{code:?}");
    let mut again = runtime.connect().await;
    again.resume("tok", &client, 0).await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_is_pinged_and_then_left() {
    let runtime = Runtime::start_with("[sessions]\nheartbeat = \"1s\"\n").await;
    let mut mute = runtime.welcomed("tok").await;
    let mut pings = 0;
    let code = loop {
        match mute.frame().await {
            Ok(frame) if frame["type"] == "session.ping" => pings += 1,
            Ok(frame) => assert_eq!(frame["payload"]["code"], "HEARTBEAT_LOST", "{frame}"),
            Err(code) => break code,
        }
    };
    assert!(pings >= 1);
    assert_eq!(code, Some(1008));
    let mut again = runtime.connect().await;
    again.resume("tok", &mute, 0).await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_the_homes_own_socket_vouches_for_a_client() {
    let runtime = Runtime::start().await;
    let _server = runtime.daemon.serve().unwrap();
    let mut client = runtime.unix("?as=carol").await;
    client.hello("whatever").await;
    client.submit("echo", json!(1)).await;
    client.until("job.result").await;
    let mut unknown = runtime.unix("").await;
    unknown.send("session.hello", hello("whatever", json!({}))).await;
    assert_eq!(unknown.next().await["payload"]["code"], "UNAUTHENTICATED");
    // Over a network nobody can be vouched for.
    let stream = TcpStream::connect(runtime.address).await.unwrap();
    let url = format!("ws://{}/arcp?as=carol", runtime.address);
    let mut far = Client::over(stream, &url).await.unwrap();
    far.send("session.hello", hello("whatever", json!({}))).await;
    assert_eq!(far.next().await["payload"]["code"], "UNAUTHENTICATED");
    runtime.stop().await;
}

/// `longhaul serve` in a process of its own, and where it listens.
pub(crate) fn serve(home: &Home) -> (Child, String) {
    let mut command = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    (child, said["listening"].as_str().unwrap().to_owned())
}

pub(crate) async fn client_at(address: &str) -> Result<Client<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    Client::over(stream, &format!("ws://{address}/arcp")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_its_job_outlive_a_killed_daemon() {
    let home = Home::new();
    let token = home.json(&["token", "add", "alice"])["token"].as_str().unwrap().to_owned();
    let written = "[[agent]]\nname = \"sleeper\"\ncommand = [\"sleep\", \"1000\"]\n";
    std::fs::write(home.path().join("agents.toml"), written).unwrap();
    let (mut served, address) = serve(&home);
    let mut first = client_at(&address).await.unwrap();
    first.hello(&token).await;
    let job = first.submit("sleeper", Value::Null).await;
    let running = first.next().await;
    assert_eq!(running["payload"]["body"]["phase"], "running", "{running}");
    signal(pid_of(&served), Signal::KILL);
    served.wait().unwrap();
    let (mut served, address) = serve(&home);
    let mut second = client_at(&address).await.unwrap();
    second.resume(&token, &first, 0).await;
    assert_eq!(second.next().await, running);
    second.send_about("job.cancel", Some(&job), json!({})).await;
    let ended = second.until("job.error").await;
    assert_eq!(ended["payload"]["code"], "CANCELLED");
    // Revoked, it is good for nothing more.
    home.json(&["token", "revoke", "alice"]);
    let mut third = client_at(&address).await.unwrap();
    third.send("session.hello", hello(&token, json!({}))).await;
    assert_eq!(third.next().await["payload"]["code"], "UNAUTHENTICATED");
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}

#[test]
fn serving_takes_over_from_another_daemon_and_its_jobs_go_on() {
    let home = Home::new();
    let job = home.submit(&["--", "sleep", "1000"]);
    let before = home.until(&job, "running")["pid"].clone();
    let (mut served, address) = serve(&home);
    assert_eq!(home.daemon_pid(), pid_of(&served));
    assert_eq!(home.show(&job)["pid"], before);
    let token = home.json(&["token", "add", "root", "--role", "operator"]);
    let far = home
        .command(&["--json", "show", &job])
        .env("LONGHAUL_URL", format!("http://{address}"))
        .env("LONGHAUL_TOKEN", token["token"].as_str().unwrap())
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&far.stdout).unwrap();
    assert_eq!(shown["id"], job);
    home.run(&["daemon", "stop"]).ok();
    served.wait().unwrap();
}

#[test]
fn others_are_not_listened_to_without_what_that_takes() {
    let home = Home::new();
    let tls = ["--tls-cert", "no.pem", "--tls-key", "no.pem"];
    let unreadable = [&["serve", "--listen", "127.0.0.1:0"][..], &tls[..]].concat();
    let cases: [(&[&str], i32, &str); 3] = [
        (&["serve", "--listen", "0.0.0.0:0"], 3, "without encryption"),
        (&["serve", "--listen", "nowhere.invalid:1"], 4, "cannot be listened to"),
        (&unreadable, 4, "no.pem"),
    ];
    for (arguments, code, words) in cases {
        let ran = home.run(arguments);
        // Its log is before it.
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains(words), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_held_over_an_encrypted_connection() {
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let runtime = Runtime::start().await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = runtime.place.root.path();
    let tls = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&tls.cert, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let listen = Listen { tls: Some(tls), ..Listen::new("127.0.0.1:0".to_owned()) };
    let (address, _server) = runtime.daemon.listen(&listen).await.unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config =
        ClientConfig::builder_with_provider(std::sync::Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/arcp").await.unwrap();
    client.hello("tok").await;
    client.submit("echo", json!(1)).await;
    client.until("job.result").await;
    // In plain text nobody is heard.
    let plain = TcpStream::connect(address).await.unwrap();
    assert!(Client::over(plain, "ws://localhost/arcp").await.is_err());
    runtime.stop().await;
}
