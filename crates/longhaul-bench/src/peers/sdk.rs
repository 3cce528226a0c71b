//! The SDK for Python of the protocol of sessions, with a runtime that keeps everything in its memory.
//! A script of ours hosts two agents on it; it is taken where it is found, and never installed.

use crate::bench::Bench;
use crate::clock;
use crate::processes;
use crate::program;
use anyhow::{Context, Result};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Hosts the agents on it.
const SCRIPT: &str = include_str!("sdk.py");
/// Says its version, where it is there.
const ASK: &str =
    "import arcp, importlib.metadata as m; print(m.version('agentruntimecontrolprotocol'))";
/// Between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// A Python that has it.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    python: PathBuf,
    version: String,
}

/// It, serving; dropping this ends it.
pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Sdk {
    /// The first Python in these folders, or else on PATH, that has it.
    pub(super) fn find(folders: &[PathBuf]) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = folders.iter().cloned().chain(std::env::split_paths(&path));
        let pythons = folders.map(|folder| folder.join("python3")).filter(|file| file.is_file());
        pythons.into_iter().find_map(|python| {
            let version = program::output(Command::new(&python).args(["-c", ASK])).ok()?;
            Some(Self { python, version: version.trim().to_owned() })
        })
    }

    /// Its name and version.
    pub(crate) fn described(&self) -> String {
        format!("SDK for Python {}", self.version)
    }

    pub(crate) fn serve(&self, bench: &Bench, name: &str) -> Result<Served> {
        let folder = bench.fresh(name)?;
        let script = folder.join("sdk.py");
        fs_err::write(&script, SCRIPT)?;
        // The kernel names a port that nobody has; it is free again before the server asks for it.
        let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = spawn(&self.python, &script, &folder, at.port())?;
        let served = Served { at, folder, child };
        clock::until("the SDK listens", LOOK, || Ok(TcpStream::connect(at).ok().map(drop)))?;
        Ok(served)
    }
}

fn spawn(python: &Path, script: &Path, folder: &Path, port: u16) -> Result<Child> {
    let mut command = Command::new(python);
    command.arg(script).arg(port.to_string()).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("{} does not start", python.display()))
}

impl Drop for Served {
    fn drop(&mut self) {
        // What cannot be ended here is ended by the last sweep of the whole run.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
        let _swept = processes::sweep(&self.folder);
    }
}
