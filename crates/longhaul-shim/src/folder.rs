//! One attempt folder, held open: every file is reached through its handle and checked first.
//!
//! The folder may have been tampered with by whatever ran in it. So nothing is followed that is a
//! symlink, nothing is believed that another user owns or may write, and no read is longer than
//! its limit. What the files mean is [`crate::files`]; what they prove is [`crate::evidence`].

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::{ExitRecord, PidRecord, Spec, VERSION};

/// Longest `spec.json` that is read, in bytes; the kernel's own limit for argv and env is lower.
pub const SPEC_BYTES_MAX: u64 = 8 << 20;
/// Longest `pid.json` or `exit.json` that is read, in bytes. A later release may say more in it.
pub const RECORD_BYTES_MAX: u64 = 64 << 10;
/// Bytes set aside for `exit.json` before anything is started; every record fits.
pub const EXIT_BYTES_RESERVED: u64 = 4096;
/// Longest job id, in bytes.
pub const JOB_BYTES_MAX: usize = 128;

const OURS_ONLY: Mode = Mode::from_raw_mode(0o600);

/// Why a folder or one of its files could not be used. Says nothing of what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such folder; nothing was ever launched in it.
    #[error("the attempt folder does not exist")]
    Missing,
    /// It is not what we made: a link, somebody else's, open to others, or too long.
    #[error("`{name}` was refused: {reason}")]
    Refused {
        /// The file's name in the folder, or `.` for the folder.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It does not parse, was torn, or is of a release newer than ours.
    #[error("`{name}` is not readable: {reason}")]
    Garbled {
        /// The file's name in the folder.
        name: &'static str,
        /// Where it stops making sense.
        reason: String,
    },
    /// The system refused; asking again may help.
    #[error("`{name}` could not be used")]
    Io {
        /// The file's name in the folder, or `.` for the folder.
        name: &'static str,
        /// The system's own error.
        #[source]
        source: io::Error,
    },
}

/// An open attempt folder, owned by us and closed to everybody else.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
}

