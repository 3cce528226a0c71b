//! A home with issuers: a program, and a stub of a gateway, both of which remember what they were asked.

use crate::arcp_support::Client;
use crate::arcp_transport::{client_at, serve};
use crate::harness::{Home, pid_of, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Wire};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpStream;

/// How every value begins that an issuer makes; whatever holds it holds a secret.
pub(crate) const SECRET: &str = "sk-verysecret";

/// A home with issuers, and a daemon that is listening.
pub(crate) struct Issuing {
    pub(crate) home: Home,
    pub(crate) gateway: Gateway,
    asked: PathBuf,
    served: Child,
    address: String,
}

impl Issuing {
    pub(crate) fn start() -> Self {
        let home = Home::new();
        let gateway = Gateway::start();
        let asked = home.work().join("asked");
        let script = format!(
            "read -r line\nprintf '%s\\n' \"$line\" >> '{asked}'\n\
             case $line in *'\"agent\":\"refused\"'*) echo 'not for this one' >&2; exit 77;; esac\n\
             case $line in *'\"action\":\"mint\"'*|*'\"action\":\"rotate\"'*) \
             printf '{{\"value\":\"{SECRET}-%s\",\"endpoint\":\"http://vault/v1\"}}' $$;; esac\n",
            asked = asked.display(),
        );
        let issuer = home.write("issuer", script);
        let key = home.write("master-key", "sk-master");
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::create_dir(home.path()).unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let settings = format!(
            "[issuer.vault]\nkind = \"command\"\ncommand = [\"/bin/sh\", {issuer:?}]\n\
             [issuer.gateway]\nkind = \"litellm\"\nurl = {:?}\nendpoint = \"http://gateway/v1\"\n\
             key_file = {key:?}\n",
            gateway.url
        );
        std::fs::write(home.path().join("config.toml"), settings).unwrap();
        std::fs::write(home.path().join("agents.toml"), agents(&home)).unwrap();
        let (served, address) = serve(&home);
        Self { home, gateway, asked, served, address }
    }

    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let made = self.home.json(&["token", "add", name, "--role", role]);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A client that said nothing yet.
    pub(crate) async fn connected(&self) -> Client<TcpStream> {
        client_at(&self.address).await.unwrap()
    }

    pub(crate) async fn welcomed(&self, token: &str) -> Client<TcpStream> {
        let mut client = self.connected().await;
        let welcome = client.hello(token).await;
        let features = welcome["payload"]["capabilities"]["features"].as_array().unwrap();
        for feature in ["model.use", "provisioned_credentials"] {
            assert!(features.contains(&json!(feature)), "{welcome}");
        }
        client
    }

    /// How often the program was asked for this.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.asked(action).len()
    }

    /// What the program was asked for by this name.
    pub(crate) fn asked(&self, action: &str) -> Vec<Value> {
        let asked = std::fs::read_to_string(&self.asked).unwrap_or_default();
        let asked = asked.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        asked.filter(|asked| asked["action"] == action).collect()
    }

    pub(crate) fn kill(&mut self) {
        signal(pid_of(&self.served), Signal::KILL);
        self.served.wait().unwrap();
    }

    pub(crate) fn serve_again(&mut self) {
        (self.served, self.address) = serve(&self.home);
    }

    pub(crate) fn stop(mut self) {
        self.home.json(&["daemon", "stop"]);
        self.served.wait().unwrap();
    }

    /// The files of the home that hold a secret in clear.
    pub(crate) fn leaks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        holding(&self.home.path(), SECRET.as_bytes(), &mut found);
        found
    }

    /// Those of them that are no folder of an attempt, which holds the environment of its processes.
    pub(crate) fn leaks_elsewhere(&self) -> Vec<PathBuf> {
        let attempts = self.home.path().join("attempts");
        let mut found = self.leaks();
        found.retain(|path| !path.starts_with(&attempts));
        found
    }
}

