use super::*;

fn ping() -> Value {
    json!({"nonce": "n1", "sent_at": "t"})
}

#[test]
fn a_ping_is_answered_with_what_it_said() {
    let mut rig = Rig::welcomed();
    let frames = rig.say("session.ping", ping());
    assert_sound(&frames[0]);
    assert_eq!(read(&frames[0])["payload"]["ping_nonce"], "n1");
    assert!(read(&frames[0]).get("event_seq").is_none());
    // A client that is not sure sends the same frame again; pings are answered each time.
    let same = json!({"arcp": "1.1", "id": "p", "type": "session.ping", "session_id": SESSION, "payload": ping()});
    assert_eq!((rig.text(&same).len(), rig.text(&same).len()), (1, 1));
}

#[test]
fn a_client_that_answers_pings_stays_and_one_that_does_not_is_lost() {
    let mut rig = Rig::welcomed();
    for _ in 0..20 {
        let frames = rig.wait(30);
        assert_eq!(kinds(&frames), ["session.ping"]);
        let nonce = read(&frames[0])["payload"]["nonce"].clone();
        rig.say("session.pong", json!({"ping_nonce": nonce, "received_at": "t"}));
    }
    assert_eq!(kinds(&rig.wait(30)), ["session.ping"]);
    let frames = rig.wait(30);
    assert_eq!(kinds(&frames), ["session.error HEARTBEAT_LOST"]);
    assert_eq!(read(&frames[0])["payload"]["retryable"], false);
    assert_eq!((rig.closed.clone(), rig.asks.len()), (Some(Close::SILENT), 0));
    assert_eq!(rig.connection.due_at(), None);
}

#[test]
fn any_frame_is_a_sign_of_life() {
    let mut rig = Rig::welcomed();
    rig.wait(29);
    rig.connection.on_message("nonsense", rig.now);
    rig.drain();
    rig.wait(32);
    assert_eq!(rig.closed, None);
}

#[test]
fn acknowledgements_are_asked_for_one_at_a_time_and_only_rise() {
    let mut rig = Rig::welcomed();
    for seq in [3, 7, 5] {
        assert_eq!(rig.say("session.ack", json!({"last_processed_seq": seq})), [""; 0]);
    }
    let asked = |rig: &Rig| match rig.asks.as_slice() {
        [(_, Ask::Acknowledge { event_seq })] => *event_seq,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&rig), 3);
    rig.answer(Ok(Answer::Done));
    assert_eq!(asked(&rig), 7);
    rig.answer(Ok(Answer::Done));
    assert!(rig.asks.is_empty());
    let frames = rig.say("session.ack", json!({"last_processed_seq": -1}));
    assert_eq!(kinds(&frames), ["session.error INVALID_REQUEST"]);
}

