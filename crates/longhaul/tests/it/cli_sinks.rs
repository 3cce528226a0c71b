//! Sinks: made, listed, tried out, told; and what is refused when one is made.

use crate::harness::{Home, eventually, keys};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What a receiver was sent.
struct Request {
    head: String,
    body: Value,
}

/// A receiver of webhooks that gives the answers it was told to, then the last for ever.
struct Receiving {
    url: String,
    requests: Receiver<Request>,
    address: std::net::SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Receiving {
    fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || receive(&listener, answers, &sender));
        let url = format!("http://{address}/hook?token=hunter2");
        Self { url, requests, address, thread: Some(thread) }
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(crate::harness::PATIENCE).expect("a notice comes")
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // A connection without a request ends the thread.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn receive(listener: &TcpListener, answers: &[&str], requests: &Sender<Request>) {
    let mut given = 0;
    loop {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&lower);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = answers[given.min(answers.len() - 1)];
        given += 1;
        let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        reader.get_mut().write_all(text.as_bytes()).unwrap();
        if requests.send(Request { head, body: serde_json::from_slice(&body).unwrap() }).is_err() {
            return;
        }
    }
}

/// The notice of a job to a sink.
fn to_sink(home: &Home, job: &str) -> Value {
    let page = home.json(&["notices", job]);
    let notices = page["notices"].as_array().unwrap();
    let to_sink = notices.iter().find(|n| n["to"].as_str().unwrap().starts_with("sink:"));
    to_sink.unwrap_or(&Value::Null).clone()
}

#[test]
fn a_webhook_is_told_when_a_job_ends() {
    let home = Home::new();
    let receiver = Receiving::start(&["200 OK"]);
    let secret = home.write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let file = secret.to_str().unwrap();
    home.run(&["sink", "add", "ci", "webhook", &receiver.url, "--secret-file", file]).ok();
    let job = home.submit(&["--notify", "ci", "--", "sh", "-c", "echo hello; exit 4"]);
    let request = receiver.next();
    assert!(request.head.starts_with("post /hook?token=hunter2 "), "{}", request.head);
    for header in ["webhook-id: dlv_", "webhook-timestamp: ", "webhook-signature: v1,"] {
        assert!(request.head.contains(header), "no {header} in {}", request.head);
    }
    let notice = request.body;
    assert_eq!((&notice["type"], &notice["to"]), (&json!("job.ended"), &json!("sink:ci")));
    assert_eq!(notice["job"]["id"], job.as_str());
    assert_eq!(notice["job"]["outcome"]["exit_code"], 4);
    assert_eq!(notice["output"]["stdout_tail"], "hello\n");
    eventually("it is known to be told", || to_sink(&home, &job)["state"] == "acked");
    let told = to_sink(&home, &job);
    assert_eq!((&told["id"], &told["acked_how"]), (&notice["id"], &json!("answered")));
    let why = home.json(&["why", &job])["why"].to_string();
    assert!(why.contains("The sink `ci` took the news at"), "{why}");
    // What was told only just now stays for a while, so that the receiver can look at it.
    home.run(&["show", "--settle", &job]).ok();
    let kept = home.run(&["prune", &job]);
    assert!(kept.code == 3 && kept.stderr.contains("stays"), "{kept:?}");
}

#[test]
fn a_sink_is_listed_without_its_secrets() {
    let home = Home::new();
    home.write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let mode = PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(home.work().join("secret"), mode).unwrap();
    let url = "https://example.com/hook?token=hunter2";
    home.run(&["sink", "add", "web", "webhook", url, "--secret-file", "secret"]).ok();
    home.run(&["sink", "add", "log", "exec", "--", "cat", "-"]).ok();
    home.run(&["sink", "add", "bot", "agent", "helper"]).ok();
    home.run(&["sink", "add", "desk", "desktop"]).ok();
    let page = home.json(&["sink", "list"]);
    assert_eq!(keys(&page), ["sinks"]);
    let names: Vec<&str> = page["sinks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sink| sink["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["bot", "desk", "log", "web"]);
    let web = &page["sinks"][3];
    assert_eq!((&web["secret"], &web["kind"]), (&json!(true), &json!("webhook")));
    assert_eq!(page["sinks"][0]["waiting_for"], "an agent `helper`, which there is not");
    assert_eq!(page["sinks"][2]["command"], json!(["cat", "-"]));
    for text in [page.to_string(), home.run(&["sink", "list"]).ok().to_owned()] {
        assert!(!text.contains("hunter2") && !text.contains("whsec_"), "{text}");
    }
    home.run(&["sink", "remove", "web"]).ok();
    home.run(&["sink", "remove", "web"]).fails(3, "no sink");
    home.run(&["submit", "--notify", "web", "--", "true"]).fails(3, "no sink `web`");
}

