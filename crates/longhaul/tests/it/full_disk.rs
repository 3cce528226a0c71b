//! A disk that is really full: the home lies on a small file system of its own. Only where the gate
//! says that mounting is possible, and then failing to mount fails the test.

use crate::harness::{Home, eventually, signal};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::io::Write;
use std::path::Path;

/// Bytes of the whole file system.
const SIZE: &str = "size=8m,mode=0700";
/// Bytes that must be free for a submit.
const LOW_DISK_BYTES: u64 = 1_000_000;
const CHUNK_BYTES: usize = 4_096;

/// A home on a file system that ends with the test.
pub(crate) struct SmallHome {
    pub(crate) home: Home,
}

impl SmallHome {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        std::fs::create_dir(home.path()).unwrap();
        let size = std::ffi::CString::new(SIZE).unwrap();
        mount("none", home.path(), "tmpfs", MountFlags::NODEV, size.as_c_str())
            .expect("where the full-disk tests are asked for, mounting is permitted");
        let settings = format!("low_disk_bytes = {LOW_DISK_BYTES}\n");
        std::fs::write(home.path().join("config.toml"), settings).unwrap();
        home.run(&["list"]).ok();
        Self { home }
    }

    fn kill_daemon(&self) {
        let daemon = self.home.daemon_pid();
        signal(daemon, rustix::process::Signal::KILL);
        eventually("the daemon is gone", || !Path::new(&format!("/proc/{daemon}/exe")).exists());
    }

    /// Takes every byte that is free.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.home.path().join("ballast")).unwrap();
        let chunk = [0; CHUNK_BYTES];
        while ballast.write_all(&chunk).is_ok() {}
    }

    /// Lets the log end with a page, so that not one more line of it has room.
    fn fill_last_page_of_log(&self) {
        let mut log =
            std::fs::OpenOptions::new().append(true).open(self.home.path().join("daemon.log"));
        let log = log.as_mut().unwrap();
        let over = usize::try_from(log.metadata().unwrap().len()).unwrap() % CHUNK_BYTES;
        log.write_all(&vec![b'\n'; CHUNK_BYTES - over]).unwrap();
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.home.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallHome {
    fn drop(&mut self) {
        // Whatever failed, what is mounted must not outlive the test.
        let _ = self.home.command(&["daemon", "stop"]).output();
        let _ = unmount(self.home.path(), UnmountFlags::DETACH);
    }
}

/// A job that waits for `go` in its working directory and says something before and after.
fn waiting(home: &Home, code: u32) -> String {
    let script = format!(
        "echo before; until [ -e go ]; do sleep 0.05; done; echo after; touch done-{code}; exit {code}"
    );
    let id = home.submit(&["--", "sh", "-c", &script]);
    // What it says later finds room in what this has taken.
    eventually("it has spoken", || home.run(&["logs", &id]).text() == "before\n");
    id
}

#[test]
fn a_full_disk_refuses_submits_and_loses_no_outcome() {
    let small = SmallHome::new();
    let daemon = small.home.daemon_pid();
    let ids = [3, 4].map(|code| (code, waiting(&small.home, code)));
    small.fill();
    let refused = small.home.run(&["submit", "--", "true"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let refused = small.home.run(&["--json", "submit", "--", "true"]);
    assert!(refused.text().contains("disk_full"), "{refused:?}");
    small.home.write("go", "");
    eventually("both end on the full disk", || {
        [3, 4].iter().all(|code| small.home.work().join(format!("done-{code}")).exists())
    });
    small.home.run(&["list"]).ok();
    assert_eq!(small.home.show(&ids[0].1)["id"], ids[0].1.as_str());
    assert_eq!(small.home.daemon_pid(), daemon, "the daemon died of a full disk");
    small.make_room();
    for (code, id) in &ids {
        let job = small.home.until(id, "ended");
        assert_eq!(job["outcome"]["exit_code"], *code, "{job}");
        assert_eq!(job["attempt"], 1, "{job}");
        assert_eq!(small.home.run(&["logs", id]).ok(), "before\nafter\n");
    }
    let next = small.home.submit(&["--", "true"]);
    small.home.until(&next, "ended");
    assert_eq!(small.home.daemon_pid(), daemon);
}

#[test]
fn a_daemon_killed_on_a_full_disk_goes_on_when_there_is_room() {
    let small = SmallHome::new();
    let id = waiting(&small.home, 5);
    small.fill();
    small.kill_daemon();
    small.home.write("go", "");
    eventually("it ends without a daemon", || small.home.work().join("done-5").exists());
    small.make_room();
    let job = small.home.until(&id, "ended");
    assert_eq!(job["outcome"]["exit_code"], 5, "{job}");
    assert_eq!(small.home.run(&["logs", &id]).ok(), "before\nafter\n");
    let listed = small.home.json(&["list"]);
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_daemon_whose_log_finds_no_room_goes_on() {
    let small = SmallHome::new();
    let daemon = small.home.daemon_pid();
    small.fill_last_page_of_log();
    small.fill();
    // What was not committed is logged, or would be.
    eventually("something is not committed", || {
        let slots = small.home.run(&["pool", "set", "later", "--slots", "1"]);
        assert_eq!(small.home.daemon_pid(), daemon, "the daemon died of its log: {slots:?}");
        slots.code == 4
    });
    small.home.run(&["list"]).ok();
    small.make_room();
    small.home.run(&["pool", "set", "later", "--slots", "1"]).ok();
    assert_eq!(small.home.daemon_pid(), daemon);
}
