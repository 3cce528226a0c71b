//! Retention by number, with more jobs than a script can name.

use longhaul_core::command::{Command, Exit, How, Place, Retention, Submission, Want};
use longhaul_core::engine::Engine;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::limits;
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_store::MemoryStore;
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn id(number: u32) -> JobId {
    JobId::parse(&format!("job_{number:026}")).expect("26 digits")
}

fn submission(number: u32) -> Submission {
    Submission {
        id: id(number),
        spec: JobSpec::new(vec!["true".into()], "/".into()),
        environment: Environment(BTreeMap::new()),
        key: None,
        owner: None,
        project: None,
        parent: None,
        retry_of: None,
        session: None,
    }
}

fn exited(number: u32) -> Command {
    let exit = Exit::bare(How::Exited(0), None, NOW);
    Command::Exited { job: id(number), attempt: 1, exit }
}

#[test]
fn jobs_that_cannot_go_do_not_keep_the_others_here() {
    let stuck = limits::STEP_PURGE_MAX * 2 + 1;
    let keep = Millis::from_secs(100);
    let retention =
        Retention { keep, keep_failed: keep, jobs_max: u64::from(stuck), bytes_max: 1 << 40 };
    let host = HostId::parse("host_00000000000000000000000001").unwrap();
    let place = Place {
        host,
        boot: "boot1".into(),
        default_slots: stuck + 2,
        retention,
        adopt_after: None,
    };
    let (engine, mut store) = (Engine::new(place), MemoryStore::new());
    let mut step = |batch: Vec<Command>, now| engine.step(&mut store, batch, now).unwrap();
    step(vec![Command::HostUp { name: "here".into() }], NOW);
    step(vec![Command::Submit((1..=stuck + 2).map(submission).collect())], NOW);
    // What the oldest left is still owed.
    step((1..=stuck).map(exited).collect(), NOW);
    let later = NOW.plus(Millis::new(1));
    step(vec![exited(stuck + 1), exited(stuck + 2)], later);
    let cleaned = |number| Command::Cleaned { job: id(number), failure: None };
    step(vec![cleaned(stuck + 1), cleaned(stuck + 2)], later);
    let (step, more) = engine.retain(&mut store, later).unwrap();
    assert_eq!(step.wants, [Want::Purge(id(stuck + 1), 1), Want::Purge(id(stuck + 2), 1)]);
    assert!(!more);
    // Those two are on their way: nothing else goes for them.
    let (step, more) = engine.retain(&mut store, later).unwrap();
    assert_eq!((step.wants, more), (Vec::new(), false));
}
