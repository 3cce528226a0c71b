//! The other queues. Each runs with its defaults, in a folder of its own; what is not installed is
//! not measured, and the table says so.

mod nq;
mod pueue;
mod sdk;
mod spooler;

pub(crate) use nq::Nq;
pub(crate) use pueue::Pueue;
pub(crate) use sdk::{Sdk, Served};
pub(crate) use spooler::Spooler;

use crate::args::Args;
use crate::bench::Bench;
use crate::program;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every queue can do, as whole processes.
pub(crate) trait Peer {
    /// Submits `true` and returns once that is acknowledged.
    fn submit(&mut self) -> Result<()>;
    /// Runs `true` through the queue and returns once it has ended.
    fn run(&mut self) -> Result<()>;
    /// Returns once everything that was submitted has ended.
    fn drain(&mut self) -> Result<()>;
    /// The command line of `submit`.
    fn submit_shown(&self) -> &'static str;
    /// The command line of `run`.
    fn run_shown(&self) -> &'static str;
    /// The longest series of no-op jobs that is measured in bearable time.
    fn series(&self) -> usize;
}

/// A queue that may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pueue,
    Spooler,
    Nq,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Pueue, Self::Spooler, Self::Nq];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pueue => "pueue",
            Self::Spooler => "task-spooler",
            Self::Nq => "nq",
        }
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Pueue => &["pueue", "pueued"],
            Self::Spooler => &["tsp"],
            Self::Nq => &["nq"],
        }
    }

    fn install(self, folder: &Path) -> Command {
        let mut command;
        match self {
            Self::Pueue => {
                command = Command::new("cargo");
                command.args(["install", "--locked", "pueue", "--root"]).arg(folder);
            }
            Self::Spooler | Self::Nq => {
                command = Command::new("apt-get");
                command.args(["install", "--yes", self.name()]);
            }
        }
        command
    }
}

/// Which peers there are, and where.
pub(crate) struct Installed {
    found: Vec<(Kind, Vec<PathBuf>)>,
    /// Not a queue: only sessions stand beside it.
    pub(crate) sdk: Option<Sdk>,
}

/// Looks for the peers, and installs what is missing if that was asked for.
///
/// An installation that fails is an error: who asked for peers does not want a table without them.
pub(crate) fn find(args: &Args, own_folder: &Path) -> Result<Installed> {
    let mut folders = args.peer_dir.clone();
    folders.push(own_folder.join("bin"));
    let programs = |kind: Kind| -> Option<Vec<PathBuf>> {
        kind.programs().iter().map(|name| program::find(name, &folders)).collect()
    };
    let mut found = vec![];
    for kind in Kind::ALL {
        let mut paths = programs(kind);
        if paths.is_none() && args.install_peers {
            let status = kind.install(own_folder).status();
            if !status.with_context(|| format!("installing {}", kind.name()))?.success() {
                bail!("{} could not be installed", kind.name());
            }
            paths = programs(kind);
        }
        found.extend(paths.map(|paths| (kind, paths)));
    }
    let sdk = Sdk::find(&args.peer_dir);
    Ok(Installed { found, sdk })
}

impl Installed {
    pub(crate) fn programs(&self, kind: Kind) -> Option<&[PathBuf]> {
        self.found.iter().find(|(found, _)| *found == kind).map(|(_, paths)| paths.as_slice())
    }

    /// The name of each peer and its version, or that it is not there.
    pub(crate) fn described(&self) -> Vec<String> {
        let describe = |kind: Kind| {
            let Some(programs) = self.programs(kind) else {
                return format!("{}: not installed, not measured", kind.name());
            };
            let version = match kind {
                Kind::Pueue => program::version(&programs[0], "--version"),
                Kind::Spooler => program::version(&programs[0], "-V"),
                // nq has no way to ask; the package manager may know.
                Kind::Nq => {
                    let mut asked = Command::new("dpkg-query");
                    asked.args(["--show", "--showformat=nq ${Version}", "nq"]);
                    program::output(&mut asked)
                }
            };
            version.unwrap_or_else(|_| format!("{}, version unknown", kind.name()))
        };
        let sdk = || "SDK for Python: not installed, not measured".to_owned();
        let sdk = self.sdk.as_ref().map_or_else(sdk, Sdk::described);
        Kind::ALL.into_iter().map(describe).chain([sdk]).collect()
    }
}

/// Those who take part in one scenario.
pub(crate) struct Field {
    pub(crate) started: Vec<Box<dyn Peer>>,
    /// The names of those that are not installed.
    pub(crate) missing: Vec<&'static str>,
}

/// Starts every installed peer for one scenario, with empty queues.
pub(crate) fn start(bench: &Bench, scenario: &str) -> Result<Field> {
    let mut started: Vec<Box<dyn Peer>> = vec![];
    let mut missing = vec![];
    for kind in Kind::ALL {
        let Some(programs) = bench.peers.programs(kind) else {
            missing.push(kind.name());
            continue;
        };
        let folder = bench.fresh(&format!("{scenario}-{}", kind.name()))?;
        started.push(match kind {
            Kind::Pueue => Box::new(Pueue::start(programs, folder)?),
            Kind::Spooler => Box::new(Spooler::start(programs, folder)),
            Kind::Nq => Box::new(Nq::start(programs, folder)),
        });
    }
    Ok(Field { started, missing })
}
