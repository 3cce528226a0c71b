use super::*;
use serde_json::json;

const SESSION: &str = "sess_01JD0000000000000000000000";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn frame(kind: &str, payload: &Value) -> String {
    json!({"arcp": "1.1", "id": "msg_1", "type": kind, "session_id": SESSION, "payload": payload})
        .to_string()
}

/// A message: its type, everything that can be in it, and what must be.
type Sample = (&'static str, Value, &'static [&'static str]);

/// Every message of the protocol.
fn messages() -> Vec<Sample> {
    [about_sessions(), about_jobs()].concat()
}

fn about_sessions() -> Vec<Sample> {
    vec![
        (
            "session.hello",
            json!({"client": {"name": "c", "version": "1", "fingerprint": "f", "principal": "p"},
                "auth": {"scheme": "bearer", "token": "t"},
                "capabilities": {"encodings": ["json"], "features": ["ack"], "agents": ["a"]},
                "resume": {"session_id": "s", "resume_token": "r", "last_event_seq": 0}}),
            &["client"],
        ),
        (
            "session.resume",
            json!({"session_id": "s", "resume_token": "r", "last_event_seq": 3,
                "auth": {"scheme": "bearer", "token": "t"}}),
            &["resume_token", "last_event_seq"],
        ),
        (
            "session.welcome",
            json!({"runtime": {"name": "r", "version": "1"}, "session_id": "s", "resume_token": "t",
                "resume_window_sec": 600, "heartbeat_interval_sec": 30, "accepted_at": "now",
                "capabilities": {"features": ["ack"], "agents": [{"name": "a", "versions": [], "default": "1"}]}}),
            &["runtime", "resume_token", "resume_window_sec"],
        ),
        (
            "session.error",
            json!({"code": "TIMEOUT", "message": "m", "retryable": true, "details": {"a": 1}, "request_id": "q"}),
            &["code", "message", "retryable"],
        ),
        ("session.bye", json!({"reason": "r"}), &[]),
        ("session.close", json!({"reason": "r"}), &[]),
        ("session.closed", json!({}), &[]),
        ("session.ping", json!({"nonce": "n", "sent_at": "t"}), &["nonce", "sent_at"]),
        (
            "session.pong",
            json!({"ping_nonce": "n", "received_at": "t"}),
            &["ping_nonce", "received_at"],
        ),
        ("session.ack", json!({"last_processed_seq": 7}), &["last_processed_seq"]),
        (
            "session.list_jobs",
            json!({"filter": {"status": ["running"], "agent": "a", "created_after": "t", "created_before": "t"},
                "limit": 5, "cursor": "c"}),
            &[],
        ),
        (
            "session.jobs",
            json!({"request_id": "q", "next_cursor": null, "jobs": [{"job_id": "j", "agent": "a@1",
                "status": "running", "lease": {"fs.read": ["/a"]}, "parent_job_id": null, "created_at": "t",
                "submitted_at": "t", "trace_id": TRACE, "last_event_seq": 4}]}),
            &["request_id", "jobs"],
        ),
    ]
}

fn about_jobs() -> Vec<Sample> {
    vec![
        (
            "job.submit",
            json!({"agent": "a@1", "input": {"x": [1, null]}, "lease_request": {"tool.call": ["*"]},
                "lease_constraints": {"expires_at": "2099-01-01T00:00:00Z"}, "idempotency_key": "k",
                "max_runtime_sec": 9}),
            &["agent"],
        ),
        (
            "job.accepted",
            json!({"job_id": "j", "lease": {"cost.budget": ["USD:1"]}, "accepted_at": "t", "agent": "a@1",
                "lease_constraints": {"expires_at": "t"}, "budget": {"USD": 1.5},
                "credentials": [{"id": "c", "scheme": "bearer", "value": "v", "endpoint": "e", "profile": "p",
                    "constraints": {"model.use": ["m"]}}],
                "parent_job_id": "p", "delegate_id": "d", "trace_id": TRACE, "request_id": "q"}),
            &["job_id", "accepted_at"],
        ),
        ("job.cancel", json!({"reason": "r", "job_id": "j"}), &[]),
        ("job.cancelled", json!({"reason": "r", "request_id": "q"}), &[]),
        (
            "job.event",
            json!({"kind": "log", "ts": "t", "body": {"level": "info"}}),
            &["kind", "ts"],
        ),
        (
            "job.result",
            json!({"final_status": "success", "summary": "s", "result": {"a": 1}, "result_id": "r",
                "result_size": 9, "completed_at": "t"}),
            &["final_status"],
        ),
        (
            "job.error",
            json!({"final_status": "error", "code": "INTERNAL_ERROR", "message": "m", "retryable": true,
                "details": {}, "completed_at": "t", "request_id": "q"}),
            &["final_status", "code", "message"],
        ),
        (
            "job.subscribe",
            json!({"job_id": "j", "from_event_seq": 0, "history": true}),
            &["job_id"],
        ),
        (
            "job.subscribed",
            json!({"job_id": "j", "current_status": "running", "agent": "a", "lease": {}, "subscribed_from": 4,
                "replayed": true, "lease_constraints": {}, "budget": {"USD": "USD:1"}, "parent_job_id": null,
                "trace_id": TRACE, "request_id": "q"}),
            &["job_id", "current_status", "agent"],
        ),
        ("job.unsubscribe", json!({"job_id": "j"}), &["job_id"]),
    ]
}

#[test]
fn every_message_is_read_and_written_as_it_was() {
    for (kind, payload, _) in messages() {
        let envelope = read(&frame(kind, &payload)).unwrap();
        assert_eq!(envelope.message.name(), kind);
        let written: Value = serde_json::from_str(&write(&envelope)).unwrap();
        assert_eq!(
            written,
            serde_json::from_str::<Value>(&frame(kind, &payload)).unwrap(),
            "{kind}"
        );
    }
}

#[test]
fn what_a_message_must_have_is_missed_and_what_it_may_have_is_not() {
    for (kind, payload, needed) in messages() {
        for key in payload.as_object().unwrap().keys() {
            let mut less = payload.clone();
            less.as_object_mut().unwrap().remove(key);
            let is_needed = needed.contains(&key.as_str());
            assert_eq!(read(&frame(kind, &less)).is_err(), is_needed, "{kind} without `{key}`");
            let mut more = payload.clone();
            more[key] = Value::Null;
            assert_eq!(read(&frame(kind, &more)).is_err(), is_needed, "{kind} with no `{key}`");
        }
        let mut more = payload.clone();
        more["nobody_knows_this"] = json!({"a": [1]});
        assert!(read(&frame(kind, &more)).is_ok(), "{kind} with more than there is");
    }
}

#[test]
fn nothing_that_there_is_not_is_written() {
    for (kind, payload, needed) in messages() {
        let mut least = payload.clone();
        least.as_object_mut().unwrap().retain(|key, _| needed.contains(&key.as_str()));
        let envelope = read(&frame(kind, &least)).unwrap();
        let written: Value = serde_json::from_str(&write(&envelope)).unwrap();
        let nulls: Vec<&String> = written["payload"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| value.is_null())
            .map(|(key, _)| key)
            .collect();
        let expected: &[&str] = match kind {
            "session.jobs" => &["next_cursor"],
            "job.subscribed" => &["parent_job_id"],
            _ => &[],
        };
        assert_eq!(nulls, expected, "{kind}");
    }
}

#[test]
fn an_envelope_says_what_is_around_a_message() {
    let text = json!({"arcp": "1.1", "id": "msg_1", "type": "job.event", "session_id": SESSION, "job_id": "j",
        "trace_id": format!("00-{TRACE}-00f067aa0ba902b7-01"), "event_seq": 7, "what": 1,
        "extensions": {"x-vendor.acme.thing": {"a": 1}, "acme": 1, "x-vendor.acme": 1, "x-vendor.A.b": 1},
        "payload": {"kind": "log", "ts": "t", "body": {}}});
    let envelope = read(&text.to_string()).unwrap();
    assert_eq!(envelope.event_seq, Some(7));
    let written: Value = serde_json::from_str(&write(&envelope)).unwrap();
    assert_eq!(written["trace_id"], TRACE, "the trace alone is what all clients read");
    assert_eq!(written["extensions"], json!({"x-vendor.acme.thing": {"a": 1}}));
    assert_eq!((&written["job_id"], &written["event_seq"]), (&json!("j"), &json!(7)));
}

#[test]
fn a_text_that_is_no_message_says_as_much_as_can_be_read_of_it() {
    let sound = |more: Value| {
        let mut frame = json!({"arcp": "1.1", "id": "m", "type": "session.ping", "session_id": "s",
            "payload": {"nonce": "n", "sent_at": "t"}});
        for (key, value) in more.as_object().unwrap() {
            frame[key] = value.clone();
        }
        frame.to_string()
    };
    for (text, id, words) in [
        (String::new(), None, "no JSON object"),
        ("nonsense".to_owned(), None, "no JSON object"),
        ("{".to_owned(), None, "cannot be read"),
        (r#"{"id":"m"} {}"#.to_owned(), None, "cannot be read"),
        ("[1]".to_owned(), None, "no JSON object"),
        ("7".to_owned(), None, "no JSON object"),
        (r#"{"arcp":"1.1","arcp":"1.1"}"#.to_owned(), None, "duplicate"),
        (sound(json!({"arcp": "1.0"})), Some("m"), "`arcp` must be"),
        (sound(json!({"arcp": 1.1})), Some("m"), "`arcp` must be"),
        (sound(json!({"id": ""})), None, "`id` must not be empty"),
        (sound(json!({"id": "x".repeat(300)})), None, "longer than 256"),
        (sound(json!({"type": 5})), Some("m"), "`type` must be a text"),
        (sound(json!({"session_id": {}})), Some("m"), "`session_id` must be a text"),
        (sound(json!({"job_id": ""})), Some("m"), "`job_id` must not be empty"),
        (sound(json!({"trace_id": "XYZ"})), Some("m"), "`trace_id` must be"),
        (sound(json!({"extensions": []})), Some("m"), "`extensions` must be"),
        (sound(json!({"payload": []})), Some("m"), "must be an object"),
        (sound(json!({"payload": null})), Some("m"), "no payload"),
        (sound(json!({"type": "session.nothing"})), Some("m"), "there is no message"),
        (sound(json!({"type": "x-vendor.a.b"})), Some("m"), "nobody here knows"),
    ] {
        let unread = read(&text).unwrap_err();
        assert!(unread.message.contains(words), "{text}: {}", unread.message);
        assert_eq!(unread.id.as_deref(), id, "{text}");
        assert!(!unread.is_optional);
    }
    let optional = sound(json!({"type": "x-vendor.a.b", "extensions": {"optional": true}}));
    assert!(read(&optional).unwrap_err().is_optional);
    assert!(
        !read(&sound(json!({"type": "session.x", "extensions": {"optional": true}})))
            .unwrap_err()
            .is_optional
    );
}

#[test]
fn texts_of_all_sorts_come_back_as_they_were() {
    for text in ["\u{0}", "\u{1f600}", "\"\\/\u{8}", "\u{2028}", "é\r\n"] {
        let envelope = read(&frame("job.submit", &json!({"agent": "a", "input": text}))).unwrap();
        let written: Value = serde_json::from_str(&write(&envelope)).unwrap();
        assert_eq!(written["payload"]["input"], text);
    }
    let lone = frame("job.submit", &json!({"agent": "AGENT"})).replace("AGENT", "\\ud800");
    assert!(read(&lone).is_err(), "half of a character is none");
}
