//! Worktrees of agents and turns: what was done in one is never lost, and what is empty does not stay.

use crate::agents_support::Team;
use crate::harness::eventually;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A team that works in a repository.
fn team() -> Team {
    let team = Team::new();
    git(&team.home.work(), &["init", "-q", "-b", "main"]);
    git(&team.home.work(), &["commit", "-q", "--allow-empty", "-m", "first"]);
    team
}

fn git(folder: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let mut git = std::process::Command::new("git");
    let done = git.args(who).args(words).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Where a turn works, as it is told.
fn place(team: &Team, job: &str) -> PathBuf {
    let mut workspace = Value::Null;
    eventually("the turn has its worktree", || {
        workspace = team.json(&["show", job])["turn"]["workspace"].clone();
        workspace.is_object()
    });
    assert_eq!(workspace["branch"], format!("longhaul/{job}"));
    PathBuf::from(workspace["path"].as_str().unwrap())
}

fn ended(team: &Team, job: &str, how: &str) {
    assert_eq!(team.home.until(job, "ended")["outcome"]["kind"], how);
    // Whoever is still to be told would keep it from being removed.
    team.run(&["show", "--settle", job]).ok();
}

/// What the doctor says about worktrees that is not well.
fn left(team: &Team, doctor: &[&str]) -> Vec<String> {
    let told = team.json(doctor);
    let findings = told["findings"].as_array().unwrap().iter();
    let left = findings.filter(|found| found["what"] == "worktrees" && found["level"] != "ok");
    left.map(|found| found["message"].as_str().unwrap().to_owned()).collect()
}

fn branches(team: &Team) -> String {
    git(&team.home.work(), &["branch", "--list", "longhaul/*"])
}

const COMMIT: &str = "sh touch made.$LONGHAUL_JOB_ID && git add . && git -c user.name=a \
                      -c user.email=a@example.com commit -q -m made";

#[test]
fn what_a_failed_turn_did_not_commit_outlives_the_turn() {
    let team = team();
    team.fake.script("claude", "sh echo mine >half\nfail It broke");
    team.add("fixer", &[]);
    let job = team.turn("fixer", "Try", &["--worktree"]);
    ended(&team, &job, "failed");
    let tree = place(&team, &job);
    assert!(left(&team, &["doctor"])[0].contains("not committed"));
    let shown = team.run(&["show", &job]);
    assert!(shown.ok().contains(tree.to_str().unwrap()), "{shown:?}");
    team.run(&["prune", &job]).ok();
    assert!(left(&team, &["doctor", "--fix"])[0].contains("not committed"));
    assert_eq!(std::fs::read_to_string(tree.join("half")).unwrap(), "mine\n");
}

#[test]
fn what_is_merged_goes_and_what_is_not_stays() {
    let team = team();
    team.fake.script("claude", COMMIT);
    team.add("fixer", &[]);
    let jobs = ["One", "Two"].map(|prompt| team.turn("fixer", prompt, &["--worktree"]));
    let trees = jobs.each_ref().map(|job| {
        ended(&team, job, "succeeded");
        place(&team, job)
    });
    git(&team.home.work(), &["merge", "-q", &format!("longhaul/{}", jobs[0])]);
    let told = left(&team, &["doctor"]);
    assert!(told.iter().any(|one| one.contains("nothing is lost")), "{told:?}");
    assert!(told.iter().any(|one| one.contains("not in `main`: 1")), "{told:?}");
    team.run(&["prune", &jobs[0], &jobs[1]]).ok();
    assert!(!trees[0].exists() && trees[1].join(format!("made.{}", jobs[1])).is_file());
    assert_eq!(branches(&team).matches("longhaul/").count(), 1);
    assert_eq!(left(&team, &["doctor"]).len(), 1);
    git(&team.home.work(), &["merge", "-q", &format!("longhaul/{}", jobs[1])]);
    let mended = team.json(&["doctor", "--fix"]).to_string();
    assert!(mended.contains("removed the worktree"), "{mended}");
    assert!(!trees[1].exists() && left(&team, &["doctor"]).is_empty());
    assert_eq!(branches(&team), "");
}

#[test]
fn an_empty_one_goes_after_a_good_end_and_stays_for_whoever_looks_into_a_failure() {
    let team = team();
    team.add("fixer", &[]);
    team.fake.script("claude", "await ../go\ndone Looked");
    let good = team.turn("fixer", "Look", &["--worktree"]);
    let gone = place(&team, &good);
    std::fs::write(gone.join("../go"), "").unwrap();
    ended(&team, &good, "succeeded");
    eventually("it is gone", || !gone.exists());
    assert_eq!(team.json(&["show", &good])["turn"].get("workspace"), None);
    team.fake.script("claude", "fail No");
    let bad = team.turn("fixer", "Look", &["--worktree"]);
    ended(&team, &bad, "failed");
    eventually("it is cleaned", || team.json(&["show", &bad])["cleanup"]["state"] == "done");
    assert!(place(&team, &bad).is_dir());
    team.run(&["prune", &bad]).ok();
    assert_eq!(branches(&team), "");
}

#[test]
fn nobody_touches_what_is_worked_in() {
    let team = team();
    team.add("fixer", &["--worktree"]);
    team.fake.script("claude", "linger");
    let job = team.turn("fixer", "Stay", &["--worktree"]);
    let tree = place(&team, &job);
    assert_eq!(left(&team, &["doctor", "--fix"]), [""; 0]);
    assert!(tree.is_dir());
    assert!(team.run(&["prune", &job]).stderr.contains("is running"));
    team.run(&["cancel", "--now", "--wait", &job]).ok();
    assert!(tree.is_dir(), "it was cancelled, which is no proof");
    // The agent's own is not left over either, as long as there is the agent.
    team.fake.script("claude", "done");
    let job = team.turn("fixer", "Work", &[]);
    ended(&team, &job, "succeeded");
    let workspace = team.agent("fixer")["workspace"].clone();
    assert_eq!(workspace["branch"], "longhaul/fixer");
    assert_eq!(team.json(&["agent", "list"])["agents"][0]["workspace"], workspace);
    assert_eq!(team.json(&["show", &job])["turn"]["workspace"], workspace);
    team.json(&["doctor", "--fix"]);
    let own = PathBuf::from(workspace["path"].as_str().unwrap());
    assert!(own.is_dir() && !tree.exists());
    team.run(&["agent", "remove", "fixer"]).ok();
    assert!(!own.exists());
}

#[test]
fn what_somebody_put_in_its_place_is_refused() {
    let team = team();
    team.add("fixer", &["--worktree"]);
    team.fake.script("claude", "done");
    ended(&team, &team.turn("fixer", "Work", &[]), "succeeded");
    let tree = PathBuf::from(team.agent("fixer")["workspace"]["path"].as_str().unwrap());
    let aside = team.home.work().join("../aside");
    std::fs::rename(&tree, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &tree).unwrap();
    let job = team.turn("fixer", "Work", &[]);
    ended(&team, &job, "failed");
    let shown = team.json(&["show", &job]);
    assert!(shown["outcome"]["message"].as_str().unwrap().contains("symbolic link"), "{shown}");
    assert_eq!(team.agent("fixer")["workspace"], json!(null));
    team.run(&["agent", "remove", "fixer"]).ok();
    let told = left(&team, &["doctor", "--fix"]);
    assert!(told[0].contains("symbolic link"), "{told:?}");
    assert!(aside.is_dir() && tree.is_symlink());
}
