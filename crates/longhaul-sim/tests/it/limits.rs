//! What lives are too small for: limits that only many jobs or many entries meet.

use crate::found::{Hands, ask, cancel, id, submit};
use longhaul_core::command::Command;
use longhaul_core::limits;
use longhaul_core::port::{Position, Store, Table};
use longhaul_core::time::{Millis, Timestamp};

/// The rest was placed only when something else in its pool moved, or after seconds by reconciling.
#[test]
fn what_one_step_cannot_place_the_next_one_does_whatever_it_is_about() {
    let mut hands = Hands::new();
    let most = limits::STEP_PLACE_MAX;
    let (pool, slots) = ("default".to_owned(), Some(1_000));
    hands.put(vec![Command::SetPool { pool, slots, paused: None }]);
    let jobs = (0..most * 2 + 10).map(|number| ask(number, |_| ())).collect();
    let first = hands.put(vec![Command::Submit(jobs)]);
    assert_eq!((first.wants.len(), first.next_due), (most as usize, Some(hands.now)));
    let about_another = Command::SetPool { pool: "other".into(), slots: Some(1), paused: None };
    let second = hands.put(vec![about_another]);
    assert_eq!((second.wants.len(), second.next_due), (most as usize, Some(hands.now)));
    let third = hands.put(Vec::new());
    assert_eq!(third.wants.len(), 10);
    assert!(third.next_due > Some(hands.now), "and then it rests: {:?}", third.next_due);
}

#[test]
fn a_full_history_keeps_what_is_essential_and_counts_the_rest() {
    let mut hands = Hands::new();
    hands.put(vec![submit(1)]);
    let emit = || Command::Emit {
        job: id(1),
        attempt: 1,
        report: "log".to_owned(),
        body: "{}".to_owned(),
    };
    for _ in 0..12 {
        let step = hands.put((0..1_000).map(|_| emit()).collect());
        assert!(step.replies.iter().all(Result::is_ok));
    }
    hands.put(vec![cancel(1, false)]);
    hands.finish(&id(1));
    let mut reader = hands.store.reader().expect("memory");
    let entries = reader.events(Some(id(1).as_str()), Position(0), u32::MAX).expect("memory");
    let numbers: Vec<u64> = entries.iter().map(|event| event.seq).collect();
    let count = limits::EVENTS_PER_JOB_MAX + 3;
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "no gap, whatever was left out");
    let last: Vec<_> = entries.iter().rev().take(3).filter_map(|event| event.fact()).collect();
    let last: Vec<_> = last.iter().map(|fact| fact.name()).collect();
    assert_eq!(last, ["ended", "cancel_requested", "journal_full"]);
}

#[test]
fn a_thousand_failed_cleanings_leave_a_small_record_and_its_end_readable() {
    let mut hands = Hands::new();
    hands.put(vec![submit(1)]);
    hands.end(&id(1));
    let mut accepted = 0;
    for pass in 0..1_000 {
        let failure = Some(format!("reason {pass}: {}", "x".repeat(10_000)));
        let step = hands.put(vec![Command::Cleaned { job: id(1), failure }]);
        accepted += step.replies.iter().filter(|reply| reply.is_ok()).count();
        hands.now = hands.now.plus(Millis::from_secs(700));
        hands.put(Vec::new());
    }
    assert_eq!(accepted, limits::CLEANUP_TRIES_MAX as usize);
    let mut reader = hands.store.reader().expect("memory");
    let row = reader.load(Table::Job, id(1).as_str()).expect("memory").expect("it is kept");
    let most = (limits::CLEANUP_WARNINGS_MAX + 1) * limits::MESSAGE_BYTES_MAX;
    assert!(row.body.len() < most, "{} bytes", row.body.len());
    let entries = reader.events(Some(id(1).as_str()), Position(0), u32::MAX).expect("memory");
    let facts = entries.iter().filter_map(|event| event.fact());
    let names: Vec<_> = facts.map(|fact| fact.name()).collect();
    assert!(names.contains(&"created") && names.contains(&"ended"), "{names:?}");
    assert!(names.len() < 20, "{names:?}");
}

#[test]
fn order_is_that_of_admission_even_when_the_time_goes_back() {
    let mut hands = Hands::new();
    let (pool, slots) = ("default".to_owned(), Some(0));
    hands.put(vec![Command::SetPool { pool: pool.clone(), slots, paused: None }]);
    // Ids, too, fall while admission goes on.
    for number in [9, 5, 7, 3] {
        hands.put(vec![submit(number)]);
        hands.now = Timestamp::from_millis(hands.now.as_millis() - 3_600);
    }
    let mut started = Vec::new();
    for slots in 1..=4 {
        let paused = None;
        let set = Command::SetPool { pool: pool.clone(), slots: Some(slots), paused };
        let mut wants = hands.put(vec![set]).wants;
        wants.retain(|want| !started.contains(want));
        started.extend(wants);
    }
    let order: Vec<_> = started.iter().map(|want| want.job().clone()).collect();
    assert_eq!(order, [9, 5, 7, 3].map(id));
}
