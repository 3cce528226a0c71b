//! Inboxes on a disk that is full: what cannot be recorded is said so or told again, never lost. Only
//! where the gate says that mounting is possible.

use crate::bad_notices_support::{owed, until};
use crate::daemon_support::{PATIENCE, outcome, submission};
use crate::full_disk::SmallHome;
use crate::harness::{Home, Ran, eventually};
use crate::inbox::{Follower, waiting};
use crate::sinks_full_disk::{Small, until_refused};
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use longhaul::daemon::Ports;
use longhaul::serve::router;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delivery::Delivery;
use longhaul_core::id::{DeliveryId, JobId};
use longhaul_core::port::{Record, Table};
use std::collections::BTreeMap;
use tower::ServiceExt;

#[test]
fn an_inbox_on_a_full_disk_is_read_and_is_emptied_when_there_is_room() {
    let small = SmallHome::new();
    let home = &small.home;
    let mut owners = BTreeMap::new();
    for number in 0..8 {
        let owner = format!("owner {number}");
        let job = home.submit(&["--owner", &owner, "--", "true"]);
        home.until(&job, "ended");
        owners.insert(owner, job);
    }
    let present = Follower::start(home, "present", &["--owner", "you"]);
    let yours = home.submit(&["--owner", "you", "--", "true"]);
    eventually("the other is present", || present.jobs() == [yours.clone()]);
    small.fill();
    let (me, job, refused) =
        first_refused(home, &owners).expect("a full disk refuses sooner or later");
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.text().contains("disk_full"), "{refused:?}");
    assert_eq!(waiting(home, me), [job.as_str()]);
    small.make_room();
    let follower = Follower::start(home, "follower", &["--owner", me, "--ack-all"]);
    eventually("it is told", || follower.jobs() == [job.clone()]);
    until(home, job, "inbox", "acked");
    // Who was present all along is so still.
    let next = home.submit(&["--owner", "you", "--", "true"]);
    eventually("the next is told", || present.jobs() == [yours.clone(), next.clone()]);
    assert_eq!(owed(home, &next, "inbox")["try"], 1);
}

/// The first of the owners whose acknowledgement cannot be recorded, and the answer. Small writes find
/// room in what earlier ones left, after quiet moments again: what was recorded must have happened.
fn first_refused<'a>(
    home: &Home,
    owners: &'a BTreeMap<String, String>,
) -> Option<(&'a str, &'a String, Ran)> {
    owners.iter().find_map(|(owner, job)| {
        eventually("nothing can be recorded any more", || {
            home.run(&["pool", "set", &"p".repeat(200), "--slots", "1"]).code != 0
                || home.run(&["pool", "set", &"p".repeat(200), "--slots", "2"]).code != 0
        });
        let answer = home.run(&["--json", "inbox", "--owner", owner, "--ack-all"]);
        if answer.code != 0 {
            return Some((owner.as_str(), job, answer));
        }
        assert_eq!(waiting(home, owner), [""; 0], "it was said to be acknowledged");
        None
    })
}

async fn state(ports: &Ports, job: &JobId) -> (&'static str, u32) {
    let id = DeliveryId::of(job, "inbox");
    let read = ports.readers.read(move |reader| {
        let row = reader.load(Table::Delivery, id.as_str())?.expect("it is owed with the end");
        Ok(Delivery::from_row(&row)?)
    });
    let delivery = read.await.unwrap();
    (delivery.state_name(), delivery.tries)
}

/// The next piece that a follower is sent.
async fn piece(stream: &mut BodyDataStream) -> String {
    let piece = tokio::time::timeout(PATIENCE, stream.next()).await.expect("something comes");
    String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_whose_handing_over_found_no_room_is_still_its_followers_to_acknowledge() {
    let small = Small::new();
    let daemon = small.place.start();
    let ports = &daemon.ports;
    let mut ask = submission(small.place.shell("true"));
    ask.owner = Some("me".to_owned());
    let job = ask.id.clone();
    ports.engine.ask(Command::Submit(vec![ask])).await.unwrap();
    outcome(ports, &job).await;
    let request = Request::get("/v1/inbox/follow?owner=me").body(Body::empty()).unwrap();
    let answer = router(ports.clone()).oneshot(request).await.unwrap();
    let mut stream = answer.into_body().into_data_stream();
    assert_eq!(piece(&mut stream).await, ":\n\n");
    let wake = piece(&mut stream).await;
    assert!(wake.contains(job.as_str()), "{wake}");
    small.fill();
    until_refused(ports).await;
    // Asked for more, it says that it handed over what was there, and that finds no room.
    let more = tokio::spawn(async move {
        let ended = tokio::time::timeout(PATIENCE, stream.next()).await;
        (ended, stream)
    });
    until_refused(ports).await;
    assert_eq!(state(ports, &job).await, ("claimed", 1));
    std::fs::remove_file(small.ballast()).unwrap();
    let deliveries = vec![DeliveryId::of(&job, "inbox")];
    let acked = Command::Acknowledge { owner: "me".to_owned(), deliveries };
    assert_eq!(ports.engine.ask(acked).await.unwrap(), Reply::Settled(1));
    assert_eq!(state(ports, &job).await, ("acked", 1));
    more.abort();
    daemon.finish().await.unwrap();
}
