//! What is proven before a worktree goes, and before one is believed to be ours: whatever somebody put
//! in its place is neither worked in nor removed.

use super::git::{Git, GitError};
use super::{Ignored, Record};
use rustix::process::geteuid;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whether the worktree is there; an error in words if something else is in its place. Git is not run
/// in what may be somebody else's.
pub(super) fn is_there(record: &Record, path: &Path) -> Result<bool, String> {
    let shown = path.display();
    let about = match fs_err::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    if about.file_type().is_symlink() {
        return Err(format!("`{shown}` is a symbolic link, and what it leads to is not ours"));
    }
    if !about.is_dir() || about.uid() != geteuid().as_raw() {
        return Err(format!("`{shown}` is not a folder of ours"));
    }
    // Git takes an empty one for its own, and one that was cut off leaves it.
    if fs_err::read_dir(path).map_err(|error| error.to_string())?.next().is_none() {
        return Ok(false);
    }
    let tree = Git::at(path);
    let is_top = path.join(".git").is_file()
        && tree
            .ask(&["rev-parse", "--show-toplevel"])
            .is_ok_and(|top| is_same(Path::new(&top), path));
    let common = |folder: &Path| {
        let answer = Git::at(folder).ask(&["rev-parse", "--git-common-dir"]).ok()?;
        Some(folder.join(answer))
    };
    let is_of_it = || match (common(path), common(&record.repository)) {
        (Some(one), Some(other)) => is_same(&one, &other),
        _ => false,
    };
    if is_top && is_of_it() {
        return Ok(true);
    }
    let repository = record.repository.display();
    Err(format!("`{shown}` is there and is not a worktree of `{repository}`"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| -> Option<PathBuf> { fs_err::canonicalize(path).ok() };
    real(one).is_some() && real(one) == real(other)
}

/// Proves that nothing is lost with a worktree and its branch: gives the commit that the branch is at,
/// if it has one; or says what would be lost.
pub(super) fn doubt(
    record: &Record,
    path: &Path,
    ignored: Ignored,
) -> Result<Option<String>, String> {
    let repository = Git::at(&record.repository);
    let asked = |error: GitError| error.to_string();
    repository.ask(&["rev-parse", "--git-dir"]).map_err(asked)?;
    if is_there(record, path)? {
        let tree = Git::at(path);
        let head = tree.ask(&["symbolic-ref", "--quiet", "HEAD"]);
        if head.ok().as_deref() != Some(&format!("refs/heads/{}", record.branch)) {
            return Err(format!("something else than `{}` is checked out", record.branch));
        }
        let words = ["status", "--porcelain", "--untracked-files=all", "--ignore-submodules=none"];
        if !tree.ask(&words).map_err(asked)?.is_empty() {
            return Err("it holds changes that are not committed".to_owned());
        }
        if ignored == Ignored::Keeps {
            let words = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory"];
            if !tree.ask(&words).map_err(asked)?.is_empty() {
                return Err("it holds files that git is told to ignore".to_owned());
            }
        }
    }
    let Some(tip) = repository.tip(&record.branch) else { return Ok(None) };
    let own = format!("{}..{tip}", record.base);
    match repository.ask(&["rev-list", "--count", &own, "--"]).map_err(asked)?.as_str() {
        "0" => Ok(Some(tip)),
        count => Err(format!(
            "`{}` has commits that are not in `{}`: {count}",
            record.branch, record.base
        )),
    }
}

/// Removes what was just proven to hold nothing. Git looks again by itself before it does.
pub(super) fn remove(record: &Record, path: &Path, tip: &Option<String>) -> Result<(), String> {
    let repository = Git::at(&record.repository);
    let shown = path.to_string_lossy();
    let asked = |error: GitError| error.to_string();
    if is_there(record, path)? {
        repository.ask(&["worktree", "remove", "--", &shown]).map_err(asked)?;
    }
    repository.ask(&["worktree", "prune"]).map_err(asked)?;
    if let Some(tip) = tip {
        // Only if it is still where it was when that was proven.
        let name = format!("refs/heads/{}", record.branch);
        repository.ask(&["update-ref", "-d", &name, tip]).map_err(asked)?;
    }
    Ok(())
}
