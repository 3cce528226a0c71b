//! The client beside real daemons: started by it, killed under it, shared by many.

use crate::daemon_support::{PATIENCE, Place};
use longhaul::api::{OutcomeKind, Spec};
use longhaul::client::{Client, ClientError, ErrorKind, Options, OutputAsk, OutputPiece, Target};
use longhaul::home::Home;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::time::Duration;

async fn connect(place: &Place, autostart: bool) -> Result<Client, ClientError> {
    let target = Target::Home(Home::open(&place.home()).unwrap());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_longhaul"));
    Client::connect_from(Options { target, token: None, autostart }, program).await
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
