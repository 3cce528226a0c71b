//! Sessions that commands have left and that can still be gone on with. Only the session that asked for a
//! job may end it, and `submit` is over long before its job is: what it takes to come back lies in a file of
//! the home, one for each job, until the runtime lets the session go.

use crate::client::arcp::Kept;
use crate::clock::wall_now;
use crate::home::{self, Home};
use crate::secret_file;
use longhaul_core::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many sessions are kept; the oldest make room.
const KEPT_MAX: usize = 256;
/// How long one is kept at most, whatever a runtime says.
const WINDOW_MAX: Millis = Millis::from_secs(24 * 60 * 60);

/// One file. The names are this program's own, and may change with it.
#[derive(Serialize, Deserialize)]
struct Record {
    session_id: String,
    resume_token: String,
    last_event_seq: u64,
    window_ms: Millis,
    until_at: Timestamp,
}

/// The folder of the sessions that were left.
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// Makes it in the home that the environment names.
    ///
    /// # Errors
    /// In words: the home or the folder is not this user's alone, or cannot be made.
    pub(super) fn open() -> Result<Self, String> {
        let opened = Home::locate().and_then(|path| Home::open(&path));
        Self::within(&opened.map_err(|error| error.to_string())?)
    }

    fn within(home: &Home) -> Result<Self, String> {
        let folder = home.remote_sessions();
        home::make_private(&folder).map_err(|error| failed(&folder, &error))?;
        home::check_ours(&folder).map_err(|error| error.to_string())?;
        Ok(Self(folder))
    }

    /// Keeps the session that asked for a job of the runtime at `url`.
    ///
    /// # Errors
    /// In words: the file cannot be written.
    pub(super) fn put(&self, url: &str, job: &str, kept: Kept) -> Result<(), String> {
        let now = wall_now();
        self.tidy(now).map_err(|error| failed(&self.0, &error))?;
        let record = Record {
            until_at: now.plus(kept.window.min(WINDOW_MAX)),
            session_id: kept.session_id,
            resume_token: kept.resume_token,
            last_event_seq: kept.last_event_seq,
            window_ms: kept.window,
        };
        let text = serde_json::to_vec(&record).map_err(|error| error.to_string())?;
        let path = self.file(url, job);
        write(&path, &text).map_err(|error| failed(&path, &error))
    }

    /// The session that asked for a job, if it was kept and the runtime may still have it.
    ///
    /// # Errors
    /// In words: there is a file, and it is not to be trusted or not understood.
    pub(super) fn find(&self, url: &str, job: &str) -> Result<Option<Kept>, String> {
        let path = self.file(url, job);
        if !path.try_exists().map_err(|error| failed(&path, &error))? {
            return Ok(None);
        }
        let bytes = secret_file::read(&path)?;
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|error| format!("`{}` is not understood: {error}", path.display()))?;
        if record.until_at <= wall_now() {
            return Ok(None);
        }
        Ok(Some(Kept {
            session_id: record.session_id,
            resume_token: record.resume_token,
            last_event_seq: record.last_event_seq,
            window: record.window_ms,
        }))
    }

    /// Forgets the session that asked for a job: it is no more.
    ///
    /// # Errors
    /// In words: the file cannot be removed.
    pub(super) fn forget(&self, url: &str, job: &str) -> Result<(), String> {
        let path = self.file(url, job);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| failed(&path, &error)),
        }
    }

    /// Ids of other runtimes may be anything, so none becomes a name.
    fn file(&self, url: &str, job: &str) -> PathBuf {
        let digest = Sha256::new_with_prefix(url).chain_update([0]).chain_update(job).finalize();
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.join(name)
    }

    /// Removes what is of no use any more, and the oldest if there are too many.
    fn tidy(&self, now: Timestamp) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = vec![];
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let written_at = entry.metadata()?.modified()?;
            files.push((written_at, entry.path()));
        }
        files.sort();
        let surplus = (files.len() + 1).saturating_sub(KEPT_MAX);
        let oldest = now.as_millis() - i64::try_from(WINDOW_MAX.get()).unwrap_or(i64::MAX);
        for (place, (written_at, path)) in files.iter().enumerate() {
            let age = written_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let is_old = i64::try_from(age.as_millis()).unwrap_or(i64::MAX) < oldest;
            if place < surplus || is_old {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("`{}` cannot be used: {error}", path.display())
}

/// Whole or not at all, and this user's alone from its first byte.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(std::process::id().to_string());
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn kept(number: u64) -> Kept {
        Kept {
            session_id: format!("sess_{number}"),
            resume_token: "rt".to_owned(),
            last_event_seq: number,
            window: Millis::from_secs(600),
        }
    }

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let shelf = Shelf::within(&home).unwrap();
        (folder, shelf)
    }

    #[test]
    fn a_session_is_found_by_whoever_names_runtime_and_job() {
        let (_folder, shelf) = shelf();
        shelf.put("ws://a", "job_1", kept(1)).unwrap();
        assert_eq!(shelf.find("ws://b", "job_1"), Ok(None));
        assert_eq!(shelf.find("ws://a", "job_1"), Ok(Some(kept(1))));
        shelf.forget("ws://a", "job_1").unwrap();
        shelf.forget("ws://a", "job_1").unwrap();
        assert_eq!(shelf.find("ws://a", "job_1"), Ok(None));
        shelf.put("ws://a", "job_1", Kept { window: Millis::ZERO, ..kept(2) }).unwrap();
        assert_eq!(shelf.find("ws://a", "job_1"), Ok(None), "its time is over");
    }

    #[test]
    fn a_file_that_others_could_have_touched_is_refused() {
        let (_folder, shelf) = shelf();
        shelf.put("ws://a", "../../job", kept(1)).unwrap();
        let path = shelf.file("ws://a", "../../job");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(shelf.find("ws://a", "../../job").unwrap_err().contains("chmod 600"));
    }

    #[test]
    fn the_oldest_make_room() {
        let (_folder, shelf) = shelf();
        for number in 0..KEPT_MAX as u64 + 9 {
            shelf.put("ws://a", &number.to_string(), kept(number)).unwrap();
        }
        assert_eq!(fs::read_dir(&shelf.0).unwrap().count(), KEPT_MAX);
        let last = KEPT_MAX as u64 + 8;
        assert_eq!(shelf.find("ws://a", &last.to_string()), Ok(Some(kept(last))));
    }
}
