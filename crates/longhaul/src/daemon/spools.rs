//! What attempts wrote: sizes, open files, and who wants to know when there is more. The kernel
//! says when a spool grows; nobody looks from time to time, and nothing is watched for nobody.

use super::readable::readable;
use crate::home::Home;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_shim::folder::{Folder, FolderError};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;

/// At most this often is a follower told that there is more: a chatty child writes every line apart.
const PACE: Duration = Duration::from_millis(6);
/// Between two looks where the kernel will not tell: no folder yet, or no watches left.
const BLIND_PACE: Duration = Duration::from_millis(50);
/// Bytes of notifications taken in one read.
const NOTICES_BYTES: usize = 4_096;

/// One of a job's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    const fn file(self) -> &'static str {
        match self {
            Self::Stdout => "out",
            Self::Stderr => "err",
        }
    }
}

/// Finds and follows spools. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spools {
    home: Home,
    watches: Arc<Mutex<Option<Arc<Watches>>>>,
}

impl Spools {
    pub(super) fn new(home: Home) -> Self {
        Self { home, watches: Arc::default() }
    }

    /// Bytes on standard output and standard error of a job's current or last attempt: what its
    /// record says once that is over, what lies on the disk before.
    #[must_use]
    pub fn sizes(&self, job: &Job) -> (u64, u64) {
        let Some(current) = job.current() else { return (0, 0) };
        if current.ended_at.is_some() {
            return (current.stdout_bytes, current.stderr_bytes);
        }
        match Folder::open(&self.home.attempt(&job.id, job.attempt)) {
            Ok(folder) => (folder.spool_bytes("out"), folder.spool_bytes("err")),
            // Not there yet, or not ours: either way it has nothing to show.
            Err(_) => (0, 0),
        }
    }

    /// Opens a spool for reading; `None` if the attempt has not begun or its files were removed.
    ///
    /// # Errors
    /// [`FolderError`] for a folder or file that was tampered with.
    pub fn open(
        &self,
        job: &JobId,
        attempt: u32,
        stream: Stream,
    ) -> Result<Option<File>, FolderError> {
        match Folder::open(&self.home.attempt(job, attempt)) {
            Ok(folder) => folder.open_file(stream.file()),
            Err(FolderError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Follows what an attempt writes. Begin to follow before reading, and no byte is missed.
    #[must_use]
    pub fn growth(&self, job: &JobId, attempt: u32) -> Growth {
        let folder = self.home.attempt(job, attempt);
        let (spools, pace) = (self.clone(), PACE);
        let mut growth = Growth { spools, folder, pace, watched: None, told_at: None };
        growth.begin();
        growth
    }

    /// The kernel's watches, made when the first follower comes.
    fn watches(&self) -> io::Result<Arc<Watches>> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watches) = &*watches {
            return Ok(Arc::clone(watches));
        }
        let made = Arc::new(Watches::new()?);
        *watches = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// Somebody follows an attempt.
#[derive(Debug)]
pub struct Growth {
    spools: Spools,
    folder: PathBuf,
    pace: Duration,
    watched: Option<Watched>,
    told_at: Option<Instant>,
}

impl Growth {
    /// Is told at most this often, for who has more to do with each piece of news.
    #[must_use]
    pub(super) fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Comes back when something in the attempt's folder may have changed since the last call: more
    /// output, or its end. May come back for nothing; look what there is.
    pub async fn grew(&mut self) {
        if let Some(told_at) = self.told_at {
            tokio::time::sleep_until(told_at + self.pace).await;
        }
        if self.watched.is_none() {
            tokio::time::sleep(BLIND_PACE).await;
            self.begin();
        } else if let Some(watched) = &mut self.watched {
            watched.changed().await;
        }
        self.told_at = Some(Instant::now());
    }

    fn begin(&mut self) {
        let watches = self.spools.watches();
        // Without a watch it is looked at from time to time.
        self.watched = watches.ok().and_then(|watches| Watched::begin(watches, &self.folder).ok());
    }
}

/// One inotify handle for all followers: a user has few of those, and many watches.
#[derive(Debug)]
struct Watches {
    handle: AsyncFd<OwnedFd>,
    folders: Mutex<BTreeMap<i32, watch::Sender<u64>>>,
}

impl Watches {
    fn new() -> io::Result<Self> {
        let handle = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { handle: readable(handle)?, folders: Mutex::default() })
    }

    fn folders(&self) -> MutexGuard<'_, BTreeMap<i32, watch::Sender<u64>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the kernel has to tell and passes it on to all followers.
    fn distribute(&self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); NOTICES_BYTES];
        let mut reader = inotify::Reader::new(self.handle.get_ref(), &mut buffer);
        loop {
            let descriptor = match reader.next() {
                Ok(event) => event.wd(),
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let folders = self.folders();
            match folders.get(&descriptor) {
                Some(sender) => sender.send_modify(|times| *times += 1),
                // -1 is "notices were lost": everybody looks.
                None if descriptor < 0 => {
                    for sender in folders.values() {
                        sender.send_modify(|times| *times += 1);
                    }
                }
                None => {}
            }
        }
    }
}

/// A follower's share of one watch.
#[derive(Debug)]
struct Watched {
    watches: Arc<Watches>,
    descriptor: i32,
    changes: Option<watch::Receiver<u64>>,
}

impl Watched {
    fn begin(watches: Arc<Watches>, folder: &std::path::Path) -> io::Result<Self> {
        let what = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        // Under the table's lock, so that no follower who leaves takes the watch away meanwhile.
        let mut folders = watches.folders();
        let descriptor = inotify::add_watch(watches.handle.get_ref(), folder, what)?;
        let sender = folders.entry(descriptor).or_insert_with(|| watch::Sender::new(0));
        let changes = Some(sender.subscribe());
        drop(folders);
        Ok(Self { watches, descriptor, changes })
    }

    async fn changed(&mut self) {
        let changes = self.changes.as_mut().expect("only dropping takes it");
        loop {
            // Whoever is awake first takes the notices of all; nothing needs a task of its own.
            tokio::select! {
                biased;
                _ = changes.changed() => return,
                ready = self.watches.handle.readable() => {
                    let Ok(mut ready) = ready else { return };
                    let taken = self.watches.distribute();
                    ready.clear_ready();
                    if taken.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut folders = self.watches.folders();
        self.changes = None;
        if folders.get(&self.descriptor).is_some_and(|sender| sender.receiver_count() == 0) {
            folders.remove(&self.descriptor);
            // The folder may be gone, and the watch with it.
            let _ = inotify::remove_watch(self.watches.handle.get_ref(), self.descriptor);
        }
    }
}
