//! What a daemon finds when it comes back: another time zone, a lock that names a stranger, other
//! settings, content that is gone, a folder of somebody else.

use crate::harness::{Home, eventually, signal};
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Kills the daemon and waits until it has gone.
fn kill_daemon(home: &Home) {
    let pid = home.daemon_pid();
    signal(pid, Signal::KILL);
    eventually("the killed daemon is gone", || !Path::new(&format!("/proc/{pid}")).exists());
}

/// Submits a job that ends with 7 once `go` is there, and waits until it runs.
fn submit_gated(home: &Home) -> String {
    let script = "touch up; while ! [ -e go ]; do sleep 0.02; done; exit 7";
    let id = home.submit(&["--", "sh", "-c", script]);
    eventually("the job runs", || home.work().join("up").exists());
    id
}

#[test]
fn a_job_is_recognised_from_another_time_zone_and_language() {
    let home = Home::new();
    let id = submit_gated(&home);
    for (zone, language) in [("Asia/Tokyo", "ja_JP.UTF-8"), ("America/St_Johns", "de_DE"), ("", "")]
    {
        kill_daemon(&home);
        let mut command = home.command(&["--json", "show", &id]);
        command.env("TZ", zone).env("LC_ALL", language).env("LANG", language);
        let ran = crate::harness::ran(command.output().unwrap());
        let job: Value = serde_json::from_str(ran.ok()).unwrap();
        assert_eq!((&job["state"], &job["attempt"]), (&"running".into(), &1.into()), "{job}");
    }
    home.write("go", "");
    assert_eq!(home.run(&["wait", &id]).code, 7);
    assert_eq!(home.show(&id)["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_lock_file_that_names_a_living_stranger_keeps_nobody_out() {
    let home = Home::new();
    let id = submit_gated(&home);
    let lock = home.path().join("lock");
    let inode = std::fs::metadata(&lock).unwrap().ino();
    // The lock is the kernel's; what the file says is for people. Our own process lives, too.
    for content in [format!("{}\n", std::process::id()), String::new(), "1\n".into(), "?".into()] {
        kill_daemon(&home);
        std::fs::write(&lock, content).unwrap();
        assert_eq!(home.show(&id)["state"], "running");
        assert_eq!(std::fs::metadata(&lock).unwrap().ino(), inode, "it was made anew");
    }
    home.write("go", "");
    assert_eq!(home.run(&["wait", &id]).code, 7);
}

#[test]
fn what_was_asked_for_survives_a_change_of_settings() {
    let home = Home::new();
    home.run(&["pool", "pause", "default"]).ok();
    let id = home.submit(&["--priority", "7", "--grace", "3s", "--", "sh", "-c", "echo $MARK"]);
    let mut marked = home.command(&["submit", "--", "sh", "-c", "echo $MARK"]);
    let marked = crate::harness::ran(marked.env("MARK", "as it was").output().unwrap());
    let marked = marked.ok().trim().to_owned();
    let before = home.show(&id);
    home.run(&["daemon", "stop"]).ok();
    std::fs::write(home.path().join("config.toml"), "default_slots = 1\nleftovers = \"report\"\n")
        .unwrap();
    assert_eq!(home.show(&id), before);
    let mut resume = home.command(&["pool", "resume", "default"]);
    crate::harness::ran(resume.env("MARK", "as it is").output().unwrap()).ok();
    assert_eq!(home.run(&["wait", &id, &marked]).code, 0);
    assert_eq!(home.run(&["logs", &id]).ok(), "\n");
    assert_eq!(home.run(&["logs", &marked]).ok(), "as it was\n");
}

#[test]
fn content_that_is_gone_ends_its_own_job_and_holds_up_no_other() {
    let home = Home::new();
    home.write("data.txt", "42");
    home.run(&["pool", "pause", "default"]).ok();
    let id = home.submit(&["--attach", "data.txt", "--", "true"]);
    let next = home.submit(&["--", "true"]);
    let blobs = home.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    std::fs::create_dir(&blobs).unwrap();
    home.run(&["pool", "resume", "default"]).ok();
    assert_eq!(home.run(&["wait", &next]).code, 0);
    let why = || home.run(&["why", &id]).text().to_owned();
    eventually("the job says what is missing", || why().contains("could not be launched"));
    assert_eq!(home.show(&id)["attempts"][0]["started_at"], Value::Null);
    home.run(&["cancel", "--now", "--wait", &id]).ok();
}

#[test]
fn everything_in_a_home_is_its_users_alone() {
    let home = Home::new();
    home.write("data.txt", "42");
    let script = "echo out; echo err >&2; cat";
    let id =
        home.submit(&["--attach", "data.txt", "--artifact", "*.txt", "--", "sh", "-c", script]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    let uid = rustix::process::getuid().as_raw();
    let (mut folders, mut seen) = (vec![home.path()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = std::fs::symlink_metadata(&entry).unwrap();
            assert_eq!(metadata.uid(), uid, "{}", entry.display());
            assert_eq!(metadata.mode() & 0o077, 0, "{} is open to others", entry.display());
            seen += 1;
            if metadata.is_dir() {
                folders.push(entry);
            }
        }
    }
    assert!(seen > 10, "only {seen} files were looked at");
}

#[test]
fn artifacts_that_cannot_be_had_are_told_and_fail_nothing() {
    let home = Home::new();
    let script = "mkdir good good/dir.txt; echo 42 > good/a.txt; ln -s /etc/passwd good/b.txt
        : > \"$(printf 'good/not\\377text.txt')\"; ln -s /etc away";
    let patterns = ["--artifact", "good/*.txt", "--artifact", "away/*", "--artifact", "none/*"];
    let id = home.submit(&[&patterns[..], &["--", "sh", "-c", script]].concat());
    assert_eq!(home.run(&["wait", &id]).code, 0);
    let job = home.show(&id);
    assert_eq!(job["outcome"]["kind"], "succeeded", "{job}");
    let listed = home.json(&["artifacts", &id]);
    let names: Vec<&Value> =
        listed["artifacts"].as_array().unwrap().iter().map(|artifact| &artifact["name"]).collect();
    assert_eq!(names, ["good/a.txt"], "{listed}");
    let warnings = job["attempts"][0]["warnings"].to_string();
    assert!(warnings.contains("`away`") && warnings.contains("not UTF-8"), "{job}");
}

#[test]
fn what_still_runs_after_a_store_was_put_aside_is_named_and_left_alone() {
    let home = Home::new();
    let id = submit_gated(&home);
    let pid = i32::try_from(home.show(&id)["pid"].as_i64().unwrap()).unwrap();
    home.run(&["daemon", "stop"]).ok();
    std::fs::write(home.path().join("longhaul.db"), "no database ".repeat(1_000)).unwrap();
    // Until somebody decides nothing starts at all, so no slot can be given away twice.
    home.run(&["submit", "--", "true"]).fails(4, "damaged");
    home.run(&["doctor", "--fix"]).ok();
    home.run(&["list"]).ok();
    let doctor = home.run(&["doctor"]);
    assert!(doctor.text().contains(&format!("{id}.1")), "{doctor:?}");
    assert!(Path::new(&format!("/proc/{pid}")).exists(), "it was ended without being known");
    home.write("go", "");
    let record = home.path().join(format!("attempts/{id}.1/exit.json"));
    eventually("its end is on record", || record.exists());
}
