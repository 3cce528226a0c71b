//! The command line against a runtime behind a URL, over a wire that is cut and a daemon that is killed.

use crate::arcp_support::Runtime;
use crate::harness::{Home, Ran, eventually, pid_of, ran, signal};
use futures_util::{SinkExt, StreamExt};
use longhaul::serve::{Listen, TlsFiles};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// A wire that breaks: each of the first connections is cut after so many bytes have come back on it.
struct Wire {
    url: String,
    /// Where it leads to at the time.
    target: Arc<Mutex<String>>,
    taken: Arc<AtomicUsize>,
}

impl Wire {
    async fn new(target: &str, cuts: &'static [usize]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/arcp", listener.local_addr().unwrap());
        let target = Arc::new(Mutex::new(target.to_owned()));
        let taken = Arc::new(AtomicUsize::new(0));
        let (leads_to, count) = (Arc::clone(&target), Arc::clone(&taken));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let limit = cuts.get(count.fetch_add(1, Ordering::Relaxed)).copied();
                let address = leads_to.lock().unwrap().clone();
                // Nobody there: the connection breaks at once, as one to a daemon that is gone does.
                if let Ok(far) = TcpStream::connect(&address).await {
                    tokio::spawn(carry(near, far, limit.unwrap_or(usize::MAX)));
                }
            }
        });
        Self { url, target, taken }
    }
}

