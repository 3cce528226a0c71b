//! What may be attached, and what is tried against it.

use super::*;
use std::io::Read;
use std::os::unix::fs::symlink;

/// A working directory with a file, a folder and, beside it, a secret.
fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let cwd = root.path().canonicalize().unwrap().join("cwd");
    fs_err::create_dir_all(cwd.join("sub/deep")).unwrap();
    fs_err::write(root.path().join("secret"), "secret").unwrap();
    fs_err::write(cwd.join("a"), "a").unwrap();
    fs_err::write(cwd.join("sub/c"), "c").unwrap();
    fs_err::write(cwd.join("sub/deep/b"), "b").unwrap();
    (root, cwd)
}

fn found(cwd: &Path, path: impl AsRef<Path>) -> Result<Vec<(String, String)>, String> {
    let found = find(cwd, &[path.as_ref().to_owned()]).map_err(|error| error.message)?;
    let read = |mut attached: Attached| {
        let mut text = String::new();
        attached.file.read_to_string(&mut text).unwrap();
        (attached.path, text)
    };
    Ok(found.into_iter().map(read).collect())
}

fn pair(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

#[test]
fn files_and_folders_inside_are_found_in_order() {
    let (_root, cwd) = place();
    assert_eq!(found(&cwd, "a"), Ok(vec![pair("a", "a")]));
    assert_eq!(found(&cwd, "./sub/"), Ok(vec![pair("sub/c", "c"), pair("sub/deep/b", "b")]));
    assert_eq!(found(&cwd, cwd.join("a")), Ok(vec![pair("a", "a")]));
    assert_eq!(found(&cwd, ".").unwrap().len(), 3);
}

#[test]
fn links_that_stay_inside_are_followed() {
    let (_root, cwd) = place();
    symlink("../a", cwd.join("sub/up")).unwrap();
    symlink(cwd.join("sub"), cwd.join("whole")).unwrap();
    assert_eq!(found(&cwd, "sub/up"), Ok(vec![pair("sub/up", "a")]));
    assert_eq!(found(&cwd, "whole/deep"), Ok(vec![pair("whole/deep/b", "b")]));
}

#[test]
fn whatever_leads_out_is_refused_in_its_own_words() {
    let (root, cwd) = place();
    symlink("../secret", cwd.join("relative")).unwrap();
    symlink(root.path().join("secret"), cwd.join("absolute")).unwrap();
    symlink("..", cwd.join("folder")).unwrap();
    symlink("a/../../secret", cwd.join("through")).unwrap();
    symlink("loop", cwd.join("loop")).unwrap();
    symlink("/proc/self/root/etc/passwd", cwd.join("magic")).unwrap();
    for path in ["relative", "absolute", "folder", "folder/secret", "magic"] {
        let refused = found(&cwd, path).unwrap_err();
        assert!(refused.contains("leads out of the working directory"), "{path}: {refused}");
    }
    let outside = root.path().join("secret");
    let outside = outside.to_str().unwrap();
    for (path, words) in [
        ("../secret", "goes up with `..`"),
        ("sub/../../secret", "goes up with `..`"),
        (outside, "lies outside of the working directory"),
        ("", "blank"),
        ("  ", "blank"),
        ("none", "there is no such file"),
        ("a/b", "there is no such file"),
        ("through", "there is no such file"),
        ("loop", "too many links"),
    ] {
        let refused = found(&cwd, path).unwrap_err();
        assert!(refused.contains(words), "{path}: {refused}");
    }
}

#[test]
fn what_is_no_file_is_refused_without_hanging() {
    let (_root, cwd) = place();
    let mode = Mode::RUSR | Mode::WUSR;
    fs::mknodat(fs::CWD, cwd.join("pipe"), FileType::Fifo, mode, 0).unwrap();
    assert!(found(&cwd, "pipe").unwrap_err().contains("neither a file nor a directory"));
}

#[test]
fn a_folder_that_contains_itself_ends() {
    let (_root, cwd) = place();
    symlink(".", cwd.join("sub/self")).unwrap();
    assert!(found(&cwd, "sub").unwrap_err().contains("too many links"));
}

#[test]
fn a_folder_swapped_for_a_link_meanwhile_leads_nowhere() {
    let (root, cwd) = place();
    fs_err::create_dir(root.path().join("out")).unwrap();
    fs_err::write(root.path().join("out/f"), "secret").unwrap();
    fs_err::create_dir(cwd.join("real")).unwrap();
    fs_err::write(cwd.join("real/f"), "good").unwrap();
    symlink("../out", cwd.join("link")).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (one, two) = (cwd.join("real"), cwd.join("link"));
        let swapping = &is_over;
        scope.spawn(move || {
            while !swapping.load(std::sync::atomic::Ordering::Relaxed) {
                let flags = fs::RenameFlags::EXCHANGE;
                fs::renameat_with(fs::CWD, &one, fs::CWD, &two, flags).unwrap();
            }
        });
        let mut good = 0;
        for _ in 0..2_000 {
            match found(&cwd, "real/f") {
                Ok(files) => {
                    assert_eq!(files, [pair("real/f", "good")]);
                    good += 1;
                }
                Err(refused) => assert!(refused.contains("cannot be attached"), "{refused}"),
            }
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(good > 0, "the folder was never seen in its place");
    });
}
