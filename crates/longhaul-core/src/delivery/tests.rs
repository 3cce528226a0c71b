use super::*;
use crate::command::Submission;
use crate::job::Job;
use crate::port::Record;
use crate::spec::{Environment, JobSpec};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn job() -> Job {
    let id = JobId::parse("job_01JD0000000000000000000000").unwrap();
    let submission = Submission {
        id,
        spec: JobSpec::new(vec!["true".to_owned()], "/w".to_owned()),
        environment: Environment(std::collections::BTreeMap::new()),
        key: None,
        owner: Some("ann".to_owned()),
        project: Some("/w".to_owned()),
        parent: None,
        retry_of: None,
        session: None,
    };
    Job::new(submission, 7, 0, false, NOW)
}

fn to_sink() -> Delivery {
    Delivery::new(&job(), Destination::Sink("hook".to_owned()), 8, NOW)
}

fn to_owner() -> Delivery {
    Delivery::new(&job(), Destination::Inbox, 8, NOW)
}

fn courier() -> Claimant {
    Claimant::Courier(HostId::parse("host_01JD0000000000000000000000").unwrap())
}

fn presence() -> Claimant {
    Claimant::Presence {
        id: PresenceId::parse("prs_01JD0000000000000000000000").unwrap(),
        owner: "ann".to_owned(),
        host: HostId::parse("host_01JD0000000000000000000000").unwrap(),
    }
}

fn later(secs: u64) -> Timestamp {
    NOW.plus(Millis::from_secs(secs))
}

#[test]
fn is_wanted_by_the_host_that_claimed_it_and_by_no_other() {
    let mut delivery = to_sink();
    delivery.claim(courier(), NOW);
    let here = HostId::parse("host_01JD0000000000000000000000").unwrap();
    let there = HostId::parse("host_01JD0000000000000000000001").unwrap();
    let wanted = Deliver { delivery: delivery.id.clone(), number: 1 };
    assert_eq!(delivery.wants(&here), Some(wanted));
    assert_eq!(delivery.wants(&there), None);
    let mut taken = to_owner();
    taken.claim(presence(), NOW);
    assert_eq!(taken.wants(&here), None);
}

#[test]
fn an_answer_settles_it_once() {
    let mut delivery = to_sink();
    delivery.claim(courier(), NOW);
    delivery.delivered(1, "200 OK", later(1)).unwrap();
    assert_eq!((delivery.phase(), delivery.due_at()), (Phase::Ended, None));
    let settled = delivery.clone();
    assert!(delivery.delivered(1, "200 OK", later(2)).is_err());
    assert!(delivery.failed(1, "500", None, false, later(2)).is_err());
    assert_eq!(delivery.settle("ann", Settled::Acked, later(2)), Err(Refused::Repeat));
    assert_eq!(delivery, settled);
}

#[test]
fn what_an_earlier_try_reports_is_stale() {
    let mut delivery = to_sink();
    delivery.claim(courier(), NOW);
    delivery.on_due(later(60));
    assert_eq!((delivery.lapses, delivery.failures), (1, 0));
    delivery.on_due(later(70));
    delivery.claim(courier(), later(70));
    let before = delivery.clone();
    assert_eq!(
        delivery.delivered(1, "200 OK", later(71)),
        Err(Refused::StaleDelivery(before.id.clone()))
    );
    assert_eq!(delivery, before);
    delivery.delivered(2, "200 OK", later(71)).unwrap();
}

#[test]
fn tries_back_off_and_end_as_a_dead_letter_that_can_be_sent_again() {
    let mut delivery = to_sink();
    let mut now = NOW;
    for number in 1..=limits::DELIVERY_TRIES_MAX {
        delivery.on_due(now);
        delivery.claim(courier(), now);
        match delivery.failed(number, "503", None, false, now).unwrap() {
            AfterTry::Again(at) => {
                let pause = at.since(now);
                let whole = 1_000_u64.saturating_mul(1 << (number - 1)).min(3_600_000);
                assert!(pause.get() <= whole && pause.get() >= whole * 3 / 4, "{number}: {pause}");
                now = at;
            }
            AfterTry::Dead => assert_eq!(number, limits::DELIVERY_TRIES_MAX),
        }
    }
    assert_eq!(delivery.state_name(), "dead");
    assert_eq!(delivery.receipts.len(), limits::RECEIPTS_MAX);
    delivery.redeliver(now).unwrap();
    assert_eq!((delivery.phase(), delivery.failures), (Phase::Ready, 0));
    assert!(matches!(delivery.redeliver(now), Err(Refused::NotDead { .. })));
}

