//! Reading, however often, changes nothing; hostile ids, however long, are only not there.

use crate::serve_support::Server;
use axum::http::StatusCode;
use serde_json::{Value, json};

async fn until_cleaned(server: &Server, id: &str) {
    let cleaned = async {
        while server.get(&format!("/v1/jobs/{id}")).await.json()["cleanup"]["state"] != "done" {}
    };
    tokio::time::timeout(crate::daemon_support::PATIENCE, cleaned).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reads_of_a_finished_job_change_nothing() {
    let server = Server::start();
    let id = server.submit("echo x; exit 3", json!({})).await;
    server.ended(&id).await;
    until_cleaned(&server, &id).await;
    let head = server.get("/v1/status").await.json()["head"].clone();
    let first = server.get(&format!("/v1/jobs/{id}")).await;
    let events = server.get(&format!("/v1/events?job={id}")).await;
    for path in ["", "/why", "/wait", "/output", "/artifacts"].iter().cycle().take(1_000) {
        let answer = server.get(&format!("/v1/jobs/{id}{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    }
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).await.body, first.body);
    assert_eq!(server.get(&format!("/v1/events?job={id}")).await.body, events.body);
    assert_eq!(server.get("/v1/status").await.json()["head"], head);
    let history = first.json()["history"].clone();
    let kinds: Vec<&Value> =
        history.as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), (&json!("created"), &json!("notices_owed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_an_id_is_refused_wherever_it_comes_in() {
    let server = Server::start();
    let long = "x".repeat(1_024 * 1_024);
    let as_job = format!("job_{}", "0".repeat(1_024 * 1_024));
    for id in [&long, &as_job] {
        let spec = |more| server.spec("true", more);
        for more in [
            json!({"id": id}),
            json!({"after": [id]}),
            json!({"parent": id}),
            json!({"key": id}),
            json!({"pool": id}),
            json!({"lane": id}),
        ] {
            let answer = server.post("/v1/jobs", spec(more)).await;
            assert!(answer.status.is_client_error(), "{}", answer.status);
            assert!(answer.body.len() < 2_000, "the answer repeats the id");
        }
        let answer = server.post("/v1/prune", json!({"jobs": [id]})).await;
        assert!(answer.body.len() < 2_000, "{} bytes", answer.body.len());
    }
    assert_eq!(server.get("/v1/jobs").await.json()["jobs"], json!([]));
}
