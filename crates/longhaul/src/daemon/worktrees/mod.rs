//! Git worktrees that agents and turns work in, each with a branch of its own. One is made when it is
//! first needed and found again after that. It is removed on proof alone that nothing is lost with it,
//! and never because something failed: what an agent has done is the reason that it was started.

mod git;
mod proof;
#[cfg(test)]
mod tests;

use self::git::{Git, GitError};
use crate::home::{Home, check_ours, make_private};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What branches begin with.
const BRANCHES: &str = "longhaul/";

/// What the files begin with that say what a worktree is; no name of an agent does.
const RECORDS: &str = "@";

/// Makes worktrees, finds them and removes them. Cheap to clone. Every call blocks.
#[derive(Clone, Debug)]
pub struct Worktrees {
    folder: PathBuf,
    /// One act at a time: git refuses what happens beside it in the same repository.
    acts: Arc<Mutex<()>>,
}

/// A worktree that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// The agent's name, or the id of the turn.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its branch.
    pub branch: String,
    /// The repository that it belongs to.
    pub repository: PathBuf,
}

/// Whether files that git is told to ignore are looked at before a worktree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// One of them keeps it: nobody has asked for its end.
    Keeps,
    /// They go with it, as they do where git removes one: somebody has asked for that.
    Goes,
}

/// What became of a worktree that is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// There was none.
    Nothing,
    /// It is gone, and its branch with it.
    Gone,
    /// It is kept.
    Kept {
        /// Where it lies.
        path: PathBuf,
        /// What would be lost, in words.
        because: String,
    },
}

/// Why there is no worktree.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorktreeError {
    /// Somebody has to change something first.
    #[error("{0}")]
    Never(String),
    /// Another time it may be well.
    #[error("its worktree cannot be made: {0}")]
    Now(String),
}

/// What is known of a worktree before it is made, so that one that was half made is known too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// The top folder of the repository.
    repository: PathBuf,
    /// What the branch began at: another branch, or a commit where none was checked out.
    base: String,
    branch: String,
}

impl Worktrees {
    pub(super) fn new(home: &Home) -> Self {
        Self { folder: home.worktrees(), acts: Arc::default() }
    }

    /// The folder that stands for `cwd` in the worktree of this name: made if it is not there.
    pub(super) fn prepare(&self, name: &str, cwd: &Path) -> Result<PathBuf, WorktreeError> {
        let _act = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_name(name) {
            return Err(WorktreeError::Never(format!("`{name}` cannot name a branch")));
        }
        let never = |error: GitError| match error {
            GitError::Refused(why) => WorktreeError::Never(format!(
                "`{}` has no worktrees, so it cannot work in one: {why}",
                cwd.display()
            )),
            GitError::Failed(why) => WorktreeError::Now(why),
        };
        let here = Git::at(cwd);
        let repository = PathBuf::from(here.ask(&["rev-parse", "--show-toplevel"]).map_err(never)?);
        let below = here.ask(&["rev-parse", "--show-prefix"]).map_err(never)?;
        let path = self.path(name);
        let record = match self.read(name).map_err(now)? {
            Some(record) if record.repository != repository => {
                return Err(WorktreeError::Never(format!(
                    "its worktree `{}` belongs to `{}`, not to `{}`",
                    path.display(),
                    record.repository.display(),
                    repository.display()
                )));
            }
            Some(record) => record,
            None => {
                let base = base(&here).map_err(never)?;
                let record = Record { base, repository, branch: branch(name) };
                self.write(name, &record).map_err(now)?;
                record
            }
        };
        check_ours(&self.folder).map_err(|error| WorktreeError::Never(error.to_string()))?;
        if !proof::is_there(&record, &path).map_err(WorktreeError::Never)? {
            make(&record, &path)?;
        }
        let cwd = path.join(below);
        // Its own commits may have moved what it works in.
        fs_err::create_dir_all(&cwd).map_err(now)?;
        Ok(cwd)
    }

