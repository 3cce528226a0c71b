use super::*;
use crate::codec;
use crate::error::{Code, Denial};
use crate::event::check;
use crate::message::Message;
use expect_test::expect;
use longhaul_core::event::Fact;
use longhaul_core::outcome::{Ending as Kind, Outcome, Reason};
use proptest::prelude::*;

const SESSION: &str = "sess_01JD0000000000000000000000";
const JOB: &str = "job_01JD0000000000000000000001";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn frames(profile: Profile) -> Frames {
    Frames::new(SESSION, profile, &Features::always())
}

fn told(frames: &Frames, text: &str, ending: Option<&Ending<'_>>) -> String {
    let job = Job { id: JOB, trace: Some(TRACE) };
    frames.frame(7, job, &Entry { at: Timestamp::from_millis(0), text, ending })
}

/// The part of a frame that says something.
fn payload(frame: &str) -> String {
    let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
    format!("{} {}", frame["type"].as_str().unwrap(), frame["payload"])
}

fn body(text: &str) -> String {
    let frame: serde_json::Value =
        serde_json::from_str(&told(&frames(Profile::Default), text, None)).unwrap();
    format!("{} {}", frame["payload"]["kind"].as_str().unwrap(), frame["payload"]["body"])
}

fn ended(kind: Kind, reason: Option<Reason>) -> String {
    let outcome = Outcome { reason, ..Outcome::plain(kind) };
    serde_json::to_string(&Fact::Ended { outcome }).unwrap()
}

