use super::*;

struct Place {
    root: tempfile::TempDir,
    worktrees: Worktrees,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = Home::open(&root.path().join("home")).unwrap();
        let place = Self { worktrees: Worktrees::new(&home), root };
        std::fs::create_dir_all(place.repository().join("src")).unwrap();
        place.git(&["init", "-q", "-b", "main"]);
        place.commit(&place.repository(), "src/a");
        place
    }

    fn repository(&self) -> PathBuf {
        std::fs::canonicalize(self.root.path()).unwrap().join("repository")
    }

    fn git(&self, words: &[&str]) -> String {
        Git::at(&self.repository()).ask(words).unwrap()
    }

    fn commit(&self, tree: &Path, file: &str) {
        std::fs::write(tree.join(file), file).unwrap();
        let git = Git::at(tree);
        git.ask(&["add", "--all"]).unwrap();
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        git.ask(&[&who[..], &["commit", "-q", "-m", file]].concat()).unwrap();
    }

    fn prepare(&self, name: &str) -> PathBuf {
        self.worktrees.prepare(name, &self.repository().join("src")).unwrap()
    }

    fn why(&self, name: &str) -> String {
        match self.worktrees.reap(name).unwrap() {
            Reaped::Kept { path, because } => {
                assert!(path.exists(), "it was removed");
                because
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_worktree_is_made_once_and_found_again() {
    let place = Place::new();
    let cwd = place.prepare("builder");
    assert!(cwd.ends_with("worktrees/builder/src") && cwd.join("a").is_file());
    std::fs::write(cwd.join("half"), "done").unwrap();
    assert_eq!(place.prepare("builder"), cwd);
    assert!(cwd.join("half").is_file());
    let list = place.worktrees.list().unwrap();
    assert_eq!((list[0].name.as_str(), list[0].branch.as_str()), ("builder", "longhaul/builder"));
    assert!(list[0].kept_because.is_some());
}

#[test]
fn one_that_somebody_took_away_comes_back_with_its_commits() {
    let place = Place::new();
    let cwd = place.prepare("builder");
    place.commit(&cwd, "b");
    std::fs::remove_dir_all(place.worktrees.path("builder")).unwrap();
    assert_eq!(place.prepare("builder"), cwd);
    assert!(cwd.join("b").is_file());
}

#[test]
fn what_would_be_lost_is_kept_and_said() {
    let place = Place::new();
    let cwd = place.prepare("builder");
    std::fs::write(cwd.join("new"), "").unwrap();
    assert!(place.why("builder").contains("not committed"));
    place.commit(&cwd, "new");
    assert!(place.why("builder").contains("not in `main`: 1"));
    Git::at(&cwd).ask(&["checkout", "-q", "-b", "other"]).unwrap();
    assert!(place.why("builder").contains("something else"));
}

#[test]
fn what_is_merged_or_empty_goes_with_its_branch() {
    let place = Place::new();
    place.prepare("empty");
    assert_eq!(place.worktrees.reap("empty").unwrap(), Reaped::Gone);
    let cwd = place.prepare("merged");
    place.commit(&cwd, "b");
    place.git(&["merge", "-q", "longhaul/merged"]);
    assert_eq!(place.worktrees.list().unwrap()[0].kept_because, None);
    assert_eq!(place.worktrees.reap("merged").unwrap(), Reaped::Gone);
    assert!(!place.worktrees.path("merged").exists());
    assert_eq!(place.git(&["branch", "--list", "longhaul/*"]), "");
    assert_eq!(place.worktrees.reap("merged").unwrap(), Reaped::Nothing);
    assert_eq!(place.worktrees.list().unwrap(), []);
}

#[test]
fn where_there_is_no_repository_there_is_no_worktree() {
    let place = Place::new();
    let why = |cwd: &Path| match place.worktrees.prepare("x", cwd) {
        Err(WorktreeError::Never(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(place.root.path()).contains("not a git repository"));
    for name in ["..", ".x", "x.lock", "a..b"] {
        place.worktrees.prepare(name, &place.repository()).unwrap_err();
    }
    let bare = place.root.path().join("empty");
    std::fs::create_dir(&bare).unwrap();
    Git::at(&bare).ask(&["init", "-q"]).unwrap();
    why(&bare);
    place.prepare("builder");
    place.commit(&place.repository(), "src/c");
    let other = place.root.path().join("other");
    Git::at(place.root.path()).ask(&["clone", "-q", "repository", "other"]).unwrap();
    match place.worktrees.prepare("builder", &other) {
        Err(WorktreeError::Never(why)) => assert!(why.contains("belongs to"), "{why}"),
        other => panic!("{other:?}"),
    }
}
