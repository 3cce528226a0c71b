//! Jobs from submission to their end, and across restarts of the daemon.

use crate::daemon_support::{Place, eventually, job, outcome, submit, until};
use longhaul::daemon::Stream;
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use longhaul_core::job::CleanupState;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::spec::{Blob, Retry};
use longhaul_core::time::Millis;
use std::io::Read;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_ends_with_its_own_code_and_output() {
    let place = Place::new();
    let daemon = place.start();
    let id = submit(&daemon.ports, place.shell("echo out; echo err >&2; exit 3")).await;
    let ended = outcome(&daemon.ports, &id).await;
    assert_eq!((ended.kind, ended.exit_code), (Ending::Failed, Some(3)));
    let mut text = String::new();
    let out = daemon.ports.spools.open(&id, 1, Stream::Stdout).unwrap();
    out.unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\n");
    let job = job(&daemon.ports, &id).await;
    assert_eq!(daemon.ports.spools.sizes(&job), (4, 4));
    assert!(job.current().unwrap().pid.is_some());
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_fails_with_a_reason() {
    let place = Place::new();
    let daemon = place.start();
    let mut spec = place.shell("");
    spec.command = vec!["no-such-program-anywhere".to_owned()];
    let id = submit(&daemon.ports, spec).await;
    let ended = outcome(&daemon.ports, &id).await;
    assert_eq!((ended.kind, ended.reason), (Ending::Failed, Some(Reason::Spawn)));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_asked_and_then_killed() {
    let place = Place::new();
    let daemon = place.start();
    let mut spec = place.shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    spec.grace = Millis::new(200);
    let id = submit(&daemon.ports, spec).await;
    let job = until(&daemon.ports, &id, |job| job.state_name() == "running").await;
    let is_ready = || daemon.ports.spools.sizes(&job).0 > 0;
    tokio::task::block_in_place(|| eventually("it hears no TERM", is_ready));
    let reason = Some("enough".to_owned());
    let cancel = Command::Cancel { job: id.clone(), reason, by_force: false, tree: false };
    daemon.ports.engine.ask(cancel).await.unwrap();
    let ended = outcome(&daemon.ports, &id).await;
    assert_eq!((ended.kind, ended.message.as_deref()), (Ending::Cancelled, Some("enough")));
    assert_eq!(ended.signal, Some(9));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_its_daemon_and_the_next_one_knows_how_it_ended() {
    let place = Place::new();
    let gate = place.root.path().join("gate");
    let daemon = place.start();
    let script = format!("while ! test -e {}; do sleep 0.05; done; exit 7", gate.display());
    let id = submit(&daemon.ports, place.shell(&script)).await;
    until(&daemon.ports, &id, |job| job.state_name() == "running").await;
    daemon.finish().await.unwrap();
    std::fs::write(&gate, "").unwrap();
    let daemon = place.start();
    assert_eq!(outcome(&daemon.ports, &id).await.exit_code, Some(7));
    assert_eq!(job(&daemon.ports, &id).await.attempt, 1);
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_tried_again_and_the_last_attempt_counts() {
    let place = Place::new();
    let daemon = place.start();
    let mut spec = place.shell("test $LONGHAUL_ATTEMPT -eq 3");
    spec.retry = Retry { max: 5, delay: Millis::new(10), on: Vec::new() };
    let id = submit(&daemon.ports, spec).await;
    assert_eq!(outcome(&daemon.ports, &id).await.kind, Ending::Succeeded);
    assert_eq!(job(&daemon.ports, &id).await.attempt, 3);
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_stands_still_is_stopped_and_a_busy_one_is_not() {
    let place = Place::new();
    let daemon = place.start();
    let mut still = place.shell("sleep 60");
    still.stall = Some(Millis::from_secs(1));
    // Longer than its stall altogether, and each pause far shorter, also on a machine that is busy.
    let mut busy = place.shell("for i in $(seq 20); do echo $i; sleep 0.2; done");
    busy.stall = Some(Millis::from_secs(3));
    let still = submit(&daemon.ports, still).await;
    let busy = submit(&daemon.ports, busy).await;
    let ended = outcome(&daemon.ports, &still).await;
    assert_eq!((ended.kind, ended.reason), (Ending::TimedOut, Some(Reason::Stall)));
    assert_eq!(outcome(&daemon.ports, &busy).await.kind, Ending::Succeeded);
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_brought_along_is_erased_after_its_end() {
    let place = Place::new();
    let daemon = place.start();
    let id = submit(&daemon.ports, place.shell("echo $LONGHAUL_JOB_TOKEN; env >&2")).await;
    let job = until(&daemon.ports, &id, |job| job.cleanup.state == CleanupState::Done).await;
    assert!(job.outcome().unwrap().is_success());
    let folder = daemon.ports.home.attempt(&id, 1);
    let spec = std::fs::read_to_string(folder.join("spec.json")).unwrap();
    let token = std::fs::read_to_string(folder.join("out")).unwrap();
    assert!(daemon.ports.tokens.is_of(token.trim(), &id, 1));
    assert!(!spec.contains(token.trim()), "{spec}");
    daemon.ports.engine.ask(Command::Purge(id.clone())).await.unwrap();
    let gone = async {
        let mut watch = daemon.ports.journal.watch_job(&id);
        while crate::daemon_support::find(&daemon.ports, &id).await.unwrap().is_some() {
            watch.changed().await;
        }
    };
    tokio::time::timeout(crate::daemon_support::PATIENCE, gone).await.unwrap();
    assert!(!folder.exists());
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_moment_puts_commits_into_the_database_itself() {
    let place = Place::new();
    let daemon = place.start();
    let id = submit(&daemon.ports, place.shell("exit 0")).await;
    outcome(&daemon.ports, &id).await;
    let path = daemon.ports.home.db();
    let is_there = || {
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(id.as_str().len()).any(|at| at == id.as_str().as_bytes())
    };
    assert!(!is_there(), "a commit did it, and nothing is left to see");
    tokio::task::block_in_place(|| eventually("it lies in the database", is_there));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_large_files_are_read_hold_up_no_stop() {
    let place = Place::new();
    let daemon = place.start();
    let many = Command::SetPool { pool: "default".to_owned(), slots: Some(20), paused: None };
    daemon.ports.engine.ask(many).await.unwrap();
    let stubborn = submit(&daemon.ports, place.shell("sleep 600")).await;
    until(&daemon.ports, &stubborn, |job| job.state_name() == "running").await;
    std::fs::File::create(place.root.path().join("large")).unwrap().set_len(40 << 20).unwrap();
    let mut readers = Vec::new();
    // More than may act at once.
    for _ in 0..12 {
        let mut spec = place.shell("touch ran-$LONGHAUL_JOB_ID");
        spec.artifacts = vec!["large".to_owned()];
        readers.push(submit(&daemon.ports, spec).await);
    }
    let ran = |id: &JobId| place.root.path().join(format!("ran-{id}")).exists();
    tokio::task::block_in_place(|| eventually("all ran", || readers.iter().all(ran)));
    let cancel =
        Command::Cancel { job: stubborn.clone(), reason: None, by_force: true, tree: false };
    daemon.ports.engine.ask(cancel).await.unwrap();
    outcome(&daemon.ports, &stubborn).await;
    let mut unread = 0;
    for id in &readers {
        unread += u32::from(job(&daemon.ports, id).await.outcome().is_none());
    }
    assert!(unread > 0, "reading was over before the stop, which proves nothing");
    for id in &readers {
        assert_eq!(
            until(&daemon.ports, id, |job| job.outcome().is_some()).await.artifacts.len(),
            1
        );
    }
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_content_that_nobody_names_goes_after_its_grace() {
    let place = Place::new();
    let blobs = place.home().join("blobs");
    let daemon = place.start();
    let old = |name: &str| {
        let path = blobs.join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        path
    };
    let (unnamed, named) = (old(&"a".repeat(64)), old(&"b".repeat(64)));
    let (draft, foreign) = (old("draft.job_x"), old("README"));
    let young = blobs.join("c".repeat(64));
    std::fs::write(&young, "").unwrap();
    let mut spec = place.shell("cat");
    spec.stdin = Some(Blob { sha256: "b".repeat(64), size: 0 });
    let id = submit(&daemon.ports, spec).await;
    let is_swept = || !unnamed.exists() && !draft.exists();
    tokio::task::block_in_place(|| eventually("old content goes", is_swept));
    assert!(named.exists() && young.exists() && foreign.exists());
    assert_eq!(outcome(&daemon.ports, &id).await.kind, Ending::Succeeded);
    daemon.finish().await.unwrap();
}
