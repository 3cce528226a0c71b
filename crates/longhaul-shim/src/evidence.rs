//! What a folder proves about its attempt, and the tombstone that makes "not begun" final.
//!
//! [`look`] is total: any mixture of files, torn or planted, gives exactly one verdict. Only
//! [`bury`] writes, and only while it holds the lock, so it can never contradict a living shim.

use std::time::Duration;

use crate::clock;
use crate::files::{ExitRecord, How, Leftovers, PidRecord, VERSION};
use crate::folder::{Folder, FolderError, try_lock};

/// The verdict on an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing of the attempt lives, and this is how it ended. Final.
    Over(ExitRecord),
    /// A shim holds the lock. The record is missing until the child has been forked.
    Alive(Option<PidRecord>),
    /// No shim holds the lock and no child was let run. Only [`bury`] makes this final: a shim
    /// that was launched may still be on its way to the lock.
    NeverBegun,
    /// The shim is gone without an outcome; the child may live. See [`crate::orphans::end_by_token`].
    ShimDied(PidRecord),
    /// The folder cannot be believed or read. Report it; act on nothing it says.
    Unknown(String),
}

/// What a tombstone is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The job's id.
    pub job: String,
    /// The attempt that shall never begin, or is lost.
    pub attempt: u32,
    /// `None`: never started, refused if a child was forked. With a message: lost, for an attempt
    /// whose shim died and of which, as far as can be proven, nothing lives any more.
    pub lost: Option<String>,
}

/// What came of [`bury`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Buried {
    /// The tombstone stands; no shim can ever begin this attempt.
    Written(ExitRecord),
    /// Nothing was written, because the folder proves something else.
    Found(Evidence),
}

/// Says what the folder proves right now.
///
/// Takes the lock, shared and for the time of two reads, so that the files belong together; a shim
/// that comes in that moment tries again (see [`LOCK_PATIENCE`]).
#[must_use]
pub fn look(folder: &Folder) -> Evidence {
    judge(folder, false).unwrap_or_else(|e| Evidence::Unknown(describe(&e)))
}

/// Ends an attempt that nobody holds: writes its `exit.json` under the lock.
///
/// Works on an empty folder too, and on one whose files do not parse when it is to be `lost` (after
/// a power failure files may be torn, and nothing of an earlier boot lives). What it found instead
/// comes back as [`Buried::Found`]: `Over` and `Alive` mean the question is moot; `ShimDied` means
/// the attempt did begin and can only be `lost`. An error means nothing is known to be written.
pub fn bury(folder: &Folder, tombstone: Tombstone) -> Result<Buried, FolderError> {
    let lock = folder.create_lock()?;
    if !try_lock(&lock, true)? {
        return Ok(Buried::Found(look(folder)));
    }
    // An outcome that is there but unreadable is still an outcome: it is not written over.
    if let Some(record) = folder.read_exit()? {
        return Ok(Buried::Found(Evidence::Over(record)));
    }
    let pid = match (folder.read_pid(), &tombstone.lost) {
        (Ok(None), _) => None,
        (Ok(Some(pid)), None) => return Ok(Buried::Found(Evidence::ShimDied(pid))),
        (Ok(Some(pid)), Some(_)) => Some(pid),
        (Err(e), None) => return Ok(Buried::Found(Evidence::Unknown(describe(&e)))),
        (Err(_), Some(_)) => None,
    };
    let record = epitaph(folder, tombstone, pid.as_ref());
    let file = folder.reserve_exit()?;
    folder.write_exit(&file, &record)?;
    Ok(Buried::Written(record))
}

/// How long a shim keeps trying for the lock before it takes it to be another shim's.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_millis(200);

fn judge(folder: &Folder, held_before: bool) -> Result<Evidence, FolderError> {
    if let Some(record) = folder.read_exit()? {
        return Ok(Evidence::Over(record));
    }
    let Some(lock) = folder.open_lock()? else {
        return Ok(match folder.read_pid()? {
            None => Evidence::NeverBegun,
            // The lock comes before pid.json and is never unlinked.
            Some(_) => Evidence::Unknown("`pid.json` is there but `lock` is not".to_owned()),
        });
    };
    if !try_lock(&lock, false)? {
        let pid = folder.read_pid()?;
        // The shim may have written its outcome since we looked for it; one more look tells.
        return if held_before { Ok(Evidence::Alive(pid)) } else { judge(folder, true) };
    }
    // From here on no shim can begin or end, so these two reads belong together.
    if let Some(record) = folder.read_exit()? {
        return Ok(Evidence::Over(record));
    }
    Ok(folder.read_pid()?.map_or(Evidence::NeverBegun, Evidence::ShimDied))
}

fn epitaph(folder: &Folder, tombstone: Tombstone, pid: Option<&PidRecord>) -> ExitRecord {
    let now = clock::now();
    ExitRecord {
        version: VERSION,
        job: tombstone.job,
        attempt: tombstone.attempt,
        how: tombstone.lost.map_or(How::NeverStarted, |mut message| {
            crate::record::shorten(&mut message);
            How::Lost { message }
        }),
        stopped: None,
        cpu_ms: 0,
        rss_bytes_max: 0,
        stdout_bytes: folder.spool_bytes("out"),
        stderr_bytes: folder.spool_bytes("err"),
        started_wall_ms: pid.map_or(0, |pid| pid.started_wall_ms),
        started_boot_ms: pid.map_or(0, |pid| pid.started_boot_ms),
        ended_wall_ms: now.wall_ms,
        ended_boot_ms: now.boot_ms,
        leftovers: Leftovers::none(),
    }
}

fn describe(e: &FolderError) -> String {
    match e {
        FolderError::Io { source, .. } => format!("{e}: {source}"),
        FolderError::Missing | FolderError::Refused { .. } | FolderError::Garbled { .. } => {
            e.to_string()
        }
    }
}
