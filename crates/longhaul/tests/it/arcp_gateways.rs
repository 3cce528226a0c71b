//! Credentials as clients are told of them, and gateways that are slow: over real sockets, made by a stub
//! of a gateway and by a program.

use crate::arcp_issuing::{Issuing, SECRET};
use crate::harness::eventually;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

const END: &str = "2099-01-01T00:00:00.000Z";

fn both() -> Value {
    json!({
        "agent": "both",
        "lease_request": { "cost.budget": ["USD:5.00"], "model.use": ["tier-fast/*"] },
        "lease_constraints": { "expires_at": END },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_have_the_shape_and_the_bounds_that_clients_are_told() {
    let issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let mut client = issuing.welcomed(&alice).await;
    let (mut ids, mut values) = (BTreeSet::new(), BTreeSet::new());
    let mut jobs = Vec::new();
    for _ in 0..2 {
        client.send("job.submit", both()).await;
        let accepted = client.until("job.accepted").await;
        jobs.push(accepted["job_id"].as_str().unwrap().to_owned());
        let credentials = accepted["payload"]["credentials"].as_array().unwrap().clone();
        let profiles: Vec<_> = credentials.iter().map(|one| one["profile"].clone()).collect();
        assert_eq!(profiles, ["gateway", "vault"]);
        for one in credentials {
            let profile = one["profile"].as_str().unwrap();
            assert_eq!(one["scheme"], "bearer");
            assert_eq!(one["endpoint"], format!("http://{profile}/v1"));
            let constraints = json!({ "cost.budget": ["USD:5"], "model.use": ["tier-fast/*"],
                "expires_at": END });
            assert_eq!(one["constraints"], constraints);
            assert!(one["value"].as_str().unwrap().starts_with(SECRET));
            ids.insert(one["id"].as_str().unwrap().to_owned());
            values.insert(one["value"].as_str().unwrap().to_owned());
        }
    }
    // No two are the same, within a job or of two jobs.
    assert_eq!((ids.len(), values.len()), (4, 4));
    let asked = issuing.gateway.asked("/key/generate");
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert_eq!((&asked["max_budget"], &asked["models"]), (&json!(5), &json!(["tier-fast/*"])));
        assert!(asked["duration"].as_str().unwrap().ends_with('s'), "{asked}");
    }
    for asked in issuing.asked("mint") {
        assert_eq!((&asked["budget"], &asked["expires_at"]), (&json!({ "USD": 5 }), &json!(END)));
        assert_eq!(asked["lease"]["model.use"], json!(["tier-fast/*"]));
    }
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());
    for job in &jobs {
        client.send_about("job.cancel", Some(job), json!({})).await;
    }
    eventually("all are revoked", || {
        issuing.gateway.keys().is_empty() && issuing.count("revoke") == 2
    });
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_made_and_never_heard_of_is_made_anew_and_gone_with_its_job() {
    let mut issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    let asked = json!({ "agent": "hung", "idempotency_key": "once" });
    issuing.gateway.hang(true);
    let mut first = issuing.welcomed(&alice).await;
    first.send("job.submit", asked.clone()).await;
    eventually("a key is made", || issuing.gateway.keys().len() == 1);
    let unheard = issuing.gateway.keys();
    issuing.kill();
    issuing.gateway.hang(false);
    issuing.serve_again();
    let mut second = issuing.connected().await;
    second.resume(&alice, &first, 0).await;
    second.send("job.submit", asked).await;
    let accepted = second.until("job.accepted").await;
    let told = accepted["payload"]["credentials"][0]["value"].as_str().unwrap().to_owned();
    assert_eq!(issuing.gateway.keys(), std::slice::from_ref(&told));
    assert_ne!(unheard, [told]);
    let names: BTreeSet<_> = issuing
        .gateway
        .asked("/key/generate")
        .iter()
        .map(|asked| asked["key_alias"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 1, "it is the same one, whoever asks");
    assert_eq!(issuing.leaks_elsewhere(), Vec::<PathBuf>::new());
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    // Killed once more, with the key in use.
    issuing.kill();
    issuing.serve_again();
    let mut third = issuing.connected().await;
    third.resume(&alice, &second, 0).await;
    third.send_about("job.cancel", Some(&job), json!({})).await;
    assert_eq!(third.until("job.error").await["payload"]["code"], "CANCELLED");
    eventually("its key is gone", || issuing.gateway.keys().is_empty());
    eventually("no secret is left", || issuing.leaks().is_empty());
    issuing.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_slow_holds_up_its_own_jobs_only() {
    let issuing = Issuing::start();
    let alice = issuing.token("alice", "client");
    issuing.gateway.hang(true);
    let (mut slow, mut swift) = (issuing.welcomed(&alice).await, issuing.welcomed(&alice).await);
    slow.send("job.submit", json!({ "agent": "hung" })).await;
    eventually("it is asked", || issuing.gateway.asked("/key/generate").len() == 1);
    swift.send("job.submit", json!({ "agent": "sleeper" })).await;
    let accepted = swift.until("job.accepted").await;
    assert_eq!(accepted["payload"]["credentials"][0]["profile"], "vault");
    // What is still being prepared is there to be seen, and can be ended by who may.
    let listed = issuing.home.json(&["list"]);
    let jobs = listed["jobs"].as_array().unwrap();
    let hung = jobs.iter().find(|job| job["state"] == "preparing").expect("it is there");
    issuing.home.json(&["cancel", hung["id"].as_str().unwrap()]);
    issuing.gateway.hang(false);
    eventually("what was made of it is gone", || issuing.gateway.keys().is_empty());
    issuing.stop();
}
