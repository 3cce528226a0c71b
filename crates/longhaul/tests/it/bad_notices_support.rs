//! Receivers of webhooks that behave as badly as they are told to, and looks at what is owed.

use crate::harness::{Home, eventually, signal};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How long a try may take where a test has to see one that takes too long.
pub(crate) const SHORT_TRIES: &str = "[sinks]\ntry_timeout = \"700ms\"\n";

/// What a receiver makes of one notice.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This status line and these further headers, with this body.
    Says(String, String),
    /// Nothing: it hangs up once it has read everything.
    Dies,
    /// Nothing, until the one who asked hangs up.
    Never,
    /// Well, but only once the one who asked has hung up.
    TooLate,
}

/// An answer without anything special.
pub(crate) fn says(head: &str) -> Answer {
    Answer::Says(head.to_owned(), "ok".to_owned())
}

/// A receiver of webhooks, each connection on a thread of its own.
pub(crate) struct Receiver {
    pub(crate) url: String,
    address: SocketAddr,
    got: Arc<Mutex<Vec<Value>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Answers each notice as `script` says, which is told how many came before it.
    pub(crate) fn start(script: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (got, script) = (Arc::new(Mutex::new(vec![])), Arc::new(script));
        let kept = Arc::clone(&got);
        let is_over = Arc::new(AtomicBool::new(false));
        let told_over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut connections = vec![];
            loop {
                let (stream, _) = listener.accept().unwrap();
                if told_over.load(Ordering::SeqCst) {
                    break;
                }
                // Whoever was killed while it asked has not said all of it.
                let Some((notice, stream)) = read_notice(stream) else { continue };
                let before = {
                    let mut got = kept.lock().unwrap();
                    got.push(notice.clone());
                    got.len() - 1
                };
                let answer = script(before, &notice);
                connections.push(std::thread::spawn(move || give(answer, stream)));
            }
            connections.into_iter().for_each(|connection| connection.join().unwrap());
        });
        let url = format!("http://{address}/hook");
        Self { url, address, got, is_over, thread: Some(thread) }
    }

    /// All notices that came, in the order in which they came.
    pub(crate) fn notices(&self) -> Vec<Value> {
        self.got.lock().unwrap().clone()
    }

    /// The ids of all notices that came, doubles too.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.notices().iter().map(|notice| notice["id"].as_str().unwrap().to_owned()).collect()
    }

    /// How often it was told of this job.
    pub(crate) fn times(&self, job: &str) -> usize {
        self.notices().iter().filter(|notice| notice["job"]["id"] == job).count()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The thread looks up with the next connection. Those that wait for the daemon to hang up
        // are left behind, as a test that fails has not stopped it yet.
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take());
    }
}

fn read_notice(stream: TcpStream) -> Option<(Value, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((serde_json::from_slice(&body).unwrap(), reader.into_inner()))
}

fn give(answer: Answer, mut stream: TcpStream) {
    let text = |head: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    };
    let mut wait_until_it_hangs_up = || drop(stream.read_to_end(&mut vec![]));
    let answer = match answer {
        Answer::Says(head, body) => text(&head, &body),
        Answer::Dies => return,
        Answer::Never => return wait_until_it_hangs_up(),
        Answer::TooLate => {
            wait_until_it_hangs_up();
            text("200 OK", "ok")
        }
    };
    // Who asked may be gone, which is what some tests are about.
    drop(stream.write_all(answer.as_bytes()));
}

/// Writes the home's settings, before its first daemon reads them.
pub(crate) fn configure(home: &Home, settings: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(home.path()).unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.path().join("config.toml"), settings).unwrap();
}

/// Makes a sink that is told by HTTP.
pub(crate) fn add_webhook(home: &Home, name: &str, receiver: &Receiver) {
    home.run(&["sink", "add", name, "webhook", &receiver.url]).ok();
}

/// Makes a sink that is told by a shell.
pub(crate) fn add_script(home: &Home, name: &str, script: &str) {
    home.run(&["sink", "add", name, "exec", "--", "sh", "-c", script]).ok();
}

/// A job that ends at once and is told to these sinks.
pub(crate) fn ends(home: &Home, sinks: &[&str]) -> String {
    let mut arguments: Vec<&str> = sinks.iter().flat_map(|sink| ["--notify", sink]).collect();
    arguments.extend(["--", "true"]);
    home.submit(&arguments)
}

/// How the notice of a job to one place stands.
pub(crate) fn owed(home: &Home, job: &str, place: &str) -> Value {
    let page = home.json(&["notices", job]);
    let notices = page["notices"].as_array().unwrap();
    notices.iter().find(|notice| notice["to"] == place).cloned().unwrap_or_default()
}

/// Waits until the notice of a job to one place is in `state`, and gives it.
#[track_caller]
pub(crate) fn until(home: &Home, job: &str, place: &str, state: &str) -> Value {
    until_so(home, job, place, |notice| notice["state"] == state)
}

/// Waits until the notice of a job to one place is as wanted, and gives it.
#[track_caller]
pub(crate) fn until_so(
    home: &Home,
    job: &str,
    place: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let mut notice = Value::Null;
    eventually(&format!("the notice of {job} to {place} is so"), || {
        notice = owed(home, job, place);
        is_so(&notice)
    });
    notice
}

/// What came of each try that is kept, in words.
pub(crate) fn answers(notice: &Value) -> Vec<String> {
    let receipts = notice["receipts"].as_array().unwrap();
    receipts.iter().map(|receipt| receipt["answer"].as_str().unwrap().to_owned()).collect()
}

/// Ends the daemon as a crash would.
pub(crate) fn kill_daemon(home: &Home) {
    let daemon = home.daemon_pid();
    signal(daemon, Signal::KILL);
    eventually("the daemon is gone", || !Path::new(&format!("/proc/{daemon}/exe")).exists());
}
