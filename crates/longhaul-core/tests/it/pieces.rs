//! Results in pieces, through the engine.

use crate::leases::told;
use crate::play_sessions::{Home, job};
use longhaul_core::command::{Command, Entry, Exit, How, Piece, Refused, Reply};
use longhaul_core::event::Fact;
use longhaul_core::limits;
use longhaul_core::outcome::Ending;
use serde_json::json;

/// Job 1 runs its first attempt, of two, for session 1.
fn home() -> Home {
    let mut home = Home::new();
    home.open(1, "alice");
    let mut asked = Home::submission(1, Some(1), "alice");
    asked.spec.retry.max = 1;
    home.ask(Command::Submit(vec![asked])).expect("it is accepted");
    started(&mut home, 1);
    home
}

fn started(home: &mut Home, attempt: u32) {
    let at = home.now;
    home.ask(Command::Started { job: job(1), attempt, at, pid: 1 }).expect("it runs");
}

fn exited(home: &mut Home, attempt: u32, code: i32) {
    let exit = Exit::bare(How::Exited(code), None, home.now);
    home.ask(Command::Exited { job: job(1), attempt, exit }).expect("it ran");
}

fn tells(home: &mut Home, result: &str, seq: u64, is_last: bool) -> Result<Reply, Refused> {
    let body = json!({ "result_id": result, "chunk_seq": seq, "data": "x", "encoding": "utf8",
        "more": !is_last });
    let text = json!({ "kind": "told", "name": "result_chunk", "body": body }).to_string();
    let piece = Some(Piece { result: result.into(), seq, bytes: 1, is_last });
    let attempt = home.job(1).attempt;
    let entries = vec![Entry { text, charge: None, piece }];
    home.ask(Command::Tell { job: job(1), attempt, entries })
}

#[test]
fn an_attempt_that_follows_tells_a_result_of_its_own() {
    let mut home = home();
    tells(&mut home, "first", 0, false).expect("it begins");
    tells(&mut home, "first", 1, false).expect("it goes on");
    exited(&mut home, 1, 1);
    home.wait(limits::RETRY_DELAY_MAX);
    started(&mut home, 2);
    assert_eq!(home.job(1).stream, None);
    // Under one name nobody could tell the pieces of the two apart.
    assert_eq!(tells(&mut home, "first", 0, false).unwrap_err().code(), "bad_piece");
    assert_eq!(tells(&mut home, "second", 2, false).unwrap_err().code(), "bad_piece");
    tells(&mut home, "second", 0, true).expect("it begins");
    exited(&mut home, 2, 0);
    let ended = home.job(1);
    assert_eq!(ended.outcome().map(|outcome| outcome.kind), Some(Ending::Succeeded));
    let stream = ended.stream.expect("it told one");
    assert_eq!((stream.id.as_str(), stream.bytes, stream.is_closed), ("second", 1, true));
}

#[test]
fn a_result_that_nobody_ended_is_ended_with_its_job() {
    let mut home = home();
    tells(&mut home, "r", 0, false).expect("it begins");
    exited(&mut home, 1, 0);
    let last = json!({ "result_id": "r", "chunk_seq": 1, "data": "", "encoding": "utf8",
        "more": false });
    assert_eq!(told(&home, 1, "result_chunk").last(), Some(&last));
    let journal = home.journal(1);
    assert_eq!(journal.last().map(|last| &last["kind"]), Some(&json!("ended")));
    assert!(home.job(1).stream.is_some_and(|stream| stream.is_closed && stream.next == 2));
}

#[test]
fn what_failed_between_two_pieces_has_no_result() {
    let mut home = home();
    tells(&mut home, "r", 0, false).expect("it begins");
    exited(&mut home, 1, 1);
    home.wait(limits::RETRY_DELAY_MAX);
    started(&mut home, 2);
    tells(&mut home, "s", 0, false).expect("it begins");
    exited(&mut home, 2, 1);
    assert_eq!(told(&home, 1, "result_chunk").len(), 2);
    assert!(home.job(1).stream.is_some_and(|stream| !stream.is_closed));
}

#[test]
fn what_the_journal_has_no_room_for_is_said_and_leaves_no_hole_in_a_result() {
    let mut home = home();
    tells(&mut home, "r", 0, false).expect("it begins");
    home.change(1, |job| {
        let many = limits::TURN_EVENTS_MAX - 4 - job.tellings;
        (job.tellings, job.events) = (job.tellings + many, job.events + many);
    });
    tells(&mut home, "r", 1, false).expect("there is room");
    tells(&mut home, "r", 2, false).expect("there is room");
    let refused = tells(&mut home, "r", 3, false).unwrap_err();
    assert!(matches!(refused, Refused::TooMany { .. }), "{refused:?}");
    for words in [&["a", "b", "c"][..], &["d"]] {
        home.ask(Home::tell(1, words)).expect("what is left out is counted");
    }
    assert_eq!((told(&home, 1, "log").len(), home.job(1).events_dropped), (1, 3));
    let full = Fact::JournalFull { limit: limits::TURN_EVENTS_MAX };
    assert_eq!(home.audit(), [full], "it is said once, and where it is looked for");
    exited(&mut home, 1, 0);
    let last = told(&home, 1, "result_chunk").pop().expect("there were some");
    assert_eq!((&last["chunk_seq"], &last["more"]), (&json!(3), &json!(false)));
}
