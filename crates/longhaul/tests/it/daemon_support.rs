//! A daemon of its own in this process, with real shims, for tests that talk to its ports.

use longhaul::daemon::{AskError, Daemon, DaemonOptions, Ports};
use longhaul::ids;
use longhaul_core::command::{Command, Known, Reply, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::outcome::Outcome;
use longhaul_core::port::{Record, Table};
use longhaul_core::spec::{Environment, JobSpec};
use std::path::PathBuf;
use std::time::Duration;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at what other processes do.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks again until it is so. For what other processes do, which send no event to wait for.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if is_so() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("waited in vain: {what}");
}

/// A home that goes with the test.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(crate) fn options(&self) -> DaemonOptions {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_longhaul"));
        DaemonOptions { program, ..DaemonOptions::new(self.home()) }
    }

    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(&self.options()).unwrap()
    }

    /// What a job gives `sh` to do.
    pub(crate) fn shell(&self, script: &str) -> JobSpec {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        JobSpec::new(command, self.root.path().to_str().unwrap().to_owned())
    }
}

pub(crate) fn submission(spec: JobSpec) -> Submission {
    let path = std::env::var("PATH").unwrap_or_default();
    Submission {
        id: ids::job_id().unwrap(),
        spec,
        environment: Environment([("PATH".to_owned(), path)].into()),
        key: None,
        project: None,
        owner: None,
        parent: None,
        retry_of: None,
        session: None,
    }
}

pub(crate) async fn submit(ports: &Ports, spec: JobSpec) -> JobId {
    let submission = submission(spec);
    let id = submission.id.clone();
    let reply = ports.engine.ask(Command::Submit(vec![submission])).await.unwrap();
    assert_eq!(reply, Reply::Submitted(vec![(id.clone(), Known::Not)]));
    id
}

pub(crate) async fn job(ports: &Ports, id: &JobId) -> Job {
    find(ports, id).await.unwrap().expect("the job is there")
}

pub(crate) async fn find(ports: &Ports, id: &JobId) -> Result<Option<Job>, AskError> {
    let key = id.as_str().to_owned();
    let load = move |reader: &mut dyn longhaul_core::port::Reader| {
        let row = reader.load(Table::Job, &key)?;
        Ok(row.as_ref().map(Job::from_row).transpose()?)
    };
    ports.readers.read(load).await
}

/// Waits until the job is as `is_so` wants it, and gives it.
pub(crate) async fn until(ports: &Ports, id: &JobId, is_so: impl Fn(&Job) -> bool) -> Job {
    let mut watch = ports.journal.watch_job(id);
    let waiting = async {
        loop {
            let job = job(ports, id).await;
            if is_so(&job) {
                return job;
            }
            watch.changed().await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(job) => job,
        Err(_) => panic!("waited in vain: {:#?} {:?}", job(ports, id).await, ports.doubts.list()),
    }
}

pub(crate) async fn outcome(ports: &Ports, id: &JobId) -> Outcome {
    until(ports, id, |job| job.outcome().is_some()).await.outcome().unwrap().clone()
}
