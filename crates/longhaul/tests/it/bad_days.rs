//! Bad days: each gives a clear error, and nothing that was acknowledged is lost.

use crate::harness::{Home, eventually};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process of ours that has nothing to do with longhaul, ended when dropped.
struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// When it began, in clock ticks since the boot: the 22nd field of its `stat`.
    fn start_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_working_directory_that_is_gone_is_said_so() {
    let home = Home::new();
    home.run(&["pool", "pause", "default"]).ok();
    let cwd = home.work().join("gone");
    std::fs::create_dir(&cwd).unwrap();
    let id = home.submit(&["--cwd", cwd.to_str().unwrap(), "--", "true"]);
    std::fs::remove_dir(&cwd).unwrap();
    home.run(&["pool", "resume", "default"]).ok();
    let job = home.until(&id, "ended");
    assert_eq!(job["outcome"]["kind"], "failed");
    assert_eq!(job["outcome"]["reason"], "spawn");
    let message = job["outcome"]["message"].as_str().unwrap();
    assert!(message.contains(cwd.to_str().unwrap()), "{message}");
}

#[test]
fn a_home_that_others_may_write_to_is_refused_and_left_alone() {
    let home = Home::new();
    std::fs::create_dir(home.path()).unwrap();
    set_mode(&home.path(), 0o770);
    let ran = home.run(&["list"]);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    assert!(ran.stderr.contains(home.path().to_str().unwrap()), "{ran:?}");
    assert!(ran.stderr.contains("hint: "), "{ran:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was put there");
    set_mode(&home.path(), 0o700);
    home.run(&["list"]).ok();
}

#[test]
fn a_home_that_is_a_symlink_is_refused() {
    let home = Home::new();
    let target = home.work().join("elsewhere");
    std::fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, home.path()).unwrap();
    let ran = home.run(&["list"]);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    assert!(ran.stderr.contains("symbolic link"), "{ran:?}");
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0, "something was put there");
    std::fs::remove_file(home.path()).unwrap();
}

#[test]
fn a_home_of_somebody_else_is_refused() {
    let home = Home::new();
    let foreign = if rustix::process::getuid().is_root() {
        std::fs::create_dir(home.path()).unwrap();
        std::os::unix::fs::chown(home.path(), Some(12_345), Some(12_345)).unwrap();
        home.path()
    } else {
        assert_eq!(std::fs::metadata("/usr").unwrap().uid(), 0);
        "/usr".into()
    };
    let output = home.command(&["list"]).env("LONGHAUL_HOME", &foreign).output().unwrap();
    let ran = crate::harness::ran(output);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    assert!(ran.stderr.contains("belongs to"), "{ran:?}");
    if foreign == home.path() {
        std::fs::remove_dir(home.path()).unwrap();
    }
}

#[test]
fn a_home_that_cannot_be_made_is_said_so() {
    let home = Home::new();
    let output = home.command(&["list"]).env("LONGHAUL_HOME", "/proc/longhaul").output().unwrap();
    let ran = crate::harness::ran(output);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    assert!(ran.stderr.contains("/proc/longhaul"), "{ran:?}");
}

