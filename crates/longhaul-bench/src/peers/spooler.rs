//! task-spooler: a server that starts itself and holds its queue in memory.

use super::Peer;
use crate::processes;
use crate::program;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// A queue with its socket and outputs in one folder; dropping it ends its server.
pub(crate) struct Spooler {
    client: PathBuf,
    folder: PathBuf,
}

impl Spooler {
    pub(crate) fn start(programs: &[PathBuf], folder: PathBuf) -> Self {
        let [client] = programs else { unreachable!("task-spooler is one program") };
        Self { client: client.clone(), folder }
    }

    fn tell(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.client);
        command.env("TMPDIR", &self.folder).env("TS_SOCKET", self.folder.join("socket"));
        program::run(command.args(words).current_dir(&self.folder))
    }
}

impl Peer for Spooler {
    fn submit(&mut self) -> Result<()> {
        self.tell(&["true"])
    }

    fn run(&mut self) -> Result<()> {
        self.tell(&["-f", "true"])
    }

    fn drain(&mut self) -> Result<()> {
        // One slot, first come first served: the last to be added is the last to end.
        self.tell(&["-w"])
    }

    fn submit_shown(&self) -> &'static str {
        "tsp true"
    }

    fn run_shown(&self) -> &'static str {
        "tsp -f true"
    }

    fn series(&self) -> usize {
        200
    }
}

impl Drop for Spooler {
    fn drop(&mut self) {
        let _swept = processes::sweep(&self.folder);
    }
}