#[test]
fn what_was_told_goes_out_as_it_is() {
    let text = r#"{"kind":"told","name":"log","body":{"level":"info","message":"a \"b\""}}"#;
    expect![[r#"{"arcp":"1.1","id":"msg_1D8M47DPMRF51N0974D7B5VC04","type":"job.event","session_id":"sess_01JD0000000000000000000000","job_id":"job_01JD0000000000000000000001","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","event_seq":7,"payload":{"kind":"log","ts":"1970-01-01T00:00:00.000Z","body":{"level":"info","message":"a \"b\""}}}"#]]
    .assert_eq(&told(&frames(Profile::Default), text, None));
}

#[test]
fn an_entry_is_the_same_frame_each_time_and_another_under_each_number() {
    let text = r#"{"kind":"told","name":"x-vendor.a.b","body":[1]}"#;
    let one = told(&frames(Profile::Default), text, None);
    assert_eq!(one, told(&frames(Profile::Default), text, None));
    let other = Frames::new("sess_other", Profile::Default, &Features::always());
    assert_ne!(one, told(&other, text, None));
}

#[test]
fn what_a_program_says_is_told_in_the_words_of_the_wire() {
    let all = [
        r#"{"kind":"log","level":"warn","message":"hm","from":"agent"}"#,
        r#"{"kind":"thought","text":"so"}"#,
        r#"{"kind":"tool_call","tool":"Bash","call_id":"c1","args":{"command":"ls"}}"#,
        r#"{"kind":"tool_result","call_id":"c1","tool":"Bash","outcome":"done","output":"a\nb","exit_code":1}"#,
        r#"{"kind":"tool_result","call_id":"c2","outcome":"failed"}"#,
        r#"{"kind":"tool_result","call_id":"c3","outcome":"denied","output":"not here"}"#,
        r#"{"kind":"status","phase":"rate_limited","message":"later"}"#,
        r#"{"kind":"metric","name":"cost.inference","value":0.25,"unit":"USD"}"#,
        r#"{"kind":"artifact_ref","uri":"src/a.rs"}"#,
        r#"{"kind":"progress","current":1,"total":2,"units":"files"}"#,
        r#"{"kind":"result","ok":true,"text":"done"}"#,
        r#"{"kind":"raw","why":"unknown_kind","text":"{\"type\":\"x\"}","bytes":12}"#,
        r#"{"kind":"emitted","report":"progress","body":"{\"current\":3,\"total\":null,\"units\":null}"}"#,
        r#"{"kind":"emitted","report":"progress","body":"{\"current\":-3}"}"#,
        r#"{"kind":"emitted","report":"artifact","body":"{\"path\":\"/a/b\",\"name\":null}"}"#,
        r#"{"kind":"emitted","report":"result","body":"41"}"#,
    ];
    let said: Vec<String> = all.iter().map(|text| body(text)).collect();
    for line in &said {
        let (kind, body) = line.split_once(' ').unwrap();
        assert!(check(kind, body).is_ok(), "{line}: {:?}", check(kind, body));
    }
    expect![[r#"
        log {"attributes":{"from":"agent"},"level":"warn","message":"hm"}
        thought {"text":"so"}
        tool_call {"args":{"command":"ls"},"call_id":"c1","tool":"Bash"}
        tool_result {"call_id":"c1","result":{"exit_code":1,"output":"a\nb"}}
        tool_result {"call_id":"c2","error":{"code":"INTERNAL_ERROR","message":"the tool call failed","retryable":true}}
        tool_result {"call_id":"c3","error":{"code":"PERMISSION_DENIED","message":"not here","retryable":false}}
        status {"message":"later","phase":"rate_limited"}
        metric {"name":"cost.inference","unit":"USD","value":0.25}
        artifact_ref {"content_type":"application/octet-stream","uri":"src/a.rs"}
        progress {"current":1,"total":2,"units":"files"}
        status {"message":"done","phase":"answered"}
        log {"attributes":{"bytes":12,"from":"raw","why":"unknown_kind"},"level":"debug","message":"{\"type\":\"x\"}"}
        progress {"current":3}
        x-vendor.longhaul.progress {"current":-3}
        artifact_ref {"content_type":"application/octet-stream","uri":"/a/b"}
        x-vendor.longhaul.result 41"#]].assert_eq(&said.join("\n"));
}

#[test]
fn what_became_of_a_job_is_a_status() {
    let at = Timestamp::from_millis(0);
    let facts = [
        Fact::Started { attempt: 1, pid: 7 },
        Fact::Started { attempt: 2, pid: 8 },
        Fact::Retrying { not_before: at, failures: 1 },
        Fact::Rerunning { not_before: at, reruns: 1 },
        Fact::Parked { not_before: at, parks: 1, message: "limit".to_owned() },
        Fact::BudgetWarned { is_agents: false, nano_usd: 820_000_000, nano_usd_max: 1_000_000_000 },
        Fact::ToolDecided {
            call: "c1".to_owned(),
            tool: "Bash".to_owned(),
            decision: longhaul_core::event::Decision::Denied,
            code: None,
            reason: None,
            input: None,
        },
        Fact::CleanupStuck,
    ];
    let said: Vec<String> =
        facts.iter().map(|fact| body(&serde_json::to_string(fact).unwrap())).collect();
    expect![[r#"
        status {"phase":"running"}
        status {"message":"attempt 2","phase":"running"}
        status {"message":"not before 1970-01-01T00:00:00.000Z: 1 failed so far","phase":"retrying"}
        status {"message":"not before 1970-01-01T00:00:00.000Z: lost 1 times so far","phase":"retrying"}
        status {"message":"not before 1970-01-01T00:00:00.000Z: limit","phase":"parked"}
        status {"message":"0.82 of 1.00 USD are spent","phase":"budget_warned"}
        tool_result {"call_id":"c1","error":{"code":"PERMISSION_DENIED","message":"`Bash` was refused","retryable":false}}
        status {"phase":"cleanup_stuck"}"#]].assert_eq(&said.join("\n"));
}

#[test]
fn every_end_has_its_message() {
    let boom = Denial::new(Code::InvalidRequest, "boom");
    let with_result = Ending { result: Some("null"), ..Ending::default() };
    let in_pieces =
        Ending { result_id: Some("res_1"), result_size: Some(9), ..with_result.clone() };
    let failed = Ending { error: Some(&boom), ..Ending::default() };
    let all = [
        (Kind::Succeeded, None, &with_result),
        (Kind::Succeeded, None, &in_pieces),
        (Kind::Failed, None, &failed),
        (Kind::Failed, Some(Reason::Budget), &failed),
        (Kind::Failed, Some(Reason::Lease), &with_result),
        (Kind::Cancelled, None, &failed),
        (Kind::TimedOut, Some(Reason::Runtime), &with_result),
        (Kind::Lost, Some(Reason::HostLost), &with_result),
    ];
    let said = |profile| {
        let frames = frames(profile);
        let one = |(kind, reason, ending): &(Kind, Option<Reason>, &Ending<'_>)| {
            payload(&told(&frames, &ended(*kind, *reason), Some(ending)))
        };
        all.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        job.result {"completed_at":"1970-01-01T00:00:00.000Z","final_status":"success","result":null}
        job.result {"completed_at":"1970-01-01T00:00:00.000Z","final_status":"success","result_id":"res_1","result_size":9}
        job.error {"code":"INVALID_REQUEST","completed_at":"1970-01-01T00:00:00.000Z","final_status":"error","message":"boom","retryable":false}
        job.error {"code":"BUDGET_EXHAUSTED","completed_at":"1970-01-01T00:00:00.000Z","final_status":"error","message":"what the job could spend is spent","retryable":false}
        job.error {"code":"LEASE_EXPIRED","completed_at":"1970-01-01T00:00:00.000Z","final_status":"error","message":"what the job was granted is over","retryable":false}
        job.error {"code":"CANCELLED","completed_at":"1970-01-01T00:00:00.000Z","final_status":"cancelled","message":"the job was cancelled","retryable":false}
        job.error {"code":"TIMEOUT","completed_at":"1970-01-01T00:00:00.000Z","final_status":"timed_out","message":"the job ran for longer than it may","retryable":true}
        job.error {"code":"INTERNAL_ERROR","completed_at":"1970-01-01T00:00:00.000Z","final_status":"error","message":"nobody knows what became of the job: what ran it was restarted","retryable":true}"#]].assert_eq(&said(Profile::Default));
    let python = said(Profile::Python);
    let timed_out =
        r#"job.result {"completed_at":"1970-01-01T00:00:00.000Z","final_status":"timed_out"}"#;
    assert!(python.contains(timed_out), "{python}");
    assert!(said(Profile::Go).contains(r#""output":null,"result":null"#));
}

#[test]
fn a_frame_is_never_larger_than_clients_read() {
    let frames = frames(Profile::Python);
    let large =
        format!(r#"{{"kind":"told","name":"x-vendor.a.b","body":"{}"}}"#, "x".repeat(1_000_000));
    let frame = told(&frames, &large, None);
    assert!(frame.len() < 1_000 && frame.contains("left_out"), "{frame}");
    let result = format!("\"{}\"", "x".repeat(2_000_000));
    let ending = Ending { result: Some(&result), ..Ending::default() };
    let frame = told(&frames, &ended(Kind::Succeeded, None), Some(&ending));
    assert!(frame.len() < 1_000 && frame.contains(r#""type":"job.result""#), "{frame}");
}

#[test]
fn a_result_that_fits_is_told_whatever_else_does_not() {
    let result = format!("\"{}\"", "x".repeat(700_000));
    let words = "y".repeat(400_000);
    let summary = Some(Cow::Borrowed(words.as_str()));
    let wordy = Ending { result: Some(&result), summary, ..Ending::default() };
    let plain = Ending { result: Some(&result), ..Ending::default() };
    for (profile, ending, field) in [
        (Profile::Default, &wordy, "result"),
        (Profile::Python, &wordy, "result"),
        (Profile::Go, &plain, "output"),
        (Profile::Go, &wordy, "output"),
    ] {
        let frame = told(&frames(profile), &ended(Kind::Succeeded, None), Some(ending));
        assert!(frame.len() <= profile.frame_bytes_max(), "{profile:?}: {}", frame.len());
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        let given = frame["payload"][field].as_str().map_or(0, str::len);
        assert_eq!(given, 700_000, "{profile:?}");
    }
}

#[test]
fn what_was_not_agreed_on_is_told_as_a_status() {
    let frames = Frames::new(SESSION, Profile::Default, &Features::default());
    let text = r#"{"kind":"told","name":"progress","body":{"current":1}}"#;
    assert!(told(&frames, text, None).contains(r#"{"kind":"status","#));
    let text = r#"{"kind":"progress","current":1}"#;
    assert!(told(&frames, text, None).contains(r#"{"kind":"status","#));
}

#[test]
fn a_slow_reader_is_told_so() {
    let job = Job { id: JOB, trace: None };
    let frame = frames(Profile::Default).lagging(9, job, Timestamp::from_millis(0), 1_001);
    assert!(payload(&frame).contains(r#""phase":"back_pressure""#), "{frame}");
    assert!(!frame.contains("trace_id"));
}

proptest! {
    #[test]
    fn any_entry_makes_a_frame_that_can_be_read(text in "\\PC{0,80}", number in any::<u64>()) {
        let frames = frames(Profile::Default);
        let job = Job { id: JOB, trace: Some(TRACE) };
        let at = Timestamp::from_millis(0);
        for text in [
            text.clone(),
            format!("{{\"kind\":\"told\",\"name\":{text}}}"),
            format!("{{\"kind\":{},\"message\":{text}}}", serde_json::Value::from(text.as_str())),
            serde_json::json!({"kind": "emitted", "report": text, "body": text}).to_string(),
            serde_json::json!({"kind": "told", "name": text, "body": {"a": text}}).to_string(),
        ] {
            let frame = frames.frame(number, job, &Entry { at, text: &text, ending: None });
            let read: serde_json::Value = serde_json::from_str(&frame).unwrap();
            prop_assert_eq!(&read["event_seq"], &serde_json::Value::from(number));
            prop_assert!(read["payload"]["kind"].is_string() || read["payload"].is_object());
            if let Ok(envelope) = codec::read(&frame) {
                prop_assert!(matches!(envelope.message, Message::Event(_)));
            }
        }
    }
}
