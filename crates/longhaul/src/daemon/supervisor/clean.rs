//! Wants `Clean` and `Purge` of ended jobs: secrets and copies shall be gone; one day everything
//! shall be. Only folders that belong to the job's own attempts are ever opened.

use super::evidence::Seen;
use super::folders;
use super::site::Site;
use crate::daemon::{Ignored, Reaped};
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use longhaul_core::outcome::Ending;
use longhaul_shim::folder::{Folder, FolderError};
use rustix::fs::{Mode, OFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;

/// Erases secrets and copies from the folders of attempts 1 to `attempts`, and reports. Blocks.
pub(super) fn clean(site: &Site, job: &JobId, attempts: u32) -> Seen {
    let failures: Vec<String> = (1..=attempts)
        .filter_map(|attempt| {
            let failure = clean_one(site, job, attempt).err()?;
            Some(format!("attempt {attempt}: {failure}"))
        })
        .collect();
    let failure = (!failures.is_empty()).then(|| failures.join("; "));
    reap(site, job, Ignored::Keeps);
    site.engine.report(vec![Command::Cleaned { job: job.clone(), failure }]);
    Seen::Done
}

fn clean_one(site: &Site, job: &JobId, attempt: u32) -> io::Result<()> {
    match Folder::open(&site.home.attempt(job, attempt)) {
        Ok(folder) => folders::erase(&folder),
        Err(FolderError::Missing) => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Removes the folders of attempts 1 to `attempts`, and reports. Stored content that no job names
/// any more is removed elsewhere, after a while. Blocks.
pub(super) fn purge(site: &Site, job: &JobId, attempts: u32) -> Seen {
    let failure = purge_all(site, job, attempts).err().map(|error| error.to_string());
    site.doubts.forget(job);
    if failure.is_none() {
        reap(site, job, Ignored::Goes);
    }
    site.engine.report(vec![Command::Purged { job: job.clone(), failure }]);
    Seen::Done
}

fn purge_all(site: &Site, job: &JobId, attempts: u32) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let above = rustix::fs::open(site.home.attempts(), flags, Mode::empty())?;
    for attempt in 1..=attempts {
        let name = CString::new(format!("{job}.{attempt}")).map_err(io::Error::other)?;
        folders::remove_tree(above.as_fd(), &name)?;
    }
    Ok(())
}

/// Removes the worktree of a turn if nothing is lost with it. As long as the turn is kept, its end alone
/// is a reason only where that was good: whoever looks into a failure finds everything in its place.
fn reap(site: &Site, job: &JobId, ignored: Ignored) {
    let is_removed = ignored == Ignored::Goes;
    let allow = || match site.job(job) {
        Ok(Some(row)) => match row.outcome() {
            Some(outcome) if is_removed || outcome.kind == Ending::Succeeded => Ok(()),
            Some(_) => Err("its turn did not end well".to_owned()),
            None => Err("its turn has not ended".to_owned()),
        },
        Ok(None) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    match site.worktrees.reap(job.as_str(), ignored, allow) {
        Ok(Reaped::Nothing | Reaped::Gone) => {}
        Ok(Reaped::Kept { path, because }) => {
            tracing::info!(%job, path = %path.display(), because, "a turn's worktree is kept");
        }
        // Neither a reason to keep what else is to go.
        Err(error) => tracing::warn!(%job, %error, "a turn's worktree was not looked at"),
    }
}
