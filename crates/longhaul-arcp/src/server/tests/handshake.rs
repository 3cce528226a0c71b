use super::*;

fn hello(token: &str) -> Value {
    json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": token}})
}

#[test]
fn a_client_is_welcomed_with_what_both_can_do() {
    let mut rig = Rig::new();
    rig.hello(json!({
        "client": {"name": "c", "version": "1"},
        "auth": {"scheme": "bearer", "token": "tok"},
        "capabilities": {"encodings": ["json", "cbor"], "features": ["ack", "telepathy", "heartbeat", "model.use"],
            "agents": []},
    }));
    let (_, Ask::Knock(knock)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
    assert_eq!(knock.token.as_deref(), Some("tok"));
    assert_eq!(knock.features.names(), ["heartbeat", "ack"]);
    let frames = rig.answer(Ok(Answer::Opened(Box::new(opened(0)))));
    assert_sound(&frames[0]);
    let welcome = read(&frames[0]);
    assert_eq!(welcome["session_id"], SESSION);
    assert_eq!(
        welcome["payload"],
        json!({
            "runtime": {"name": "longhaul", "version": "1"},
            "session_id": SESSION,
            "resume_token": "rt_1",
            "resume_window_sec": 600,
            "heartbeat_interval_sec": 30,
            "capabilities": {"encodings": ["json"], "features": ["heartbeat", "ack"],
                "agents": [{"name": "calc", "versions": ["1.0.0", "2.0.0"], "default": "2.0.0"}]},
            "accepted_at": "2027-01-15T08:00:00.000Z",
        })
    );
    assert_eq!(rig.follows, [0]);
}

#[test]
fn a_client_of_before_is_welcomed_without_features() {
    let mut rig = Rig::new();
    rig.hello(hello("tok"));
    let frames = rig.answer(Ok(Answer::Opened(Box::new(opened(0)))));
    let welcome = read(&frames[0]);
    assert!(welcome["payload"].get("heartbeat_interval_sec").is_none());
    assert!(welcome["payload"]["capabilities"].get("features").is_none());
    assert_eq!(rig.connection.due_at(), None);
}

#[test]
fn who_cannot_prove_who_it_is_is_told_so_and_sent_away() {
    for payload in [
        json!({"client": {"name": "c", "version": "1"}}),
        json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": ""}}),
        json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "basic", "token": "x"}}),
    ] {
        let mut rig = Rig::new();
        let frames = rig.hello(payload);
        assert_eq!(kinds(&frames), ["session.error UNAUTHENTICATED"]);
        assert_sound(&frames[0]);
        assert_eq!(rig.closed, Some(Close::UNAUTHENTICATED));
        assert!(rig.asks.is_empty());
    }
    let mut rig = Rig::new();
    rig.hello(hello("wrong"));
    assert!(!rig.connection.wants_message(), "one knock at a time");
    let frames = rig.answer(Err(Denial::new(Code::Unauthenticated, "unknown token")));
    assert_eq!(kinds(&frames), ["session.error UNAUTHENTICATED"]);
    assert_eq!(read(&frames[0])["payload"]["retryable"], false);
    assert_eq!(rig.closed, Some(Close::UNAUTHENTICATED));
}

#[test]
fn all_ways_of_asking_for_an_old_session_are_understood() {
    let auth = json!({"scheme": "bearer", "token": "tok"});
    let client = json!({"name": "c", "version": "1"});
    let hello = |more: Value| {
        let mut payload = json!({"client": client, "auth": auth});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"arcp": "1.1", "id": "h", "type": "session.hello", "payload": payload})
    };
    for (frame, session, token) in [
        (
            hello(
                json!({"resume": {"session_id": SESSION, "resume_token": "rt", "last_event_seq": 7}}),
            ),
            Some(SESSION),
            Some("tok"),
        ),
        (hello(json!({"resume": {"token": "rt", "last_event_seq": 7}})), None, Some("tok")),
        (hello(json!({"resume_token": "rt", "last_event_seq": 7})), None, Some("tok")),
        (
            json!({"arcp": "1.1", "id": "r", "type": "session.resume", "session_id": SESSION,
                "payload": {"resume_token": "rt", "last_event_seq": 7}}),
            Some(SESSION),
            None,
        ),
        (
            json!({"arcp": "1.1", "id": "r", "type": "session.resume",
                "payload": {"session_id": SESSION, "token": "rt", "last_event_seq": 7, "auth": auth}}),
            Some(SESSION),
            Some("tok"),
        ),
    ] {
        let mut rig = Rig::new();
        assert_eq!(rig.text(&frame), [""; 0], "{frame}");
        let (_, Ask::Knock(knock)) = &rig.asks[0] else { panic!("{:?}", rig.asks) };
        let resume = knock.resume.as_ref().unwrap();
        assert_eq!(resume.session_id.as_deref(), session, "{frame}");
        assert_eq!((resume.resume_token.as_str(), resume.last_event_seq), ("rt", 7));
        assert_eq!(knock.token.as_deref(), token, "{frame}");
        let frames = rig.answer(Ok(Answer::Opened(Box::new(opened(7)))));
        assert_eq!(kinds(&frames), ["session.welcome"]);
        assert_eq!(rig.follows, [7]);
    }
}

