//! nq: no daemon at all; a queue is a folder of locked files.

use super::Peer;
use crate::processes;
use crate::program;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// A queue in one folder; dropping it ends whatever still waits there.
pub(crate) struct Nq {
    client: PathBuf,
    folder: PathBuf,
}

impl Nq {
    pub(crate) fn start(programs: &[PathBuf], folder: PathBuf) -> Self {
        let [client] = programs else { unreachable!("nq is one program") };
        Self { client: client.clone(), folder }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.args(words).env("NQDIR", &self.folder).current_dir(&self.folder);
        command
    }
}

impl Peer for Nq {
    fn submit(&mut self) -> Result<()> {
        program::run(&mut self.command(&["-q", "true"]))
    }

    fn run(&mut self) -> Result<()> {
        let id = program::output(&mut self.command(&["true"]))?;
        program::run(&mut self.command(&["-w", id.trim()]))
    }

    fn drain(&mut self) -> Result<()> {
        program::run(&mut self.command(&["-w"]))
    }

    fn submit_shown(&self) -> &'static str {
        "nq true"
    }

    fn run_shown(&self) -> &'static str {
        "nq true, nq -w"
    }

    fn series(&self) -> usize {
        200
    }
}

impl Drop for Nq {
    fn drop(&mut self) {
        let _swept = processes::sweep(&self.folder);
    }
}