#[test]
fn a_database_from_tomorrow_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let id = home.submit(&["--", "true"]);
    home.until(&id, "ended");
    home.run(&["daemon", "stop"]).ok();
    let path = database(&home);
    let before = std::fs::read(&path).unwrap();
    // A database keeps its version big-endian at byte 60 of its header.
    let mut tomorrow = before.clone();
    tomorrow[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    std::fs::write(&path, &tomorrow).unwrap();
    let ran = home.run(&["list"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("version 9999"), "{ran:?}");
    assert!(home.run(&["--json", "list"]).text().contains("newer_database"), "{ran:?}");
    assert_eq!(std::fs::read(&path).unwrap(), tomorrow, "it was changed");
    std::fs::write(&path, &before).unwrap();
    assert_eq!(home.show(&id)["outcome"]["kind"], "succeeded");
}

#[test]
fn a_damaged_database_is_found_reported_and_never_silently_emptied() {
    for keep in [0, 100, 6_000] {
        let home = Home::new();
        let id = home.submit(&["--", "true"]);
        home.until(&id, "ended");
        home.run(&["daemon", "stop"]).ok();
        let path = database(&home);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(keep).unwrap();
        let ran = home.run(&["list"]);
        assert_eq!(ran.code, 4, "cut to {keep}: {ran:?}");
        assert!(ran.stderr.contains("damaged"), "cut to {keep}: {ran:?}");
        assert!(ran.stderr.contains("doctor --fix"), "cut to {keep}: {ran:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), keep, "it was changed");
        assert_ne!(home.run(&["doctor"]).code, 0, "cut to {keep}: doctor calls it sound");
        let fixed = home.run(&["doctor", "--fix"]);
        assert!(fixed.text().contains("aside into"), "cut to {keep}: {fixed:?}");
        home.run(&["list"]).ok();
        let next = home.submit(&["--", "true"]);
        home.until(&next, "ended");
    }
}

#[test]
fn a_planted_attempt_folder_is_reported_and_nobody_is_hurt() {
    let home = Home::new();
    let mut bystander = Bystander::new();
    home.run(&["list"]).ok();
    let folder = home.path().join("attempts/job_01JD0000000000000000000000.1");
    std::fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o700);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let pid_ns = std::fs::metadata("/proc/self/ns/pid").unwrap().ino();
    let who = serde_json::json!({"pid": bystander.0.id(), "start_ticks": bystander.start_ticks()});
    let record = serde_json::json!({
        "version": 1, "boot_id": boot.trim(), "pid_ns": pid_ns, "shim": who, "child": who,
        "started_wall_ms": 0, "started_boot_ms": 0,
    });
    std::fs::write(folder.join("pid.json"), record.to_string()).unwrap();
    set_mode(&folder.join("pid.json"), 0o600);
    home.run(&["daemon", "restart"]).ok();
    let id = home.submit(&["--", "true"]);
    home.until(&id, "ended");
    let doctor = home.run(&["doctor"]);
    assert!(doctor.text().contains("job_01JD0000000000000000000000.1"), "{doctor:?}");
    home.run(&["show", "job_01JD0000000000000000000000"]).fails(3, "no job");
    assert!(folder.join("pid.json").exists(), "what is not ours was deleted");
    assert!(bystander.is_alive(), "somebody who has nothing to do with it was ended");
}

#[test]
fn ten_thousand_queued_jobs_are_a_queue_like_any_other() {
    let home = Home::new();
    home.run(&["pool", "pause", "default"]).ok();
    let line = "{\"command\":[\"true\"]}\n";
    let ran = home.run_with_stdin(&["submit", "--batch", "-"], line.repeat(10_000).as_bytes());
    let ids: Vec<&str> = ran.ok().lines().collect();
    assert_eq!(ids.len(), 10_000);
    let page = home.json(&["list", "--limit", "3"]);
    let newest: Vec<&str> = page["jobs"].as_array().unwrap().iter().map(id_of).collect();
    assert_eq!(newest, [ids[9_999], ids[9_998], ids[9_997]]);
    let why = home.run(&["why", ids[0]]);
    assert!(why.ok().contains("paused"), "{why:?}");
    home.run(&["cancel", ids[5_000]]).ok();
    assert_eq!(home.show(ids[5_000])["outcome"]["kind"], "cancelled");
    // The harness would cancel them one by one.
    home.run(&["pool", "resume", "default"]).ok();
    home.run(&["daemon", "stop"]).ok();
}

#[test]
fn a_daemon_that_a_job_started_keeps_its_own_jobs() {
    let home = Home::new();
    let other = Home::new();
    let script = format!(
        "env LONGHAUL_HOME={} {} submit --name inner -- sleep 600",
        other.path().display(),
        env!("CARGO_BIN_EXE_longhaul"),
    );
    let ran = home.run(&["run", "--", "sh", "-c", &script]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let inner = other.until("inner", "running");
    assert_eq!(inner["attempt"], 1);
    assert_eq!(other.show("inner")["state"], "running", "it was ended with the job that used us");
}

#[test]
fn hostile_ids_are_simply_not_there() {
    let home = Home::new();
    let long = "x".repeat(100_000);
    for id in ["../x", "/etc/passwd", ".", "..", "job_../../x", "job_%2e%2e", "a\nb", &long] {
        for command in ["show", "why", "logs", "cancel", "retry", "wait", "artifacts"] {
            let ran = home.run(&[command, id]);
            assert!([2, 3].contains(&ran.code), "{command} {id:.20}: {}", ran.code);
            assert!(ran.stderr.starts_with("error: "), "{command} {id:.20}: {:.200}", ran.stderr);
            assert!(ran.stderr.len() < 2_000, "{command}: the id is printed whole");
        }
    }
}

#[test]
fn killing_the_daemon_again_and_again_costs_nothing() {
    let home = Home::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.1; done; exit 9";
    let ids: Vec<String> = (0..2).map(|_| home.submit(&["--", "sh", "-c", script])).collect();
    for _ in 0..5 {
        // Whoever asks for something starts the next daemon.
        home.run(&["list"]).ok();
        let pid = home.daemon_pid();
        crate::harness::signal(pid, rustix::process::Signal::KILL);
        eventually("the killed daemon is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
    for id in &ids {
        assert_eq!(home.run(&["wait", id]).code, 9);
        let job = home.show(id);
        assert_eq!((&job["attempt"], &job["outcome"]["exit_code"]), (&1.into(), &9.into()));
        let logs = home.run(&["logs", id]);
        assert_eq!(logs.ok(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    }
}

fn id_of(job: &serde_json::Value) -> &str {
    job["id"].as_str().unwrap()
}

fn database(home: &Home) -> std::path::PathBuf {
    let entries = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut databases = entries.filter(|path| path.extension().is_some_and(|end| end == "db"));
    databases.next().expect("the home holds a database")
}
