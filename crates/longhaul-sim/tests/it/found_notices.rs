//! What lives have found in notices, each as small as it gets, so that it stays found.

use crate::found::{Hands, ask, host, id};
use longhaul_core::command::{Command, Deliver};
use longhaul_core::delivery::{Delivery, Destination};
use longhaul_core::id::DeliveryId;
use longhaul_core::limits;
use longhaul_core::port::{Record, Store, Table};
use longhaul_core::sink::SinkKind;

fn to_hook(number: u32) -> DeliveryId {
    DeliveryId::of(&id(number), &Destination::Sink("hook".to_owned()).place())
}

fn find(hands: &Hands, delivery: &DeliveryId) -> Option<Delivery> {
    let mut reader = hands.store.reader().expect("memory");
    let row = reader.load(Table::Delivery, delivery.as_str()).expect("memory");
    row.map(|row| Delivery::from_row(&row).expect("core wrote it"))
}

/// A job that has ended and whose end the sink `hook` is to be told.
fn ended() -> Hands {
    let mut hands = Hands::new();
    let kind = SinkKind::Desktop;
    hands.put(vec![Command::AddSink { sink: "hook".to_owned(), kind, replace: false }]);
    let told = |job: &mut longhaul_core::command::Submission| {
        job.spec.notify = vec!["hook".to_owned()];
        job.owner = Some("ann".to_owned());
    };
    hands.put(vec![Command::Submit(vec![ask(1, told)])]);
    hands.finish(&id(1));
    hands
}

/// A batch settled the notices of the job that one of its jobs repeats, and was refused for another:
/// what is settled cannot be undone in the transaction, so that the whole step failed.
#[test]
fn a_refused_batch_that_repeats_a_job_leaves_its_notices_owed() {
    let mut hands = ended();
    let batch = vec![
        ask(2, |job| job.retry_of = Some(id(1))),
        // The lane makes the batch be written where a scan can see it; the last is refused.
        ask(3, |job| job.spec.lane = Some("lane".to_owned())),
        ask(4, |job| job.spec.command.clear()),
    ];
    let step = hands.put(vec![Command::Submit(batch)]);
    assert!(step.replies[0].is_err());
    assert!(find(&hands, &to_hook(1)).is_some_and(|found| found.is_open()));
    let step = hands.put(vec![Command::Submit(vec![ask(2, |job| job.retry_of = Some(id(1)))])]);
    assert!(step.replies[0].is_ok());
    assert!(find(&hands, &to_hook(1)).is_some_and(|found| !found.is_open()));
}

/// A dead notice was owed again although its job was on its way out, and went with it untold.
#[test]
fn nothing_is_owed_again_of_a_job_that_is_being_removed() {
    let mut hands = ended();
    let failed = Command::DeliveryFailed {
        delivery: to_hook(1),
        number: 1,
        answer: "410".to_owned(),
        again_after: None,
        is_final: true,
    };
    hands.put(vec![failed, Command::AcknowledgeAll { owner: "ann".to_owned() }]);
    assert!(hands.put(vec![Command::Purge(id(1))]).replies[0].is_ok());
    let step = hands.put(vec![Command::Redeliver(to_hook(1))]);
    assert_eq!(step.replies[0].as_ref().map_err(|refused| refused.code()), Err("not_found"));
    assert_eq!(step.deliver, []);
    assert!(hands.put(vec![Command::Purged { job: id(1), failure: None }]).replies[0].is_ok());
    assert_eq!(find(&hands, &to_hook(1)), None);
}

/// What a host had claimed that never came back was claimed for ever.
#[test]
fn a_claim_runs_out_although_its_host_never_comes_back() {
    let mut hands = ended();
    assert_eq!(find(&hands, &to_hook(1)).map(|found| found.tries), Some(1));
    hands.place.host = host(2);
    hands.now = hands.now.plus(limits::CLAIM_MAX);
    let step = hands.put(Vec::new());
    assert_eq!(find(&hands, &to_hook(1)).map(|found| found.lapses), Some(1));
    hands.now = step.next_due.expect("it is tried again");
    let step = hands.put(Vec::new());
    assert_eq!(step.deliver, [Deliver { delivery: to_hook(1), number: 2 }]);
}