#[test]
fn what_was_not_agreed_on_is_refused_or_passed_over() {
    let mut rig = Rig::new();
    rig.hello(json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": "t"}}));
    rig.answer(Ok(Answer::Opened(Box::new(opened(0)))));
    for (kind, payload, answer) in [
        ("session.ack", json!({"last_processed_seq": 1}), vec![]),
        ("job.unsubscribe", json!({"job_id": "job_1"}), vec![]),
        ("session.list_jobs", json!({}), vec!["session.error INVALID_REQUEST"]),
        ("job.subscribe", json!({"job_id": "job_1"}), vec!["session.error INVALID_REQUEST"]),
        ("session.ping", ping(), vec!["session.pong"]),
    ] {
        assert_eq!(kinds(&rig.say(kind, payload)), answer, "{kind}");
    }
    assert!(rig.asks.is_empty());
}

#[test]
fn what_makes_no_sense_is_told_so_and_the_session_goes_on() {
    let mut rig = Rig::welcomed();
    let foreign = json!({"session_id": "sess_other"});
    let cases = [
        rig.say_with("job.submit", json!({"agent": "echo"}), foreign),
        rig.say_with("job.submit", json!({"agent": "echo"}), json!({"session_id": null})),
        rig.say_with("job.submit", json!({"agent": "echo"}), json!({"arcp": "1.0"})),
        rig.say_with("job.submit", json!({"agent": "echo"}), json!({"trace_id": "XYZ"})),
        rig.say_with("job.submit", json!({"agent": "echo"}), json!({"id": ""})),
        rig.say_with("job.submit", json!({"agent": "echo"}), json!({"id": 5})),
        rig.say("session.frobnicate", json!({})),
        rig.say("job.frobnicate", json!({})),
        rig.say("frobnicate", json!({})),
        rig.say("x-vendor.acme.ping", json!({})),
        rig.say("job.submit", json!({"agent": 5})),
        rig.say("job.submit", json!(["echo"])),
        rig.say("job.submit", json!(null)),
        rig.say("job.submit", json!({"agent": "echo", "max_runtime_sec": 0})),
        rig.say("job.submit", json!({"agent": "echo", "max_runtime_sec": 1.5})),
        rig.say("job.submit", json!({"agent": "echo", "idempotency_key": ""})),
        rig.say("job.submit", json!({"agent": "echo", "lease_request": {"fs.read": "x"}})),
        rig.say(
            "session.welcome",
            json!({"runtime": {"name": "x", "version": "1"}, "resume_token": "r",
            "resume_window_sec": 1}),
        ),
        rig.say("job.cancel", json!({})),
        rig.say("session.list_jobs", json!({"limit": 0})),
        rig.say("session.list_jobs", json!({"filter": {"status": "running"}})),
        rig.say("session.list_jobs", json!({"filter": {"created_after": "nope"}})),
        rig.say("session.list_jobs", json!({"filter": {"agent": "No Such"}})),
        rig.text(&json!([1])),
        rig.text(&json!(7)),
    ];
    for (place, frames) in cases.iter().enumerate() {
        assert_eq!(kinds(frames), ["session.error INVALID_REQUEST"], "case {place}");
        assert_sound(&frames[0]);
        assert_eq!(read(&frames[0])["session_id"], SESSION);
    }
    assert!(rig.asks.is_empty() && rig.closed.is_none());
}

#[test]
fn what_need_not_be_understood_is_passed_over() {
    let mut rig = Rig::welcomed();
    let optional = json!({"extensions": {"optional": true}});
    assert_eq!(rig.say_with("x-vendor.acme.ping", json!({}), optional), [""; 0]);
    let more = json!({"event_seq": 999, "foo": 1, "extensions": {"foo": 1, "x-vendor.a.b": 2}});
    rig.say_with(
        "job.submit",
        json!({"agent": "echo", "foo": 1, "input": null, "lease_request": null}),
        more,
    );
    let (_, Ask::Submit(submission)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    let extensions = submission.extensions.as_ref().unwrap();
    assert_eq!(extensions.keys().collect::<Vec<_>>(), ["x-vendor.a.b"]);
    assert_eq!(
        rig.say("session.error", json!({"code": "TIMEOUT", "message": "", "retryable": true})),
        [""; 0]
    );
}

#[test]
fn a_frame_that_is_sent_again_is_done_once() {
    let mut rig = Rig::welcomed();
    let frame = json!({"arcp": "1.1", "id": "s1", "type": "job.submit", "session_id": SESSION,
        "payload": {"agent": "echo"}});
    rig.text(&frame);
    assert_eq!(rig.text(&frame), [""; 0]);
    assert_eq!(rig.asks.len(), 1);
}

#[test]
fn a_farewell_is_heard_and_a_close_is_answered() {
    let endings: [(&str, &[&str]); 2] = [
        ("session.bye", &["job.accepted"]),
        ("session.close", &["job.accepted", "session.closed"]),
    ];
    for (farewell, last) in endings {
        let mut rig = Rig::welcomed();
        rig.say("job.submit", json!({"agent": "echo"}));
        rig.say(farewell, json!({"reason": "done"}));
        assert_eq!(rig.say("session.ping", ping()), [""; 0], "nothing is heard after that");
        let (leave, Ask::Leave { reason }) = rig.asks.pop().unwrap() else { panic!("{farewell}") };
        assert_eq!(reason.as_deref(), Some("done"));
        let early = rig.answer_to(leave, Ok(Answer::Done));
        assert_eq!(early, [""; 0], "what was asked before comes first");
        assert_eq!(rig.closed, None);
        assert_eq!(kinds(&rig.answer(accepted("job_1"))), last);
        assert_eq!(rig.closed, Some(Close::BYE));
    }
}

#[test]
fn a_connection_that_is_ended_from_outside_says_nothing_more() {
    let mut rig = Rig::welcomed();
    rig.say("job.submit", json!({"agent": "echo"}));
    rig.connection.end(Close::DISPLACED);
    assert_eq!(rig.drain(), [""; 0]);
    assert_eq!(rig.closed, Some(Close::DISPLACED));
    assert_eq!(rig.answer(accepted("job_1")), [""; 0]);
    assert_eq!(rig.say("session.ping", ping()), [""; 0]);
    assert_eq!(rig.feed(&[(1, "job_1")]), [""; 0]);
    rig.connection.end(Close::BYE);
    assert_eq!(rig.drain(), [""; 0]);
}

#[test]
fn who_asks_without_waiting_is_made_to_wait_and_then_sent_away() {
    let mut rig = Rig::welcomed();
    for _ in 0..OPEN_ASKS_MAX {
        assert!(rig.connection.wants_message());
        rig.say("job.submit", json!({"agent": "echo"}));
    }
    assert!(!rig.connection.wants_message());
    for _ in 0..5 {
        assert_eq!(rig.wait(60), [""; 0]);
        assert!(rig.connection.due_at().is_some_and(|due| due > rig.now), "time is waited for");
    }
    assert_eq!(rig.closed, None, "whom we do not listen to cannot be heard");
    rig.say("job.submit", json!({"agent": "echo"}));
    assert_eq!(rig.closed, Some(Close::BUSY));
}

#[test]
fn who_does_not_acknowledge_hears_no_more_of_the_feed_and_all_else() {
    let mut rig = Rig::welcomed();
    rig.submit("job_1");
    let fed: Vec<(u64, &str)> = (1..=150).map(|seq| (seq, "job_1")).collect();
    assert_eq!(rig.feed(&fed).len(), 100);
    assert!(!rig.connection.wants_feed() && rig.connection.wants_message());
    assert_eq!(kinds(&rig.say("session.ping", ping())), ["session.pong"]);
    assert_eq!(kinds(&rig.submit("job_2")), ["job.accepted"]);
    assert_eq!(kinds(&rig.wait(30)), ["session.ping"]);
    // As many more as it is further.
    let frames = rig.say("session.ack", json!({"last_processed_seq": 30}));
    let seqs: Vec<_> = frames.iter().map(|frame| read(frame)["event_seq"].clone()).collect();
    assert_eq!(seqs, (101..=130).collect::<Vec<_>>());
    assert_eq!(rig.say("session.ack", json!({"last_processed_seq": 999})).len(), 20);
    assert!(rig.connection.wants_feed() && rig.closed.is_none());
}

#[test]
fn a_feed_that_stands_still_for_too_long_ends_the_connection() {
    let mut rig = Rig::welcomed();
    rig.submit("job_1");
    let fed: Vec<(u64, &str)> = (1..=102).map(|seq| (seq, "job_1")).collect();
    rig.feed(&fed);
    rig.wait(40);
    // Whoever gets on is waited for anew.
    assert_eq!(rig.say("session.ack", json!({"last_processed_seq": 1})).len(), 1);
    rig.wait(40);
    rig.say("session.pong", json!({"ping_nonce": "n", "received_at": "t"}));
    assert_eq!(rig.closed, None);
    assert_eq!(rig.connection.due_at(), Some(rig.now.plus(Millis::from_secs(10))));
    assert_eq!(rig.wait(10), [""; 0]);
    assert_eq!(rig.closed, Some(Close::SLOW));
}

#[test]
fn only_who_agreed_to_acknowledge_is_waited_for() {
    let mut rig = Rig::new();
    rig.hello(json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": "t"}}));
    rig.answer(Ok(Answer::Opened(Box::new(opened(0)))));
    rig.submit("job_1");
    let fed: Vec<(u64, &str)> = (1..=1_000).map(|seq| (seq, "job_1")).collect();
    assert_eq!(rig.feed(&fed).len(), 1_000);
    // With what it says it has, a client that comes back says how far it is.
    let mut rig = Rig::new();
    let resume = json!({"session_id": SESSION, "resume_token": "rt_1", "last_event_seq": 700});
    rig.hello(json!({
        "client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": "t"},
        "capabilities": {"features": ["ack"]}, "resume": resume,
    }));
    rig.answer(Ok(Answer::Opened(Box::new(opened(700)))));
    let fed: Vec<(u64, &str)> = (701..=900).map(|seq| (seq, "job_1")).collect();
    assert_eq!(rig.feed(&fed).len(), 100);
}

#[test]
fn frames_that_are_not_taken_stop_what_makes_more_of_them() {
    let mut rig = Rig::welcomed();
    let fed = Fed {
        event_seq: 1,
        job_id: "job_1".to_owned(),
        is_last: false,
        accepted: None,
        text: "x".repeat(OUTBOX_BYTES_MAX),
    };
    assert!(rig.connection.wants_feed());
    rig.connection.on_feed([fed], rig.now);
    assert!(!rig.connection.wants_feed() && !rig.connection.wants_message());
    assert_eq!(rig.drain().len(), 1);
    assert!(rig.connection.wants_feed() && rig.connection.wants_message());
}
