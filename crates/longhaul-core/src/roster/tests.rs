//! What the lives of the simulator and a paused clock found, as scripts; and what reports may not do.

use super::*;

const LONG: Millis = Millis::from_secs(3_600);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn owner() -> OwnerName {
    Some("ann".into())
}

fn roster() -> Roster {
    let mut roster = Roster::new(Terms {
        retention: Millis::new(1_000),
        undelivered_retention: Millis::new(10_000),
        try_ms_max: Millis::new(3_000),
        orphan_after: Millis::new(500),
        ..Terms::default()
    });
    roster.set_slots(9, at(0));
    roster
}

fn registered(roster: &mut Roster, ask: Ask) -> Key {
    roster.register(&owner(), ask, at(0)).unwrap().0
}

fn tries(roster: &mut Roster) -> Vec<u32> {
    let wants = roster.take_wants().into_iter();
    wants
        .filter_map(|want| if let Want::Deliver(_, try_, _) = want { Some(try_) } else { None })
        .collect()
}

#[test]
fn reports_of_other_attempts_and_tries_say_nothing_new() {
    let mut roster = roster();
    roster.add_sink(&owner(), at(0));
    let job = registered(&mut roster, Ask::default());
    assert!(!roster.ended(job, 2, Report::Dropped, at(1)));
    assert!(roster.ended(job, 1, Report::Returned("x".into()), at(1)));
    assert!(!roster.ended(job, 1, Report::Dropped, at(2)));
    assert!(!roster.delivered(job, 2, at(2)) && !roster.failed(job, 0, "no", at(2)));
    assert!(roster.failed(job, 1, "no", at(2)));
    assert!(!roster.delivered(job, 1, at(3)), "that try is over");
    assert_eq!(roster.totals().owing.delayed, 1);
}

/// The try began with the hour at which it was due, and ran out in the same moment.
#[test]
fn a_try_that_comes_late_has_its_whole_time() {
    let mut roster = roster();
    roster.add_sink(&owner(), at(0));
    let job = registered(&mut roster, Ask::default());
    roster.ended(job, 1, Report::Returned("x".into()), at(0));
    roster.failed(job, 1, "no", at(0));
    assert_eq!(tries(&mut roster), [1]);
    // The machine slept past the hour.
    roster.on_due(at(9_000));
    assert_eq!(tries(&mut roster), [2]);
    assert!(roster.is_current(job, 2));
    roster.on_due(at(11_999));
    assert!(roster.is_current(job, 2));
}

/// Nobody came back to it: retention had looked while the try was under way.
#[test]
fn a_result_whose_try_fails_out_of_sight_and_is_watched_still_becomes_a_dead_letter() {
    let mut roster = roster();
    let sink = roster.add_sink(&owner(), at(0)).added;
    let job = registered(&mut roster, Ask { id: Some("x".to_owned()), ..Ask::default() });
    roster.ended(job, 1, Report::Returned("x".into()), at(0));
    let keys = roster.watch(&owner(), ["x"]).unwrap();
    roster.on_due(at(1_000));
    assert!(roster.failed(job, 1, "no", at(1_001)));
    roster.remove_sink(&owner(), sink);
    roster.unwatch(&keys, at(1_002));
    assert_eq!(roster.due_at(), Some(at(10_000)));
    roster.on_due(at(10_000));
    assert_eq!(roster.take_dead_letters(&owner()).len(), 1);
    assert_eq!(roster.totals().jobs, 0);
}

/// It said that it was promoted, and nobody was ever told.
#[test]
fn what_is_hidden_cannot_be_promoted_once_it_is_out_of_retention() {
    let mut roster = roster();
    let ask = Ask { foreground: true, timeout: Some(Millis::new(100)), ..Ask::default() };
    let job = registered(&mut roster, ask);
    for ms in [100, 600, 1_600] {
        roster.on_due(at(ms));
    }
    assert!(roster.is_alive(job) && roster.totals().orphans == 1);
    assert!(!roster.promote(job, at(1_700)));
    assert!(roster.ended(job, 1, Report::Dropped, at(1_800)));
    assert_eq!(roster.totals().jobs, 0);
}

#[test]
fn whoever_waits_for_a_slot_goes_before_whoever_comes() {
    let mut roster = roster();
    roster.set_slots(1, at(0));
    let first = registered(&mut roster, Ask::default());
    let waits = registered(&mut roster, Ask { queued: true, ..Ask::default() });
    assert_eq!(roster.mark_running(waits, 1, at(1)), Admission::Waits);
    assert_eq!(roster.mark_running(waits, 1, at(1)), Admission::Waits, "asking again is harmless");
    roster.ended(first, 1, Report::Dropped, at(2));
    assert!(roster.take_wants().contains(&Want::Admit(waits)));
    let refused = roster.register(&owner(), Ask::default(), at(3)).unwrap_err();
    assert_eq!(refused, Refused::AtCapacity { running: 1, slots: 1 });
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_goes_first() {
    let mut roster = roster();
    roster.set_slots(1_000, at(0));
    for _ in 0..=limits::DEAD_LETTERS_MAX {
        let job = registered(&mut roster, Ask::default());
        roster.ended(job, 1, Report::Returned("x".into()), at(0));
    }
    roster.take_wants();
    let later = at(0).plus(LONG);
    while roster.due_at().is_some_and(|due| due <= later) {
        roster.on_due(later);
    }
    let wants = roster.take_wants();
    let Some(Want::Dropped(oldest)) = wants.first() else { panic!("{wants:?}") };
    assert_eq!((wants.len(), oldest.news.delivery), (1, 1));
    assert_eq!(roster.dead_letters(&owner()).len(), limits::DEAD_LETTERS_MAX);
}
