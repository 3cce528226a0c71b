//! A session while the disk is really full: what is not durable is not accepted, and what was refused
//! can be asked for again.

use crate::arcp_transport::{client_at, serve};
use crate::full_disk::SmallHome;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_is_not_accepted() {
    let small = SmallHome::new();
    let home = &small.home;
    let token = home.json(&["token", "add", "alice"])["token"].as_str().unwrap().to_owned();
    let written = "[[agent]]\nname = \"quick\"\ncommand = [\"true\"]\n";
    std::fs::write(home.path().join("agents.toml"), written).unwrap();
    let (mut served, address) = serve(home);
    let mut client = client_at(&address).await.unwrap();
    client.hello(&token).await;
    let asked = json!({ "agent": "quick", "idempotency_key": "once" });
    small.fill();
    for _ in 0..2 {
        client.send("job.submit", asked.clone()).await;
        let refused = client.next().await;
        assert_eq!(refused["type"], "job.error", "{refused}");
        let payload = &refused["payload"];
        assert_eq!(
            (&payload["code"], &payload["retryable"]),
            (&json!("INTERNAL_ERROR"), &json!(true))
        );
    }
    small.make_room();
    // As soon as there is room it is the first that was asked for with this key.
    let job = loop {
        client.send("job.submit", asked.clone()).await;
        let answer = client.next().await;
        if answer["type"] == "job.accepted" {
            break answer["job_id"].clone();
        }
        assert_eq!(answer["payload"]["code"], "INTERNAL_ERROR", "{answer}");
    };
    assert_eq!(client.until("job.result").await["job_id"], job);
    client.send("session.list_jobs", json!({})).await;
    let listed = client.until("session.jobs").await;
    assert_eq!(listed["payload"]["jobs"].as_array().unwrap().len(), 1);
    home.json(&["daemon", "stop"]);
    served.wait().unwrap();
}
