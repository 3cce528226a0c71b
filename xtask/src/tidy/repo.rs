//! The repository as the checks see it: every file git knows or would add, read once.

use super::source::Source;
use super::workspace::{self, Package};
use crate::shell;
use anyhow::{Context, Result};
use std::fmt;

/// Where the size debts are kept.
pub(super) const DEBTS: &str = "xtask/tidy/debts.toml";

/// One file and its text.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the top folder, with `/`.
    pub path: String,
    pub bytes: usize,
    /// Empty if the file is not UTF-8; such a file is only weighed.
    pub text: String,
    /// What the compiler sees of it; empty unless it is Rust.
    pub source: Source,
}

impl File {
    pub(super) fn new(path: &str, content: &[u8]) -> Self {
        let text = std::str::from_utf8(content).unwrap_or_default().to_owned();
        let source = if path.ends_with(".rs") { Source::of(&text) } else { Source::default() };
        Self { path: path.to_owned(), bytes: content.len(), text, source }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Recorded bytes of other programs, and snapshots: they are what they are.
    pub(super) fn is_recording(&self) -> bool {
        self.path.split('/').any(|part| part == "fixtures") || self.path.ends_with(".snap")
    }

    /// The file's name without folder and extension.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    pub(super) fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }
}

/// Everything a check may look at.
#[derive(Debug, Default)]
pub(super) struct Repo {
    /// Sorted by path.
    pub files: Vec<File>,
    pub packages: Vec<Package>,
    /// The size debts in this commit and the one before, as far as git has them.
    pub debts_before: Vec<String>,
}

impl Repo {
    /// Reads the working tree and asks cargo and git for the rest.
    ///
    /// Files not yet added are included: a rule should speak before the commit, not after.
    pub(super) fn read() -> Result<Self> {
        let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = shell::output_of("git", &listing)?;
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut files = vec![];
        for path in paths {
            match std::fs::read(path) {
                Ok(content) => files.push(File::new(path, &content)),
                // Deleted but still in the index: there is nothing left to check.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("failed to read {path}")),
            }
        }
        let before = ["HEAD", "HEAD^"].map(|commit| format!("{commit}:{DEBTS}"));
        // A first commit has no predecessor, and a shallow clone may lack it: then nothing is known.
        let debts_before = before
            .iter()
            .filter_map(|name| shell::output_of("git", &["show", name]).ok())
            .collect();
        Ok(Self { files, packages: workspace::packages()?, debts_before })
    }

    /// A repository made up for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File::new(path, text.as_bytes())).collect();
        Self { files, ..Self::default() }
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn under(&self, folder: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder))
    }
}

/// A broken rule and where. Lines count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// What a check says of a made-up repository, one line a violation.
#[cfg(test)]
pub(super) fn said(check: fn(&Repo) -> Vec<Violation>, files: &[(&str, &str)]) -> Vec<String> {
    check(&Repo::of(files)).iter().map(Violation::to_string).collect()
}
