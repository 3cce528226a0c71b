//! What lives have found in core, each as small as it gets, so that it stays found.

use longhaul_core::command::{Command, Exit, How, Place, Retention, Submission};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::id::{HostId, JobId};
use longhaul_core::port::{Position, Store, Table};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_store::MemoryStore;
use std::collections::BTreeMap;

/// An engine over a memory store, with the hands of a person.
pub(crate) struct Hands {
    pub(crate) store: MemoryStore,
    pub(crate) place: Place,
    pub(crate) now: Timestamp,
}

impl Hands {
    pub(crate) fn new() -> Self {
        let retention = Retention {
            keep: Millis::from_secs(1_000),
            keep_failed: Millis::from_secs(1_000),
            jobs_max: 1,
            bytes_max: u64::MAX,
        };
        let place = Place {
            host: host(1),
            boot: "boot".to_owned(),
            default_slots: 4,
            retention,
            adopt_after: None,
        };
        let now = Timestamp::from_millis(1_000_000);
        let mut hands = Self { store: MemoryStore::new(), place, now };
        hands.put(vec![Command::HostUp { name: "here".to_owned() }]);
        hands
    }

    pub(crate) fn put(&mut self, batch: Vec<Command>) -> Step {
        let engine = Engine::new(self.place.clone());
        engine.step(&mut self.store, batch, self.now).expect("memory does not fail")
    }

    /// Lets a job run and end well.
    pub(crate) fn end(&mut self, id: &JobId) {
        let exit = Exit::bare(How::Exited(0), None, self.now);
        self.put(vec![Command::Exited { job: id.clone(), attempt: 1, exit }]);
    }

    /// Lets a job run and end well, and be cleaned.
    pub(crate) fn finish(&mut self, id: &JobId) {
        self.end(id);
        self.put(vec![Command::Cleaned { job: id.clone(), failure: None }]);
    }

    fn phase_of(&self, id: &JobId) -> Option<&'static str> {
        let row = self.store.reader().expect("memory").load(Table::Job, id.as_str());
        row.expect("memory").map(|row| row.phase.name())
    }
}

pub(crate) fn host(number: u32) -> HostId {
    HostId::parse(&format!("host_{number:026}")).expect("digits")
}

pub(crate) fn id(number: u32) -> JobId {
    JobId::parse(&format!("job_{number:026}")).expect("digits")
}

pub(crate) fn ask(number: u32, dress: impl FnOnce(&mut Submission)) -> Submission {
    let mut submission = Submission {
        id: id(number),
        spec: JobSpec::new(vec!["true".to_owned()], "/".to_owned()),
        environment: Environment(BTreeMap::new()),
        key: None,
        owner: None,
        project: None,
        parent: None,
        retry_of: None,
        session: None,
    };
    dress(&mut submission);
    submission
}

pub(crate) fn submit(number: u32) -> Command {
    Command::Submit(vec![ask(number, |_| ())])
}

pub(crate) fn cancel(number: u32, tree: bool) -> Command {
    Command::Cancel { job: id(number), reason: None, by_force: false, tree }
}

/// Retention counted jobs that were on their way out already as kept, and took others for them each
/// time it looked before they were gone.
#[test]
fn retention_does_not_take_a_second_job_while_the_first_is_on_its_way() {
    let mut hands = Hands::new();
    for number in 1..=3 {
        hands.put(vec![submit(number)]);
        hands.finish(&id(number));
    }
    let engine = Engine::new(hands.place.clone());
    let (first, _) = engine.retain(&mut hands.store, hands.now).expect("memory");
    assert_eq!(first.wants.len(), 2, "three are kept, and one may be");
    let (second, _) = engine.retain(&mut hands.store, hands.now).expect("memory");
    assert_eq!(second.wants, [], "nothing is left to be taken");
}

/// "It waits for that one" outlived the job that waited. Submitted once more under its id after it
/// had been removed, the job did not wait at all.
#[test]
fn a_job_that_ends_while_it_waits_leaves_no_waiting_behind() {
    let mut hands = Hands::new();
    let waiting = || Command::Submit(vec![ask(2, |job| job.spec.after = vec![id(1)])]);
    hands.put(vec![submit(1)]);
    hands.put(vec![waiting()]);
    hands.put(vec![cancel(2, false), Command::Purge(id(2))]);
    hands.put(vec![Command::Purged { job: id(2), failure: None }]);
    assert_eq!(hands.phase_of(&id(2)), None);
    hands.put(vec![waiting()]);
    assert_eq!(hands.phase_of(&id(2)), Some("blocked"));
}

