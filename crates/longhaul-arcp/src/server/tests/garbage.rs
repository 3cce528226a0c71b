//! Whatever comes in, in whatever order: nothing fails, and nothing grows without bound.

use super::*;
use crate::limits::KNOWN_JOBS_MAX;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Say(&'static str, String, u8),
    Answer(usize, u8),
    Feed(u8),
    Wait(u16),
    End,
}

const KINDS: [&str; 24] = [
    "session.hello",
    "session.resume",
    "session.welcome",
    "session.error",
    "session.bye",
    "session.close",
    "session.closed",
    "session.ping",
    "session.pong",
    "session.ack",
    "session.list_jobs",
    "session.jobs",
    "job.submit",
    "job.submit",
    "job.accepted",
    "job.cancel",
    "job.cancelled",
    "job.event",
    "job.result",
    "job.error",
    "job.subscribe",
    "job.unsubscribe",
    "x-vendor.a.b",
    "other",
];

fn payload() -> impl Strategy<Value = String> {
    let known = r#"{"client":{"name":"c","version":"1"},"auth":{"scheme":"bearer","token":"t"},
        "capabilities":{"features":["ack","heartbeat","subscribe","list_jobs"]},
        "agent":"echo","job_id":"job_1","nonce":"n","sent_at":"t","last_processed_seq":5,
        "ping_nonce":"n","received_at":"t","history":true,"idempotency_key":"k"}"#;
    let resume = r#"{"client":{"name":"c","version":"1"},"auth":{"scheme":"bearer","token":"t"},
        "resume_token":"r","last_event_seq":3}"#;
    prop_oneof![
        8 => Just(known.to_owned()),
        1 => Just(resume.to_owned()),
        1 => Just("{}".to_owned()),
        1 => Just("null".to_owned()),
        1 => "[\\[\\]{}\",:a0]{0,20}",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => "\\PC{0,60}".prop_map(Step::Text),
        12 => (0..KINDS.len(), payload(), any::<u8>())
            .prop_map(|(kind, payload, id)| Step::Say(KINDS[kind], payload, id)),
        8 => (any::<usize>(), any::<u8>()).prop_map(|(which, how)| Step::Answer(which, how)),
        4 => any::<u8>().prop_map(Step::Feed),
        2 => any::<u16>().prop_map(Step::Wait),
        1 => Just(Step::End),
    ]
}

fn any_answer(how: u8) -> Answered {
    match how % 8 {
        0 | 1 => Ok(Answer::Opened(Box::new(opened(u64::from(how))))),
        2 | 3 => accepted(&format!("job_{}", how % 5)),
        4 => Ok(Answer::Listed(Listed::default())),
        5 => Ok(Answer::Done),
        _ => Err(Denial::new(Code::ALL[usize::from(how) % 15], "no")),
    }
}

fn act(rig: &mut Rig, step: Step, fed: &mut u64) -> Vec<String> {
    match step {
        Step::Text(text) => {
            rig.connection.on_message(&text, rig.now);
            rig.drain()
        }
        Step::Say(kind, payload, id) => {
            let text = format!(
                "{{\"arcp\":\"1.1\",\"id\":\"{id}\",\"type\":\"{kind}\",\"session_id\":\"{SESSION}\",\"payload\":{payload}}}"
            );
            rig.connection.on_message(&text, rig.now);
            rig.drain()
        }
        Step::Answer(which, how) if !rig.asks.is_empty() => {
            let (ask, _) = rig.asks.remove(which % rig.asks.len());
            rig.answer_to(ask, any_answer(how))
        }
        Step::Answer(which, how) => rig.answer_to(AskId(which as u64), any_answer(how)),
        Step::Feed(job) if rig.connection.wants_feed() => {
            *fed += 1;
            rig.feed(&[(*fed, &format!("job_{}", job % 5))])
        }
        Step::Feed(_) => vec![],
        Step::Wait(secs) => rig.wait(u64::from(secs % 40)),
        Step::End => {
            rig.connection.end(Close::RESTART);
            rig.drain()
        }
    }
}

proptest! {
    #[test]
    fn any_row_of_steps_is_survived(steps in proptest::collection::vec(step(), 0..80)) {
        let mut rig = Rig::new();
        let (mut fed, mut told) = (0, 0);
        for step in steps {
            for frame in act(&mut rig, step, &mut fed) {
                let read = read(&frame);
                if read["type"] == "fed" {
                    told += 1;
                    prop_assert_eq!(read["event_seq"].as_u64(), Some(told), "the feed has no gaps");
                } else {
                    assert_sound(&frame);
                    prop_assert!(read.get("event_seq").is_none());
                }
            }
            if rig.closed.is_some() {
                prop_assert_eq!(rig.connection.due_at(), None);
            }
            if let State::Attached(attached) = &rig.connection.state {
                prop_assert!(attached.open.len() <= OPEN_ASKS_MAX);
                prop_assert!(attached.known.len() <= KNOWN_JOBS_MAX);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in "\\PC{0,200}") {
        drop(codec::read(&text));
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(codec::read(&deep).is_err());
    let mut rig = Rig::welcomed();
    let input = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let text = format!(
        "{{\"arcp\":\"1.1\",\"id\":\"x\",\"type\":\"job.submit\",\"session_id\":\"{SESSION}\",\"payload\":{{\"agent\":\"echo\",\"input\":{input}}}}}"
    );
    rig.connection.on_message(&text, rig.now);
    assert_eq!(kinds(&rig.drain()), ["session.error INVALID_REQUEST"]);
    rig.connection.on_message(&" ".repeat(crate::limits::INBOUND_BYTES_MAX + 1), rig.now);
    assert_eq!(kinds(&rig.drain()), ["session.error INVALID_REQUEST"]);
}

#[test]
fn texts_of_a_stranger_are_repeated_only_in_part() {
    let mut rig = Rig::welcomed();
    let long = "x".repeat(1_000_000);
    let frames = rig.say(&format!("job.{long}"), json!({}));
    assert_eq!(kinds(&frames), ["session.error INVALID_REQUEST"]);
    let frames = rig.say("session.ping", json!({"nonce": long, "sent_at": "t"}));
    assert_eq!(kinds(&frames), ["session.error INVALID_REQUEST"]);
    rig.say_with("job.cancel", json!({"reason": long}), json!({"job_id": "job_1"}));
    let frames = rig.answer(Ok(Answer::Done));
    assert!(frames[0].len() < 3_000, "{}", frames[0].len());
}
