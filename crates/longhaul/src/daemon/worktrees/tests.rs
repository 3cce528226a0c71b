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

    fn reap(&self, name: &str) -> Reaped {
        self.worktrees.reap(name, Ignored::Goes, || Ok(())).unwrap()
    }

    fn why(&self, name: &str) -> String {
        match self.reap(name) {
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
    assert!(place.worktrees.why_kept("builder").unwrap().is_some());
    let found = place.worktrees.find("builder").unwrap();
    assert_eq!(found, (list[0].path.clone(), "longhaul/builder".to_owned()));
    assert_eq!(place.worktrees.find("other"), None);
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
    assert_eq!(place.reap("empty"), Reaped::Gone);
    let cwd = place.prepare("merged");
    place.commit(&cwd, "b");
    place.git(&["merge", "-q", "longhaul/merged"]);
    assert_eq!(place.worktrees.why_kept("merged").unwrap(), None);
    assert_eq!(place.reap("merged"), Reaped::Gone);
    assert!(!place.worktrees.path("merged").exists());
    assert_eq!(place.git(&["branch", "--list", "longhaul/*"]), "");
    assert_eq!(place.reap("merged"), Reaped::Nothing);
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

#[test]
fn what_is_in_use_stays_and_so_do_ignored_files_that_nobody_gave_up() {
    let place = Place::new();
    std::fs::write(place.repository().join(".git/info/exclude"), "built\n").unwrap();
    let cwd = place.prepare("builder");
    std::fs::write(cwd.join("built"), "").unwrap();
    let used = || Err("it is in use".to_owned());
    let kept = |reaped| matches!(reaped, Reaped::Kept { because, .. } if because.contains("use"));
    assert!(kept(place.worktrees.reap("builder", Ignored::Goes, used).unwrap()));
    let reaped = place.worktrees.reap("builder", Ignored::Keeps, || Ok(())).unwrap();
    assert!(matches!(&reaped, Reaped::Kept { because, .. } if because.contains("ignore")));
    assert!(cwd.join("built").is_file());
    assert_eq!(place.reap("builder"), Reaped::Gone);
}

#[test]
fn what_somebody_put_in_its_place_is_neither_worked_in_nor_removed() {
    let place = Place::new();
    let other = place.root.path().join("other");
    Git::at(place.root.path()).ask(&["clone", "-q", "repository", "other"]).unwrap();
    let linked = place.root.path().join("linked");
    place.git(&["worktree", "add", "-q", "-b", "linked", linked.to_str().unwrap()]);
    let path = place.worktrees.path("builder");
    let put: [&dyn Fn(); 4] = [
        &|| std::os::unix::fs::symlink(&linked, &path).unwrap(),
        &|| std::os::unix::fs::symlink("/no/such/folder", &path).unwrap(),
        &|| std::fs::rename(&other, &path).unwrap(),
        &|| std::fs::write(&path, "a file").unwrap(),
    ];
    for put in put {
        place.prepare("builder");
        let aside = tempfile::tempdir_in(place.root.path()).unwrap();
        std::fs::rename(&path, aside.path().join("builder")).unwrap();
        put();
        match place.worktrees.prepare("builder", &place.repository()) {
            Err(WorktreeError::Never(why)) => assert!(why.contains("builder"), "{why}"),
            other => panic!("{other:?}"),
        }
        let reaped = place.reap("builder");
        assert!(matches!(reaped, Reaped::Kept { .. }), "{reaped:?}");
        std::fs::rename(&path, aside.path().join("put")).unwrap();
        std::fs::rename(aside.path().join("builder"), &path).unwrap();
    }
    assert!(linked.join("src/a").is_file());
    let folder = place.worktrees.folder.clone();
    let moved = place.root.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &folder).unwrap();
    assert!(
        matches!(place.reap("builder"), Reaped::Kept { because, .. } if because.contains("symbolic"))
    );
    place.worktrees.prepare("builder", &place.repository()).unwrap_err();
}
