//! A home of its own for each test, the built binary in a cleared environment, and waiting for
//! conditions. Nothing of a test outlives it: its jobs are cancelled and its daemon is stopped.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test, and says where")]

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a condition may take on a slow machine before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A fresh `LONGHAUL_HOME`, and a working directory beside it.
pub(crate) struct Home {
    folder: TempDir,
}

/// What one call of the binary gave.
#[must_use]
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lh").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder }
    }

    /// Where `LONGHAUL_HOME` points; made by the daemon.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The directory that the binary is called in.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("work")
    }

    /// Writes a file into the working directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The binary with `arguments`, ready to be changed or started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longhaul"));
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("LONGHAUL_HOME", self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs the binary to its end with this on its stdin.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut child = self.spawn_piped(arguments, Stdio::piped());
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        ran(child.wait_with_output().unwrap())
    }

    /// Starts the binary with both its streams in pipes.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.spawn_piped(arguments, Stdio::null())
    }

    fn spawn_piped(&self, arguments: &[&str], stdin: Stdio) -> Child {
        let mut command = self.command(arguments);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the binary with `--json`; it must succeed and print one JSON value.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let with_json = [&["--json"], arguments].concat();
        let ran = self.run(&with_json);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&ran.stdout))
        })
    }

    /// Submits a job and gives its id.
    pub(crate) fn submit(&self, arguments: &[&str]) -> String {
        let ran = self.run(&[&["submit"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        let id = ran.text().trim().to_owned();
        assert!(id.starts_with("job_") && id.len() == 30, "{id}");
        id
    }

    /// The job object, as `show --json` gives it.
    pub(crate) fn show(&self, id: &str) -> Value {
        self.json(&["show", id])
    }

    /// Waits until the job is in `state`, and gives the job object.
    pub(crate) fn until(&self, id: &str, state: &str) -> Value {
        let mut job = Value::Null;
        eventually(&format!("{id} is {state}"), || {
            job = self.show(id);
            job["state"] == state
        });
        job
    }

    /// The process id of the running daemon.
    pub(crate) fn daemon_pid(&self) -> i32 {
        let pid = self.json(&["daemon", "status"])["pid"].as_i64().unwrap();
        i32::try_from(pid).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.path().join("lock").exists() {
            return;
        }
        // A failing test must still tidy up, so nothing here may panic.
        let quietly = |arguments: &[&str]| self.command(arguments).output().ok();
        let listed = quietly(&["--json", "list", "--limit", "1000"]);
        let listed: Option<Value> =
            listed.and_then(|output| serde_json::from_slice(&output.stdout).ok());
        let jobs = listed.as_ref().and_then(|list| list["jobs"].as_array()).cloned();
        for job in jobs.unwrap_or_default().iter().filter(|job| job["state"] != "ended") {
            let id = job["id"].as_str().unwrap_or_default();
            quietly(&["cancel", "--now", "--wait", id]);
        }
        quietly(&["daemon", "stop"]);
    }
}

impl Ran {
    /// Stdout as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts the exit code and a part of the message on stderr.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, part: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(self.stderr.contains(part), "no `{part}` in {self:?}");
    }

    /// Asserts success and gives stdout.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        self.text()
    }
}

/// Takes apart what a finished call left; death by a signal counts as 128 and its number.
pub(crate) fn ran(output: Output) -> Ran {
    use std::os::unix::process::ExitStatusExt;
    let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ran { code, stdout: output.stdout, stderr }
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The process id of a child, as signals take it.
pub(crate) fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// Asks again and again until `condition` holds, and panics when it has not for [`PATIENCE`].
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's deadline is real time")]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The names of an object's fields, sorted.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Tells whether a file exists and holds something.
pub(crate) fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}
