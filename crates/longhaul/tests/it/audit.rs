//! What can be looked up afterwards, through the program.

use crate::arcp_support::{Runtime, hello};
use crate::harness::{Ran, eventually, ran};
use serde_json::{Value, json};
use std::process::Command;

/// What the program says of this daemon's home.
fn program(runtime: &Runtime, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longhaul"));
    command.args(arguments).env("LONGHAUL_HOME", runtime.daemon.ports.home.path());
    ran(command.output().unwrap())
}

/// The entries of the audit, with these arguments.
fn audit(runtime: &Runtime, arguments: &[&str]) -> Vec<Value> {
    let said = program(runtime, &[&["--json", "audit"], arguments].concat());
    said.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_let_do_what_and_who_was_turned_away_is_shown() {
    let runtime = Runtime::start().await;
    let _server = runtime.daemon.serve().unwrap();
    let mut alice = runtime.welcomed("tok").await;
    alice.submit("count", json!({ "n": 3 })).await;
    alice.until("job.result").await;
    let job = alice.submit("wait", Value::Null).await;
    let mut other = runtime.welcomed("tok").await;
    other.send("job.subscribe", json!({ "job_id": job })).await;
    other.until("job.subscribed").await;
    let mut bob = runtime.welcomed("tok-bob").await;
    bob.send("job.subscribe", json!({ "job_id": job })).await;
    assert_eq!(bob.next().await["payload"]["code"], "PERMISSION_DENIED");
    bob.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(bob.next().await["payload"]["code"], "JOB_NOT_FOUND");
    for _ in 0..3 {
        let mut stranger = runtime.connect().await;
        stranger.send("session.hello", hello("wrong", json!({}))).await;
        assert_eq!(stranger.next().await["payload"]["code"], "UNAUTHENTICATED");
    }
    let mut root = runtime.welcomed("tok-root").await;
    root.send_about("job.cancel", Some(&job), json!({ "reason": "too long" })).await;
    root.until("job.cancelled").await;

    eventually("all is written down", || kinds(&audit(&runtime, &[])).len() >= 5);
    let all = audit(&runtime, &[]);
    let refused =
        |what: &str| -> Vec<&Value> { all.iter().filter(|entry| entry["what"] == what).collect() };
    let [follow] = refused("follow")[..] else { panic!("{all:#?}") };
    assert_eq!((&follow["who"], &follow["owner"]), (&json!("bob"), &json!("alice")));
    let [cancel] = refused("cancel")[..] else { panic!("{all:#?}") };
    assert_eq!((&cancel["who"], &cancel["times"]), (&json!("bob"), &json!(1)));
    // Three of one address are one entry.
    let [login] = refused("login")[..] else { panic!("{all:#?}") };
    assert_eq!(login["who"], "127.0.0.1");

    let of_job = audit(&runtime, &["--job", &job]);
    assert_eq!(kinds(&of_job), ["followed", "cancel_requested"]);
    assert_eq!(of_job[0]["principal"], "alice");
    assert_eq!(of_job[1]["reason"], "operator root: too long");
    assert_eq!(all.len(), 5, "{all:#?}");
    let before = of_job[0]["position"].to_string();
    let rest = audit(&runtime, &["--job", &job, "--after", &before]);
    assert_eq!(kinds(&rest), ["cancel_requested"]);
    let words = program(&runtime, &["audit"]);
    assert!(words.ok().contains("turned_away") && !words.ok().contains("submitted"));
    runtime.stop().await;
}
