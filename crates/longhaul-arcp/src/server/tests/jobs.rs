use super::*;
use crate::limits::SUBSCRIBED_REST;
use crate::message::{JobEntry, Subscribed};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn no(code: Code) -> Answered {
    Err(Denial::new(code, "no"))
}

fn following(job: &str) -> Answered {
    let subscribed: Subscribed = serde_json::from_value(
        json!({"job_id": job, "current_status": "running", "agent": "echo"}),
    )
    .unwrap();
    Ok(Answer::Following(Box::new(Following { subscribed })))
}

#[test]
fn a_submission_is_asked_for_whole_and_accepted_with_what_asked() {
    let mut rig = Rig::welcomed();
    let payload = json!({
        "agent": "calc@1.0.0",
        "input": {"b": 1, "a": [null]},
        "lease_request": {"fs.read": ["/data/**"], "cost.budget": ["USD:5.00"]},
        "lease_constraints": {"expires_at": "2099-01-01T00:00:00Z"},
        "idempotency_key": "k",
        "max_runtime_sec": 10_000_000,
    });
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let frames =
        rig.say_with("job.submit", payload, json!({"trace_id": parent, "job_id": "ignored"}));
    assert_eq!(frames, [""; 0]);
    let (_, Ask::Submit(asked)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    assert_eq!(
        (asked.agent.name.as_str(), asked.agent.version.as_deref()),
        ("calc", Some("1.0.0"))
    );
    assert_eq!(asked.input, r#"{"a":[null],"b":1}"#);
    assert_eq!(asked.lease.asked()["fs.read"], ["/data/**"]);
    assert!(asked.lease.expires_at().is_some() && asked.lease.budget().is_some());
    assert_eq!((asked.key.as_deref(), asked.runtime_secs_max), (Some("k"), Some(10_000_000)));
    let trace = asked.trace.as_ref().unwrap();
    assert_eq!((trace.id(), trace.parent()), (TRACE, Some(parent.as_str())));

    let mut acceptance = acceptance("job_1");
    acceptance.trace_id = Some(TRACE.to_owned());
    let submitted = Submitted { accepted: acceptance, ended: None };
    let frames = rig.answer(Ok(Answer::Submitted(Box::new(submitted))));
    assert_sound(&frames[0]);
    let frame = read(&frames[0]);
    assert_eq!((&frame["type"], &frame["job_id"]), (&json!("job.accepted"), &json!("job_1")));
    assert_eq!(
        (&frame["trace_id"], &frame["payload"]["request_id"]),
        (&json!(TRACE), &json!("c2"))
    );
    assert!(frame.get("event_seq").is_none());
}

#[test]
fn nothing_asked_and_nothing_granted_are_written_in_several_ways() {
    let mut rig = Rig::welcomed();
    for payload in [
        json!({"agent": "echo"}),
        json!({"agent": "echo", "input": null, "lease_request": {}, "lease_constraints": {}}),
        json!({"agent": "echo", "lease_request": null, "lease_constraints": {"expires_at": null}}),
    ] {
        rig.say("job.submit", payload);
    }
    for (_, ask) in &rig.asks {
        let Ask::Submit(asked) = ask else { panic!("{ask:?}") };
        assert_eq!(
            (asked.input.as_str(), &asked.lease),
            ("null", &longhaul_core::lease::Lease::default())
        );
    }
}

#[test]
fn submissions_are_answered_in_the_order_in_which_they_came() {
    let mut rig = Rig::welcomed();
    for _ in 0..4 {
        rig.say("job.submit", json!({"agent": "echo"}));
    }
    let asks: Vec<AskId> = rig.asks.iter().map(|(ask, _)| *ask).collect();
    assert_eq!(rig.answer_to(asks[3], accepted("job_3")), [""; 0]);
    assert_eq!(rig.answer_to(asks[1], no(Code::AgentNotAvailable)), [""; 0]);
    assert_eq!(
        kinds(&rig.answer_to(asks[0], accepted("job_0"))),
        ["job.accepted", "job.error AGENT_NOT_AVAILABLE"]
    );
    let frames = rig.answer_to(asks[2], accepted("job_2"));
    let jobs: Vec<Value> = frames.iter().map(|frame| read(frame)["job_id"].clone()).collect();
    assert_eq!(jobs, ["job_2", "job_3"]);
    assert_eq!(rig.answer_to(asks[2], accepted("job_9")), [""; 0], "an answer counts once");
}

#[test]
fn a_refused_submission_is_told_about_a_job_that_never_was() {
    let mut rig = Rig::welcomed();
    rig.submit("job_0");
    rig.say_with("job.submit", json!({"agent": "nobody"}), json!({"trace_id": TRACE}));
    let denial = Denial::new(Code::DuplicateKey, "taken").with("existing_job_id", "job_0");
    let frames = rig.answer(Err(denial));
    assert_sound(&frames[0]);
    let frame = read(&frames[0]);
    assert_eq!((&frame["type"], &frame["trace_id"]), (&json!("job.error"), &json!(TRACE)));
    assert!(frame.get("event_seq").is_none(), "it is no event of the session");
    let job = frame["job_id"].as_str().unwrap();
    assert!(job.starts_with("job_") && job != "job_0");
    let payload = &frame["payload"];
    assert_eq!(
        (&payload["final_status"], &payload["code"]),
        (&json!("error"), &json!("DUPLICATE_KEY"))
    );
    assert_eq!(payload["request_id"], "c3");
    assert_eq!(payload["details"], json!({"existing_job_id": "job_0", "request_id": "c3"}));
}

#[test]
fn an_ask_that_no_agent_could_get_is_refused_for_itself_alone() {
    let mut rig = Rig::welcomed();
    for payload in [
        json!({"agent": "Not An Agent"}),
        json!({"agent": "echo", "lease_request": {"teleport": ["**"]}}),
        json!({"agent": "echo", "lease_request": {"cost.budget": ["USD:-1"]}}),
        json!({"agent": "echo", "lease_constraints": {"expires_at": "2099-01-01T00:00:00+02:00"}}),
        json!({"agent": "echo", "idempotency_key": "k".repeat(5_000)}),
    ] {
        assert_eq!(
            kinds(&rig.say("job.submit", payload.clone())),
            ["job.error INVALID_REQUEST"],
            "{payload}"
        );
    }
    assert!(rig.asks.is_empty());
}

#[test]
fn some_clients_hear_of_a_refusal_only_as_one_of_the_session() {
    for client in ["my-python-tool", "arcp-go-client"] {
        let mut rig = Rig::new();
        rig.greet(client);
        rig.say("job.submit", json!({"agent": "nobody"}));
        let frames = rig.answer(no(Code::AgentNotAvailable));
        assert_eq!(kinds(&frames), ["session.error AGENT_NOT_AVAILABLE"]);
        let frame = read(&frames[0]);
        assert_eq!(frame["payload"]["request_id"], "c2");
        assert!(frame["job_id"].is_string());
    }
}

#[test]
fn a_job_that_has_ended_is_accepted_again_together_with_its_end() {
    let mut rig = Rig::welcomed();
    rig.submit("job_1");
    rig.feed(&[(1, "job_1"), (2, "job_1"), (3, "job_1")]);
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(kinds(&rig.answer(ended("job_1", 3))), ["job.accepted", "job.result"]);
}

#[test]
fn an_end_that_the_feed_is_about_to_tell_is_not_told_before() {
    let mut rig = Rig::welcomed();
    rig.submit("job_1");
    rig.feed(&[(1, "job_1")]);
    // It ends while it is asked for again, and what was told of it has not been read yet.
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(kinds(&rig.answer(ended("job_1", 3))), ["job.accepted"]);
    assert_eq!(kinds(&rig.feed(&[(2, "job_1"), (3, "job_1")])), ["fed", "fed"]);
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(kinds(&rig.answer(ended("job_1", 3))), ["job.accepted", "job.result"]);
}

fn ended(job: &str, event_seq: u64) -> Answered {
    let text = format!(r#"{{"type":"job.result","event_seq":{event_seq}}}"#);
    let (accepted, ended) = (acceptance(job), Some(Ended { event_seq, text }));
    Ok(Answer::Submitted(Box::new(Submitted { accepted, ended })))
}

#[test]
fn a_jobs_frames_come_after_the_client_was_told_of_it() {
    let mut rig = Rig::welcomed();
    rig.submit("job_1");
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(kinds(&rig.feed(&[(1, "job_1")])), ["fed"], "a known job's frames go on");
    assert_eq!(rig.feed(&[(2, "job_2"), (3, "job_1")]), [""; 0], "numbers stay in order");
    assert!(!rig.connection.wants_feed());
    assert_eq!(kinds(&rig.answer(accepted("job_2"))), ["job.accepted", "fed", "fed"]);
    assert!(rig.connection.wants_feed());
}

#[test]
fn a_resumed_session_is_told_of_jobs_that_this_connection_never_heard_of() {
    let mut rig = Rig::welcomed();
    assert_eq!(kinds(&rig.feed(&[(8, "job_old"), (9, "job_old")])), ["fed", "fed"]);
}

#[test]
fn a_delegated_job_is_accepted_before_its_first_frame_and_after_open_submissions() {
    let mut rig = Rig::welcomed();
    rig.submit("job_parent");
    let fed = |event_seq: u64, is_last| Fed {
        event_seq,
        job_id: "job_child".to_owned(),
        is_last,
        accepted: Some(Box::new(acceptance("job_child"))),
        text: format!("{{\"type\":\"fed\",\"event_seq\":{event_seq}}}"),
    };
    rig.say("job.submit", json!({"agent": "echo"}));
    rig.connection.on_feed([fed(1, false), fed(2, true)], rig.now);
    assert_eq!(rig.drain(), [""; 0]);
    let frames = rig.answer(accepted("job_3"));
    let jobs: Vec<Value> = frames.iter().map(|frame| read(frame)["job_id"].clone()).collect();
    assert_eq!(kinds(&frames), ["job.accepted", "job.accepted", "fed", "fed"]);
    assert_eq!((&jobs[0], &jobs[1]), (&json!("job_3"), &json!("job_child")));
    assert!(read(&frames[1])["payload"].get("request_id").is_none());
}

#[test]
fn who_never_stops_asking_hears_of_its_jobs_all_the_same() {
    let mut rig = Rig::welcomed();
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(rig.feed(&[(1, "job_old")]), [""; 0]);
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(kinds(&rig.answer(accepted("job_1"))), ["job.accepted", "fed"]);
    assert_eq!(rig.asks.len(), 1, "the second is not answered yet");

    let mut fed = Fed {
        event_seq: 2,
        job_id: "job_child".to_owned(),
        is_last: false,
        accepted: Some(Box::new(acceptance("job_child"))),
        text: r#"{"type":"fed","event_seq":2}"#.to_owned(),
    };
    rig.connection.on_feed([fed.clone()], rig.now);
    for number in 0.. {
        rig.say("job.submit", json!({"agent": "echo"}));
        let frames = rig.answer(accepted(&format!("job_{number}")));
        if frames.len() > 1 {
            assert_eq!(kinds(&frames), ["job.accepted", "job.accepted", "fed"]);
            break;
        }
        assert!(number < 1_000, "a delegated job waits for ever");
    }
    fed.event_seq = 3;
    rig.connection.on_feed([fed], rig.now);
    assert_eq!(kinds(&rig.drain()), ["fed"], "its job is known");
}

#[test]
fn a_cancellation_is_acknowledged_and_names_its_job_in_either_place() {
    let mut rig = Rig::welcomed();
    for (payload, more) in [
        (json!({"reason": "enough"}), json!({"job_id": "job_1"})),
        (json!({"reason": "enough", "job_id": "job_1"}), json!({})),
        (json!({"reason": "enough", "job_id": "job_1"}), json!({"job_id": "job_1"})),
    ] {
        rig.say_with("job.cancel", payload, more);
        let expected = Cancelling { job_id: "job_1".to_owned(), reason: Some("enough".to_owned()) };
        let (_, Ask::Cancel(asked)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
        assert_eq!(asked, &expected);
        let frames = rig.answer(Ok(Answer::Done));
        let frame = read(&frames[0]);
        assert_eq!((&frame["type"], &frame["job_id"]), (&json!("job.cancelled"), &json!("job_1")));
        assert_eq!(frame["payload"]["reason"], "enough");
    }
    let twice = rig.say_with("job.cancel", json!({"job_id": "job_1"}), json!({"job_id": "job_2"}));
    assert_eq!(kinds(&twice), ["session.error INVALID_REQUEST"]);
}

#[test]
fn a_refused_cancellation_is_never_taken_for_the_answer_to_a_submission() {
    let mut rig = Rig::welcomed();
    rig.say_with("job.cancel", json!({}), json!({"job_id": "job_gone"}));
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(rig.answer(no(Code::JobNotFound)), [""; 0]);
    let frames = rig.answer(accepted("job_1"));
    assert_eq!(kinds(&frames), ["job.accepted", "job.error JOB_NOT_FOUND"]);
    let frame = read(&frames[1]);
    assert_eq!(frame["job_id"], "job_gone");
    assert!(frame.get("event_seq").is_none());
}

fn entry(job: &str, lease_bytes: usize) -> (JobEntry, String) {
    let lease = json!({"fs.read": ["x".repeat(lease_bytes)]});
    let entry = json!({"job_id": job, "agent": "echo", "status": "success", "lease": lease});
    (serde_json::from_value(entry).unwrap(), format!("after {job}"))
}

#[test]
fn jobs_are_listed_as_they_were_asked_for() {
    let mut rig = Rig::welcomed();
    rig.say(
        "session.list_jobs",
        json!({"filter": {"status": ["running", "odd"], "agent": "calc@1.0.0",
        "created_after": "2026-05-13T00:00:00Z"}, "limit": 1_000_000_000, "cursor": null}),
    );
    let (_, Ask::List(asked)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    assert_eq!((asked.limit, asked.status.len(), asked.cursor.as_deref()), (1_000, 2, None));
    assert!(asked.created_after.is_some());
    let listed = Listed { jobs: vec![entry("job_1", 0)], has_more: false };
    let frames = rig.answer(Ok(Answer::Listed(listed)));
    assert_sound(&frames[0]);
    let payload = read(&frames[0])["payload"].clone();
    assert_eq!(payload["request_id"], "c2");
    assert_eq!(payload["next_cursor"], Value::Null);
    assert_eq!(payload["jobs"][0]["parent_job_id"], Value::Null);

    rig.say("session.list_jobs", json!({"limit": 1}));
    let listed = Listed { jobs: vec![entry("job_1", 0)], has_more: true };
    let frames = rig.answer(Ok(Answer::Listed(listed)));
    assert_eq!(read(&frames[0])["payload"]["next_cursor"], "after job_1");
}

#[test]
fn a_page_is_no_larger_than_a_frame() {
    let mut rig = Rig::welcomed();
    rig.say("session.list_jobs", json!({}));
    let jobs = (0..30).map(|number| entry(&format!("job_{number}"), 60_000)).collect();
    let frames = rig.answer(Ok(Answer::Listed(Listed { jobs, has_more: false })));
    let payload = read(&frames[0])["payload"].clone();
    let count = payload["jobs"].as_array().unwrap().len();
    assert!(frames[0].len() < OUTBOUND_BYTES_MAX && (1..30).contains(&count), "{count}");
    assert_eq!(payload["next_cursor"], format!("after job_{}", count - 1));
}

#[test]
fn a_subscription_is_confirmed_before_anything_of_the_job_is_told() {
    let mut rig = Rig::welcomed();
    rig.say("job.subscribe", json!({"job_id": "job_1", "history": true, "from_event_seq": 4}));
    let expected = Subscribing { job_id: "job_1".to_owned(), history_after: Some(4) };
    let (_, Ask::Subscribe(asked)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    assert_eq!(asked, &expected);
    assert_eq!(rig.feed(&[(1, "job_1")]), [""; 0]);
    let frames = rig.answer(following("job_1"));
    assert_eq!(kinds(&frames), ["job.subscribed", "fed"]);
    let frame = read(&frames[0]);
    assert_eq!(
        (&frame["job_id"], &frame["payload"]["request_id"]),
        (&json!("job_1"), &json!("c2"))
    );
    assert_eq!(frame["payload"]["parent_job_id"], Value::Null);
    rig.say("job.subscribe", json!({"job_id": "job_1", "from_event_seq": 4}));
    let (_, Ask::Subscribe(asked)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    assert_eq!(asked.history_after, None, "only what happens from now on");
}

#[test]
fn who_gets_ready_late_for_what_it_subscribed_to_is_given_a_moment() {
    let mut rig = Rig::new();
    rig.greet("my-python-tool");
    rig.say("job.subscribe", json!({"job_id": "job_1", "history": true}));
    assert_eq!(kinds(&rig.answer(following("job_1"))), ["job.subscribed"]);
    assert_eq!(rig.feed(&[(1, "job_1")]), [""; 0]);
    assert_eq!(rig.connection.due_at(), Some(rig.now.plus(SUBSCRIBED_REST)));
    assert_eq!(kinds(&rig.wait(1)), ["fed"]);
    assert_eq!(kinds(&rig.feed(&[(2, "job_1")])), ["fed"]);
}

#[test]
fn a_refused_subscription_is_told_so_that_it_settles() {
    let mut rig = Rig::welcomed();
    rig.say("job.subscribe", json!({"job_id": "job_1"}));
    let frames = rig.answer(no(Code::JobNotFound));
    assert_eq!(kinds(&frames), ["session.error JOB_NOT_FOUND"]);
    assert_eq!(
        read(&frames[0])["payload"]["details"],
        json!({"job_id": "job_1", "request_id": "c2"})
    );
    rig.say("job.unsubscribe", json!({"job_id": "job_1"}));
    assert!(matches!(&rig.asks[0].1, Ask::Unsubscribe { job_id } if job_id == "job_1"));
    assert_eq!(rig.answer(Ok(Answer::Done)), [""; 0]);
}
