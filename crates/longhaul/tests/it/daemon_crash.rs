//! The daemon and its shims are killed at any moment, and nothing is lost or done twice.

use crate::daemon_support::eventually;
use longhaul_shim::files::PidRecord;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const LONGHAUL: &str = env!("CARGO_BIN_EXE_longhaul");

/// A home whose daemon is a process of its own, so that it can be killed.
pub(crate) struct Site {
    pub(crate) root: tempfile::TempDir,
    /// Where programs are found, if not where this test finds them.
    pub(crate) path: Option<std::ffi::OsString>,
    daemon: Option<Child>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { root: tempfile::tempdir().unwrap(), path: None, daemon: None };
        std::fs::create_dir(site.home()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(site.home(), mode).unwrap();
        site
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("LONGHAUL_HOME", self.home())
            .env("LONGHAUL_AUTOSTART", "0")
            .env_remove("LONGHAUL_FAILPOINTS")
            .current_dir(self.root.path())
            .stdin(Stdio::null());
        command.envs(self.path.as_ref().map(|path| ("PATH", path)));
        command
    }

    /// Starts a daemon, perhaps armed, and waits until it answers or has gone.
    pub(crate) fn start(&mut self, failpoints: Option<&str>) {
        let mut command = self.command(LONGHAUL);
        command.args(["daemon", "run"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(failpoints.map(|plan| ("LONGHAUL_FAILPOINTS", plan)));
        self.daemon = Some(command.spawn().unwrap());
        eventually("the daemon answers", || self.is_gone() || self.status().is_some());
    }

    pub(crate) fn is_gone(&mut self) -> bool {
        self.daemon.as_mut().is_none_or(|daemon| daemon.try_wait().unwrap().is_some())
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.command(LONGHAUL).args(arguments).output().unwrap()
    }

    fn status(&self) -> Option<Value> {
        let told = self.cli(&["daemon", "status", "--json"]);
        let status: Value = serde_json::from_slice(&told.stdout).ok()?;
        (status["running"] == true).then_some(status)
    }

    /// Submits with a key, as often as it takes: asking again is safe, whatever became of the ask.
    fn submit(&mut self, key: &str, script: &str) -> String {
        self.submit_with(&["--key", key, "--", "sh", "-c", script])
    }

    /// The same with these arguments, among which has to be a key.
    pub(crate) fn submit_with(&mut self, arguments: &[&str]) -> String {
        let mut id = String::new();
        eventually("a submit is accepted", || {
            if self.is_gone() {
                self.start(None);
            }
            let told = self.cli(&[&["submit"], arguments].concat());
            id = String::from_utf8(told.stdout).unwrap().trim().to_owned();
            told.status.success()
        });
        id
    }

    /// Waits for a job, starting daemons as needed, and gives it.
    pub(crate) fn wait(&mut self, id: &str) -> Value {
        let mut job = Value::Null;
        eventually("a job ends", || {
            if self.is_gone() {
                self.start(None);
            }
            let told = self.cli(&["show", id, "--json"]);
            job = serde_json::from_slice(&told.stdout).unwrap_or_default();
            job["state"] == "ended"
        });
        job
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Every job wrote its line once and ended with its own code.
fn assert_each_once(site: &mut Site, ids: &[String], path: &Path) {
    for (number, id) in ids.iter().enumerate() {
        let job = site.wait(id);
        assert_eq!(job["outcome"]["exit_code"], number % 7, "{job}");
        assert_eq!(job["attempt"], 1, "{job}");
    }
    let mut ran = lines(path);
    ran.sort();
    let mut wanted: Vec<String> = (0..ids.len()).map(|number| format!("ran-{number}")).collect();
    wanted.sort();
    assert_eq!(ran, wanted);
}

fn script(path: &Path, number: usize) -> String {
    format!("echo ran-{number} >> {}; sleep 0.1; exit {}", path.display(), number % 7)
}

#[test]
fn jobs_survive_a_daemon_that_is_killed_again_and_again() {
    let mut site = Site::new();
    let ran = site.root.path().join("ran");
    let mut ids = Vec::new();
    for number in 0..6 {
        site.start(None);
        let key = format!("k{number}");
        ids.push(site.submit(&key, &script(&ran, number)));
        // Asked again after the kill, it is the same job.
        site.kill();
        assert_eq!(site.submit(&key, &script(&ran, number)), ids[number]);
        site.kill();
    }
    assert_each_once(&mut site, &ids, &ran);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_crash_at_any_named_point_loses_and_doubles_nothing() {
    for point in
        ["engine.after_commit", "engine.before_reply", "launch.after_spec", "launch.after_fork"]
    {
        let mut site = Site::new();
        let ran = site.root.path().join("ran");
        let mut ids = Vec::new();
        for number in 0..2 {
            site.kill();
            site.start(Some(&format!("{point}=abort")));
            assert!(!site.is_gone(), "{point} was met before anybody asked");
            let (key, script) = (format!("k{number}"), script(&ran, number));
            // Whether this one is told anything depends on the point.
            site.cli(&["submit", "--key", &key, "--", "sh", "-c", &script]);
            eventually("the daemon meets its point", || site.is_gone());
            ids.push(site.submit(&key, &script));
        }
        assert_each_once(&mut site, &ids, &ran);
    }
}

#[cfg(feature = "failpoints")]
#[test]
fn a_crash_between_sending_a_notice_and_recording_it_sends_it_again_under_its_id() {
    let mut site = Site::new();
    site.start(Some("courier.after_send=abort"));
    let script = "echo $LONGHAUL_NOTICE_ID >>told";
    let added = site.cli(&["sink", "add", "told", "exec", "--", "sh", "-c", script]);
    assert!(added.status.success(), "{added:?}");
    let told = site.cli(&["submit", "--notify", "told", "--", "true"]);
    let id = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    eventually("the daemon meets its point", || site.is_gone());
    site.start(None);
    let mut notice = Value::Null;
    eventually("the notice is acknowledged", || {
        let listed = site.cli(&["notices", &id, "--json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        let mut mine = listed["notices"].as_array().into_iter().flatten();
        let found = mine.find(|notice| notice["to"] == "sink:told");
        notice = found.cloned().unwrap_or_default();
        notice["state"] == "acked"
    });
    let told = std::fs::read_to_string(site.root.path().join("told")).unwrap();
    let ids: Vec<&str> = told.lines().collect();
    assert_eq!(ids, [notice["id"].as_str().unwrap(); 2]);
}

#[test]
fn of_two_daemons_one_is_told_that_the_other_runs() {
    let mut site = Site::new();
    site.start(None);
    let second = site.cli(&["daemon", "run"]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(said.contains("already running"), "{said}");
    let pid = site.daemon.as_ref().unwrap().id();
    assert_eq!(site.status().unwrap()["pid"], pid);
}

#[test]
fn a_folder_that_is_in_the_way_is_never_used() {
    let mut site = Site::new();
    site.start(None);
    // An id is known beforehand to whoever submits, so its folder can be planted.
    let told = site.cli(&["submit", "--delay", "2s", "--", "true"]);
    let id = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    let folder = site.home().join("attempts").join(format!("{id}.1"));
    let target = site.root.path().join("elsewhere");
    std::fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &folder).unwrap();
    eventually("the doctor sees it", || {
        let told = site.cli(&["doctor", "--json"]);
        String::from_utf8(told.stdout).unwrap().contains(&id)
    });
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
    // With it out of the way the attempt begins after all.
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(site.wait(&id)["outcome"]["kind"], "succeeded");
}

#[test]
fn a_shim_that_is_killed_leaves_nothing_running_and_its_job_is_lost() {
    let mut site = Site::new();
    site.start(None);
    let told = site.cli(&["submit", "--", "sh", "-c", "sleep 100 & sleep 100"]);
    let id = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    let record = site.home().join("attempts").join(format!("{id}.1/pid.json"));
    eventually("it runs", || record.exists());
    let pids: PidRecord = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let shim = rustix::process::Pid::from_raw(pids.shim.pid).unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    let job = site.wait(&id);
    assert_eq!(job["outcome"]["kind"], "lost", "{job}");
    assert!(!pids.child.is_alive());
}

#[test]
fn thirty_two_descriptors_are_enough() {
    let mut site = Site::new();
    let script = format!("ulimit -n 32; exec {LONGHAUL} daemon run");
    let mut command = site.command("sh");
    command.args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null());
    site.daemon = Some(command.spawn().unwrap());
    eventually("the daemon answers", || site.status().is_some());
    let ran = site.root.path().join("ran");
    let ids: Vec<String> = (0..10)
        .map(|number| site.submit(&format!("k{number}"), &self::script(&ran, number)))
        .collect();
    assert_each_once(&mut site, &ids, &ran);
    assert!(!site.is_gone());
}

#[test]
fn a_daemon_that_is_stopped_leaves_its_jobs_alone() {
    let mut site = Site::new();
    site.start(None);
    let told = site.cli(&["submit", "--", "sh", "-c", "sleep 1; exit 5"]);
    let id = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    assert!(site.cli(&["daemon", "stop"]).status.success());
    eventually("the daemon is gone", || site.is_gone());
    assert_eq!(site.wait(&id)["outcome"]["exit_code"], 5);
}
