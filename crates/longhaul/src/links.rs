//! Where a path really leads: a lease is asked for the file that would be touched, not for the name
//! that somebody chose for it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before a path is taken for a circle.
const LINKS_MAX: u32 = 40;

/// Where a path leads if it leads elsewhere than it says; seen from `cwd` if it is not absolute.
///
/// # Errors
/// As for [`followed`].
pub(crate) fn elsewhere(cwd: &Path, target: &str) -> io::Result<Option<String>> {
    let path = cwd.join(target);
    let real = followed(&path)?;
    Ok((real != path).then(|| real.to_string_lossy().into_owned()))
}

/// The path with every link in it followed. What is not there yet stays as it is written, also behind
/// a link that leads to nothing: writing there would make it.
///
/// # Errors
/// It leads in a circle, or a link cannot be read.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut left: VecDeque<OsString> = parts(path).collect();
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&part);
        // What cannot be looked at cannot be followed by whoever asks, either.
        let is_link = fs_err::symlink_metadata(&next).is_ok_and(|about| about.is_symlink());
        if !is_link {
            done = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(io::Error::other("it leads in a circle"));
        }
        let target = fs_err::read_link(&next)?;
        if target.is_absolute() {
            done = PathBuf::from("/");
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(done)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_whether_or_not_they_lead_to_something() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("in")).unwrap();
        symlink(root.join("out"), root.join("in/dangling")).unwrap();
        symlink("../elsewhere", root.join("in/relative")).unwrap();
        symlink("dangling", root.join("in/twice")).unwrap();
        let at = |path: &str| followed(&root.join(path)).unwrap();
        assert_eq!(at("in/new/file"), root.join("in/new/file"));
        assert_eq!(at("in/dangling/x"), root.join("out/x"));
        assert_eq!(at("in/relative/x"), root.join("elsewhere/x"));
        assert_eq!(at("in/twice"), root.join("out"));
        assert_eq!(at("in/relative/../x"), root.join("x"), "as the kernel does, not as text");
    }

    #[test]
    fn a_circle_has_no_end() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(followed(&folder.path().join("a")).is_err());
    }
}
