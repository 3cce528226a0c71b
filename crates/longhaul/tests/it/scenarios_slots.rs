//! Many ask at once: for the last slot, and to write about one job.

use crate::daemon_support::{PATIENCE, until};
use crate::harness::Home;
use crate::serve_support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use longhaul_core::id::JobId;
use serde_json::{Value, json};

#[test]
fn of_many_that_race_for_the_last_slot_one_runs_and_all_others_queue() {
    let home = Home::new();
    home.run(&["pool", "set", "default", "--slots", "1"]).ok();
    let script = "echo begin >> log; while ! [ -e go ]; do sleep 0.02; done; echo end >> log";
    let ids: Vec<String> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| home.submit(&["--", "sh", "-c", script]));
        let asked: Vec<_> = (0..8).map(|_| ask()).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let state_of = |id: &String| home.show(id)["state"].as_str().unwrap().to_owned();
    let states: Vec<String> = ids.iter().map(state_of).collect();
    assert_eq!(states.iter().filter(|state| *state == "queued").count(), 7, "{states:?}");
    home.write("go", "");
    for id in &ids {
        assert_eq!(home.run(&["wait", id]).code, 0);
    }
    let log = std::fs::read_to_string(home.work().join("log")).unwrap();
    assert_eq!(log, "begin\nend\n".repeat(8), "two ran at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_writes_from_four_sides_are_all_there() {
    const SIDES: u64 = 4;
    const EACH: u64 = 500;
    let server = Server::start();
    let id = server.submit("sleep 600", json!({})).await;
    let job = JobId::parse(&id).unwrap();
    until(&server.daemon.ports, &job, |job| job.state_name() == "running").await;
    let token = server.daemon.ports.tokens.of(&job, 1);
    let side = |side: u64| {
        let (server, id, token) = (&server, &id, &token);
        async move {
            for number in 0..EACH {
                let body = json!({"current": side * EACH + number});
                let body = json!({"attempt": 1, "report": "progress", "body": body}).to_string();
                let request = Request::post(format!("/v1/jobs/{id}/emit"))
                    .header("authorization", format!("Bearer {token}"));
                let answer = server.send(request.body(Body::from(body)).unwrap()).await;
                assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
            }
        }
    };
    let sides = async { tokio::join!(side(0), side(1), side(2), side(3)) };
    tokio::time::timeout(PATIENCE, sides).await.expect("all writes are acknowledged in time");
    let answer = server.get(&format!("/v1/events?job={id}")).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told: Vec<u64> =
        events.iter().filter_map(|event| event["body"]["current"].as_u64()).collect();
    told.sort_unstable();
    assert_eq!(told, (0..SIDES * EACH).collect::<Vec<_>>());
    server.post(&format!("/v1/jobs/{id}/cancel"), json!({"now": true})).await;
    server.ended(&id).await;
}