/// A refused batch stayed in the transaction where a scan had written it, so that its key was taken
/// for the rest of the step, by a job that did not exist.
#[test]
fn the_key_of_a_refused_batch_is_free_for_the_next_command() {
    let mut hands = Hands::new();
    let keyed = |number, lane: Option<&str>| {
        ask(number, |job| {
            job.key = Some("key".to_owned());
            job.spec.lane = lane.map(str::to_owned);
        })
    };
    // The second job of the batch makes the lane be scanned; the third is refused.
    let refused = vec![
        keyed(5, None),
        ask(6, |job| job.spec.lane = Some("lane".to_owned())),
        ask(7, |job| job.spec.command.clear()),
    ];
    let step = hands.put(vec![Command::Submit(refused), Command::Submit(vec![keyed(4, None)])]);
    assert!(step.replies[0].is_err());
    assert!(step.replies[1].is_ok(), "{:?}", step.replies[1]);
    assert_eq!(hands.phase_of(&id(5)), None);
    assert_eq!(hands.phase_of(&id(4)), Some("active"));
}

/// An entry that was made about a job in the step that removed it was written after its others had
/// been removed: it stayed for ever, and its number would collide with a later job of that id.
#[test]
fn no_entry_outlives_the_job_that_its_step_removes() {
    let mut hands = Hands::new();
    hands.put(vec![submit(1)]);
    hands.finish(&id(1));
    hands.put(vec![Command::Purge(id(1))]);
    hands.put(vec![
        Command::Purged { job: id(1), failure: Some("busy".to_owned()) },
        submit(2),
        Command::Purged { job: id(1), failure: None },
        submit(3),
    ]);
    let mut reader = hands.store.reader().expect("memory");
    let left = reader.events(Some(id(1).as_str()), Position(0), 100).expect("memory");
    assert_eq!(left, []);
    let step = hands.put(vec![submit(4)]);
    assert!(step.replies[0].is_ok(), "admission order still grows");
}

/// A key was taken until the end of the step that removed its job.
#[test]
fn the_key_of_a_removed_job_is_free_at_once() {
    let mut hands = Hands::new();
    let keyed = |number| Command::Submit(vec![ask(number, |job| job.key = Some("k".to_owned()))]);
    hands.put(vec![keyed(9)]);
    hands.finish(&id(9));
    hands.put(vec![Command::Purge(id(9))]);
    let purged = Command::Purged { job: id(9), failure: None };
    let step = hands.put(vec![purged, keyed(8)]);
    assert!(step.replies[1].is_ok(), "{:?}", step.replies[1]);
}

/// A tree in which a job is its own parent was walked for ever.
#[test]
fn cancelling_a_tree_that_bites_its_tail_comes_to_an_end() {
    let mut hands = Hands::new();
    hands.put(vec![Command::Submit(vec![ask(1, |job| job.parent = Some(id(2)))])]);
    hands.put(vec![Command::Submit(vec![ask(2, |job| job.parent = Some(id(1)))])]);
    let step = hands.put(vec![cancel(1, true)]);
    assert_eq!(step.wants.len(), 2, "both are stopped, each once");
}

/// The host that was asked to cancel another host's job told its own drivers to conclude the
/// attempt: they find no folder, and report a process lost that is alive.
#[test]
fn a_host_wants_nothing_of_another_hosts_attempt() {
    let mut hands = Hands::new();
    hands.put(vec![submit(1)]);
    hands.place.host = host(2);
    hands.place.boot = "another".to_owned();
    let step = hands.put(vec![cancel(1, false)]);
    assert!(step.replies[0].is_ok());
    assert_eq!(step.wants, []);
}

/// Giving up was told again with each failure after it.
#[test]
fn giving_up_a_cleanup_is_told_once() {
    let mut hands = Hands::new();
    hands.put(vec![submit(1)]);
    hands.finish(&id(1));
    let mut stuck = 0;
    for _ in 0..2 {
        hands.put(vec![Command::Purge(id(1))]);
        for _ in 0..20 {
            let failure = Some("busy".to_owned());
            hands.put(vec![Command::Purged { job: id(1), failure }]);
            hands.now = hands.now.plus(Millis::from_secs(700));
            hands.put(Vec::new());
        }
    }
    let mut reader = hands.store.reader().expect("memory");
    for event in reader.events(Some(id(1).as_str()), Position(0), 1_000).expect("memory") {
        stuck += u32::from(event.body.contains("cleanup_stuck"));
    }
    assert_eq!(stuck, 1);
}