#[test]
fn what_could_never_work_is_refused_when_it_is_made() {
    let home = Home::new();
    let add = |arguments: &[&str]| home.run(&[&["sink", "add", "s"], arguments].concat());
    add(&["webhook", "ftp://example.com/"]).fails(2, "neither `http` nor `https`");
    add(&["webhook", "https://me:pw@example.com/"]).fails(2, "url");
    add(&["webhook", "not a url"]).fails(2, "url");
    add(&["webhook", "https://example.com/", "--secret-file", "none"]).fails(2, "secret_file");
    home.write("open", "whsec_x");
    std::fs::set_permissions(home.work().join("open"), PermissionsExt::from_mode(0o644)).unwrap();
    add(&["webhook", "https://example.com/", "--secret-file", "open"]).fails(2, "chmod 600");
    add(&["exec", "--", "no-such-program"]).fails(2, "not found");
    add(&["exec", "--", "./none"]).fails(2, "is not a program");
    home.run(&["sink", "add", "a\nb", "desktop"]).fails(2, "control character");
    home.run(&["sink", "add", "", "desktop"]).fails(2, "value is required for `<NAME>`");
    add(&["desktop"]).ok();
    add(&["exec", "--", "true"]).fails(3, "already");
    home.run(&["sink", "add", "s", "--replace", "exec", "--", "true"]).ok();
    assert_eq!(home.json(&["sink", "list"])["sinks"][0]["kind"], "exec");
}

#[test]
fn a_program_gets_the_notice_on_its_stdin() {
    let home = Home::new();
    let script = "cat > told.tmp && mv told.tmp told.json";
    home.run(&["sink", "add", "file", "exec", "--", "sh", "-c", script]).ok();
    let job = home.submit(&["--notify", "file", "--", "true"]);
    eventually("the file is there", || home.work().join("told.json").exists());
    let text = std::fs::read_to_string(home.work().join("told.json")).unwrap();
    let notice: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&notice["job"]["id"], &notice["to"]), (&json!(job), &json!("sink:file")));
    eventually("it is known to be told", || to_sink(&home, &job)["state"] == "acked");
}

#[test]
fn a_sink_is_tried_out_at_once() {
    let home = Home::new();
    let receiver = Receiving::start(&["204 No Content", "500 Oh dear"]);
    home.run(&["sink", "add", "ci", "webhook", &receiver.url]).ok();
    let tested = home.json(&["sink", "test", "ci"]);
    assert_eq!(keys(&tested), ["answer", "ms", "ok"]);
    assert_eq!(tested["ok"], true);
    let notice = receiver.next().body;
    assert_eq!((&notice["type"], &notice["job"]), (&json!("sink.test"), &Value::Null));
    let failed = home.run(&["sink", "test", "ci"]);
    assert!(failed.code == 3 && failed.text().contains("500"), "{failed:?}");
    home.run(&["sink", "test", "none"]).fails(3, "no sink");
    assert_eq!(home.json(&["notices"])["notices"], json!([]), "a test is owed to nobody");
}

#[test]
fn a_dead_notice_can_be_sent_again() {
    let home = Home::new();
    let receiver = Receiving::start(&["410 Gone", "200 OK"]);
    home.run(&["sink", "add", "ci", "webhook", &receiver.url]).ok();
    let job = home.submit(&["--notify", "ci", "--", "true"]);
    let first = receiver.next().body;
    eventually("it is given up", || to_sink(&home, &job)["state"] == "dead");
    let dead = to_sink(&home, &job);
    assert!(dead["dead_because"].as_str().unwrap().contains("410"), "{dead}");
    assert!(dead["receipts"][0]["answer"].as_str().unwrap().contains("410"), "{dead}");
    let doctor = home.json(&["doctor"]);
    assert!(doctor.to_string().contains("1 could not be delivered"), "{doctor}");
    assert_eq!(home.json(&["sink", "list"])["sinks"][0]["dead"], 1);
    let id = dead["id"].as_str().unwrap();
    home.run(&["notices", "--redeliver", &id[..id.len() - 1]]).ok();
    let again = receiver.next().body;
    assert_eq!(again["id"], first["id"]);
    eventually("it is told", || to_sink(&home, &job)["state"] == "acked");
}

#[test]
fn what_is_owed_to_a_removed_sink_is_given_up() {
    let home = Home::new();
    home.run(&["sink", "add", "s", "exec", "--", "false"]).ok();
    let job = home.submit(&["--notify", "s", "--", "true"]);
    eventually("a try has failed", || to_sink(&home, &job)["failures"].as_u64() >= Some(1));
    home.run(&["sink", "remove", "s"]).ok();
    eventually("it is given up", || to_sink(&home, &job)["state"] == "dead");
}
