//! Answers as runtimes in the wild give them.

use super::*;
use serde_json::{Value, json};

const SESSION: &str = "sess_1";

/// A client, and a runtime that is played by hand.
struct Rig {
    client: Connection,
    now: Timestamp,
    sent: Vec<Value>,
    told: Vec<Told>,
    ended: Vec<String>,
}

impl Rig {
    fn new() -> Self {
        let client = Connection::new(config(), "c");
        let now = Timestamp::from_millis(0);
        let mut rig = Self { client, now, sent: vec![], told: vec![], ended: vec![] };
        rig.client.on_connected(now);
        rig.drain();
        rig
    }

    /// One whose runtime names what it answers, or one that does not.
    fn welcomed(names_requests: bool) -> Self {
        let mut rig = Self::new();
        rig.welcome(SESSION, names_requests);
        rig.told.clear();
        rig.sent.clear();
        rig
    }

    fn welcome(&mut self, session: &str, names_requests: bool) {
        let mut payload = json!({
            "runtime": {"name": "r", "version": "1"}, "resume_token": "rt_1",
            "resume_window_sec": 600, "heartbeat_interval_sec": 30,
            "capabilities": {"features": FEATURES, "agents": ["echo"]},
        });
        if names_requests {
            payload["session_id"] = session.into();
        }
        self.hear(json!({"type": "session.welcome", "session_id": session, "payload": payload}));
    }

    /// The runtime says this; what stands around it is added.
    fn hear(&mut self, mut frame: Value) {
        let around = json!({"arcp": "1.1", "id": "msg_x", "session_id": SESSION});
        for (key, value) in around.as_object().unwrap() {
            if frame.get(key).is_none() {
                frame[key] = value.clone();
            }
        }
        self.client.on_message(&frame.to_string(), self.now);
        self.drain();
    }

    fn event(&mut self, seq: u64, job: &str) {
        self.hear(json!({"type": "job.event", "event_seq": seq, "job_id": job,
            "payload": {"kind": "log", "ts": "t", "body": {"level": "info", "message": "m"}}}));
    }

    fn ask(&mut self, ask: Ask) -> AskId {
        let id = self.client.ask(ask).unwrap();
        self.drain();
        id
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now.plus(Millis::new(millis));
        self.client.on_due(self.now);
        self.drain();
    }

    fn reconnected(&mut self) {
        self.client.on_lost();
        self.client.on_connected(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Send(text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                Output::Tell(told) => self.told.push(told),
                Output::Reconnect(lost) => self.ended.push(format!("{lost:?}")),
                Output::Over(over) => self.ended.push(format!("{over:?}")),
            }
        }
    }

    fn sent_kinds(&self) -> Vec<&str> {
        self.sent.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
    }

    /// What was answered, in short.
    fn answers(&self) -> Vec<(u64, String)> {
        let answer = |told: &Told| match told {
            Told::Answered(id, Ok(Answer::Submitted(got))) => Some((id.0, got.job_id.clone())),
            Told::Answered(id, Ok(other)) => Some((id.0, format!("{other:?}")[..6].to_owned())),
            Told::Answered(id, Err(denial)) => Some((id.0, denial.code.name().to_owned())),
            _ => None,
        };
        self.told.iter().filter_map(answer).collect()
    }

    fn ends(&self) -> Vec<(&str, Status)> {
        let mut ends = vec![];
        for told in &self.told {
            if let Told::Ended { job_id, end } = told {
                ends.push((job_id.as_str(), end.status));
            }
        }
        ends
    }
}

fn accepted(job: &str) -> Value {
    json!({"type": "job.accepted", "job_id": job,
        "payload": {"job_id": job, "lease": {}, "accepted_at": "t"}})
}

fn with(mut frame: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    frame.pointer_mut(parent).unwrap()[key] = value.into();
    frame
}

fn job_error(job: &str, status: &str, code: &str) -> Value {
    json!({"type": "job.error", "job_id": job, "payload":
        {"final_status": status, "code": code, "message": "m", "retryable": code == "INTERNAL_ERROR"}})
}

