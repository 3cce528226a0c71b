//! pueue: a daemon with its state in one file, and a client.

use super::Peer;
use crate::clock;
use crate::processes::{self, Process};
use crate::program;
use crate::teller;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Between two looks at its state; each look is a whole process.
const LOOK: Duration = Duration::from_millis(20);

/// A pueued over an empty folder, which dropping ends with all its tasks.
pub(crate) struct Pueue {
    client: PathBuf,
    folder: PathBuf,
    daemon: Child,
}

impl Pueue {
    pub(crate) fn start(programs: &[PathBuf], folder: PathBuf) -> Result<Self> {
        let [client, daemon] = programs else { unreachable!("pueue is two programs") };
        let daemon = command(daemon, &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start pueued")?;
        let pueue = Self { client: client.clone(), folder, daemon };
        clock::until("pueued answers", LOOK, || {
            Ok(program::run(&mut pueue.command(&["status"])).ok())
        })?;
        Ok(pueue)
    }

    /// One that tells the receiver of this port when a task ends; all else is its default.
    pub(crate) fn start_telling(programs: &[PathBuf], folder: PathBuf, port: u16) -> Result<Self> {
        let settings = folder.join("pueue");
        fs_err::create_dir(&settings)?;
        let callback = json!({ "daemon": { "callback": teller::shell_line(port)? } });
        // JSON is YAML.
        fs_err::write(settings.join("pueue.yml"), callback.to_string())?;
        Self::start(programs, folder)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = command(&self.client, &self.folder);
        command.args(words);
        command
    }

    /// Runs one command of the client.
    pub(crate) fn tell(&self, words: &[&str]) -> Result<()> {
        program::run(&mut self.command(words))
    }

    pub(crate) fn daemon(&self) -> Result<Process> {
        Ok(Process(i32::try_from(self.daemon.id())?))
    }

    /// Runs `true` and follows its output: the other way to wait for a task.
    pub(crate) fn run_followed(&self) -> Result<()> {
        let id = self.submit_for_id()?;
        self.tell(&["follow", &id])
    }

    /// Returns once `tasks` tasks are in the state of this name.
    pub(crate) fn settled(&self, state: &str, tasks: usize) -> Result<()> {
        clock::until("pueue's tasks settle", LOOK, || {
            let status = program::output(&mut self.command(&["status", "--json"]))?;
            let status: Value = serde_json::from_str(&status)?;
            let all = status["tasks"].as_object().context("pueue's status has no tasks")?;
            let there = all.values().filter(|task| !task["status"][state].is_null()).count();
            Ok((there == tasks).then_some(()))
        })
    }

    fn submit_for_id(&self) -> Result<String> {
        let id = program::output(&mut self.command(&["add", "--print-task-id", "--", "true"]))?;
        Ok(id.trim().to_owned())
    }
}

impl Peer for Pueue {
    fn submit(&mut self) -> Result<()> {
        self.tell(&["add", "--", "true"])
    }

    fn run(&mut self) -> Result<()> {
        let id = self.submit_for_id()?;
        self.tell(&["wait", "--quiet", &id])
    }

    fn drain(&mut self) -> Result<()> {
        clock::until("pueue's tasks end", LOOK, || {
            let status = program::output(&mut self.command(&["status", "--json"]))?;
            let status: Value = serde_json::from_str(&status)?;
            let all = status["tasks"].as_object().context("pueue's status has no tasks")?;
            Ok(all.values().all(|task| !task["status"]["Done"].is_null()).then_some(()))
        })
    }

    fn submit_shown(&self) -> &'static str {
        "pueue add -- true"
    }

    fn run_shown(&self) -> &'static str {
        "pueue add -- true, pueue wait"
    }

    fn series(&self) -> usize {
        50
    }
}

impl Drop for Pueue {
    fn drop(&mut self) {
        let _swept = processes::sweep(&self.folder);
        let _reaped = self.daemon.wait();
    }
}

/// pueue takes its places from these variables; without a configuration all else is its default.
fn command(program: &PathBuf, folder: &PathBuf) -> Command {
    let mut command = Command::new(program);
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
        command.env(name, folder);
    }
    command.env_remove("PUEUE_CONFIG_PATH").current_dir(folder);
    command
}
