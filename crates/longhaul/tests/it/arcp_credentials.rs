//! Credentials of jobs over real sockets, made and revoked by a program that writes down what it was
//! asked: who is told of them, and that none is good for longer than its job, or found afterwards.

use crate::arcp_support::{Client, hello};
use crate::arcp_transport::{client_at, serve};
use crate::harness::{Home, eventually, pid_of, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use tokio::net::TcpStream;

/// How every value begins that the issuer makes; whatever holds it holds a secret.
const SECRET: &str = "sk-verysecret";

/// A home with an issuer, and a daemon that is listening.
struct Issuing {
    home: Home,
    asked: PathBuf,
    served: Child,
    address: String,
}

impl Issuing {
    fn start() -> Self {
        let home = Home::new();
        let folder = home.work();
        let asked = folder.join("asked");
        let script = format!(
            "read -r line\nprintf '%s\\n' \"$line\" >> '{asked}'\n\
             case $line in *'\"agent\":\"refused\"'*) echo 'not for this one' >&2; exit 77;; esac\n\
             case $line in *'\"action\":\"mint\"'*) \
             printf '{{\"value\":\"{SECRET}-%s\",\"endpoint\":\"http://gateway/v1\"}}' $$;; esac\n",
            asked = asked.display(),
        );
        let issuer = home.write("issuer", script);
        std::fs::create_dir(home.path()).unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let settings = format!(
            "[issuer.vault]\nkind = \"command\"\ncommand = [\"/bin/sh\", {:?}]\n",
            issuer.to_str().unwrap()
        );
        std::fs::write(home.path().join("config.toml"), settings).unwrap();
        let script = "test -n \"$LONGHAUL_CREDENTIAL_VAULT\" && exec sleep 1000";
        let agents: String = ["sleeper", "refused"]
            .map(|name| {
                let command = json!(["sh", "-c", script]);
                let rest = "credentials = [\"vault\"]";
                format!("[[agent]]\nname = \"{name}\"\ncommand = {command}\n{rest}\n")
            })
            .concat();
        std::fs::write(home.path().join("agents.toml"), agents).unwrap();
        let (served, address) = serve(&home);
        Self { home, asked, served, address }
    }

    fn token(&self, name: &str, role: &str) -> String {
        let made = self.home.json(&["token", "add", name, "--role", role]);
        made["token"].as_str().unwrap().to_owned()
    }

    async fn welcomed(&self, token: &str) -> Client<TcpStream> {
        let mut client = client_at(&self.address).await.unwrap();
        let welcome = client.hello(token).await;
        let features = welcome["payload"]["capabilities"]["features"].as_array().unwrap();
        for feature in ["model.use", "provisioned_credentials"] {
            assert!(features.contains(&json!(feature)), "{welcome}");
        }
        client
    }

    /// How often the issuer was asked for this.
    fn count(&self, action: &str) -> usize {
        let asked = std::fs::read_to_string(&self.asked).unwrap_or_default();
        let asked = asked.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        asked.filter(|asked| asked["action"] == action).count()
    }

    fn kill(&mut self) {
        signal(pid_of(&self.served), Signal::KILL);
        self.served.wait().unwrap();
    }

    fn serve_again(&mut self) {
        (self.served, self.address) = serve(&self.home);
    }

    fn stop(mut self) {
        self.home.json(&["daemon", "stop"]);
        self.served.wait().unwrap();
    }

    /// The files of the home that hold a secret in clear.
    fn leaks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        holding(&self.home.path(), SECRET.as_bytes(), &mut found);
        found
    }
}

fn holding(folder: &Path, wanted: &[u8], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            holding(&entry.path(), wanted, found);
        } else if kind.is_file() {
            // A daemon tidies up meanwhile: what is gone holds nothing.
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            if bytes.windows(wanted.len()).any(|bytes| bytes == wanted) {
                found.push(entry.path());
            }
        }
    }
}

