//! What makes a home belong to one daemon and one machine: its lock, its secret, its host id.

use super::DaemonError;
use crate::home::{Home, PRIVATE, make_private};
use crate::ids::{self, SECRET_BYTES};
use longhaul_core::id::HostId;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Tries for the lock.
const LOCK_TRIES: u32 = 50;
/// Between two tries.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Held for as long as this is alive: no other daemon uses the home.
#[derive(Debug)]
pub(super) struct HomeLock {
    file: File,
}

impl HomeLock {
    /// Takes the lock, or says who holds it.
    pub(super) fn take(home: &Home) -> Result<Self, DaemonError> {
        let path = home.lock();
        let failed = |source| DaemonError::io(&path, source);
        let mut file = private_options().create(true).open(&path).map_err(failed)?;
        if !try_patiently(&file).map_err(failed)? {
            let holder = home.holder().map_err(failed)?;
            return Err(DaemonError::AlreadyRunning { pid: holder.and_then(|holder| holder.pid) });
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }

    /// Tells whoever looks at the lock that no client will be let in.
    pub(super) fn keep_private(&mut self) -> io::Result<()> {
        writeln!(self.file, "{PRIVATE}")
    }
}

/// Tries for the lock a little longer than a dead daemon can hold it: one that was killed while it
/// started a shim lives on in that process until its exec closes the file.
fn try_patiently(file: &File) -> io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// The home's secret, made when it is first needed. Only under the lock.
pub(super) fn secret(home: &Home) -> Result<[u8; SECRET_BYTES], DaemonError> {
    let path = home.secret();
    let bytes = read_or_make(&path, || Ok(ids::secret()?.to_vec()))
        .map_err(|source| DaemonError::io(&path, source))?;
    bytes.try_into().map_err(|_| DaemonError::io(&path, io::Error::other("it is not a secret")))
}

/// What values are sealed with, made when it is first needed. Only under the lock. Another user's file,
/// a link, or one that others may read is refused: whoever has it opens all that was sealed.
pub(super) fn sealing_key(home: &Home) -> Result<[u8; SECRET_BYTES], DaemonError> {
    let path = home.sealing_key();
    let failed = |source| DaemonError::io(&path, source);
    if let Err(error) = std::fs::symlink_metadata(&path)
        && error.kind() == io::ErrorKind::NotFound
    {
        read_or_make(&path, || Ok(ids::secret()?.to_vec())).map_err(failed)?;
    }
    let bytes = crate::secret_file::read(&path).map_err(|why| failed(io::Error::other(why)))?;
    bytes.try_into().map_err(|_| failed(io::Error::other("it is not a sealing key")))
}

/// This machine's id, made when it is first needed. Only under the lock.
pub(super) fn host(home: &Home) -> Result<HostId, DaemonError> {
    let path = home.host();
    let failed = |source| DaemonError::io(&path, source);
    let bytes = read_or_make(&path, || Ok(ids::host_id()?.as_str().as_bytes().to_vec()));
    let text = String::from_utf8_lossy(&bytes.map_err(failed)?).into_owned();
    HostId::parse(text.trim()).map_err(|bad| failed(io::Error::other(bad)))
}

/// Makes the folders of the home that the daemon writes to.
pub(super) fn make_folders(home: &Home) -> Result<(), DaemonError> {
    for path in [home.attempts(), home.blobs()] {
        make_private(&path).map_err(|source| DaemonError::io(&path, source))?;
    }
    Ok(())
}

fn read_or_make(path: &Path, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let bytes = make()?;
    // A crash in between must not leave half a secret behind.
    let temporary = path.with_extension("tmp");
    let mut file = private_options().create(true).truncate(true).open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    Ok(bytes)
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Holder;

    #[test]
    fn a_second_daemon_is_told_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        let mut held = HomeLock::take(&home).unwrap();
        let pid = Some(std::process::id());
        assert_eq!(home.holder().unwrap(), Some(Holder { pid, is_private: false }));
        let error = HomeLock::take(&home).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        held.keep_private().unwrap();
        assert_eq!(home.holder().unwrap(), Some(Holder { pid, is_private: true }));
        drop(held);
        assert_eq!(home.holder().unwrap(), None);
        let _held = HomeLock::take(&home).unwrap();
        assert_eq!(home.holder().unwrap(), Some(Holder { pid, is_private: false }));
    }

    #[test]
    fn a_sealing_key_is_made_once_and_nobody_elses_is_taken() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        let key = sealing_key(&home).unwrap();
        assert_eq!(sealing_key(&home).unwrap(), key);
        let path = home.sealing_key();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        sealing_key(&home).unwrap_err();
        let elsewhere = root.path().join("elsewhere");
        std::fs::rename(&path, &elsewhere).unwrap();
        std::fs::set_permissions(&elsewhere, PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        sealing_key(&home).unwrap_err();
    }

    #[test]
    fn secret_and_host_stay_what_they_are() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        assert_eq!(secret(&home).unwrap(), secret(&home).unwrap());
        assert_eq!(host(&home).unwrap(), host(&home).unwrap());
        std::fs::write(home.host(), "nonsense").unwrap();
        host(&home).unwrap_err();
    }
}
