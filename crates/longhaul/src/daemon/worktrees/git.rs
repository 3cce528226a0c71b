//! Git as a program: whatever version and settings the repository's owner has are those that count.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes of git's own words that are passed on.
const WORDS_BYTES_MAX: usize = 400;
/// What a caller's environment may hold that would lead git to another repository.
const LEADS_ASTRAY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
];

/// Why git did not do it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GitError {
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It could not be asked.
    #[error("git cannot be run: {0}")]
    Failed(String),
}

/// Git in a folder.
#[derive(Debug)]
pub(super) struct Git {
    folder: PathBuf,
}

impl Git {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Runs it and gives what it wrote. Blocks.
    pub(super) fn ask(&self, words: &[&str]) -> Result<String, GitError> {
        let mut command = Command::new("git");
        // Nothing of the repository's own is run for an act of ours.
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-C"]);
        command.arg(&self.folder).args(words).current_dir("/").stdin(Stdio::null());
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        for name in LEADS_ASTRAY {
            command.env_remove(name);
        }
        let output = command.output().map_err(|error| GitError::Failed(error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(WORDS_BYTES_MAX).collect();
        Err(GitError::Refused(if said.is_empty() { output.status.to_string() } else { said }))
    }

    /// The commit that a branch is at; nothing if there is no such branch.
    pub(super) fn tip(&self, branch: &str) -> Option<String> {
        let name = format!("refs/heads/{branch}");
        self.ask(&["rev-parse", "--verify", "--quiet", &name]).ok()
    }
}