fn submit() -> Value {
    json!({ "agent": "sleeper", "idempotency_key": "once" })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_the_job_is_told_its_credential_and_nobody_else() {
    let issuing = Issuing::start();
    let (alice, root) = (issuing.token("alice", "client"), issuing.token("root", "operator"));
    let mut first = issuing.welcomed(&alice).await;
    first.send("job.submit", submit()).await;
    let accepted = first.until("job.accepted").await;
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    let credentials = &accepted["payload"]["credentials"];
    let credential = &credentials[0];
    assert!(credential["value"].as_str().unwrap().starts_with(SECRET), "{accepted}");
    assert_eq!(credential["scheme"], "bearer");
    assert_eq!(credential["endpoint"], "http://gateway/v1");
    assert_eq!(credential["profile"], "vault");
    first.send("job.submit", submit()).await;
    let again = first.until("job.accepted").await;
    assert_eq!(again["payload"]["credentials"], *credentials);

    first.send("session.list_jobs", json!({})).await;
    let listed = first.until("session.jobs").await;
    assert_eq!(listed["payload"]["jobs"][0]["job_id"], job.as_str());
    assert!(!listed.to_string().contains("credentials"), "{listed}");
    let mut same = issuing.welcomed(&alice).await;
    same.send("job.subscribe", json!({ "job_id": job })).await;
    let subscribed = same.until("job.subscribed").await;
    assert_eq!(subscribed["payload"]["credentials"], *credentials);
    // An operator may follow the job, and is another principal for all that.
    let mut other = issuing.welcomed(&root).await;
    other.send("job.subscribe", json!({ "job_id": job, "history": true })).await;
    let subscribed = other.until("job.subscribed").await;
    assert_eq!(subscribed["payload"]["current_status"], "running");
    assert!(subscribed["payload"].get("credentials").is_none(), "{subscribed}");
    // Who did not agree on credentials is told of none.
    let mut plain = client_at(&issuing.address).await.unwrap();
    let features = json!({ "encodings": ["json"], "features": ["subscribe"] });
    plain.hello_with(&alice, json!({ "capabilities": features })).await;
    plain.send("job.subscribe", json!({ "job_id": job })).await;
    let subscribed = plain.until("job.subscribed").await;
    assert!(subscribed["payload"].get("credentials").is_none(), "{subscribed}");

    assert_eq!((issuing.count("mint"), issuing.count("revoke")), (1, 0));
    first.send_about("job.cancel", Some(&job), json!({})).await;
    first.until("job.error").await;
    let ended = other.until("job.error").await;
    assert!(!ended.to_string().contains(SECRET));
    eventually("the credential is revoked", || issuing.count("revoke") == 1);
    first.send("job.submit", submit()).await;
    let again = first.until("job.accepted").await;
    assert!(again["payload"].get("credentials").is_none(), "{again}");
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_revoked_although_the_daemon_was_killed_with_its_job_under_way() {
    let mut issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut first = issuing.welcomed(&alice).await;
    first.send("job.submit", submit()).await;
    let accepted = first.until("job.accepted").await;
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    first.until("job.event").await;
    issuing.kill();
    // Whatever else may hold it while the job runs, the database does not.
    let in_database = |path: &PathBuf| path.to_str().unwrap().contains("state.db");
    assert!(!issuing.leaks().iter().any(in_database), "{:?}", issuing.leaks());
    assert_eq!(issuing.count("revoke"), 0);
    issuing.serve_again();
    let mut second = client_at(&issuing.address).await.unwrap();
    second.resume(&alice, &first, 0).await;
    second.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(second.until("job.error").await["payload"]["code"], "CANCELLED");
    eventually("the credential is revoked", || issuing.count("revoke") == 1);
    assert_eq!(issuing.count("mint"), 1);
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_the_credential_that_it_needs_is_not_accepted() {
    let issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut client = client_at(&issuing.address).await.unwrap();
    client.send("session.hello", hello(&alice, json!({}))).await;
    let welcome = client.next().await;
    client.session = welcome["session_id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let asked = json!({ "agent": "refused", "idempotency_key": "once" });
        let id = client.send("job.submit", asked).await;
        let refused = client.next().await;
        assert_eq!(refused["type"], "job.error", "{refused}");
        assert_eq!(refused["payload"]["code"], "INTERNAL_ERROR");
        assert_eq!(refused["payload"]["details"]["reason"], "credentials");
        assert_eq!(refused["payload"]["request_id"], id.as_str());
        // The feed's own word on its end is no second error.
        let told = client.next().await;
        assert_eq!(told["type"], "job.event", "{told}");
    }
    // A key that nothing was accepted under is free.
    assert_eq!(issuing.count("mint"), 2);
    issuing.stop();
}