#[test]
fn submissions_are_matched_by_name_then_by_trace_then_in_order() {
    let mut rig = Rig::welcomed(false);
    let asks: Vec<u64> = (0..4).map(|number| rig.ask(submission(number)).0).collect();
    let third = rig.sent[2]["id"].clone();
    rig.hear(with(accepted("job_c"), "/payload/request_id", third));
    rig.hear(with(accepted("job_b"), "/trace_id", format!("{:032x}", 2)));
    rig.hear(accepted("job_a"));
    // A job of a job is nobody's answer.
    rig.hear(with(accepted("job_child"), "/payload/parent_job_id", "job_a"));
    let expected = [(asks[2], "job_c"), (asks[1], "job_b"), (asks[0], "job_a")]
        .map(|(id, job)| (id, job.to_owned()));
    assert_eq!(rig.answers(), expected);
    assert!(matches!(rig.told.last(), Some(Told::Delegated(_))));
}

#[test]
fn credentials_of_a_scheme_that_nobody_knows_are_passed_over() {
    let mut rig = Rig::welcomed(false);
    rig.ask(submission(1));
    let good = json!({ "id": "c1", "scheme": "bearer", "value": "v", "endpoint": "http://e" });
    let strange = json!({ "id": "c2", "scheme": "signed_url", "url": 7 });
    rig.hear(with(accepted("job_a"), "/payload/credentials", vec![strange, good]));
    let Some(Told::Answered(_, Ok(Answer::Submitted(got)))) = rig.told.last() else {
        panic!("{:?}", rig.told);
    };
    let credentials = got.credentials.as_ref().unwrap();
    let ids: Vec<&str> = credentials.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["c1"]);
}

#[test]
fn a_refused_submission_is_heard_in_every_form() {
    // The TypeScript runtime: an error of a job that nobody knows, with a number and no trace.
    let mut rig = Rig::welcomed(false);
    let ask = rig.ask(submission(0)).0;
    rig.hear(with(job_error("job_new", "error", "AGENT_NOT_AVAILABLE"), "/event_seq", 1));
    assert_eq!(rig.answers(), [(ask, "AGENT_NOT_AVAILABLE".to_owned())]);
    // The same for a version, and everything else of Python's: an error of the session.
    let ask = rig.ask(submission(1)).0;
    let error = json!({"code": "AGENT_VERSION_NOT_AVAILABLE", "message": "m", "retryable": false});
    rig.hear(json!({"type": "session.error", "payload": error}));
    assert_eq!(rig.answers()[1], (ask, "AGENT_VERSION_NOT_AVAILABLE".to_owned()));
    // Ours: named, and without a number.
    let mut rig = Rig::welcomed(true);
    let ask = rig.ask(submission(2)).0;
    let id = rig.sent[0]["id"].clone();
    let error = with(job_error("job_x", "error", "INVALID_REQUEST"), "/payload/request_id", id);
    rig.hear(error);
    assert_eq!(rig.answers(), [(ask, "INVALID_REQUEST".to_owned())]);
    assert!(rig.ends().is_empty());
}

#[test]
fn a_job_that_fails_is_not_taken_for_an_answer() {
    let mut rig = Rig::welcomed(false);
    rig.ask(submission(0));
    rig.hear(accepted("job_a"));
    rig.ask(submission(1));
    rig.hear(with(job_error("job_a", "error", "INVALID_REQUEST"), "/event_seq", 1));
    assert_eq!((rig.answers().len(), rig.ends()), (1, vec![("job_a", Status::Error)]));
    // A code that nobody here knows is an end all the same.
    rig.hear(accepted("job_b"));
    rig.hear(with(job_error("job_b", "error", "OUT_OF_CHEESE"), "/event_seq", 2));
    assert_eq!(rig.ends()[1], ("job_b", Status::Error));
    // Python tells of cancelled jobs so.
    rig.ask(submission(2));
    rig.hear(accepted("job_c"));
    rig.hear(json!({"type": "job.result", "job_id": "job_c", "event_seq": 3,
        "payload": {"final_status": "cancelled"}}));
    assert_eq!(rig.ends()[2], ("job_c", Status::Cancelled));
}