async fn carry(near: TcpStream, far: TcpStream, limit: usize) {
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let up = async {
        drop(tokio::io::copy(&mut near_in, &mut far_out).await);
    };
    let down = async {
        let (mut left, mut buffer) = (limit, vec![0; 4096]);
        while left > 0 {
            let Ok(read) = far_in.read(&mut buffer).await else { return };
            let most = read.min(left);
            if read == 0 || near_out.write_all(&buffer[..most]).await.is_err() {
                return;
            }
            left -= most;
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

fn remote(home: &Home, url: &str, token: &str, arguments: &[&str]) -> Ran {
    let all = [&["--url", url], arguments].concat();
    let output = home.command(&all).env("LONGHAUL_TOKEN", token).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What the program says, asked from a thread that may wait.
async fn asked(url: &str, token: &str, arguments: &[&str]) -> Ran {
    let (url, token) = (url.to_owned(), token.to_owned());
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    let asking = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        remote(&Home::new(), &url, &token, &arguments)
    });
    asking.await.unwrap()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_followed_over_a_wire_that_breaks() {
    let runtime = Runtime::start().await;
    let cuts = &[700, 1_500, 20_000, 300, 9_000, 2_222, 30_000, 100];
    let wire = Wire::new(&runtime.address.to_string(), cuts).await;
    let ran =
        asked(&wire.url, "tok", &["submit", "count", "--input", r#"{"n":600}"#, "--follow"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.text().lines().filter(|line| line.starts_with("event ")).collect();
    let expected: Vec<String> = (0..600).map(|number| format!("event {number}")).collect();
    assert_eq!(lines, expected);
    assert_eq!(ran.text().lines().last(), Some(r#"{"counted":600}"#));
    assert!(wire.taken.load(Ordering::Relaxed) > cuts.len() / 2);
    runtime.stop().await;
}

/// What the program says to a runtime behind this certificate, which it is told to trust or not.
async fn encrypted(
    runtime: &Runtime,
    made: &rcgen::CertifiedKey<rcgen::KeyPair>,
    trusts: bool,
) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let tls = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&tls.cert, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let trusted = trusts.then(|| tls.cert.clone());
    let listen = Listen { tls: Some(tls), ..Listen::new("127.0.0.1:0".to_owned()) };
    let (address, _server) = runtime.daemon.listen(&listen).await.unwrap();
    let url = format!("wss://localhost:{}", address.port());
    let asking = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let mut command = home
            .command(&["--url", &url, "--json", "submit", "echo", "--input", "[1]", "--follow"]);
        command.env("LONGHAUL_TOKEN", "tok").env_remove("SSL_CERT_DIR");
        command.envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
        ran(command.output().unwrap())
    });
    asking.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_runtime_is_asked_once_its_certificate_is_trusted() {
    let runtime = Runtime::start().await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let asked = encrypted(&runtime, &made, true).await;
    assert_eq!(json(&asked)["result"], json!({"echoed": [1]}));
    let asked = encrypted(&runtime, &made, false).await;
    assert_ne!(asked.code, 0, "{asked:?}");
    assert!(asked.stderr.contains("SSL_CERT_FILE"), "what helps is said: {asked:?}");

    let mut of_authority = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = of_authority.self_signed(&signing_key).unwrap();
    let asked = encrypted(&runtime, &rcgen::CertifiedKey { cert, signing_key }, true).await;
    assert!(asked.stderr.contains("CA:FALSE"), "{asked:?}");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_by_exit_codes_and_refusals_by_theirs() {
    let runtime = Runtime::start().await;
    let url = &format!("ws://{}", runtime.address);
    let accepted = json(&asked(url, "tok", &["--json", "submit", "wait", "--key", "k"]).await);
    let job = accepted["job_id"].as_str().unwrap();
    let again = asked(url, "tok", &["submit", "wait", "--key", "k"]).await;
    assert_eq!(again.text().trim(), job);
    let shown = json(&asked(url, "tok", &["--json", "show", job]).await);
    assert_eq!((&shown["job_id"], &shown["agent"]), (&json!(job), &json!("wait")));
    let listed = json(&asked(url, "tok", &["--json", "list", "--agent", "wait"]).await);
    assert_eq!(listed["jobs"][0]["job_id"], job);
    assert_eq!(asked(url, "tok", &["wait", "--timeout", "10ms", job]).await.code, 5);
    // Only an operator ends the job of a session that is not its own.
    let cancelled = asked(url, "tok-root", &["cancel", job]).await;
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    let waited = asked(url, "tok", &["--json", "wait", job]).await;
    assert_eq!((waited.code, &json(&waited)[0]["status"]), (130, &json!("cancelled")));
    let logs = asked(url, "tok", &["logs", "-f", job]).await;
    assert_eq!(logs.code, 130, "{logs:?}");
    let echoed =
        asked(url, "tok", &["--json", "submit", "echo", "--input", "[1]", "--follow"]).await;
    assert_eq!(json(&echoed)["result"], json!({"echoed": [1]}));
    let too_long = ["submit", "wait", "--max-runtime", "1s", "--follow"];
    assert_eq!(asked(url, "tok", &too_long).await.code, 124);
    for (token, arguments, code, words) in [
        ("tok", &["submit", "nobody"][..], 3, "AGENT_NOT_AVAILABLE"),
        ("tok", &["show", "job_01JD0000000000000000000000"], 3, "JOB_NOT_FOUND"),
        ("tok-bob", &["show", job], 3, "says"),
        ("bad", &["list"], 3, "UNAUTHENTICATED"),
        ("tok", &["why", job], 2, "cannot be asked of the runtime"),
        ("tok", &["submit", "echo", "--input", "{"], 2, "is not JSON"),
    ] {
        let ran = asked(url, token, arguments).await;
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
    assert_eq!(asked("ws://127.0.0.1:1/arcp", "tok", &["list"]).await.code, 4);
    assert_eq!(asked("ftp://x", "tok", &["list"]).await.code, 2);
    runtime.stop().await;
}

/// Only the session that asked for a job may end it; a command that left it there can be followed by another
/// that ends it, from the same home.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_command_asked_for_another_can_end() {
    let runtime = Runtime::start().await;
    let url = format!("ws://{}", runtime.address);
    let done = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let accepted = json(&remote(&home, &url, "tok", &["--json", "submit", "wait"]));
        let job = accepted["job_id"].as_str().unwrap();
        // Nobody else of the same principal can, while the session is there.
        let refused = remote(&Home::new(), &url, "tok", &["cancel", job]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains("PERMISSION_DENIED"), "{refused:?}");
        let cancelled = remote(&home, &url, "tok", &["cancel", job]);
        assert_eq!(cancelled.code, 0, "{cancelled:?}");
        assert_eq!(remote(&home, &url, "tok", &["wait", job]).code, 130);
        // The session was gone on with, and can be again.
        let again = remote(&home, &url, "tok", &["cancel", job]);
        assert!(again.stderr.contains("JOB_NOT_FOUND"), "{again:?}");
    });
    done.await.unwrap();
    runtime.stop().await;
}

/// Ctrl-C leaves the job alone, and what was left can be ended by another command.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_may_leave_and_end_the_job_later() {
    let runtime = Runtime::start().await;
    let url = format!("ws://{}", runtime.address);
    let done = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let arguments = ["--url", &url, "submit", "wait", "--follow"];
        let mut following = home
            .command(&arguments)
            .env("LONGHAUL_TOKEN", "tok")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(following.stderr.take().unwrap()).lines();
        let accepted = lines.next().unwrap().unwrap();
        let job = accepted.split_whitespace().find(|word| word.starts_with("job_")).unwrap();
        let mut events = BufReader::new(following.stdout.take().unwrap()).lines();
        events.next().unwrap().unwrap();
        signal(pid_of(&following), Signal::INT);
        let said = lines.next().unwrap().unwrap();
        assert!(said.contains("goes on"), "{said}");
        assert_eq!(following.wait().unwrap().code(), Some(130));
        let shown = json(&remote(&home, &url, "tok", &["--json", "show", job]));
        assert_eq!(shown["current_status"], "running", "{shown}");
        let cancelled = remote(&home, &url, "tok", &["cancel", job]);
        assert_eq!(cancelled.code, 0, "{cancelled:?}");
        assert_eq!(remote(&home, &url, "tok", &["wait", job]).code, 130);
    });
    done.await.unwrap();
    runtime.stop().await;
}

/// `longhaul serve` in a process of its own, and where it listens.
fn serve(home: &Home) -> (Child, String) {
    let mut command = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    (child, said["listening"].as_str().unwrap().to_owned())
}

/// What is followed goes on where it was, though the daemon was killed in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_followed_across_a_killed_daemon() {
    let home = Home::new();
    let token = home.json(&["token", "add", "alice"])["token"].as_str().unwrap().to_owned();
    let program = env!("CARGO_BIN_EXE_longhaul");
    let go = home.work().join("go");
    let script = format!(
        "for i in 1 2 3; do {program} emit log \"said $i\"; done; \
         until [ -e {go} ]; do sleep 0.05; done; \
         for i in 4 5 6; do {program} emit log \"said $i\"; done",
        go = go.display()
    );
    // A text of JSON is one of TOML, too.
    let written =
        format!("[[agent]]\nname = \"sayer\"\ncommand = [\"sh\", \"-c\", {}]\n", json!(script));
    std::fs::write(home.path().join("agents.toml"), written).unwrap();
    let (mut served, address) = serve(&home);
    let wire = Wire::new(&address, &[]).await;
    let arguments = ["--url", &wire.url, "submit", "sayer", "--follow"];
    let mut following = home
        .command(&arguments)
        .env("LONGHAUL_TOKEN", &token)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut seen: Vec<String> = vec![];
    while seen.last().is_none_or(|line| line != "said 3") {
        seen.push(lines.next().expect("the job says more"));
    }
    signal(pid_of(&served), Signal::KILL);
    served.wait().unwrap();
    let (mut served, address) = serve(&home);
    wire.target.lock().unwrap().clone_from(&address);
    std::fs::write(go, "").unwrap();
    seen.extend(lines);
    let said: Vec<&String> = seen.iter().filter(|line| line.starts_with("said ")).collect();
    assert_eq!(said, ["said 1", "said 2", "said 3", "said 4", "said 5", "said 6"]);
    assert!(following.wait().unwrap().success());
    eventually("the daemon is there", || home.json(&["daemon", "status"])["running"] == true);
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}