#[test]
fn a_session_that_is_gone_can_be_followed_by_a_new_one() {
    let mut rig = Rig::new();
    rig.hello(json!({"client": {"name": "c", "version": "1"}, "auth": {"scheme": "bearer", "token": "tok"},
        "resume": {"session_id": "sess_x", "resume_token": "rt", "last_event_seq": 1}}));
    let frames = rig.answer(Err(Denial::new(Code::ResumeWindowExpired, "gone")));
    assert_eq!(kinds(&frames), ["session.error RESUME_WINDOW_EXPIRED"]);
    rig.greet("c");
    assert_eq!(rig.closed, None);
}

#[test]
fn tries_are_counted() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        rig.hello(hello("tok"));
        rig.answer(Err(Denial::new(Code::ResumeWindowExpired, "gone")));
    }
    assert_eq!(rig.closed, Some(Close::NO_HANDSHAKE));
}

#[test]
fn a_hello_that_cannot_be_read_is_told_so() {
    let mut rig = Rig::new();
    let frames = rig.hello(json!({"client": {"name": ""}}));
    assert_eq!(kinds(&frames), ["session.error INVALID_REQUEST"]);
    let wrong = json!({"arcp": "1.0", "id": "h", "type": "session.hello", "payload": hello("tok")});
    assert_eq!(kinds(&rig.text(&wrong)), ["session.error INVALID_REQUEST"]);
    rig.greet("c");
}

#[test]
fn nothing_is_done_before_the_welcome() {
    let mut rig = Rig::new();
    for _ in 0..16 {
        assert_eq!(rig.say("job.submit", json!({"agent": "echo"})), [""; 0]);
    }
    assert!(rig.asks.is_empty() && rig.closed.is_none());
    let frames = rig.say("session.ping", json!({"nonce": "n", "sent_at": "t"}));
    assert_eq!(kinds(&frames), ["session.error UNAUTHENTICATED"]);
    assert_eq!(rig.closed, Some(Close::UNAUTHENTICATED));
}

#[test]
fn who_says_nothing_is_sent_away_and_who_waits_for_us_is_not() {
    let mut rig = Rig::new();
    assert_eq!((rig.wait(9), rig.closed.clone()), (vec![], None));
    rig.wait(1);
    assert_eq!(rig.closed, Some(Close::NO_HANDSHAKE));
    let mut rig = Rig::new();
    rig.hello(hello("tok"));
    assert_eq!(rig.connection.due_at(), None);
    rig.wait(60);
    assert_eq!(rig.closed, None);
}

#[test]
fn a_second_hello_changes_nothing() {
    let mut rig = Rig::welcomed();
    assert_eq!(kinds(&rig.say("session.hello", hello("tok"))), ["session.error INVALID_REQUEST"]);
    assert_eq!(
        kinds(&rig.say("session.ping", json!({"nonce": "n", "sent_at": "t"}))),
        ["session.pong"]
    );
}

#[test]
fn a_client_is_spoken_to_in_its_own_way() {
    let mut rig = Rig::new();
    rig.greet("arcp-go-client");
    assert_eq!(rig.connection.profile(), Profile::Go);
    let mut rig = Rig::with(Some(Profile::Python));
    rig.greet("arcp-go-client");
    assert_eq!(rig.connection.profile(), Profile::Python);
}