#[test]
fn a_cancellation_is_answered_by_an_acknowledgement_or_a_no() {
    for names_requests in [true, false] {
        let mut rig = Rig::welcomed(names_requests);
        rig.event(1, "job_a");
        let cancel = |job: &str| Ask::Cancel { job_id: job.to_owned(), reason: None };
        rig.ask(cancel("job_a"));
        assert_eq!(rig.sent.last().unwrap()["job_id"], "job_a");
        assert!(rig.sent.last().unwrap()["payload"]["reason"].is_string());
        rig.hear(json!({"type": "job.cancelled", "job_id": "job_a", "payload": {}}));
        rig.hear(with(job_error("job_a", "cancelled", "CANCELLED"), "/event_seq", 2));
        rig.ask(cancel("job_a"));
        rig.hear(job_error("job_a", "error", "JOB_NOT_FOUND"));
        let answers: Vec<String> = rig.answers().into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(answers, ["Cancel", "JOB_NOT_FOUND"]);
        assert_eq!(rig.ends(), [("job_a", Status::Cancelled)]);
    }
}

#[test]
fn a_subscription_is_answered_before_or_after_what_was() {
    let subscribed = |from: u64| {
        json!({"type": "job.subscribed", "job_id": "job_a", "payload": {"job_id": "job_a",
            "current_status": "running", "agent": "a", "lease": {}, "subscribed_from": from,
            "replayed": from}})
    };
    for names_requests in [true, false] {
        let mut rig = Rig::welcomed(names_requests);
        rig.ask(Ask::Subscribe { job_id: "job_a".to_owned(), is_from_start: true });
        if names_requests {
            rig.hear(subscribed(0));
        }
        rig.event(1, "job_a");
        rig.event(2, "job_a");
        if !names_requests {
            rig.hear(subscribed(2));
        }
        rig.event(3, "job_a");
        let events = rig.told.iter().filter(|told| matches!(told, Told::Event { .. })).count();
        assert_eq!((events, rig.answers().len()), (3, 1), "{names_requests}");
    }
    // One that names what it answers, and answers last all the same.
    let mut rig = Rig::welcomed(true);
    rig.ask(Ask::Subscribe { job_id: "job_a".to_owned(), is_from_start: true });
    for seq in 1..=4 {
        rig.event(seq, "job_a");
        if seq == 2 {
            rig.hear(subscribed(2));
        }
    }
    let events = rig.told.iter().filter(|told| matches!(told, Told::Event { .. })).count();
    assert_eq!((events, rig.answers().len()), (4, 1));
    let mut rig = Rig::welcomed(false);
    rig.ask(Ask::Subscribe { job_id: "job_z".to_owned(), is_from_start: true });
    rig.hear(with(job_error("job_z", "error", "JOB_NOT_FOUND"), "/event_seq", 1));
    assert_eq!(rig.answers()[0].1, "JOB_NOT_FOUND");
}

#[test]
fn duplicates_are_dropped_and_a_gap_ends_the_transport() {
    let mut rig = Rig::welcomed(true);
    for seq in [1, 2, 2, 1, 3] {
        rig.event(seq, "job_a");
    }
    assert_eq!(rig.told.len(), 3);
    rig.event(5, "job_a");
    assert_eq!(rig.ended, ["Gap"]);
    rig.sent.clear();
    rig.reconnected();
    let resume = &rig.sent[0]["payload"]["resume"];
    assert_eq!((&resume["session_id"], &resume["last_event_seq"]), (&json!(SESSION), &json!(3)));
    // Missing again: the session is of no use, and the job is followed from its start in a new one.
    rig.welcome(SESSION, true);
    rig.event(5, "job_a");
    rig.sent.clear();
    rig.reconnected();
    assert!(rig.sent[0]["payload"].get("resume").is_none());
    rig.hear(json!({"type": "session.welcome", "session_id": "sess_2", "payload": {
        "runtime": {"name": "r", "version": "1"}, "resume_token": "rt_2", "resume_window_sec": 1,
        "session_id": "sess_2", "capabilities": {"features": FEATURES}}}));
    assert_eq!(rig.sent_kinds(), ["session.hello", "job.subscribe"]);
}

#[test]
fn a_frame_that_nobody_can_read_keeps_its_number() {
    let mut rig = Rig::welcomed(true);
    rig.event(1, "job_a");
    rig.hear(json!({"type": "job.error", "job_id": "job_a", "event_seq": 2,
        "payload": {"final_status": "error", "code": 7, "message": "m"}}));
    rig.event(3, "job_a");
    assert!(matches!(rig.told[1], Told::Unreadable { event_seq: 2, .. }));
    assert_eq!((rig.told.len(), rig.ended.len()), (3, 0));
}

