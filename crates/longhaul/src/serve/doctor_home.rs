//! Looks the home's files over: whose they are, what lies there that nobody knows, what room is left.

use super::Shared;
use super::doctor::{NAMED_MAX, finding, fine};
use super::error::{Answer, Failure};
use crate::api::{Finding, Level};
use crate::daemon::Room;
use longhaul_core::id::JobId;
use longhaul_core::port::Table;
use rustix::process::geteuid;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;
/// Below this many times the bytes that are kept free, it is worth a warning.
const DISK_WARNING_TIMES: u64 = 8;

/// Looks at files, modes and room.
pub(super) async fn examine(ports: &Shared) -> Answer<Vec<Finding>> {
    let mut findings = modes(ports);
    let looking = std::sync::Arc::clone(ports);
    let listed = tokio::task::spawn_blocking(move || folders(&looking.home.attempts())).await;
    let listed = listed.map_err(|error| Failure::bug(error.to_string()))?;
    findings.extend(attempt_folders(ports, listed).await?);
    findings.push(disk(ports));
    Ok(findings)
}

fn modes(ports: &Shared) -> Vec<Finding> {
    let home = &ports.home;
    let private =
        [home.path().to_owned(), home.db(), home.secret(), home.socket(), home.attempts()];
    let mut findings: Vec<Finding> = private.iter().filter_map(|path| mode(path)).collect();
    if findings.is_empty() {
        findings.push(fine("home", "the home is this user's alone"));
    }
    findings
}

fn mode(path: &Path) -> Option<Finding> {
    let shown = path.display();
    let about = match fs_err::symlink_metadata(path) {
        Ok(about) => about,
        // Made when it is first needed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            let message = format!("`{shown}` cannot be looked at: {error}");
            return Some(finding("home", Level::Problem, message, "check its owner and mode"));
        }
    };
    let problem = problem_of(&about)?;
    let hint = format!("`chmod go-rwx {shown}` if it is yours");
    Some(finding("home", Level::Problem, format!("`{shown}` {problem}"), hint))
}

fn problem_of(about: &Metadata) -> Option<&'static str> {
    if about.file_type().is_symlink() {
        Some("is a symbolic link")
    } else if about.uid() != geteuid().as_raw() {
        Some("belongs to another user")
    } else if about.mode() & OTHERS != 0 {
        Some("is open to other users")
    } else {
        None
    }
}

/// What lies in the folder of attempts.
struct Folders {
    /// Attempts by their names, with the job that each says it belongs to.
    attempts: Vec<(JobId, PathBuf)>,
    /// Everything that is no folder of ours, with what is wrong.
    strange: Vec<(PathBuf, String)>,
}

fn folders(attempts: &Path) -> io::Result<Folders> {
    let mut found = Folders { attempts: Vec::new(), strange: Vec::new() };
    let entries = match fs_err::read_dir(attempts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let problem = match fs_err::symlink_metadata(&path) {
            Ok(about) => {
                problem_of(&about).or_else(|| (!about.is_dir()).then_some("is not a folder"))
            }
            // Removed while we looked.
            Err(_) => continue,
        };
        match (problem, job_of(&path)) {
            (None, Some(job)) => found.attempts.push((job, path)),
            (None, None) => found.strange.push((path, "has no name of an attempt".to_owned())),
            (Some(problem), _) => found.strange.push((path, problem.to_owned())),
        }
    }
    Ok(found)
}

/// The job in `job_….3`.
fn job_of(path: &Path) -> Option<JobId> {
    let (job, number) = path.file_name()?.to_str()?.rsplit_once('.')?;
    number.parse::<u32>().ok()?;
    JobId::parse(job).ok()
}

async fn attempt_folders(ports: &Shared, listed: io::Result<Folders>) -> Answer<Vec<Finding>> {
    let what = "attempt folders";
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let message = format!("they cannot be listed: {error}");
            return Ok(vec![finding(what, Level::Problem, message, "check their owner and mode")]);
        }
    };
    let count = listed.attempts.len();
    let unknown = ports.readers.read(move |reader| {
        let mut unknown = Vec::new();
        for (job, path) in listed.attempts {
            if reader.load(Table::Job, job.as_str())?.is_none() {
                unknown.push((path, "belongs to no job that is known".to_owned()));
            }
        }
        Ok(unknown)
    });
    let strange = listed.strange.into_iter().map(|odd| (Level::Problem, odd));
    // A folder without its row may be on its way out; it holds nothing up.
    let unknown = unknown.await?.into_iter().map(|odd| (Level::Warning, odd));
    let odd: Vec<(Level, (PathBuf, String))> = strange.chain(unknown).collect();
    if odd.is_empty() {
        return Ok(vec![fine(what, format!("all {count} belong to jobs that are known"))]);
    }
    let hint = "nothing of it is believed or touched; remove it if it is not yours";
    let tell = |(level, (path, problem)): (Level, (PathBuf, String))| {
        finding(what, level, format!("`{}` {problem}", path.display()), hint)
    };
    Ok(odd.into_iter().take(NAMED_MAX).map(tell).collect())
}

fn disk(ports: &Shared) -> Finding {
    let Some(room) = Room::at(ports.home.path()) else {
        return fine("disk", "the file system does not say how full it is");
    };
    let low = ports.config.low_disk_bytes;
    let bytes = format!("{} MiB are free where the home lies", room.bytes >> 20);
    let hint = "`longhaul prune --older-than 1d` removes what is no longer needed";
    if let Some(what) = room.shortage(low) {
        finding("disk", Level::Problem, format!("{bytes}: {what}"), hint)
    } else if room.bytes < low.saturating_mul(DISK_WARNING_TIMES) {
        finding("disk", Level::Warning, bytes, hint)
    } else {
        fine("disk", bytes)
    }
}
