//! Output, events, stored content and what is removed: what moves bytes or waits.

use crate::serve_support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use longhaul::api::Frame;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn bytes_of(frames: &[Frame]) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for frame in frames {
        match frame {
            Frame::Stdout(bytes) => out.extend_from_slice(bytes),
            Frame::Stderr(bytes) => err.extend_from_slice(bytes),
            Frame::Attempt(_) | Frame::Alive | Frame::End(_) => {}
        }
    }
    (out, err)
}

#[tokio::test(flavor = "multi_thread")]
async fn following_gives_every_attempt_in_order_and_then_the_end() {
    let server = Server::start();
    let script = "echo out$LONGHAUL_ATTEMPT; echo err >&2; test $LONGHAUL_ATTEMPT -eq 3";
    let id = server.submit(script, json!({"retry": 5, "retry_delay": "10ms"})).await;
    let frames = server.frames(&format!("/v1/jobs/{id}/output?follow=1&stdout=0")).await;
    let mut story = Vec::new();
    for frame in &frames {
        match frame {
            Frame::Attempt(number) => story.push(format!("A{number}")),
            Frame::Stdout(bytes) => story.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Frame::Stderr(_) => panic!("nobody asked for it"),
            Frame::Alive => {}
            Frame::End(json) => {
                let job: Value = serde_json::from_slice(json).unwrap();
                story.push(job["outcome"]["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(story, ["A1", "out1\n", "A2", "out2\n", "A3", "out3\n", "succeeded"]);
    let (out, err) = bytes_of(
        &server.frames(&format!("/v1/jobs/{id}/output?attempt=2&stdout=1&stderr=2")).await,
    );
    assert_eq!((out, err), (b"ut2\n".to_vec(), b"r\n".to_vec()));
    let none = server.get(&format!("/v1/jobs/{id}/output?attempt=4&stdout=0")).await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::CONFLICT, "no_output"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_fast_writer_is_lost() {
    let server = Server::start();
    // Both streams at once, with bytes that are no text.
    let script =
        "head -c 20000000 /dev/zero & head -c 3000000 /dev/zero | tr '\\0' '\\377' >&2; wait";
    let id = server.submit(script, json!({})).await;
    let path = format!("/v1/jobs/{id}/output?follow=1&stdout=0&stderr=0");
    let (out, err) = bytes_of(&server.frames(&path).await);
    assert_eq!((out.len(), err.len()), (20_000_000, 3_000_000));
    assert!(out.iter().all(|byte| *byte == 0) && err.iter().all(|byte| *byte == 0xff));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_starts_has_no_attempt_and_an_end() {
    let server = Server::start();
    let id = server.submit("true", json!({"delay": "1h"})).await;
    let path = format!("/v1/jobs/{id}/output?follow=1&stdout=0");
    let cancel = async {
        let now = server.frames(&format!("/v1/jobs/{id}/output?stdout=0")).await;
        assert!(matches!(now.as_slice(), [Frame::End(_)]), "{now:?}");
        server.post(&format!("/v1/jobs/{id}/cancel"), json!({})).await
    };
    let (frames, _) = tokio::join!(server.frames(&path), cancel);
    assert!(matches!(frames.as_slice(), [Frame::End(_)]), "{frames:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_lines_or_as_server_sent_events() {
    let server = Server::start();
    let id = server.submit("true", json!({})).await;
    let lines = server.get(&format!("/v1/events?job={id}&follow=1")).await;
    let text = String::from_utf8(lines.body.to_vec()).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let last: Vec<&Value> = events.iter().rev().take(2).map(|event| &event["kind"]).collect();
    assert_eq!(last, ["notices_owed", "ended"]);
    let second = events[1]["position"].as_u64().unwrap();
    let request = Request::get(format!("/v1/events?job={id}&after=0"))
        .header("accept", "text/event-stream")
        .header("last-event-id", second.to_string());
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let third = format!("id: {}\nevent: started\ndata: {{", events[2]["position"]);
    assert!(text.starts_with(&third), "{text}");
    assert_eq!(text.matches("\n\n").count(), events.len() - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_stored_only_under_its_own_hash() {
    let server = Server::start();
    let hash = |text: &str| -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let path = format!("/v1/blobs/{}", hash("hello"));
    let stdin = json!({"stdin": {"sha256": hash("hello"), "size": 5}});
    let missing = server.post("/v1/jobs", server.spec("cat", stdin.clone())).await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::CONFLICT, "no_blob"));
    assert_eq!(server.put(&path, "hell0").await.code(), "blob_mismatch");
    assert_eq!(server.put("/v1/blobs/..%2f..%2fx", "x").await.code(), "bad_request");
    let left: Vec<_> = std::fs::read_dir(server.daemon.ports.home.blobs()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    for _ in 0..2 {
        assert_eq!(server.put(&path, "hello").await.status, StatusCode::NO_CONTENT);
    }
    let id = server.submit("cat", stdin).await;
    let (out, _) =
        bytes_of(&server.frames(&format!("/v1/jobs/{id}/output?follow=1&stdout=0")).await);
    assert_eq!(out, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_handed_out_only_as_they_were() {
    let server = Server::start();
    let id = server.submit("mkdir -p o; printf good > o/a.txt", json!({"artifact": ["o/*"]})).await;
    server.ended(&id).await;
    let list = server.get(&format!("/v1/jobs/{id}/artifacts?verify=1")).await.json();
    assert_eq!(list["artifacts"][0]["name"], "o/a.txt");
    assert_eq!(list["artifacts"][0]["verified"], true);
    let path = format!("/v1/jobs/{id}/artifacts/content?name=o%2Fa.txt");
    assert_eq!(&server.get(&path).await.body[..], b"good");
    std::fs::write(server.place.root.path().join("o/a.txt"), "evil").unwrap();
    assert_eq!(server.get(&path).await.code(), "changed");
    let other = server.get(&format!("/v1/jobs/{id}/artifacts/content?name=..%2Fx")).await;
    assert_eq!(other.code(), "no_artifact");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_be_removed_is_gone() {
    let server = Server::start();
    let done = server.submit("echo x", json!({"owner": "me"})).await;
    let live = server.submit("sleep 60", json!({"owner": "me"})).await;
    server.ended(&done).await;
    let settle = json!({"owner": "me", "how": "waited"});
    let settled = server.post(&format!("/v1/jobs/{done}/settle"), settle).await;
    assert_eq!(settled.json(), json!({"settled": 1}));
    let cleaned = async {
        while server.get(&format!("/v1/jobs/{done}")).await.json()["cleanup"]["state"] != "done" {}
    };
    tokio::time::timeout(crate::daemon_support::PATIENCE, cleaned).await.unwrap();
    let ask = json!({"jobs": [done, live, "nobody"], "dry_run": true});
    let rehearsed = server.post("/v1/prune", ask).await.json();
    assert_eq!(rehearsed["removed"], json!([done]));
    assert_eq!(server.get(&format!("/v1/jobs/{done}")).await.status, StatusCode::OK);
    let pruned = server.post("/v1/prune", json!({"jobs": [done, live, "nobody"]})).await.json();
    assert_eq!(pruned["removed"], json!([done]));
    let kept: Vec<&str> = pruned["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| kept["why"].as_str().unwrap())
        .collect();
    assert!(kept[0].contains("no job `nobody`") && kept[1].contains("not ended"), "{kept:?}");
    assert_eq!(server.get(&format!("/v1/jobs/{done}")).await.status, StatusCode::NOT_FOUND);
    let job = longhaul_core::id::JobId::parse(&done).unwrap();
    assert!(!server.daemon.ports.home.attempt(&job, 1).exists());
    server.post(&format!("/v1/jobs/{live}/cancel"), json!({"now": true})).await;
    server.ended(&live).await;
    let old = server.post("/v1/prune", json!({"older_than_ms": 3_600_000})).await.json();
    assert_eq!(old, json!({"removed": [], "kept": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_was_planted() {
    let server = Server::start();
    let id = server.submit("true", json!({})).await;
    server.ended(&id).await;
    let before = server.get("/v1/doctor").await.json();
    assert_eq!(before["sound"], true, "{before}");
    let planted = server.daemon.ports.home.attempts().join("planted");
    std::os::unix::fs::symlink("/etc", &planted).unwrap();
    let after = server.get("/v1/doctor").await.json();
    assert_eq!(after["sound"], false);
    assert!(after.to_string().contains("planted` is a symbolic link"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_made_changed_and_counted() {
    let server = Server::start();
    let none = server.put("/v1/pools/gpu", "{\"paused\":true}").await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::NOT_FOUND, "no_pool"));
    server.put("/v1/pools/gpu", "{\"slots\":1}").await;
    let answer = server.put("/v1/pools/gpu", "{\"paused\":true}").await.json();
    let gpu = json!({"name": "gpu", "slots": 1, "paused": true, "active": 0, "ready": 0});
    assert!(answer["pools"].as_array().unwrap().contains(&gpu), "{answer}");
    let id = server.submit("true", json!({"pool": "gpu"})).await;
    let waiting = server.get(&format!("/v1/jobs/{id}")).await.json()["waiting_for"].clone();
    assert_eq!(waiting, "pool `gpu`, which is paused");
    server.put("/v1/pools/gpu", "{\"paused\":false}").await;
    assert_eq!(server.ended(&id).await["outcome"]["kind"], "succeeded");
}
