//! An attempt in a folder of its own, launched the way a daemon does it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use longhaul_shim::evidence::{self, Evidence};
use longhaul_shim::files::{ExitRecord, LeftoversPolicy, PidRecord, Spec, TOKEN_VARIABLE, VERSION};
use longhaul_shim::folder::Folder;
use longhaul_shim::identity::{self, Ask};
use longhaul_shim::orphans;
use tempfile::TempDir;

/// Longest a test waits for anything; generous, because the machine is shared.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

/// One attempt; ends whatever it started when it is dropped.
pub(crate) struct Attempt {
    root: TempDir,
    pub(crate) folder: Folder,
    pub(crate) token: String,
}

/// An attempt of this shell script.
pub(crate) fn sh(script: &str) -> Attempt {
    attempt(&["sh", "-c", script], |_| {})
}

/// An attempt of this program, with whatever `change` makes of its spec.
pub(crate) fn attempt(argv: &[&str], change: impl FnOnce(&mut Spec)) -> Attempt {
    let root = TempDir::new().unwrap();
    let folder = Folder::create(&root.path().join("a")).unwrap();
    let token = format!("t{}", root.path().display());
    let env = [("PATH", "/usr/local/bin:/usr/bin:/bin"), (TOKEN_VARIABLE, token.as_str())];
    let mut spec = Spec {
        version: VERSION,
        job: "job_1".to_owned(),
        attempt: 1,
        argv: argv.iter().map(ToString::to_string).collect(),
        cwd: root.path().to_owned(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        stdin: false,
        pty: None,
        output_bytes_max: None,
        memory_bytes_max: None,
        leftovers: LeftoversPolicy::Kill,
        hint_socket: None,
        cgroup: true,
        nofile: None,
        umask: None,
    };
    change(&mut spec);
    folder.write_spec(&spec).unwrap();
    Attempt { root, folder, token }
}

impl Attempt {
    /// The child's working directory.
    pub(crate) fn cwd(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("a").join(name)
    }

    /// Starts a shim and returns as soon as the daemon would.
    pub(crate) fn launch(&self) -> &Self {
        self.launch_with("")
    }

    /// The same, with fault points armed.
    pub(crate) fn launch_with(&self, failpoints: &str) -> &Self {
        let status = Command::new(program("shim"))
            .arg(self.path(""))
            .env("LONGHAUL_FAILPOINTS", failpoints)
            .status()
            .unwrap();
        assert!(status.success(), "a shim is on its way");
        self
    }

    pub(crate) fn feed(&self, bytes: &[u8]) -> &Self {
        self.folder.create_file("in").unwrap().write_all(bytes).unwrap();
        self
    }

    /// Launches it and waits for its end.
    pub(crate) fn run(&self) -> ExitRecord {
        self.launch().until_over()
    }

    pub(crate) fn until_over(&self) -> ExitRecord {
        eventually("the outcome", || match evidence::look(&self.folder) {
            Evidence::Over(record) => Some(record),
            Evidence::Alive(_)
            | Evidence::NeverBegun
            | Evidence::ShimDied(_)
            | Evidence::Unknown(_) => None,
        })
    }

    pub(crate) fn until_begun(&self) -> PidRecord {
        eventually("pid.json", || self.folder.read_pid().unwrap())
    }

    /// Waits until the child has written this to `out`.
    pub(crate) fn until_says(&self, text: &str) -> &Self {
        eventually(text, || self.out().contains(text).then_some(()));
        self
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("out")).unwrap_or_default()).into_owned()
    }

    pub(crate) fn ask(&self, ask: Ask) -> bool {
        identity::ask_shim(&self.folder, &self.until_begun(), ask).unwrap()
    }

    /// Pids of the shims of this folder, and of children that have not become their program yet.
    pub(crate) fn shims(&self) -> Vec<i32> {
        let mark = self.path("").into_os_string().into_encoded_bytes();
        pids()
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.split(|byte| *byte == 0).any(|arg| arg == mark)
            })
            .collect()
    }

    /// Pids of what carries this attempt's token.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let entry = format!("{TOKEN_VARIABLE}={}", self.token).into_bytes();
        pids()
            .filter(|pid| {
                let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                env.split(|byte| *byte == 0).any(|held| held == entry)
            })
            .collect()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Evidence::Alive(Some(record)) = evidence::look(&self.folder) {
            let _ = identity::ask_shim(&self.folder, &record, Ask::EndByForce);
        }
        let _ = orphans::end_by_token(&self.token, PATIENCE);
    }
}

/// Waits until the answer is there; a test that waits too long has failed.
pub(crate) fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if let Some(answer) = answer() {
            return answer;
        }
        thread::sleep(PAUSE);
    }
    panic!("waited too long for {what}");
}

/// One of this crate's example programs, which cargo builds with the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).expect("tests are built in target/x/deps");
    folder.join("examples").join(name)
}

/// [`program`] as an argument.
pub(crate) fn program_text(name: &str) -> String {
    program(name).into_os_string().into_string().unwrap()
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}