/// `sleeper` needs its credential of the program, `both` one of each, `hung` one of the gateway,
/// `refused` gets none, and `parent` has `sleeper` work for it as soon as the file `go` is written.
fn agents(home: &Home) -> String {
    let needs = |issuer: &str| format!("test -n \"$LONGHAUL_CREDENTIAL_{issuer}\"");
    let (vault, gateway) = (needs("VAULT"), needs("GATEWAY"));
    let go = home.work().join("go");
    let made = std::process::Command::new("mkfifo").arg(&go).status().unwrap();
    assert!(made.success());
    let (program, go) = (env!("CARGO_BIN_EXE_longhaul"), go.display());
    let parent = format!("read -r _ < '{go}' && '{program}' delegate sleeper --id part");
    let sleeps = |before: &str| format!("{before} && exec sleep 1000");
    let all: [(&str, String, &[&str]); 5] = [
        ("sleeper", sleeps(&vault), &["vault"]),
        ("refused", sleeps(&vault), &["vault"]),
        ("hung", sleeps(&gateway), &["gateway"]),
        ("both", sleeps(&format!("{vault} && {gateway}")), &["gateway", "vault"]),
        ("parent", sleeps(&parent), &[]),
    ];
    let one = |(name, script, issuers): (&str, String, &[&str])| {
        let command = json!(["sh", "-c", script]);
        let credentials = json!(issuers);
        format!("[[agent]]\nname = \"{name}\"\ncommand = {command}\ncredentials = {credentials}\n")
    };
    all.map(one).concat()
}

fn holding(folder: &Path, wanted: &[u8], found: &mut Vec<PathBuf>) {
    // A daemon tidies up meanwhile: what is gone holds nothing.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            holding(&entry.path(), wanted, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            if bytes.windows(wanted.len()).any(|bytes| bytes == wanted) {
                found.push(entry.path());
            }
        }
    }
}

/// A gateway that makes virtual keys.
#[derive(Clone)]
pub(crate) struct Gateway {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Keys that are good, by their names.
    keys: BTreeMap<String, String>,
    made: u32,
    /// What it was asked: the path, and the body.
    asked: Vec<(String, Value)>,
    /// Whether it makes keys and says nothing.
    hangs: bool,
    /// Connections that nothing is said on.
    silent: Vec<Wire>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Self { url, state: Arc::default() };
        let serving = gateway.clone();
        std::thread::spawn(move || {
            for wire in listener.incoming() {
                serving.answer(wire.unwrap());
            }
        });
        gateway
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes it say nothing any more; or speak again, and break off where it has said nothing.
    pub(crate) fn hang(&self, hangs: bool) {
        let mut state = self.state();
        state.hangs = hangs;
        if !hangs {
            state.silent.clear();
        }
    }

    /// The keys that are good.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.state().keys.values().cloned().collect()
    }

    /// What it was asked by this path.
    pub(crate) fn asked(&self, path: &str) -> Vec<Value> {
        let state = self.state();
        let asked = state.asked.iter().filter(|(of, _)| of == path);
        asked.map(|(_, body)| body.clone()).collect()
    }

    fn answer(&self, mut wire: Wire) {
        let Some((path, body)) = request(&mut wire) else { return };
        let mut state = self.state();
        state.asked.push((path.clone(), body.clone()));
        let (status, said) = match path.as_str() {
            "/key/generate" => state.generate(&body),
            "/key/delete" => state.delete(&body),
            _ => (404, json!({ "detail": "Not Found" })),
        };
        if state.hangs {
            state.silent.push(wire);
            return;
        }
        let said = said.to_string();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", said.len());
        // Who asked may be gone.
        let _ = wire.write_all(format!("{head}{said}").as_bytes());
    }
}

impl State {
    fn generate(&mut self, body: &Value) -> (u16, Value) {
        let name = body["key_alias"].as_str().unwrap().to_owned();
        if self.keys.contains_key(&name) {
            let message = format!("Key with alias '{name}' already exists");
            return (400, json!({ "error": { "message": message, "code": "400" } }));
        }
        self.made += 1;
        let key = format!("{SECRET}-key-{}", self.made);
        self.keys.insert(name, key.clone());
        (200, json!({ "key": key, "token_id": format!("hash-{}", self.made) }))
    }

    fn delete(&mut self, body: &Value) -> (u16, Value) {
        let names = body["key_aliases"].as_array().unwrap();
        for name in names {
            self.keys.remove(name.as_str().unwrap());
        }
        (200, json!({ "deleted_keys": names }))
    }
}

/// The path and the body of a request; nothing if it breaks off.
fn request(wire: &mut Wire) -> Option<(String, Value)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap_or("0").parse().unwrap() {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return Some((path, serde_json::from_str(body).unwrap()));
            }
        }
        let mut chunk = [0; 4_096];
        match wire.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend(&chunk[..count]),
        }
    }
}
