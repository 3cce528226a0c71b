//! The home: one folder with everything of one user, found and checked before it is believed.
//! Clients find the daemon's socket through it, the daemon all its files.

use longhaul_core::id::JobId;
use rustix::fs::{FlockOperation, Mode, flock};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The longest path that a unix socket's address takes, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Why a home cannot be used. Nothing was changed, except that it may have been created.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `LONGHAUL_HOME`, `XDG_STATE_HOME` nor `HOME` says where it is.
    #[error("no home: set `LONGHAUL_HOME` or `HOME`")]
    Unknown,
    /// It is not what we would make.
    #[error("the home `{}` is refused: {reason}", path.display())]
    Refused {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its path is too long for a socket, and there is no other place for that.
    #[error(
        "the path of the home `{}` is too long for a socket: use a shorter `LONGHAUL_HOME`, or set \
         `XDG_RUNTIME_DIR`", path.display()
    )]
    TooLong {
        /// Which folder.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the home `{}` cannot be used: {source}", path.display())]
    Io {
        /// Which folder or file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
}

impl HomeError {
    /// What to do next, where there is something.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { .. } => Some(
                "a home is a folder of yours alone: `chmod go-w` it, or name another with \
                 `LONGHAUL_HOME`",
            ),
            Self::Io { .. } => Some("`LONGHAUL_HOME` names another"),
            Self::Unknown | Self::TooLong { .. } => None,
        }
    }
}

/// Written under its process id by a holder of the lock that never lets clients in.
pub(crate) const PRIVATE: &str = "private";

/// The process that has a home: a daemon on its way in, up or on its way out, or a program that
/// embeds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, unless it has not written it yet.
    pub pid: Option<u32>,
    /// Whether it never lets clients in, so that waiting for that is in vain.
    pub is_private: bool,
}

/// A home that was checked: ours, a real folder, closed to everybody else's writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
    sockets: PathBuf,
}

impl Home {
    /// Where the home is by the environment: `LONGHAUL_HOME`, else `XDG_STATE_HOME/longhaul`, else
    /// `~/.local/state/longhaul`.
    pub fn locate() -> Result<PathBuf, HomeError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        // The daemon leaves the folder that it is started in: a relative path means another there.
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|source| HomeError::Io { path, source })
        };
        if let Some(home) = variable("LONGHAUL_HOME") {
            return absolute(home.into());
        }
        // The specification wants relative values of this variable ignored.
        if let Some(state) = variable("XDG_STATE_HOME").filter(|s| Path::new(s).is_absolute()) {
            return Ok(Path::new(&state).join("longhaul"));
        }
        let home = variable("HOME").ok_or(HomeError::Unknown)?;
        absolute(Path::new(&home).join(".local/state/longhaul"))
    }

    /// Opens the home at `path`, an absolute path; makes it (0700) if it is not there. Refuses one
    /// that is a symlink, belongs to another user, or that others may write to.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        let failed = |source| HomeError::Io { path: path.to_owned(), source };
        make_private(path).map_err(failed)?;
        check_ours(path)?;
        let sockets = if fits(path) { path.to_owned() } else { elsewhere(path)? };
        Ok(Self { path: path.to_owned(), sockets })
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database. Opened by the daemon's engine and nobody else.
    #[must_use]
    pub fn db(&self) -> PathBuf {
        self.path.join("longhaul.db")
    }

    /// The folder of all attempt folders.
    #[must_use]
    pub fn attempts(&self) -> PathBuf {
        self.path.join("attempts")
    }

    /// The folder of one attempt, as `docs/attempt-folder.md` names it.
    #[must_use]
    pub fn attempt(&self, job: &JobId, attempt: u32) -> PathBuf {
        self.attempts().join(format!("{job}.{attempt}"))
    }

    /// Where the daemon listens; in `XDG_RUNTIME_DIR` if the home's own path is too long for that.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sockets.join("socket")
    }

    /// Where shims say "look at this folder".
    #[must_use]
    pub fn hints(&self) -> PathBuf {
        self.sockets.join("hints")
    }

    /// Held by the daemon while it lives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Who has the home now, if anybody. The lock goes with its process, however that ends.
    ///
    /// # Errors
    /// The lock is there and cannot be looked at.
    pub fn holder(&self) -> io::Result<Option<Holder>> {
        let mut file = match File::open(self.lock()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let mut words = text.split_whitespace();
        let pid = words.next().and_then(|pid| pid.parse().ok());
        Ok(Some(Holder { pid, is_private: words.next() == Some(PRIVATE) }))
    }

    /// What a daemon in the background says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("daemon.log")
    }

    /// The folder of stored content: standard inputs and attachments, by SHA-256.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// One stored content. `sha256` must have passed the check of a job's specification.
    #[must_use]
    pub fn blob(&self, sha256: &str) -> PathBuf {
        self.blobs().join(sha256)
    }

    /// The folder of worktrees that agents and turns work in.
    #[must_use]
    pub fn worktrees(&self) -> PathBuf {
        self.path.join("worktrees")
    }

    /// The user's settings.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The agents that are hosted here.
    #[must_use]
    pub fn agents(&self) -> PathBuf {
        self.path.join("agents.toml")
    }

    /// What job tokens are made from.
    #[must_use]
    pub fn secret(&self) -> PathBuf {
        self.path.join("secret")
    }

    /// What the values of credentials are sealed with.
    #[must_use]
    pub fn sealing_key(&self) -> PathBuf {
        self.path.join("sealing-key")
    }

    /// This machine's id.
    #[must_use]
    pub fn host(&self) -> PathBuf {
        self.path.join("host")
    }

    /// The folder of sessions with other runtimes that commands have left.
    #[must_use]
    pub fn remote_sessions(&self) -> PathBuf {
        self.path.join("remote-sessions")
    }

    /// The anchor of the engine's time.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.path.join("clock.json")
    }
}

