//! Files that hold secrets and are this user's alone.

use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a secret; more is some other file.
const FILE_BYTES_MAX: u64 = 4_096;

/// Reads a secret. Refuses what others could have read, changed or put there: links, other users'
/// files, open modes. Blocks.
///
/// # Errors
/// In words, naming the file and never what is in it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let fail = |why: String| format!("the secret in `{}` {why}", path.display());
    // Without waiting: opening a pipe would hang until somebody writes into it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| fail(format!("cannot be read, or is a link: {error}")))?;
    let about = rustix::fs::fstat(&file).map_err(|error| fail(format!("is odd: {error}")))?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err(fail("is not in an ordinary file".to_owned()));
    }
    if about.st_uid != rustix::process::geteuid().as_raw() {
        return Err(fail("belongs to another user: it must be this user's own".to_owned()));
    }
    let mode = Mode::from_raw_mode(about.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        let mode = mode.as_raw_mode() & 0o7777;
        return Err(fail(format!("is open to others (mode {mode:04o}): `chmod 600` it")));
    }
    let mut bytes = vec![];
    let reading = File::from(file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    reading.map_err(|error| fail(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fail(format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_that_others_could_have_touched_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sk-master").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(read(&path).unwrap(), b"sk-master");
        mode(0o640);
        assert!(read(&path).unwrap_err().contains("chmod 600"));
        mode(0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link).unwrap_err().contains("link"));
        assert!(read(folder.path()).unwrap_err().contains("ordinary file"));
        std::fs::write(&path, vec![b'x'; 5_000]).unwrap();
        assert!(read(&path).unwrap_err().contains("more than"));
    }
}
