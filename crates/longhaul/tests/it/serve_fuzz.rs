//! Whatever comes in over HTTP, the answer has our form and is never our bug.

use crate::serve_support::{Answer, Server};
use axum::body::Body;
use axum::http::{Method, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const PATHS: [(&str, &str); 30] = [
    ("GET", "/v1/status"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("POST", "/v1/batch"),
    ("GET", "/v1/jobs/{}"),
    ("GET", "/v1/jobs/{}/why"),
    ("GET", "/v1/jobs/{}/wait"),
    ("GET", "/v1/jobs/{}/output"),
    ("POST", "/v1/jobs/{}/cancel"),
    ("POST", "/v1/jobs/{}/retry"),
    ("GET", "/v1/agents"),
    ("GET", "/v1/agents/{}"),
    ("PUT", "/v1/agents/{}"),
    ("DELETE", "/v1/agents/{}"),
    ("POST", "/v1/agents/{}/stop"),
    ("POST", "/v1/agents/{}/turns"),
    ("GET", "/v1/mail"),
    ("POST", "/v1/mail"),
    ("POST", "/v1/mail/check"),
    ("GET", "/v1/mail/{}"),
    ("POST", "/v1/mail/{}/read"),
    ("POST", "/v1/jobs/{}/emit"),
    ("GET", "/v1/jobs/{}/artifacts"),
    ("GET", "/v1/jobs/{}/artifacts/content"),
    ("POST", "/v1/prune"),
    ("GET", "/v1/pools"),
    ("PUT", "/v1/pools/{}"),
    ("GET", "/v1/events"),
    ("PUT", "/v1/blobs/{}"),
    ("DELETE", "/v1/jobs/{}"),
];

/// Any JSON, made of words that our shapes know and of words that they do not.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("command".to_owned()),
        Just("jobs".to_owned()),
        Just("env".to_owned()),
        Just("timeout".to_owned()),
        Just("after".to_owned()),
        Just("stdin".to_owned()),
        Just("slots".to_owned()),
        Just("attempt".to_owned()),
        Just("report".to_owned()),
        Just("older_than_ms".to_owned()),
        Just("cwd".to_owned()),
        Just("labels".to_owned()),
        Just("kind".to_owned()),
        Just("prompt".to_owned()),
        Just("to".to_owned()),
        Just("subject".to_owned()),
        Just("turn".to_owned()),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("/")),
        Just(json!("10s")),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(word.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any_json().prop_map(|json| json.to_string().into_bytes()),
    ]
}

fn any_segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_.~%-]{1,30}",
        Just("..%2f..%2fetc".to_owned()),
        Just("job_%30%31".to_owned()),
        prop::collection::vec(any::<u8>(), 1..20)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect()),
    ]
}

fn check(what: &str, answer: &Answer) {
    assert_ne!(answer.status.as_u16(), 500, "{what}: {answer:?}");
    if !answer.status.is_success() {
        let code = answer.code();
        assert!(longhaul::api::explain(&code).is_some(), "{what}: {code} is not explained");
        assert!(answer.body.len() < 8_000, "{what}: the answer repeats too much");
    }
}

#[test]
fn whatever_comes_in_is_answered_in_our_form() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async { Server::start() });
    runtime.block_on(server.put("/v1/pools/default", "{\"paused\":true}"));
    let mut runner = TestRunner::new(Config { cases: 600, ..Config::default() });
    let query = prop_oneof![Just(String::new()), "\\?[a-z_]{1,9}=[ -~&&[^ #<>\"\\\\^`{|}]]{0,20}"];
    let input = (0..PATHS.len(), any_segment(), query, any_body());
    let ran = runner.run(&input, |(which, segment, query, body)| {
        let (method, path) = PATHS[which];
        // Following has no end here, which is another test's matter.
        prop_assume!(!query.starts_with("?follow"));
        let uri = format!("{}{query}", path.replace("{}", &segment));
        let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(&uri);
        let Ok(request) = request.body(Body::from(body)) else { return Ok(()) };
        check(&format!("{method} {uri}"), &runtime.block_on(server.send(request)));
        Ok(())
    });
    ran.unwrap();
    let doctor = runtime.block_on(server.get("/v1/doctor")).json();
    assert_eq!(doctor["sound"], true, "{doctor}");
}