#[test]
fn acknowledgements_go_out_after_a_number_of_events_or_a_while() {
    let mut rig = Rig::welcomed(true);
    for seq in 1..=33 {
        rig.event(seq, "job_a");
    }
    assert_eq!(rig.sent_kinds(), ["session.ack"]);
    assert_eq!(rig.client.due_at(), Some(rig.now.plus(ACK_AFTER)));
    rig.wait(250);
    assert_eq!(rig.sent[1]["payload"]["last_processed_seq"], 33);
    rig.wait(250);
    assert_eq!(rig.sent.len(), 2);
}

#[test]
fn pings_are_answered_and_silence_ends_the_transport() {
    let mut rig = Rig::welcomed(true);
    rig.hear(json!({"type": "session.ping", "payload": {"nonce": "n", "sent_at": "t"}}));
    assert_eq!(rig.sent[0]["payload"]["ping_nonce"], "n");
    rig.wait(30_000);
    assert_eq!(rig.sent_kinds(), ["session.pong", "session.ping"]);
    rig.wait(30_000);
    assert_eq!(rig.ended, ["Silent"]);
}

#[test]
fn who_is_not_let_in_does_not_come_again_and_who_is_not_answered_does() {
    let error = |code: &str| {
        json!({"type": "session.error", "session_id": "", "payload":
            {"code": code, "message": "m", "retryable": code == "INTERNAL_ERROR"}})
    };
    let mut rig = Rig::new();
    rig.hear(with(error("UNAUTHENTICATED"), "/session_id", "sess_none"));
    assert!(rig.ended[0].starts_with("Refused"), "{:?}", rig.ended);
    let mut rig = Rig::new();
    rig.hear(with(error("INTERNAL_ERROR"), "/session_id", "sess_none"));
    assert!(rig.ended[0].starts_with("Told"), "{:?}", rig.ended);
    rig.reconnected();
    rig.wait(10_000);
    assert_eq!(rig.ended[1], "NoHandshake");
    // An old session that is refused, in whatever words, is no reason to stay out.
    let mut rig = Rig::welcomed(true);
    rig.reconnected();
    rig.hear(
        error("UNAUTHENTICATED")
            .as_object_mut()
            .map(|frame| {
                frame["session_id"] = SESSION.into();
                Value::Object(frame.clone())
            })
            .unwrap(),
    );
    rig.reconnected();
    assert!(rig.sent.last().unwrap()["payload"].get("resume").is_none());
}

#[test]
fn results_come_in_pieces() {
    let mut rig = Rig::welcomed(true);
    for (seq, data, encoding, more) in [(0, "ab", "utf8", true), (1, "Yw==", "base64", false)] {
        rig.hear(json!({"type": "job.event", "event_seq": seq + 1, "job_id": "job_a", "payload":
            {"kind": "result_chunk", "ts": "t", "body": {"result_id": "res_1", "chunk_seq": seq,
            "data": data, "encoding": encoding, "more": more}}}));
    }
    rig.hear(json!({"type": "job.result", "event_seq": 3, "job_id": "job_a",
        "payload": {"final_status": "success", "result_id": "res_1", "result_size": 3}}));
    let bytes: Vec<u8> = rig
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Piece { piece, .. } => Some(piece.bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(bytes, b"abc");
    let Some(Told::Ended { end, .. }) = rig.told.last() else { panic!("{:?}", rig.told) };
    assert!(matches!(&end.gave, Gave::Pieces { bytes: 3, .. }), "{end:?}");
}

#[test]
fn asks_wait_for_a_session_and_are_bounded() {
    let mut rig = Rig::new();
    for number in 0..OPEN_ASKS_MAX as u64 {
        rig.ask(submission(number));
    }
    assert!(rig.client.ask(submission(0)).is_err());
    assert_eq!(rig.sent.len(), 1);
    rig.welcome(SESSION, true);
    assert_eq!(rig.sent.len(), 1 + OPEN_ASKS_MAX);
}