#[test]
fn a_try_that_nobody_heard_of_again_uses_none_up() {
    let (mut delivery, mut now) = (to_sink(), NOW);
    for _ in 0..limits::DELIVERY_TRIES_MAX * 2 {
        delivery.claim(courier(), now);
        for _ in 0..2 {
            now = delivery.due_at().expect("a claim ends, and so does the pause after it");
            delivery.on_due(now);
        }
    }
    assert_eq!((delivery.failures, delivery.phase()), (0, Phase::Ready));
    delivery.claim(courier(), now);
    delivery.delivered(delivery.tries, "ok", now).unwrap();
    assert_eq!(delivery.state_name(), "acked");
}

#[test]
fn a_receiver_may_put_off_and_may_refuse_for_good() {
    let mut delivery = to_sink();
    delivery.claim(courier(), NOW);
    let hour = Millis::from_secs(3_600);
    let after = delivery.failed(1, "429", Some(hour), false, NOW).unwrap();
    assert_eq!(after, AfterTry::Again(NOW.plus(hour)));
    delivery.on_due(NOW.plus(hour));
    delivery.claim(courier(), NOW.plus(hour));
    assert_eq!(delivery.failed(2, "410", None, true, NOW.plus(hour)), Ok(AfterTry::Dead));
}

#[test]
fn what_fails_when_it_is_old_is_dead() {
    let mut delivery = to_sink();
    let mut now = NOW.plus(limits::DELIVERY_AGE_MAX).plus(Millis::new(1));
    for number in 1..limits::DELIVERY_AGED_TRIES_MIN {
        delivery.claim(courier(), now);
        // The machine may have slept all the time: one that was never tried is not given up.
        let after = delivery.failed(number, "no route", None, false, now).unwrap();
        let AfterTry::Again(at) = after else { panic!("given up after {number}") };
        now = at;
        delivery.on_due(now);
    }
    delivery.claim(courier(), now);
    let last = delivery.failed(limits::DELIVERY_AGED_TRIES_MIN, "no route", None, false, now);
    assert_eq!(last, Ok(AfterTry::Dead));
}

#[test]
fn what_is_handed_over_waits_for_its_acknowledgement() {
    let mut delivery = to_owner();
    delivery.claim(presence(), NOW);
    delivery.sent(1, NOW).unwrap();
    assert_eq!(delivery.sent(1, NOW), Err(Refused::Repeat));
    assert_eq!(delivery.due_at(), Some(NOW.plus(limits::INBOX_ACK_MAX)));
    let mut lapsed = delivery.clone();
    lapsed.on_due(NOW.plus(limits::INBOX_ACK_MAX));
    assert_eq!(lapsed.state_name(), "pending");
    delivery.release(later(5));
    assert_eq!((delivery.phase(), delivery.tries), (Phase::Ready, 1));
    delivery.settle("ann", Settled::Waited, later(6)).unwrap();
    assert_eq!(delivery.state_name(), "acked");
}

#[test]
fn an_owner_that_never_comes_leaves_a_dead_letter() {
    let mut delivery = to_owner();
    let at = NOW.plus(limits::INBOX_AGE_MAX);
    assert_eq!(delivery.due_at(), Some(at));
    delivery.on_due(at.minus(Millis::new(1)));
    assert!(delivery.is_open());
    delivery.on_due(at);
    assert_eq!(delivery.state_name(), "dead");
    // A sink is told by us: it never dies of not being asked.
    assert_eq!(to_sink().due_at(), None);
}

#[test]
fn a_sleep_of_the_machine_is_no_silence() {
    let mut delivery = to_sink();
    delivery.claim(courier(), NOW);
    delivery.woke(Millis::from_secs(86_400));
    delivery.on_due(later(86_400));
    assert_eq!(delivery.state_name(), "claimed");
}

#[test]
fn it_is_stored_as_it_is() {
    let mut delivery = to_owner();
    delivery.claim(presence(), NOW);
    let row = delivery.to_row();
    assert_eq!(row.lane.as_deref(), Some("inbox|ann"));
    assert_eq!(row.pool.as_deref(), Some("project:/w"));
    assert_eq!(Delivery::from_row(&row), Ok(delivery));
}
