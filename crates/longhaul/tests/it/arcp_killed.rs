//! Daemons that end, asked to or not: what clients were told is there afterwards, byte for byte.

use crate::arcp_support::Client;
use crate::arcp_transport::{client_at, serve};
use crate::harness::{Home, eventually, pid_of, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::net::TcpStream;

fn home_with(agent: &str, command: &Value) -> (Home, String) {
    let home = Home::new();
    let token = home.json(&["token", "add", "alice"])["token"].as_str().unwrap().to_owned();
    let written = format!("[[agent]]\nname = \"{agent}\"\ncommand = {command}\n");
    std::fs::write(home.path().join("agents.toml"), written).unwrap();
    (home, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_asked_to_stop_says_that_it_comes_back() {
    let (home, token) = home_with("sleeper", &json!(["sleep", "1000"]));
    let (mut served, address) = serve(&home);
    let mut first = client_at(&address).await.unwrap();
    first.hello(&token).await;
    let job = first.submit("sleeper", Value::Null).await;
    let running = first.next().await;
    signal(pid_of(&served), Signal::TERM);
    assert_eq!(first.until_closed().await, Some(1012));
    eventually("it has ended", || {
        served.try_wait().unwrap().is_some_and(|status| status.success())
    });
    let (mut served, address) = serve(&home);
    let mut second = client_at(&address).await.unwrap();
    second.resume(&token, &first, 0).await;
    assert_eq!(second.next().await, running);
    second.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(second.until("job.error").await["payload"]["code"], "CANCELLED");
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}

/// What a client was told, by its numbers, and of which jobs it was told that they are there.
#[derive(Default)]
struct Told {
    frames: BTreeMap<u64, Value>,
    jobs: BTreeSet<String>,
    ended: usize,
}

impl Told {
    /// A number that was told before stands for the same frame for ever.
    fn take(&mut self, frame: Value) {
        if frame["type"] == "job.accepted" {
            self.jobs.insert(frame["job_id"].as_str().unwrap().to_owned());
        }
        let Some(number) = frame["event_seq"].as_u64() else { return };
        if let Some(known) = self.frames.get(&number) {
            assert_eq!(frame, *known);
            return;
        }
        assert_eq!(number, self.frames.len() as u64 + 1, "{frame}");
        self.ended += usize::from(frame["type"] != "job.event");
        self.frames.insert(number, frame);
    }

    async fn read(&mut self, client: &mut Client<TcpStream>, frames: usize) {
        for _ in 0..frames {
            self.take(client.next().await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_has_what_it_said() {
    const KILLS: usize = 10;
    const AT_ONCE: usize = 4;
    let (home, token) = home_with("quick", &json!(["true"]));
    let (mut served, address) = serve(&home);
    let mut client = client_at(&address).await.unwrap();
    client.hello(&token).await;
    let mut told = Told::default();
    for round in 0..KILLS {
        for _ in 0..AT_ONCE {
            client.send("job.submit", json!({ "agent": "quick" })).await;
        }
        // At the least each is accepted; some have begun, some have ended.
        told.read(&mut client, (round * 5) % (3 * AT_ONCE)).await;
        signal(pid_of(&served), Signal::KILL);
        served.wait().unwrap();
        let (again, address) = serve(&home);
        served = again;
        let mut next = client_at(&address).await.unwrap();
        next.resume(&token, &client, 0).await;
        let before = told.frames.len();
        told.read(&mut next, before).await;
        assert_eq!(told.frames.len(), before, "what was told comes first, and again");
        client = next;
    }
    // Also those that were asked for and not answered in time may be there: each has its end.
    while told.ended < told.jobs.len() {
        told.read(&mut client, 1).await;
    }
    client.send("session.list_jobs", json!({ "limit": 1_000 })).await;
    let listed = client.until("session.jobs").await;
    let jobs = listed["payload"]["jobs"].as_array().unwrap();
    let found: BTreeSet<&str> = jobs.iter().map(|job| job["job_id"].as_str().unwrap()).collect();
    assert!(told.jobs.iter().all(|job| found.contains(job.as_str())));
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}