/// A runtime that tells all of a job's past before it says that the job is followed, as others do.
async fn tells_before_it_answers(listener: TcpListener) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let frame = |kind: &str, number: Option<u64>, payload: Value| {
        let mut frame = json!({
            "arcp": "1.1", "id": format!("msg_{kind}_{number:?}"), "type": kind,
            "session_id": "sess_1", "job_id": "job_1", "payload": payload,
        });
        frame["event_seq"] = number.into();
        if number.is_none() {
            frame.as_object_mut().unwrap().remove("event_seq");
        }
        Message::text(frame.to_string())
    };
    let welcome = json!({
        "runtime": { "name": "other", "version": "1" }, "resume_token": "rt_1",
        "resume_window_sec": 600, "capabilities": { "features": ["subscribe"] },
    });
    let said = |number: u64| {
        let body = json!({ "level": "info", "message": format!("said {number}") });
        let payload = json!({ "kind": "log", "ts": "2026-05-13T10:00:00Z", "body": body });
        frame("job.event", Some(number), payload)
    };
    let subscribed = json!({
        "job_id": "job_1", "current_status": "running", "agent": "a", "lease": {},
        "subscribed_from": 2, "replayed": true,
    });
    let result = json!({ "final_status": "success", "result": "done" });
    let answers = [
        vec![frame("session.welcome", None, welcome)],
        vec![said(1), said(2), frame("job.subscribed", None, subscribed), said(3)],
    ];
    for answer in answers {
        socket.next().await.unwrap().unwrap();
        for frame in answer {
            socket.send(frame).await.unwrap();
        }
    }
    socket.send(frame("job.result", Some(4), result)).await.unwrap();
    // Until the client is gone.
    while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_before_an_answer_is_taken_in_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/arcp", listener.local_addr().unwrap());
    let runtime = tokio::spawn(tells_before_it_answers(listener));
    let logs = asked(&url, "tok", &["logs", "-f", "job_1"]).await;
    assert_eq!(logs.code, 0, "{logs:?}");
    assert_eq!(logs.text(), "said 1\nsaid 2\nsaid 3\ndone\n");
    runtime.await.unwrap();
}
