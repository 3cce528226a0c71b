//! Work inside attempt folders, always from an open handle downwards and never through a symlink:
//! whatever ran there may have left anything.

use longhaul_core::spec::Attachment;
use longhaul_shim::folder::Folder;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const FOLDER: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// Whether a folder holds nothing but files of these names.
pub(super) fn holds_only(folder: &Folder, names: &[&str]) -> io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let is_known = names.iter().any(|known| known.as_bytes() == name);
        if !matches!(name, b"." | b"..") && !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies stored content to `in`; one that an earlier launch left is replaced.
pub(super) fn copy_input(folder: &Folder, blob: &Path) -> io::Result<()> {
    copy_new(folder.as_fd(), Path::new("in"), blob, Mode::from_raw_mode(0o600))
}

/// Writes text to `in`; one that an earlier launch left is replaced.
pub(super) fn write_input(folder: &Folder, text: &str) -> io::Result<()> {
    write_new(folder.as_fd(), Path::new("in"), text)
}

/// Writes a file of this name below `turn`, for the owner's eyes only.
pub(super) fn write_for_turn(folder: &Folder, name: &str, text: &str) -> io::Result<()> {
    let below = make_below(folder.as_fd(), Path::new("turn"))?;
    write_new(below.as_fd(), Path::new(name), text)
}

/// Copies stored content to its place below `attach`.
pub(super) fn copy_attachment(
    folder: &Folder,
    blob: &Path,
    attachment: &Attachment,
) -> io::Result<()> {
    let mut at = make_below(folder.as_fd(), Path::new("attach"))?;
    let path = Path::new(&attachment.path);
    for part in path.parent().into_iter().flat_map(Path::components) {
        at = make_below(at.as_fd(), part.as_ref())?;
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("an attachment has no name"))?;
    let mode = Mode::from_raw_mode(if attachment.executable { 0o700 } else { 0o600 });
    copy_new(at.as_fd(), Path::new(name), blob, mode)
}

fn make_below(parent: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(parent, name, FOLDER, Mode::empty())?)
}

fn write_new(parent: BorrowedFd<'_>, name: &Path, text: &str) -> io::Result<()> {
    create_new(parent, name, Mode::from_raw_mode(0o600))?.write_all(text.as_bytes())
}

fn create_new(parent: BorrowedFd<'_>, name: &Path, mode: Mode) -> io::Result<File> {
    remove_file(parent, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(File::from(openat(parent, name, flags, mode)?))
}

fn copy_new(parent: BorrowedFd<'_>, name: &Path, blob: &Path, mode: Mode) -> io::Result<()> {
    let mut source = fs_err::File::open(blob)?;
    let mut target = create_new(parent, name, mode)?;
    // The standard library lets the kernel copy, and share the blocks where it can.
    io::copy(source.file_mut(), &mut target)?;
    Ok(())
}

/// Erases what a job brought along: its environment, its input, its attachments, and for a turn what
/// it was told, which stands in its arguments too.
pub(super) fn erase(folder: &Folder) -> io::Result<()> {
    match folder.read_spec() {
        Ok(None) => {}
        Ok(Some(spec)) if spec.env.is_empty() && spec.argv.len() <= 1 => {}
        Ok(Some(mut spec)) => {
            spec.env.clear();
            // A job's row has them; a turn's prompt shall be nowhere.
            spec.argv.truncate(1);
            folder.write_spec(&spec).map_err(io::Error::other)?;
        }
        // What cannot be read cannot be shortened either.
        Err(_) => remove_file(folder.as_fd(), Path::new("spec.json"))?,
    }
    for name in ["spec.tmp", "in"] {
        remove_file(folder.as_fd(), Path::new(name))?;
    }
    remove_tree(folder.as_fd(), c"turn")?;
    remove_tree(folder.as_fd(), c"attach")
}

/// Removes one entry of a folder with everything below it; one that is not there is fine.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let below = match openat(parent, name, FOLDER, Mode::empty()) {
        Ok(below) => below,
        Err(Errno::NOENT) => return Ok(()),
        // A link or a file: removed itself, whatever it points to.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return unlinkat(parent, name, AtFlags::empty()).map_err(Into::into);
        }
        Err(error) => return Err(error.into()),
    };
    for entry in Dir::read_from(&below)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            _ if entry.file_type() == FileType::Directory
                || entry.file_type() == FileType::Unknown =>
            {
                remove_tree(below.as_fd(), entry.file_name())?;
            }
            _ => unlinkat(&below, entry.file_name(), AtFlags::empty())?,
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(Into::into)
}

fn remove_file(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::spec::Blob;
    use std::os::unix::fs::symlink;

    struct Place {
        root: tempfile::TempDir,
        folder: Folder,
    }

    fn place() -> Place {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("a")).unwrap();
        std::fs::write(root.path().join("blob"), "content").unwrap();
        Place { root, folder }
    }

    #[test]
    fn attachments_are_copied_below_attach_and_erased() {
        let Place { root, folder } = place();
        let blob = Blob { sha256: String::new(), size: 7 };
        let attachment = Attachment { path: "x/y.txt".to_owned(), blob, executable: true };
        // Twice: an earlier launch may have come this far.
        for _ in 0..2 {
            copy_attachment(&folder, &root.path().join("blob"), &attachment).unwrap();
            copy_input(&folder, &root.path().join("blob")).unwrap();
        }
        let copied = root.path().join("a/attach/x/y.txt");
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), "content");
        erase(&folder).unwrap();
        assert!(holds_only(&folder, &[]).unwrap());
    }

    #[test]
    fn nothing_outside_is_touched_through_a_link() {
        let Place { root, folder } = place();
        let outside = root.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "").unwrap();
        symlink(&outside, root.path().join("a/attach")).unwrap();
        std::fs::create_dir(root.path().join("a/deep")).unwrap();
        symlink(&outside, root.path().join("a/deep/link")).unwrap();
        let blob = Blob { sha256: String::new(), size: 7 };
        let attachment = Attachment { path: "planted".to_owned(), blob, executable: false };
        copy_attachment(&folder, &root.path().join("blob"), &attachment).unwrap_err();
        erase(&folder).unwrap();
        let above = rustix::fs::open(root.path(), FOLDER, Mode::empty()).unwrap();
        remove_tree(above.as_fd(), c"a").unwrap();
        assert!(outside.join("kept").exists());
        assert!(!root.path().join("a").exists());
        assert!(!outside.join("planted").exists());
    }
}
