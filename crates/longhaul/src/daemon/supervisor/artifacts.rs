//! Finds what a job left: files below its working directory that match its patterns. Walks with
//! open handles, follows no symlink, and stops at its limits; whatever it had to leave out is said.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use longhaul_core::command::Artifact;
use longhaul_core::limits;
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Bytes hashed at a time.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Directories below each other; deeper ones are left out, since each holds a handle open.
const DEPTH_MAX: usize = 64;

/// What was found, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) artifacts: Vec<Artifact>,
    pub(super) warnings: Vec<String>,
}

/// Finds files below `cwd` that match one of `patterns`, by name. Blocks, and reads them whole.
pub(super) fn collect(cwd: &Path, patterns: &[String]) -> Found {
    match try_collect(cwd, patterns) {
        Ok(found) => found,
        Err(error) => {
            let warning = format!("artifacts could not be looked for: {error}");
            Found { artifacts: Vec::new(), warnings: vec![warning] }
        }
    }
}

fn try_collect(cwd: &Path, patterns: &[String]) -> io::Result<Found> {
    let mut globs = GlobSetBuilder::new();
    for pattern in patterns {
        // A star stays within one directory, as in a shell.
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        globs.add(glob.map_err(io::Error::other)?);
    }
    let globs = globs.build().map_err(io::Error::other)?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let root = rustix::fs::open(cwd, flags, Mode::empty())?;
    let mut walk = Walk { globs, entries: 0, found: BTreeMap::new(), warnings: Vec::new() };
    // Only what lies below a pattern's fixed part is walked: `target/*.log` looks into one folder.
    let mut bases: Vec<PathBuf> = patterns.iter().map(|pattern| fixed_part(pattern)).collect();
    bases.sort();
    bases.dedup_by(|later, earlier| later.starts_with(earlier));
    for base in bases {
        match open_below(root.as_fd(), &base) {
            Ok(folder) => walk.folder(folder, &base, 0)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => walk.warn(format!("`{}`: {error}", base.display())),
        }
    }
    let artifacts = walk.found.into_values().collect();
    Ok(Found { artifacts, warnings: walk.warnings })
}

/// The folders that a pattern names without any wildcard.
fn fixed_part(pattern: &str) -> PathBuf {
    let folders = pattern.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).collect()
}

fn open_below(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut at = openat(root, ".", flags, Mode::empty())?;
    for part in path.components() {
        at = openat(&at, part.as_os_str(), flags, Mode::empty())?;
    }
    Ok(at)
}

struct Walk {
    globs: GlobSet,
    entries: usize,
    found: BTreeMap<String, Artifact>,
    warnings: Vec<String>,
}

impl Walk {
    fn folder(&mut self, folder: OwnedFd, path: &Path, depth: usize) -> io::Result<()> {
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > limits::ARTIFACT_SCAN_ENTRIES_MAX {
                self.warn(format!("only {} files were looked at", self.entries - 1));
                return Ok(());
            }
            let below = path.join(OsStr::from_bytes(name));
            match entry.file_type() {
                FileType::Directory if depth < DEPTH_MAX => {
                    let opened = open_below(folder.as_fd(), Path::new(OsStr::from_bytes(name)));
                    match opened {
                        Ok(opened) => self.folder(opened, &below, depth + 1)?,
                        Err(error) => self.warn(format!("`{}`: {error}", below.display())),
                    }
                }
                FileType::RegularFile if self.globs.is_match(&below) => {
                    self.file(folder.as_fd(), OsStr::from_bytes(name), &below);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &Path) {
        if self.found.len() >= limits::ARTIFACTS_MAX {
            self.warn(format!("only {} artifacts were registered", limits::ARTIFACTS_MAX));
            return;
        }
        let Some(text) = path.to_str() else {
            self.warn(format!("`{}` has a name that is not UTF-8", path.display()));
            return;
        };
        match fingerprint(folder, name) {
            Ok((size, sha256)) => {
                let artifact = Artifact { name: text.to_owned(), size, sha256 };
                self.found.insert(text.to_owned(), artifact);
            }
            Err(error) => self.warn(format!("`{text}`: {error}")),
        }
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < limits::CLEANUP_WARNINGS_MAX && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn fingerprint(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<(u64, String)> {
    // It was a plain file a moment ago; a pipe in its place must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut file = File::from(openat(folder, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file any more"));
    }
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
        size += read as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in
            [("a.log", "a"), ("b.txt", "b"), ("out/c.log", "c"), ("out/d/e.log", "e")]
        {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn names(root: &Path, patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        collect(root, &patterns).artifacts.into_iter().map(|artifact| artifact.name).collect()
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let root = tree();
        assert_eq!(names(root.path(), &["*.log"]), ["a.log"]);
        assert_eq!(names(root.path(), &["out/*.log"]), ["out/c.log"]);
        assert_eq!(names(root.path(), &["**/*.log"]), ["a.log", "out/c.log", "out/d/e.log"]);
        assert_eq!(names(root.path(), &["b.txt", "out/d/e.log"]), ["b.txt", "out/d/e.log"]);
        assert_eq!(names(root.path(), &["nowhere/*"]), [""; 0]);
    }

    #[test]
    fn size_and_hash_are_those_of_the_content() {
        let root = tree();
        let found = collect(root.path(), &["a.log".to_owned()]);
        assert_eq!(found.artifacts[0].size, 1);
        let known = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(found.artifacts[0].sha256, known);
    }

    #[test]
    fn links_are_not_followed() {
        let root = tree();
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("secret.log"), "").unwrap();
        symlink(other.path(), root.path().join("way")).unwrap();
        symlink(other.path().join("secret.log"), root.path().join("link.log")).unwrap();
        assert_eq!(names(root.path(), &["way/*.log", "*.log"]), ["a.log"]);
    }
}
