//! How much room a file system has: bytes, and files, of which many have a fixed number.

use std::path::Path;

/// Files that are kept free: eight for each of 64 attempts that run, and some to mend with.
const LOW_FILES: u64 = 768;

/// What is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user may still write.
    pub bytes: u64,
    /// Files that this user may still make; `None` where there is no fixed number of them.
    pub files: Option<u64>,
}

impl Room {
    /// The room of the file system that `path` lies on; `None` if that cannot be known.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let about = rustix::fs::statvfs(path).ok()?;
        let files = (about.f_files > 0).then_some(about.f_favail);
        Some(Self { bytes: about.f_bavail.saturating_mul(about.f_frsize), files })
    }

    /// What is too little while `low_bytes` are to be kept free; zero asks for nothing at all.
    #[must_use]
    pub fn shortage(&self, low_bytes: u64) -> Option<String> {
        if self.bytes < low_bytes {
            let free = self.bytes;
            return Some(format!("{free} bytes are free, {low_bytes} are kept for outcomes"));
        }
        let files = self.files.filter(|files| low_bytes > 0 && *files < LOW_FILES)?;
        Some(format!("{files} files can still be made, {LOW_FILES} are kept for outcomes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_files_are_kept_free_where_any_are_to_be() {
        let room = |bytes, files| Room { bytes, files };
        assert_eq!(room(10, Some(LOW_FILES)).shortage(10), None);
        assert_eq!(room(10, None).shortage(10), None, "no fixed number of files");
        assert_eq!(room(0, Some(0)).shortage(0), None, "nothing is to be kept free");
        let bytes = room(9, Some(LOW_FILES)).shortage(10).unwrap();
        assert_eq!(bytes, "9 bytes are free, 10 are kept for outcomes");
        let files = room(10, Some(0)).shortage(10).unwrap();
        assert!(files.starts_with("0 files can still be made"), "{files}");
    }
}
