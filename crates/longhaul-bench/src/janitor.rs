//! Ends everything that the benchmark started, however the benchmark itself ends.
//!
//! A second process holds the other end of a pipe. When the pipe breaks, be it by our return, by
//! Ctrl-C or by a crash, it ends all processes of our folder and removes the folder.

use crate::processes;
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The word that makes this binary a janitor.
pub(crate) const WORD: &str = "clean-up-after";

/// The process that cleans up once this one is gone.
pub(crate) struct Janitor(Child);

impl Janitor {
    pub(crate) fn watch(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // Its own group, so that Ctrl-C on the terminal ends us and not it.
        command.arg(WORD).arg(folder).stdin(Stdio::piped()).process_group(0);
        Ok(Self(command.spawn().context("failed to start the janitor")?))
    }

    /// Lets it clean up, and waits until it has.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        if !self.0.wait()?.success() {
            bail!("not everything could be cleaned up");
        }
        Ok(())
    }
}

/// What the janitor does: waits for its pipe to break, then cleans up.
pub(crate) fn work(folder: &PathBuf) -> Result<()> {
    let mut nothing = vec![];
    std::io::stdin().read_to_end(&mut nothing)?;
    processes::sweep(folder)?;
    fs_err::remove_dir_all(folder)?;
    Ok(())
}
