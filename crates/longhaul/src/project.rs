//! Whose a job is when nobody says: the user at the project that a directory belongs to. Client and
//! server derive it alike, so that who waits in a directory is told of what was started in it.

use rustix::process::getuid;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Bytes of a project's name. With a user before it, it is still one word of core's.
const PROJECT_BYTES_MAX: usize = 180;
/// Bytes of a user's name within an owner.
const USER_BYTES_MAX: usize = 64;
/// Bytes of a path's hash that stand for what was cut off.
const HASH_BYTES: usize = 8;
/// What users are looked up in.
const PASSWD: &str = "/etc/passwd";

/// The user of this process does not change, and is asked for with every job.
static USER: LazyLock<String> = LazyLock::new(|| {
    let uid = getuid().as_raw();
    let passwd = fs_err::read(PASSWD).unwrap_or_default();
    let listed = user_in(&String::from_utf8_lossy(&passwd), uid);
    let given = || std::env::var("USER").ok().filter(|name| !name.trim().is_empty());
    let name = listed.or_else(given).unwrap_or_else(|| uid.to_string());
    clip(&escaped(name.as_bytes()), USER_BYTES_MAX).to_owned()
});

/// The project that a directory belongs to, as one word without control characters: the nearest
/// directory above its real path that is marked, but not beyond the root of its repository; else
/// that root, else the directory itself.
#[must_use]
pub fn project_of(directory: &Path) -> String {
    // A directory that is gone, or that may not be entered, still has a name.
    let real = fs_err::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    as_word(&root_of(&real))
}

/// The owner of what is asked for from `project` when nobody says whose it is.
#[must_use]
pub fn owner_in(project: &str) -> String {
    format!("{}@{project}", *USER)
}

/// Projects that were looked up for one request: the jobs of a batch mostly share a directory.
#[derive(Debug, Default)]
pub struct Projects {
    known: BTreeMap<PathBuf, String>,
}

impl Projects {
    /// As [`project_of`], looking at each directory once.
    pub fn of(&mut self, directory: &Path) -> &str {
        if !self.known.contains_key(directory) {
            self.known.insert(directory.to_owned(), project_of(directory));
        }
        &self.known[directory]
    }
}

fn root_of(real: &Path) -> PathBuf {
    let mut marked = None;
    for directory in real.ancestors() {
        if marked.is_none() && is_marked(directory) {
            marked = Some(directory);
        }
        // In a worktree or a submodule it is a file.
        if directory.join(".git").symlink_metadata().is_ok() {
            return marked.unwrap_or(directory).to_owned();
        }
    }
    marked.unwrap_or(real).to_owned()
}

fn is_marked(directory: &Path) -> bool {
    directory.join(".longhaul").is_dir() || directory.join("AGENTS.md").exists()
}

/// A path as a word: what no word may hold is written out, and of a long one only the end is kept,
/// with a hash that tells it from others with that end.
fn as_word(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let text = escaped(bytes);
    if text.len() <= PROJECT_BYTES_MAX {
        return text;
    }
    let hash: String =
        Sha256::digest(bytes).iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let room = PROJECT_BYTES_MAX - hash.len() - "/#…".len();
    let mut from = text.len() - room;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("/#{hash}…{}", &text[from..])
}