    /// All that are there, by name.
    ///
    /// # Errors
    /// The system's, for the folder that they lie in.
    pub fn list(&self) -> io::Result<Vec<Worktree>> {
        let entries = match fs_err::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries?,
        };
        let mut found = vec![];
        for entry in entries {
            let file = entry?.file_name();
            let Some(name) = file.to_str().and_then(|file| file.strip_prefix(RECORDS)) else {
                continue;
            };
            let Some(record) = self.read(name)?.filter(|_| is_name(name)) else { continue };
            let (path, Record { repository, branch, .. }) = (self.path(name), record);
            found.push(Worktree { name: name.to_owned(), path, branch, repository });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Where the worktree of this name lies and what its branch is called; nothing before it is made
    /// and after it is gone.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(PathBuf, String)> {
        let path = self.path(name);
        let is_there = is_name(name) && path.symlink_metadata().is_ok_and(|about| about.is_dir());
        is_there.then(|| (path, branch(name)))
    }

    /// What would be lost with a worktree, in words; nothing if it may go.
    ///
    /// # Errors
    /// The system's, for its record.
    pub fn why_kept(&self, name: &str) -> io::Result<Option<String>> {
        let Some(record) = self.read(name)? else { return Ok(None) };
        Ok(proof::doubt(&record, &self.path(name), Ignored::Goes).err())
    }

    /// Removes a worktree and its branch, if `allow` does not say why it stays and it is proven that
    /// nothing is lost with them. No worktree is made between what `allow` looks at and the end.
    ///
    /// # Errors
    /// The system's, for its record.
    pub fn reap(
        &self,
        name: &str,
        ignored: Ignored,
        allow: impl FnOnce() -> Result<(), String>,
    ) -> io::Result<Reaped> {
        let _act = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = self.read(name)? else { return Ok(Reaped::Nothing) };
        let path = self.path(name);
        let reaped = check_ours(&self.folder)
            .map_err(|error| error.to_string())
            .and_then(|()| allow())
            .and_then(|()| proof::doubt(&record, &path, ignored))
            .and_then(|tip| proof::remove(&record, &path, &tip));
        match reaped {
            Ok(()) => {
                fs_err::remove_file(self.record(name))?;
                Ok(Reaped::Gone)
            }
            Err(because) => Ok(Reaped::Kept { path, because }),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn record(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{RECORDS}{name}"))
    }

    fn read(&self, name: &str) -> io::Result<Option<Record>> {
        match fs_err::read(self.record(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, record: &Record) -> io::Result<()> {
        make_private(&self.folder)?;
        let temporary = self.folder.join(format!("{RECORDS}.tmp"));
        fs_err::write(&temporary, serde_json::to_vec(record).map_err(io::Error::other)?)?;
        fs_err::rename(temporary, self.record(name))
    }
}

/// Whether git takes it as part of a branch's name; agents may be called what branches may not.
fn is_name(name: &str) -> bool {
    let is_odd = name.starts_with('.') || name.ends_with('.') || name.ends_with(".lock");
    !name.is_empty() && !is_odd && !name.contains("..")
}

fn branch(name: &str) -> String {
    format!("{BRANCHES}{name}")
}

fn now(error: io::Error) -> WorktreeError {
    WorktreeError::Now(error.to_string())
}

/// What a branch begins at: the branch that is checked out, or the commit.
fn base(here: &Git) -> Result<String, GitError> {
    let commit = here.ask(&["rev-parse", "--verify", "HEAD"])?;
    Ok(here.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"]).unwrap_or(commit))
}

fn make(record: &Record, path: &Path) -> Result<(), WorktreeError> {
    let repository = Git::at(&record.repository);
    let failed = |error: GitError| WorktreeError::Now(error.to_string());
    // One that somebody took away is still noted there.
    repository.ask(&["worktree", "prune"]).map_err(failed)?;
    let shown = path.to_string_lossy();
    let is_known = repository.tip(&record.branch).is_some();
    let words: &[&str] = if is_known {
        &["worktree", "add", "--", &shown, &record.branch]
    } else {
        &["worktree", "add", "--no-track", "-b", &record.branch, "--", &shown, &record.base]
    };
    repository.ask(words).map(drop).map_err(failed)
}
