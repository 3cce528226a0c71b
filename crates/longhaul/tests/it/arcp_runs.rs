//! Jobs over real sockets: how long they may run, how they are ended, and keys that are used again.

use crate::arcp_support::{Client, Runtime};
use crate::arcp_transport::{client_at, serve};
use crate::daemon_support::eventually;
use crate::harness::{Home, pid_of, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_brings_no_trace_has_one_and_keeps_it() {
    let runtime = Runtime::agents(|_| ()).await;
    let mut client = runtime.welcomed("tok").await;
    client.send("job.submit", json!({ "agent": "mixed" })).await;
    let accepted = client.next().await;
    let trace = accepted["trace_id"].as_str().unwrap().to_owned();
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(trace.len() == 32 && trace.bytes().all(is_hex), "{trace}");
    assert_ne!(trace, "0".repeat(32), "some clients take that for none");
    assert_eq!(accepted["payload"]["trace_id"], trace);
    let mut frames = 0;
    loop {
        let frame = client.next().await;
        assert_eq!(frame["trace_id"], trace, "{frame}");
        frames += 1;
        if frame["type"] == "job.result" {
            break;
        }
    }
    assert_eq!(frames, 8, "that it runs, six events, and the result");
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_is_ended_and_so_is_its_process() {
    let runtime = Runtime::start().await;
    let root = runtime.place.root.path().canonicalize().unwrap();
    let written = format!(
        "[[agent]]\nname = \"sleeper\"\ncwd = {root:?}\n\
         command = [\"sh\", \"-c\", \"echo $$ > pid; exec sleep 1000\"]\n"
    );
    std::fs::write(runtime.daemon.ports.home.agents(), written).unwrap();
    let mut client = runtime.welcomed("tok").await;
    for agent in ["wait", "sleeper"] {
        client.send("job.submit", json!({ "agent": agent, "max_runtime_sec": 1 })).await;
        let error = client.until("job.error").await;
        assert_eq!(error["payload"]["code"], "TIMEOUT", "{error}");
        assert_eq!(error["payload"]["final_status"], "timed_out");
        assert_eq!(error["payload"]["retryable"], true);
    }
    let pid = std::fs::read_to_string(root.join("pid")).unwrap();
    let process = std::path::Path::new("/proc").join(pid.trim());
    eventually("the process is gone", || !process.exists());
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_may_run_for_months() {
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    for secs in [2_147_484, 10_000_000, u64::MAX] {
        let asked = json!({ "agent": "echo", "input": 1, "max_runtime_sec": secs });
        client.send("job.submit", asked).await;
        assert_eq!(client.until("job.result").await["payload"]["result"]["echoed"], 1);
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_twice_ends_once() {
    let runtime = Runtime::agents(|_| ()).await;
    let mut client = runtime.welcomed("tok").await;
    // It does not listen, so the second word finds it running still.
    let job = client.submit("stubborn", json!({})).await;
    assert_eq!(client.next().await["payload"]["body"]["phase"], "running");
    for reason in ["enough", "really"] {
        client.send_about("job.cancel", Some(&job), json!({ "reason": reason })).await;
    }
    for reason in ["enough", "really"] {
        let cancelled = client.next().await;
        assert_eq!(cancelled["type"], "job.cancelled", "{cancelled}");
        assert_eq!(cancelled["payload"]["reason"], reason);
    }
    let ended = client.next().await;
    assert_eq!((&ended["type"], &ended["event_seq"]), (&json!("job.error"), &json!(2)), "{ended}");
    assert_eq!(ended["payload"]["final_status"], "cancelled");
    // Once more, now that it is over: no second end is told, and nothing is numbered.
    client.send_about("job.cancel", Some(&job), json!({})).await;
    let error = client.next().await;
    assert_eq!(error["payload"]["code"], "JOB_NOT_FOUND", "{error}");
    assert_eq!(error["event_seq"], Value::Null);
    client.submit("noop", Value::Null).await;
    assert_eq!(client.until("job.event").await["event_seq"], 3);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_cancellation_that_comes_in_time_is_confirmed() {
    /// So many that some of them end while they are being cancelled.
    const JOBS: usize = 300;
    let runtime = Runtime::start().await;
    let mut client = runtime.welcomed("tok").await;
    for _ in 0..JOBS {
        let job = client.submit("echo", json!(1)).await;
        client.send_about("job.cancel", Some(&job), json!({})).await;
        let (mut answer, mut ended) = (Value::Null, Value::Null);
        while answer.is_null() || ended.is_null() {
            let frame = client.next().await;
            match frame["event_seq"] {
                Value::Null => answer = frame,
                _ if frame["type"] != "job.event" => ended = frame,
                _ => {}
            }
        }
        let is_confirmed = answer["type"] == "job.cancelled";
        assert!(is_confirmed || answer["payload"]["code"] == "JOB_NOT_FOUND", "{answer}");
        let is_cancelled = ended["payload"]["final_status"] == "cancelled";
        assert_eq!(is_confirmed, is_cancelled, "{answer} {ended}");
    }
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_gone_on_with_cancels_what_it_asked_for_before() {
    let runtime = Runtime::start().await;
    let mut first = runtime.welcomed("tok").await;
    let job = first.submit("wait", Value::Null).await;
    assert_eq!(first.next().await["event_seq"], 1);
    let mut second = runtime.connect().await;
    second.resume("tok", &first, 1).await;
    second.send_about("job.cancel", Some(&job), json!({ "reason": "back again" })).await;
    assert_eq!(second.next().await["type"], "job.cancelled");
    let ended = second.next().await;
    assert_eq!((&ended["payload"]["code"], &ended["event_seq"]), (&json!("CANCELLED"), &json!(2)));
    runtime.stop().await;
}

/// The ids of the jobs that are accepted next, once each of them has been told the end of.
async fn accepted(client: &mut Client<TcpStream>, count: usize) -> Vec<String> {
    let (mut jobs, mut ended) = (vec![], BTreeSet::new());
    while jobs.len() < count || ended.len() < count {
        let frame = client.next().await;
        let job = frame["job_id"].as_str().unwrap().to_owned();
        if frame["type"] == "job.accepted" {
            jobs.push(job);
        } else if frame["type"] == "job.result" {
            assert!(ended.insert(job), "it was told of that end before: {frame}");
        }
    }
    client.send("session.ping", json!({ "nonce": "n", "sent_at": "now" })).await;
    assert_eq!(client.next().await["type"], "session.pong", "there is nothing more to tell");
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_race_with_one_key_both_get_the_same_job_and_its_end_once() {
    const RACES: usize = 100;
    let runtime = Runtime::start().await;
    let (mut one, mut other) = (runtime.welcomed("tok").await, runtime.welcomed("tok").await);
    for race in 0..RACES {
        let key = format!("race {race}");
        let asked = json!({ "agent": "echo", "input": race, "idempotency_key": key });
        tokio::join!(one.send("job.submit", asked.clone()), other.send("job.submit", asked));
    }
    let (of_one, of_other) = tokio::join!(accepted(&mut one, RACES), accepted(&mut other, RACES));
    assert_eq!(of_one, of_other);
    assert_eq!(of_one.iter().collect::<BTreeSet<_>>().len(), RACES);
    one.send("session.list_jobs", json!({ "limit": 1_000 })).await;
    let listed = one.until("session.jobs").await;
    assert_eq!(listed["payload"]["jobs"].as_array().unwrap().len(), RACES);
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_what_is_left_of_a_budget_outlive_a_killed_daemon() {
    let home = Home::new();
    let token = home.json(&["token", "add", "alice"])["token"].as_str().unwrap().to_owned();
    let work = home.work();
    let script = "longhaul() { \"$0\" \"$@\"; }
        longhaul emit metric cost.inference 4 --unit USD
        until [ -e go ]; do sleep 0.05; done
        longhaul emit metric cost.inference 5 --unit USD
        longhaul authorize tool.call web --call c1 || exit 9
        longhaul emit metric cost.inference 1 --unit USD
        longhaul authorize tool.call web --call c2 2>/dev/null && exit 9
        longhaul emit result '\"spent\"'";
    let command = json!(["sh", "-c", script, env!("CARGO_BIN_EXE_longhaul")]);
    let written = format!("[[agent]]\nname = \"spender\"\ncwd = {work:?}\ncommand = {command}\n");
    std::fs::write(home.path().join("agents.toml"), written).unwrap();
    let asked = json!({
        "agent": "spender", "idempotency_key": "once",
        "lease_request": { "cost.budget": ["USD:10"], "tool.call": ["web"] },
    });

    let (mut served, address) = serve(&home);
    let mut first = client_at(&address).await.unwrap();
    first.hello(&token).await;
    first.send("job.submit", asked.clone()).await;
    let job = first.until("job.accepted").await["job_id"].clone();
    let mut left = Value::Null;
    while left != json!(6) {
        left = remaining(&first.until("job.event").await).unwrap_or_default();
    }
    signal(pid_of(&served), Signal::KILL);
    served.wait().unwrap();

    let (mut served, address) = serve(&home);
    let mut second = client_at(&address).await.unwrap();
    second.resume(&token, &first, 3).await;
    second.send("job.submit", asked).await;
    assert_eq!(second.until("job.accepted").await["job_id"], job);
    second.send("job.subscribe", json!({ "job_id": job })).await;
    assert_eq!(second.until("job.subscribed").await["payload"]["budget"], json!({ "USD": 6 }));
    home.write("go", "");
    let (mut lefts, mut refused) = (vec![], vec![]);
    let ended = loop {
        let frame = second.next().await;
        lefts.extend(remaining(&frame));
        if frame["payload"]["kind"] == "tool_result" {
            refused.push(frame["payload"]["body"]["error"]["code"].clone());
        }
        if frame["type"] != "job.event" {
            break frame;
        }
    };
    assert_eq!(ended["payload"]["result"], "spent", "{ended}");
    assert_eq!((lefts, refused), (vec![json!(1), json!(0)], vec![json!("BUDGET_EXHAUSTED")]));
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}

/// What a frame says is left to spend.
fn remaining(frame: &Value) -> Option<Value> {
    let body = &frame["payload"]["body"];
    (body["name"] == "cost.budget.remaining").then(|| body["value"].clone())
}
