//! Agent CLIs that do as a test tells them: the example program `fake_agent` under their names, in a
//! folder of the test's own. What it can be told is in `examples/fake_agent/script.rs`.

use crate::harness::{Home, Ran, ran};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The names that it is played under. `aider` stands for a command that is no known CLI.
const NAMES: &[&str] =
    &["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen", "acp", "ndjson", "aider"];

/// A folder of agent CLIs, which belongs on the path of whoever starts them.
pub(crate) struct FakeAgents {
    folder: PathBuf,
}

impl FakeAgents {
    /// Beside the working directory of this home.
    pub(crate) fn new(home: &Home) -> Self {
        Self::within(&home.work().join("..").join("agents"))
    }

    /// In this folder, which is made.
    pub(crate) fn within(folder: &Path) -> Self {
        let program = program();
        assert!(
            program.is_file(),
            "`cargo build --example fake_agent` makes {}",
            program.display()
        );
        std::fs::create_dir_all(folder).unwrap();
        let folder = folder.canonicalize().unwrap();
        for name in NAMES {
            std::os::unix::fs::symlink(&program, folder.join(name)).unwrap();
        }
        Self { folder }
    }

    /// The value of `PATH` that finds these first.
    pub(crate) fn path(&self) -> OsString {
        let rest = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(self.folder.clone()).chain(std::env::split_paths(&rest));
        std::env::join_paths(folders).unwrap()
    }

    /// Where one of them lies, for `agent add … -- PROGRAM`.
    pub(crate) fn program(&self, name: &str) -> String {
        self.folder.join(name).into_os_string().into_string().unwrap()
    }

    /// What this CLI does from now on, a step a line: `claude`, or `claude.2` for its second call.
    pub(crate) fn script(&self, name: &str, steps: &str) {
        std::fs::write(self.folder.join(format!("{name}.steps")), steps).unwrap();
    }

    /// The calls of this CLI so far, oldest first.
    pub(crate) fn calls(&self, kind: &str) -> Vec<Value> {
        self.notes().into_iter().filter(|note| note["kind"] == kind).collect()
    }

    /// All that they wrote down: calls, and what hooks and commands in between said.
    pub(crate) fn notes(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("calls.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Forgets a conversation: from now on resuming it is refused.
    pub(crate) fn forget(&self, conversation: &str) {
        std::fs::remove_file(self.folder.join("sessions").join(format!("{conversation}.json")))
            .unwrap();
    }
}

/// A home, and a path on which the agents' CLIs are found first.
pub(crate) struct Team {
    pub(crate) home: Home,
    pub(crate) fake: FakeAgents,
}

impl Team {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let fake = FakeAgents::new(&home);
        Self { home, fake }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.home.command(arguments).env("PATH", self.fake.path()).output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        serde_json::from_str(ran.ok()).unwrap()
    }

    pub(crate) fn add(&self, name: &str, options: &[&str]) {
        self.run(&[&["agent", "add", name, "--kind", "claude"], options].concat()).ok();
    }

    pub(crate) fn agent(&self, name: &str) -> Value {
        self.json(&["agent", "show", name])
    }

    /// What the CLI was told in its calls so far.
    pub(crate) fn prompts(&self) -> Vec<String> {
        let calls = self.fake.calls("claude").into_iter();
        calls.map(|call| call.to_string()).collect()
    }

    /// Hands a turn in and gives its id.
    pub(crate) fn turn(&self, name: &str, prompt: &str, options: &[&str]) -> String {
        self.run(&[&["turn", name, prompt], options].concat()).ok().trim().to_owned()
    }
}

/// The example program, which cargo builds with the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).expect("tests are built in target/x/deps");
    folder.join("examples").join("fake_agent")
}