/// Makes a folder, and those above it, for this user only; one that is there stays as it is.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Refuses what is not a folder of this user's alone to write to, links above all.
pub(crate) fn check_ours(path: &Path) -> Result<(), HomeError> {
    let refuse =
        |reason: &str| Err(HomeError::Refused { path: path.to_owned(), reason: reason.to_owned() });
    let about = fs_err::symlink_metadata(path)
        .map_err(|source| HomeError::Io { path: path.to_owned(), source })?;
    if about.file_type().is_symlink() {
        return refuse("it is a symbolic link");
    }
    if !about.is_dir() {
        return refuse("it is not a folder");
    }
    if about.uid() != rustix::process::geteuid().as_raw() {
        return refuse("it belongs to another user");
    }
    let others = Mode::WGRP | Mode::WOTH;
    if Mode::from_raw_mode(about.mode()).intersects(others) {
        return refuse("others may write to it");
    }
    Ok(())
}

fn fits(folder: &Path) -> bool {
    // `socket` is the longest name that is bound there.
    folder.as_os_str().len() + "/socket".len() <= SOCKET_PATH_BYTES_MAX
}

/// A short folder for the sockets of a home with a long path, its own for every home.
fn elsewhere(home: &Path) -> Result<PathBuf, HomeError> {
    let too_long = || HomeError::TooLong { path: home.to_owned() };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_absolute());
    let folder = short_folder(&runtime.ok_or_else(too_long)?, home);
    if !fits(&folder) {
        return Err(too_long());
    }
    make_private(&folder).map_err(|source| HomeError::Io { path: folder.clone(), source })?;
    check_ours(&folder)?;
    Ok(folder)
}

fn short_folder(runtime: &OsStr, home: &Path) -> PathBuf {
    let hash = Sha256::digest(home.as_os_str().as_bytes());
    let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Path::new(runtime).join(format!("longhaul-{short}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn root() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_home_is_made_for_its_user_alone() {
        let root = root();
        let path = root.path().join("a/b");
        let home = Home::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(home.socket(), path.join("socket"));
        assert_eq!(Home::open(&path).unwrap(), home);
    }

    #[test]
    fn a_home_that_others_may_write_to_is_refused() {
        let root = root();
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o770)).unwrap();
        let error = Home::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("others may write to it"), "{error}");
    }

    #[test]
    fn a_home_that_is_a_link_or_a_file_is_refused() {
        let root = root();
        let (link, file) = (root.path().join("link"), root.path().join("file"));
        symlink(root.path(), &link).unwrap();
        std::fs::write(&file, "").unwrap();
        assert!(Home::open(&link).unwrap_err().to_string().contains("a symbolic link"));
        assert!(Home::open(&file).unwrap_err().to_string().contains("not a folder"));
    }

    #[test]
    fn a_long_path_gets_its_sockets_elsewhere_and_two_homes_never_the_same() {
        assert!(fits(Path::new(&format!("/{}", "x".repeat(99)))));
        assert!(!fits(Path::new(&format!("/{}", "x".repeat(100)))));
        let run = OsStr::new("/run/user/1");
        let one = short_folder(run, Path::new("/a"));
        assert!(one.to_str().unwrap().starts_with("/run/user/1/longhaul-"));
        assert_ne!(one, short_folder(run, Path::new("/b")));
    }
}
