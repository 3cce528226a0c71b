//! task-spooler: a server that starts itself and holds its queue in memory.

use super::Peer;
use crate::processes;
use crate::program;
use crate::teller;
use anyhow::Result;
use rustix::fs::{Mode, chmod};
use std::path::PathBuf;
use std::process::Command;

/// A queue with its socket and outputs in one folder; dropping it ends its server.
pub(crate) struct Spooler {
    client: PathBuf,
    folder: PathBuf,
    /// Run when a job ends.
    hook: Option<PathBuf>,
}

impl Spooler {
    pub(crate) fn start(programs: &[PathBuf], folder: PathBuf) -> Self {
        let [client] = programs else { unreachable!("task-spooler is one program") };
        Self { client: client.clone(), folder, hook: None }
    }

    /// One whose jobs tell the receiver of this port when they end.
    pub(crate) fn start_telling(programs: &[PathBuf], folder: PathBuf, port: u16) -> Result<Self> {
        let hook = folder.join("hook");
        // It is started as a program and gets the job's number, result and files as its arguments.
        fs_err::write(&hook, format!("#!/bin/sh\nexec {}\n", teller::shell_line(port)?))?;
        chmod(&hook, Mode::RWXU)?;
        let mut spooler = Self::start(programs, folder);
        spooler.hook = Some(hook);
        Ok(spooler)
    }

    pub(crate) fn tell(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.client);
        if let Some(hook) = &self.hook {
            command.env("TS_ONFINISH", hook);
        }
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
