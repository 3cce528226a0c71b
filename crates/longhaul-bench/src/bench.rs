//! What every scenario needs: the binary under test, a folder on the disk, and the peers.

use crate::args::Args;
use crate::peers::{self, Installed};
use crate::program;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The setting of one run of the benchmark.
pub(crate) struct Bench {
    pub(crate) args: Args,
    /// The binary under test, links resolved: it is recognised by this path in `/proc`.
    pub(crate) longhaul: PathBuf,
    /// What it says of its version.
    pub(crate) version: String,
    /// All state lies below; nobody else's does.
    pub(crate) folder: PathBuf,
    pub(crate) peers: Installed,
}

impl Bench {
    /// Finds or builds everything, and makes the folder.
    pub(crate) fn prepare(args: Args) -> Result<Self> {
        let own = std::env::current_exe()?;
        let beside = own.parent().context("a program lies in a folder")?.to_owned();
        let longhaul = match &args.longhaul {
            Some(path) => path.clone(),
            None => built(&beside)?,
        };
        let longhaul = fs_err::canonicalize(longhaul)?;
        let version = program::version(&longhaul, "--version")?;
        let above = args.dir.clone().unwrap_or_else(|| beside.clone());
        fs_err::create_dir_all(&above)?;
        let folder = fs_err::canonicalize(above)?.join(format!("bench-{}", std::process::id()));
        fs_err::create_dir(&folder)?;
        let peers = peers::find(&args, &beside.join("bench-peers"))?;
        Ok(Self { args, longhaul, version, folder, peers })
    }

    /// A new, empty folder of this name.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.exists() {
            fs_err::remove_dir_all(&path)?;
        }
        fs_err::create_dir(&path)?;
        Ok(path)
    }
}

/// The release binary beside this one. Under cargo it is always built first, or an old one would
/// be measured under a new name.
fn built(beside: &Path) -> Result<PathBuf> {
    let path = beside.join("longhaul");
    let under_cargo = std::env::var_os("CARGO");
    if under_cargo.is_some() || !path.is_file() {
        let cargo = under_cargo.unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--package", "longhaul", "--bins"]);
        // The agent CLI of the scenarios with turns; it is found in `examples` beside.
        command.args(["--example", "fake_agent", "--example", "arcp-agents"]);
        if !command.status().context("failed to start cargo")?.success() {
            bail!("longhaul does not build");
        }
    }
    if !path.is_file() {
        bail!("there is no {}; name the binary with --longhaul", path.display());
    }
    Ok(path)
}