/// Two different names stay different, so the escape's own sign is escaped, too.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() || char == '\\' {
                text.extend(char.escape_default());
            } else {
                text.push(char);
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The name that a passwd file gives to a user.
fn user_in(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::spec::{check_project, check_word};
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A directory tree; the temporary directory itself is below nothing that is marked.
    struct Tree {
        root: tempfile::TempDir,
    }

    impl Tree {
        fn new(folders: &[&str], files: &[&str]) -> Self {
            let tree = Self { root: tempfile::tempdir().unwrap() };
            for folder in folders {
                fs::create_dir_all(tree.at(folder)).unwrap();
            }
            for file in files {
                fs::write(tree.at(file), "").unwrap();
            }
            tree
        }

        fn at(&self, path: &str) -> PathBuf {
            let root = self.root.path().canonicalize().unwrap();
            if path.is_empty() { root } else { root.join(path) }
        }

        #[track_caller]
        fn has(&self, directory: &str, project: &str) {
            assert_eq!(project_of(&self.at(directory)), self.at(project).to_str().unwrap());
        }
    }

    #[test]
    fn the_root_of_the_repository_is_the_project_of_all_below_it() {
        let tree = Tree::new(&["a/.git", "a/b/c"], &[]);
        tree.has("a/b/c", "a");
        tree.has("a", "a");
    }

    #[test]
    fn a_repository_may_have_a_file_for_its_git() {
        let tree = Tree::new(&["a/b"], &["a/.git"]);
        tree.has("a/b", "a");
    }

    #[test]
    fn the_nearest_marker_beats_one_above_it_and_the_repository() {
        let tree = Tree::new(&["a/.git", "a/b/.longhaul", "a/b/c/d"], &["a/AGENTS.md"]);
        tree.has("a/b/c/d", "a/b");
        tree.has("a", "a");
        fs::write(tree.at("a/b/c/AGENTS.md"), "").unwrap();
        tree.has("a/b/c/d", "a/b/c");
    }

    #[test]
    fn a_marker_above_the_repository_does_not_count() {
        let tree = Tree::new(&["a/.longhaul", "a/b/.git", "a/b/c"], &["a/AGENTS.md"]);
        tree.has("a/b/c", "a/b");
    }

    #[test]
    fn without_a_repository_the_nearest_marker_is_the_project() {
        let tree = Tree::new(&["a/b/c"], &["a/AGENTS.md"]);
        tree.has("a/b/c", "a");
    }

    #[test]
    fn without_marker_and_repository_a_directory_is_its_own_project() {
        let tree = Tree::new(&["a/b"], &["a/.longhaul"]);
        // A file of that name is no marker.
        tree.has("a/b", "a/b");
        tree.has("a/gone", "a/gone");
    }

    #[test]
    fn a_link_to_a_directory_leads_to_the_project_of_what_it_means() {
        let tree = Tree::new(&["a/.git", "a/b", "elsewhere/.git"], &[]);
        symlink(tree.at("a/b"), tree.at("elsewhere/link")).unwrap();
        tree.has("elsewhere/link", "a");
    }

    #[test]
    fn a_directory_above_that_cannot_be_read_is_passed_by() {
        let tree = Tree::new(&["a/.git", "a/closed/b"], &[]);
        let set = |mode| {
            fs::set_permissions(tree.at("a/closed"), PermissionsExt::from_mode(mode)).unwrap();
        };
        set(0o000);
        let project = project_of(&tree.at("a/closed/b"));
        set(0o700);
        assert_eq!(project, tree.at("a").to_str().unwrap());
    }

    #[test]
    fn every_path_makes_a_word_and_two_paths_never_the_same() {
        let deep = |end: &str| format!("/{}/{end}", "ä".repeat(400)).into_bytes();
        let odd: [&[u8]; 5] = [b"/a\nb", b"/a\\nb", b"/a\xffb", b"/a\\xffb", b"/\x1b[31m"];
        let paths: Vec<Vec<u8>> =
            odd.iter().map(|path| path.to_vec()).chain([deep("x"), deep("y")]).collect();
        let words: Vec<String> =
            paths.iter().map(|path| as_word(Path::new(OsStr::from_bytes(path)))).collect();
        for (index, word) in words.iter().enumerate() {
            check_word("owner", &owner_in(word)).unwrap();
            check_project(word).unwrap();
            assert!(!words[..index].contains(word), "{word}");
        }
        assert!(words[5].ends_with("/x"), "{}", words[5]);
    }

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\n:x:7:7\nme:x:1000:1000::/home/me:\n";
        assert_eq!(user_in(passwd, 1_000).as_deref(), Some("me"));
        assert_eq!(user_in(passwd, 0).as_deref(), Some("root"));
        assert_eq!(user_in(passwd, 7), None);
        assert_eq!(user_in(passwd, 100), None);
        assert!(owner_in("/w").ends_with("@/w") && owner_in("/w").len() > 3);
    }
}
