//! The client beside real daemons: started by it, killed under it, shared by many.

use crate::daemon_support::{PATIENCE, Place, eventually};
use longhaul::api::{OutcomeKind, Spec};
use longhaul::client::{Client, ClientError, ErrorKind, Options, OutputAsk, OutputPiece, Target};
use longhaul::home::Home;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

async fn connect(place: &Place, autostart: bool) -> Result<Client, ClientError> {
    connect_from(place, autostart, PathBuf::from(env!("CARGO_BIN_EXE_longhaul"))).await
}

async fn connect_from(
    place: &Place,
    autostart: bool,
    program: PathBuf,
) -> Result<Client, ClientError> {
    let target = Target::Home(Home::open(&place.home()).unwrap());
    Client::connect_from(Options { target, token: None, autostart }, program).await
}

/// A program in the daemon's place; in it `$daemon` is the real one and the place the folder.
fn instead(place: &Place, script: &str) -> PathBuf {
    let path = place.root.path().join("instead");
    let daemon = env!("CARGO_BIN_EXE_longhaul");
    let folder = place.root.path().display();
    let script = format!("#!/bin/sh\ndaemon={daemon}\nfolder={folder}\ncd $folder\n{script}\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

async fn started(place: &Place) -> Client {
    connect(place, true).await.unwrap()
}

fn shell(place: &Place, script: &str) -> Spec {
    Spec {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        cwd: Some(place.root.path().to_str().unwrap().to_owned()),
        ..Spec::default()
    }
}

async fn kill_daemon(client: &Client) -> u32 {
    let pid = client.status().await.unwrap().pid;
    let process = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    pid
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_start_one_daemon() {
    let place = std::sync::Arc::new(Place::new());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let place = std::sync::Arc::clone(&place);
        clients.spawn(async move { started(&place).await.status().await.unwrap() });
    }
    let statuses = tokio::time::timeout(PATIENCE, clients.join_all()).await.unwrap();
    let pids: std::collections::BTreeSet<u32> = statuses.iter().map(|status| status.pid).collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
    started(&place).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_daemon_killed_under_a_follower_goes_unnoticed() {
    let place = Place::new();
    let client = started(&place).await;
    let gate = place.root.path().join("gate");
    let script = format!(
        "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; \
         while ! test -e {}; do sleep 0.02; done; echo last; exit 4",
        gate.display()
    );
    let job = client.submit(shell(&place, &script)).await.unwrap().job.id;
    let mut output = client.output(OutputAsk {
        job: job.clone(),
        follow: true,
        stdout: Some(0),
        ..OutputAsk::default()
    });
    let mut text = String::new();
    let mut killed = None;
    let following = async {
        loop {
            match output.next().await.unwrap() {
                Some(OutputPiece::Stdout(bytes)) => text += std::str::from_utf8(&bytes).unwrap(),
                Some(OutputPiece::Attempt(number)) => assert_eq!(number, 1),
                Some(OutputPiece::Stderr(_)) => panic!("nobody asked for it"),
                Some(OutputPiece::End(job)) => return job,
                None => panic!("it ends with `End`"),
            }
            if killed.is_none() && text.contains("line 199\n") {
                killed = Some(kill_daemon(&client).await);
                std::fs::write(&gate, "").unwrap();
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, following).await.unwrap();
    assert_eq!(ended.outcome.unwrap().exit_code, Some(4));
    let expected: String = (0..200).map(|i| format!("line {i}\n")).collect();
    assert_eq!(text, expected + "last\n");
    assert_ne!(client.status().await.unwrap().pid, killed.unwrap());
    client.stop().await.unwrap();
}

#[tokio::test]
async fn waiting_goes_on_over_a_killed_daemon_and_runs_out_when_told() {
    let place = Place::new();
    let client = started(&place).await;
    let gate = place.root.path().join("gate");
    let script = format!("while ! test -e {}; do sleep 0.02; done", gate.display());
    let job = client.submit(shell(&place, &script)).await.unwrap().job.id;
    let early = client.wait(&job, Some(Duration::from_millis(30))).await.unwrap();
    assert!(!early.is_ended);
    let other = started(&place).await;
    let interrupt = async {
        kill_daemon(&other).await;
        std::fs::write(&gate, "").unwrap();
    };
    let waiting = async { tokio::join!(client.wait(&job, None), interrupt).0 };
    let waited = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(waited.job.outcome.unwrap().kind, OutcomeKind::Succeeded);
    client.stop().await.unwrap();
}

#[tokio::test]
async fn without_autostart_there_is_a_reason_and_a_hint() {
    let place = Place::new();
    let error = connect(&place, false).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "not_running"));
    assert!(error.hint.unwrap().contains("longhaul daemon start"));
}

#[tokio::test]
async fn a_daemon_that_does_not_come_up_says_why() {
    let place = Place::new();
    Home::open(&place.home()).unwrap();
    std::fs::write(place.home().join("config.toml"), "slotz = 3\n").unwrap();
    let error = tokio::time::timeout(PATIENCE, connect(&place, true)).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "bad_config"));
    assert!(error.message.contains("slotz"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_another_daemon_is_about_to_leave_is_waited_for() {
    let place = std::sync::Arc::new(Place::new());
    let program = instead(
        &place,
        "touch asked; while [ -d $folder ] && ! [ -e taken ]; do sleep 0.02; done
         $daemon \"$@\"; code=$?; touch refused; exit $code",
    );
    let there = std::sync::Arc::clone(&place);
    let client = tokio::spawn(async move { connect_from(&there, true, program).await });
    let is_there = |name: &str| place.root.path().join(name).exists();
    eventually("a daemon is started", || is_there("asked"));
    // Only now, so that ours is refused the home and says that a daemon is already running.
    let lock = std::fs::File::create(place.home().join("lock")).unwrap();
    lock.try_lock().unwrap();
    std::fs::write(place.root.path().join("taken"), "").unwrap();
    eventually("it is refused", || is_there("refused"));
    drop(lock);
    let client = tokio::time::timeout(PATIENCE, client).await.unwrap().unwrap().unwrap();
    client.stop().await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_is_gone_before_anybody_connects_is_started_again() {
    let place = Place::new();
    let program = instead(&place, "mkdir up && echo ready && exit; exec $daemon \"$@\"");
    let connecting = connect_from(&place, true, program);
    let client = tokio::time::timeout(PATIENCE, connecting).await.unwrap().unwrap();
    assert!(place.root.path().join("up").exists());
    client.stop().await.unwrap();
}

#[tokio::test]
async fn daemons_that_never_stay_are_not_started_for_ever() {
    let place = Place::new();
    let program = instead(&place, "echo ready");
    let connecting = connect_from(&place, true, program);
    let error = tokio::time::timeout(PATIENCE, connecting).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "start_failed"));
    assert!(error.message.contains("gone at once"), "{}", error.message);
}

#[tokio::test]
async fn a_home_whose_holder_lets_nobody_in_is_refused_with_its_process() {
    let place = Place::new();
    let mut daemon = place.start();
    daemon.keep_private().unwrap();
    let error = tokio::time::timeout(PATIENCE, connect(&place, true)).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "already_running"));
    assert!(error.message.contains(&std::process::id().to_string()), "{}", error.message);
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_on_its_way_in_is_stopped_all_the_same() {
    let place = Place::new();
    let daemon = place.start();
    let command = |word| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_longhaul"));
        command.args(["--json", "daemon", word]).env("LONGHAUL_HOME", place.home());
        command.stdout(Stdio::piped());
        command
    };
    let stop = command("stop").spawn().unwrap();
    // It takes as long as the other one needs to see that nobody lets it in.
    assert_eq!(command("status").status().unwrap().code(), Some(4));
    let server = daemon.serve().unwrap();
    tokio::time::timeout(PATIENCE, daemon.ports.stop.stopped()).await.unwrap();
    daemon.finish().await.unwrap();
    server.await.unwrap();
    let stopped = stop.wait_with_output().unwrap();
    let text = String::from_utf8(stopped.stdout).unwrap();
    assert!(text.contains("\"stopped\":true"), "{text}");
}

#[tokio::test]
async fn a_large_file_reaches_the_job_as_its_standard_input() {
    let place = Place::new();
    let client = started(&place).await;
    let path = place.root.path().join("input");
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|i| i.to_le_bytes()[0]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let stored = client.store(std::fs::File::open(&path).unwrap()).await.unwrap();
    assert_eq!(stored.size, 3_000_001);
    // Stored already: taken again without a word.
    client.store(std::fs::File::open(&path).unwrap()).await.unwrap();
    let spec = Spec { stdin: Some(stored), ..shell(&place, "cmp - input") };
    let job = client.submit(spec).await.unwrap().job.id;
    let waited = tokio::time::timeout(PATIENCE, client.wait(&job, None)).await.unwrap().unwrap();
    assert_eq!(waited.job.outcome.unwrap().kind, OutcomeKind::Succeeded);
    client.stop().await.unwrap();
}