impl Folder {
    /// Makes the folder and opens it. Refuses one that exists already (`Io`, already exists).
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        fs::mkdir(path, Mode::from_raw_mode(0o700)).map_err(|e| io_error(".", e))?;
        Self::open(path)
    }

    /// Opens a folder that exists. Parents may be symlinks, the folder itself may not.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = match fs::open(path, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Err(FolderError::Missing),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(FolderError::Refused { name: ".", reason: "it is not a folder" });
            }
            Err(e) => return Err(io_error(".", e)),
        };
        let stat = fs::fstat(&handle).map_err(|e| io_error(".", e))?;
        check_ours(".", &stat)?;
        Ok(Self { handle })
    }

    /// Writes `spec.json`. It is not synced: after a power failure nothing of the attempt lives,
    /// and whoever launches it again writes it again.
    pub fn write_spec(&self, spec: &Spec) -> Result<(), FolderError> {
        self.replace("spec.tmp", "spec.json", spec)
    }

    /// Reads `spec.json`; `None` if it was not written.
    pub fn read_spec(&self) -> Result<Option<Spec>, FolderError> {
        let spec: Option<Spec> = self.read("spec.json", SPEC_BYTES_MAX)?;
        match spec {
            Some(spec) if spec.job.len() > JOB_BYTES_MAX => {
                Err(FolderError::Refused { name: "spec.json", reason: "the job id is too long" })
            }
            spec => Ok(spec),
        }
    }

    /// Writes `pid.json`. Not synced, for the reason given at [`Folder::write_spec`].
    pub fn write_pid(&self, record: &PidRecord) -> Result<(), FolderError> {
        self.replace("pid.tmp", "pid.json", record)
    }

    /// Reads `pid.json`; `None` if no child was ever forked.
    pub fn read_pid(&self) -> Result<Option<PidRecord>, FolderError> {
        self.read("pid.json", RECORD_BYTES_MAX)
    }

    /// Reads `exit.json`; `None` while the attempt is not over.
    pub fn read_exit(&self) -> Result<Option<ExitRecord>, FolderError> {
        self.read("exit.json", RECORD_BYTES_MAX)
    }

    /// Makes a file that only we can read, for the daemon to put `in` or an attachment into.
    /// Refuses a name that exists (`Io`, already exists).
    pub fn create_file(&self, name: &'static str) -> Result<File, FolderError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.open_at(name, flags)?.ok_or(FolderError::Missing)
    }

    /// Opens a file of the folder for reading, checked; `None` if there is none.
    ///
    /// This is how the daemon reads `out` and `err`: what the child put in their place is refused.
    pub fn open_file(&self, name: &'static str) -> Result<Option<File>, FolderError> {
        self.open_at(name, OFlags::RDONLY)
    }

    /// Size of a spool in bytes; 0 if there is none or it is not a plain file any more.
    #[must_use]
    pub fn spool_bytes(&self, name: &'static str) -> u64 {
        fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Whether there is anything of this name, readable or not.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        // Anything but a clear "no such file" counts: it bars the way to starting twice.
        !matches!(fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
    }

    /// Opens a spool for appending, making it if needed.
    pub(crate) fn open_spool(&self, name: &'static str) -> Result<File, FolderError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        self.open_at(name, flags)?.ok_or(FolderError::Missing)
    }

    /// Sets aside room for the outcome, so that a disk which fills up later cannot eat it.
    pub(crate) fn reserve_exit(&self) -> Result<File, FolderError> {
        let name = "exit.tmp";
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let mut file = self.open_at(name, flags)?.ok_or(FolderError::Missing)?;
        match fs::fallocate(&file, FallocateFlags::empty(), 0, EXIT_BYTES_RESERVED) {
            Ok(()) => Ok(file),
            // Some file systems have no fallocate; zeros take the room as well.
            Err(Errno::OPNOTSUPP) => {
                let zeros = io::repeat(0).take(EXIT_BYTES_RESERVED);
                io::copy(&mut { zeros }, &mut file)
                    .map_err(|source| FolderError::Io { name, source })?;
                Ok(file)
            }
            Err(e) => Err(io_error(name, e)),
        }
    }

    /// Writes the outcome into the reserved file and gives it its name, durably. May be called
    /// again after an error.
    pub(crate) fn write_exit(&self, file: &File, record: &ExitRecord) -> Result<(), FolderError> {
        let bytes = encode("exit.json", record)?;
        let name = "exit.tmp";
        let mut at = 0;
        while at < bytes.len() {
            let wrote =
                rustix::io::pwrite(file, &bytes[at..], at as u64).map_err(|e| io_error(name, e))?;
            at += wrote;
        }
        fs::ftruncate(file, bytes.len() as u64).map_err(|e| io_error(name, e))?;
        fs::fsync(file).map_err(|e| io_error(name, e))?;
        match fs::renameat(&self.handle, name, &self.handle, "exit.json") {
            Ok(()) => {}
            // An earlier call came as far as the rename and failed after it.
            Err(Errno::NOENT) if matches!(self.read_exit(), Ok(Some(_))) => {}
            Err(e) => return Err(io_error("exit.json", e)),
        }
        fs::fsync(&self.handle).map_err(|e| io_error(".", e))
    }

    /// Opens `lock` without taking it; `None` if no shim ever came.
    pub(crate) fn open_lock(&self) -> Result<Option<File>, FolderError> {
        self.open_at("lock", OFlags::RDWR)
    }

    /// Opens `lock`, making it if needed.
    pub(crate) fn create_lock(&self) -> Result<File, FolderError> {
        self.open_at("lock", OFlags::RDWR | OFlags::CREATE)?.ok_or(FolderError::Missing)
    }

    fn replace(
        &self,
        temporary: &'static str,
        name: &'static str,
        value: &impl Serialize,
    ) -> Result<(), FolderError> {
        let bytes = encode(name, value)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let mut file = self.open_at(temporary, flags)?.ok_or(FolderError::Missing)?;
        file.write_all(&bytes).map_err(|source| FolderError::Io { name: temporary, source })?;
        fs::renameat(&self.handle, temporary, &self.handle, name).map_err(|e| io_error(name, e))
    }

    fn read<T: DeserializeOwned>(
        &self,
        name: &'static str,
        bytes_max: u64,
    ) -> Result<Option<T>, FolderError> {
        let Some(file) = self.open_at(name, OFlags::RDONLY)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| FolderError::Io { name, source })?;
        if bytes.len() as u64 > bytes_max {
            return Err(FolderError::Refused { name, reason: "it is too long" });
        }
        decode(name, &bytes).map(Some)
    }

    fn open_at(&self, name: &'static str, flags: OFlags) -> Result<Option<File>, FolderError> {
        // NONBLOCK so that a planted fifo cannot hold us; it means nothing for a plain file.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match fs::openat(&self.handle, name, flags, OURS_ONLY) {
            Ok(handle) => File::from(handle),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => {
                return Err(FolderError::Refused { name, reason: "it is a symbolic link" });
            }
            Err(e) => return Err(io_error(name, e)),
        };
        let stat = fs::fstat(&file).map_err(|e| io_error(name, e))?;
        if !fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(FolderError::Refused { name, reason: "it is not a plain file" });
        }
        check_ours(name, &stat)?;
        // The child inherits this flag with the file, and nothing there expects it.
        let flags = fs::fcntl_getfl(&file).map_err(|e| io_error(name, e))?;
        fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(|e| io_error(name, e))?;
        Ok(Some(file))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Takes the lock on an open `lock` file without waiting; false if somebody holds it.
pub(crate) fn try_lock(file: &File, exclusive: bool) -> Result<bool, FolderError> {
    let operation = if exclusive {
        FlockOperation::NonBlockingLockExclusive
    } else {
        FlockOperation::NonBlockingLockShared
    };
    match fs::flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(io_error("lock", e)),
    }
}

fn check_ours(name: &'static str, stat: &fs::Stat) -> Result<(), FolderError> {
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(FolderError::Refused { name, reason: "it belongs to another user" });
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(FolderError::Refused { name, reason: "others may use it" });
    }
    Ok(())
}

fn encode(name: &'static str, value: &impl Serialize) -> Result<Vec<u8>, FolderError> {
    serde_json::to_vec(value).map_err(|e| garbled(name, &e))
}

fn decode<T: DeserializeOwned>(name: &'static str, bytes: &[u8]) -> Result<T, FolderError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    // The version comes first: a newer file may differ in every other respect.
    let Versioned { version } = serde_json::from_slice(bytes).map_err(|e| garbled(name, &e))?;
    if version == 0 || version > VERSION {
        let reason = format!("it is of version {version}, we read up to {VERSION}");
        return Err(FolderError::Garbled { name, reason });
    }
    serde_json::from_slice(bytes).map_err(|e| garbled(name, &e))
}

/// serde_json's own text may quote what it read, and that may be a secret from the environment.
fn garbled(name: &'static str, e: &serde_json::Error) -> FolderError {
    let reason = match e.classify() {
        serde_json::error::Category::Eof => "it ends too early".to_owned(),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Data => {
            format!("it makes no sense at line {}, column {}", e.line(), e.column())
        }
    };
    FolderError::Garbled { name, reason }
}

fn io_error(name: &'static str, e: Errno) -> FolderError {
    FolderError::Io { name, source: e.into() }
}
