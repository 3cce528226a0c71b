//! Stored content that nobody names any more goes, and so do drafts whose sender is gone. What was
//! stored or named within the grace always stays: its job may be on its way to us.
//!
//! Naming and removing exclude each other by one lock, and naming makes content young again, so a
//! submit that found its content finds it after its commit, too.

use super::readers::Readers;
use super::stop::StopSwitch;
use crate::clock::{Clock, wall_now};
use crate::home::{Home, make_private};
use crate::ids;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Filter, Reader, Record, StoreError};
use longhaul_core::spec::Blob;
use longhaul_core::time::{Millis, Timestamp};
use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fstat, futimens};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Rows read at once while looking for names.
const PAGE_JOBS: u32 = 500;
/// What the name of content that is still being sent begins with.
pub(crate) const DRAFT: &str = "draft.";

/// The stored content of one home. Cheap to clone.
#[derive(Clone)]
pub struct Stored {
    home: Home,
    grace: Millis,
    /// Held while one file is made young or removed.
    gate: Arc<Mutex<()>>,
    tick: Arc<Notify>,
}

impl Stored {
    pub(super) fn new(home: Home, grace: Millis) -> Self {
        Self { home, grace, gate: Arc::default(), tick: Arc::default() }
    }

    /// Keeps one stored content for another grace, and gives its size; `None` if there is none.
    /// `sha256` must have passed the check of a job's specification.
    ///
    /// # Errors
    /// The file system's own; nobody may rely on the content then.
    pub fn keep(&self, sha256: &str) -> io::Result<Option<u64>> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::open(self.home.blob(sha256), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let about = fstat(&file)?;
        if !rustix::fs::FileType::from_raw_mode(about.st_mode).is_file() {
            return Ok(None);
        }
        let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
        let now = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
        futimens(&file, &now)?;
        Ok(u64::try_from(about.st_size).ok())
    }

    /// Stores content and names it by what it is. Blocks for the disk.
    ///
    /// # Errors
    /// The file system's own; nothing is stored then.
    pub fn put(&self, content: &[u8]) -> io::Result<Blob> {
        let sha256 = ids::hex(&Sha256::digest(content));
        let blob = Blob { sha256, size: content.len() as u64 };
        if self.keep(&blob.sha256)? == Some(blob.size) {
            return Ok(blob);
        }
        let folder = self.home.blobs();
        make_private(&folder)?;
        // Its own name each, so that two who store the same do not write into each other.
        let draft = folder.join(format!("{DRAFT}{}", ids::job_id()?));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = (&file).write_all(content).and_then(|()| file.sync_all());
        let named = written.and_then(|()| fs_err::rename(&draft, self.home.blob(&blob.sha256)));
        if let Err(error) = named {
            // What is left of it is swept one day.
            let _ = fs_err::remove_file(&draft);
            return Err(error);
        }
        File::open(&folder)?.sync_all()?;
        Ok(blob)
    }

    /// Says that retention was looked at: this is a time to sweep, too.
    pub(super) fn tick(&self) {
        self.tick.notify_one();
    }

    /// Sweeps at ticks, at most once a grace, until the daemon stops.
    pub(super) async fn run(self, readers: Readers, clock: Clock, stop: StopSwitch) {
        let mut swept_at: Option<u64> = None;
        loop {
            tokio::select! {
                () = stop.stopped() => return,
                () = self.tick.notified() => {}
            }
            let now = clock.awake_ms();
            if swept_at.is_some_and(|at| now.saturating_sub(at) < self.grace.get()) {
                continue;
            }
            swept_at = Some(now);
            let (stored, readers) = (self.clone(), readers.clone());
            match tokio::task::spawn_blocking(move || stored.sweep(&readers)).await {
                Ok(Ok(0)) => {}
                Ok(Ok(removed)) => tracing::info!(removed, "stored content that nobody names"),
                Ok(Err(error)) => tracing::warn!(%error, "stored content was not swept"),
                Err(error) => tracing::error!(%error, "sweeping stored content panicked"),
            }
        }
    }

    /// Removes what is old and named by no job, as much as one run may. Blocks.
    fn sweep(&self, readers: &Readers) -> io::Result<usize> {
        let mut old = self.old()?;
        if !old.is_empty() {
            let named = |reader: &mut dyn Reader| spare_named(reader, &mut old);
            readers.read_blocking(named).map_err(io::Error::other)?;
        }
        let mut removed = 0;
        for name in old {
            let path = self.home.blobs().join(name);
            let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            // Named since we looked, perhaps by a job whose row came after ours were read.
            if self.is_old(&path)? {
                fs_err::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Names of content and drafts that nobody touched within the grace, as many as one run takes.
    fn old(&self) -> io::Result<BTreeSet<String>> {
        let mut old = BTreeSet::new();
        for entry in fs_err::read_dir(self.home.blobs())?.take(limits::SWEEP_LOOKED_AT_MAX) {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_ours = name.starts_with(DRAFT) || is_content(&name);
            if is_ours && self.is_old(&entry.path())? {
                old.insert(name);
            }
            if old.len() >= limits::SWEEP_REMOVED_MAX {
                break;
            }
        }
        Ok(old)
    }

    fn is_old(&self, path: &Path) -> io::Result<bool> {
        let about = match rustix::fs::lstat(path) {
            Ok(about) => about,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let touched_at = Timestamp::from_millis(about.st_mtime.saturating_mul(1_000));
        let is_file = rustix::fs::FileType::from_raw_mode(about.st_mode).is_file();
        Ok(is_file && touched_at.plus(self.grace) < wall_now())
    }
}

fn is_content(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Takes out of `names` whatever a job names. A row that cannot be read may name anything: then
/// nothing is removed.
fn spare_named(reader: &mut dyn Reader, names: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let mut before = None;
    loop {
        let rows = reader.list(&Filter::default(), before, PAGE_JOBS)?;
        let Some(last) = rows.last() else { return Ok(()) };
        before = Some(last.seq);
        for row in &rows {
            let spec = Job::from_row(row)?.spec;
            let attached = spec.attachments.iter().map(|attachment| &attachment.blob);
            for blob in attached.chain(&spec.stdin) {
                names.remove(&blob.sha256);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;

    fn place(grace: Millis) -> (tempfile::TempDir, Stored) {
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        std::fs::create_dir(home.blobs()).unwrap();
        (root, Stored::new(home, grace))
    }

    fn put(stored: &Stored, name: &str) {
        let file = File::create(stored.home.blobs().join(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn what_is_named_is_young_again() {
        let (_root, stored) = place(Millis::from_secs(3_600));
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        for name in [&one, &other, "draft.x", "unknown"] {
            put(&stored, name);
        }
        assert_eq!(stored.keep(&one).unwrap(), Some(0));
        assert_eq!(stored.keep(&"c".repeat(64)).unwrap(), None);
        let old: Vec<String> = stored.old().unwrap().into_iter().collect();
        assert_eq!(old, [other, "draft.x".to_owned()]);
        let endless = Stored { grace: limits::SPAN_MAX.times(10), ..stored };
        assert_eq!(endless.old().unwrap().len(), 0);
    }
}
