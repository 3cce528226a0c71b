//! longhaul itself: one home, its daemon, its commands and its processes.

use crate::bench::Bench;
use crate::clock;
use crate::http::Connection;
use crate::processes::{self, Process};
use crate::program;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Between two looks at the daemon.
const LOOK: Duration = Duration::from_millis(2);

/// A daemon over a fresh home. Dropping it ends the daemon, every shim and every job.
pub(crate) struct Subject {
    binary: PathBuf,
    home: PathBuf,
}

impl Subject {
    /// Starts a daemon over an empty home; `name` tells the homes of one run apart.
    pub(crate) fn start(bench: &Bench, name: &str) -> Result<Self> {
        let home = bench.fresh(name)?;
        rustix::fs::chmod(&home, rustix::fs::Mode::RWXU)?;
        let subject = Self { binary: bench.longhaul.clone(), home };
        subject.start_daemon()?;
        Ok(subject)
    }

    /// Starts the daemon of this home and returns once it says it is up.
    pub(crate) fn start_daemon(&self) -> Result<()> {
        program::run(&mut self.command(&["daemon", "start"]))
    }

    /// Where the daemon listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join("socket")
    }

    /// A command line of longhaul, with this home.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).env("LONGHAUL_HOME", &self.home).current_dir(&self.home);
        for name in ["LONGHAUL_URL", "LONGHAUL_TOKEN", "LONGHAUL_AUTOSTART"] {
            command.env_remove(name);
        }
        command
    }

    /// A connection, once the daemon answers.
    pub(crate) fn connect(&self) -> Result<Connection> {
        clock::until("the daemon answers", LOOK, || {
            let Ok(mut connection) = Connection::open(&self.socket()) else {
                return Ok(None);
            };
            Ok(connection.get("/v1/status").is_ok().then_some(connection))
        })
    }

    /// The daemon, as it names itself.
    pub(crate) fn daemon(&self) -> Result<Process> {
        let status = self.connect()?.get("/v1/status")?;
        let pid = status["pid"].as_i64().context("the status has no pid")?;
        Ok(Process(i32::try_from(pid)?))
    }

    /// Every process of the home that runs longhaul itself: the daemon and the shims.
    pub(crate) fn own_processes(&self) -> Result<Vec<Process>> {
        let all = processes::of_folder(&self.home)?;
        Ok(all.into_iter().filter(|process| process.runs(&self.binary)).collect())
    }

    /// The shims alone.
    pub(crate) fn shims(&self) -> Result<Vec<Process>> {
        let daemon = self.daemon()?;
        Ok(self.own_processes()?.into_iter().filter(|process| *process != daemon).collect())
    }

    /// Waits until exactly this many jobs are in `state`.
    pub(crate) fn settled(
        &self,
        connection: &mut Connection,
        state: &str,
        jobs: usize,
    ) -> Result<()> {
        let mut found = 0;
        let waited = clock::until("jobs settle", LOOK, || {
            found = count(connection, state)?;
            Ok((found == jobs).then_some(()))
        });
        waited.with_context(|| format!("{found} of {jobs} jobs were {state}"))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // The last sweep of the whole run comes again for whatever this one cannot end.
        let _swept = processes::sweep(&self.home);
        let _gone = fs_err::remove_dir_all(&self.home);
    }
}

/// How many jobs are in this state.
pub(crate) fn count(connection: &mut Connection, state: &str) -> Result<usize> {
    let status = connection.get("/v1/status")?;
    // A state that nobody is in need not be named.
    Ok(usize::try_from(status["jobs"][state].as_u64().unwrap_or(0))?)
}

/// Stops or lets go what the default pool starts.
pub(crate) fn pause(connection: &mut Connection, paused: bool) -> Result<()> {
    connection.put("/v1/pools/default", &json!({ "paused": paused })).map(drop)
}

/// Sets how many jobs of the default pool may be active.
pub(crate) fn slots(connection: &mut Connection, slots: usize) -> Result<()> {
    connection.put("/v1/pools/default", &json!({ "slots": slots })).map(drop)
}

/// Submits one job and returns its id.
pub(crate) fn submit(connection: &mut Connection, spec: &Value) -> Result<String> {
    let answer = connection.post("/v1/jobs", spec)?;
    Ok(answer["job"]["id"].as_str().context("the answer has no job id")?.to_owned())
}

/// Submits many jobs, a thousand a request, and returns their ids in order.
pub(crate) fn submit_all(connection: &mut Connection, specs: &[Value]) -> Result<Vec<String>> {
    let mut ids = Vec::with_capacity(specs.len());
    for part in specs.chunks(1_000) {
        let answer = connection.post("/v1/batch", &json!({ "base_env": {}, "jobs": part }))?;
        let part = answer["ids"].as_array().context("the answer has no ids")?;
        ids.extend(part.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    Ok(ids)
}

/// Asks an agent for a turn and returns its job's id.
pub(crate) fn turn(connection: &mut Connection, agent: &str) -> Result<String> {
    let ask = json!({ "prompt": "Say what you have to say." });
    let answer = connection.post(&format!("/v1/agents/{agent}/turns"), &ask)?;
    let id = answer["job"]["id"].as_str().or_else(|| answer["id"].as_str());
    Ok(id.with_context(|| format!("the answer has no job id: {answer}"))?.to_owned())
}

/// Waits for a turn's end with one question at a time; fails unless it ended well and `events` of
/// its output, and no more, are in the journal. Returns the job.
pub(crate) fn turn_ended(connection: &mut Connection, id: &str, events: u64) -> Result<Value> {
    let job = loop {
        let job = connection.get(&format!("/v1/jobs/{id}/wait?timeout_ms=60000"))?;
        if job["state"] == "ended" {
            break job;
        }
    };
    anyhow::ensure!(job["outcome"]["kind"] == "succeeded", "the turn: {}", job["outcome"]);
    let found = job["turn"]["events"].as_u64();
    anyhow::ensure!(
        found.is_some_and(|found| (events..events + 8).contains(&found)),
        "{found:?} entries of {events} events are there"
    );
    Ok(job)
}

/// Calls a job off; the answer comes once that is committed.
pub(crate) fn cancel(connection: &mut Connection, job: &str) -> Result<()> {
    connection.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).map(drop)
}

/// Makes a sink that posts to this address.
pub(crate) fn add_webhook(connection: &mut Connection, name: &str, url: &str) -> Result<()> {
    let sink = json!({ "kind": "webhook", "url": url });
    connection.put(&format!("/v1/sinks/{name}"), &sink).map(drop)
}

/// How many notices are still owed to this sink.
pub(crate) fn owed(connection: &mut Connection, name: &str) -> Result<u64> {
    let answer = connection.get("/v1/sinks")?;
    let sinks = answer["sinks"].as_array().context("the answer has no sinks")?;
    let sink = sinks.iter().find(|sink| sink["name"] == name);
    sink.and_then(|sink| sink["pending"].as_u64()).with_context(|| format!("no sink {name}"))
}

/// A job that does nothing.
pub(crate) fn noop() -> Value {
    json!({ "command": ["true"], "cwd": "/" })
}

/// A job that does nothing for a long time.
pub(crate) fn sleeper() -> Value {
    json!({ "command": ["sleep", "3600"], "cwd": "/" })
}
