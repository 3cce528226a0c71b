//! What a job is asked to be: everything that is fixed when it is submitted. Checked once, here;
//! whatever passes may be stored and run.

use crate::hosted::Hosted;
use crate::id::JobId;
use crate::limits;
use crate::task::Task;
use crate::time::{Millis, Timestamp};
use crate::turn::Turn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to run and how. Its environment is kept apart, because that is secret and erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The program and its arguments; never empty, never with a NUL.
    pub command: Vec<String>,
    /// Absolute path of the directory it runs in.
    pub cwd: String,
    /// A person's name for it; not unique.
    pub name: Option<String>,
    /// Free words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Whose slots it needs.
    pub pool: String,
    /// Serial key: of one lane, one job at a time, oldest first.
    pub lane: Option<String>,
    /// 0–9, higher first within its pool.
    pub priority: u8,
    /// Jobs that must have succeeded first.
    pub after: Vec<JobId>,
    /// Jobs that must have ended first.
    pub after_any: Vec<JobId>,
    /// How long after submission it may start.
    pub delay: Millis,
    /// Before when it may not start.
    pub at: Option<Timestamp>,
    /// The longest that one attempt may run, sleep of the machine not counted.
    pub timeout: Option<Millis>,
    /// How long one attempt may show no sign of life.
    pub stall: Option<Millis>,
    /// From asking it to stop to killing it.
    pub grace: Millis,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// Sinks to tell when it has ended.
    pub notify: Vec<String>,
    /// Patterns, relative to `cwd`, of files to register when it ends.
    pub artifacts: Vec<String>,
    /// Files that were stored with it.
    pub attachments: Vec<Attachment>,
    /// What it reads on its standard input; nothing if `None`.
    pub stdin: Option<Blob>,
    /// Bytes that each of its two streams may hold.
    pub output_bytes_max: u64,
    /// Bytes of memory that its whole tree may use.
    pub memory_bytes_max: Option<u64>,
    /// How long it is kept once ended, if not as long as the home's rule says.
    pub keep: Option<Millis>,
    /// The terminal it runs in, if it wants one.
    pub pty: Option<PtySize>,
    /// What becomes of processes that it leaves running.
    pub leftovers: LeftoverRule,
    /// Where its environment came from.
    pub environment: EnvironmentOrigin,
    /// The task that it is, rather than a process; its command is then the task's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// What a session asked for, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted: Option<Box<Hosted>>,
    /// The turn of an agent that it is; its command is then the agent's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// What happens after a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many more attempts at most.
    pub max: u32,
    /// First delay; doubles, with jitter, up to [`limits::RETRY_DELAY_MAX`].
    pub delay: Millis,
    /// Exit codes that are worth another attempt; any failure if empty.
    pub on: Vec<i32>,
}

/// A stored file, by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A file that was stored with a job when it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Relative to the job's `cwd`, with `/`, without `.` or `..`.
    pub path: String,
    /// The stored content.
    #[serde(flatten)]
    pub blob: Blob,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// The size of a job's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtySize {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub cols: u16,
}

/// What becomes of processes that a finished job leaves running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftoverRule {
    /// They are ended, and the job says which they were.
    Kill,
    /// They stay, and the job says which they are.
    Report,
}

/// Where a job's environment came from. Names only: values are kept apart and erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentOrigin {
    /// Whether it began as the caller's whole environment.
    pub inherited: bool,
    /// Names that were set on purpose.
    pub set: Vec<String>,
    /// All names, sorted.
    pub names: Vec<String>,
}

/// A job's whole environment. A secret: never printed, never logged, erased when the job has ended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Environment({} names)", self.0.len())
    }
}

/// Says which field of a specification cannot be accepted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct BadSpec {
    /// The field, as users name it.
    pub field: &'static str,
    /// What is wrong with it, in words that follow the field's name.
    pub problem: String,
}

impl JobSpec {
    /// The plainest specification: `command` in `cwd`, everything else as by default.
    pub fn new(command: Vec<String>, cwd: String) -> Self {
        Self {
            command,
            cwd,
            name: None,
            labels: BTreeMap::new(),
            pool: "default".to_owned(),
            lane: None,
            priority: limits::PRIORITY_DEFAULT,
            after: Vec::new(),
            after_any: Vec::new(),
            delay: Millis::ZERO,
            at: None,
            timeout: None,
            stall: None,
            grace: limits::GRACE_DEFAULT,
            retry: Retry { max: 0, delay: limits::RETRY_DELAY_DEFAULT, on: Vec::new() },
            notify: Vec::new(),
            artifacts: Vec::new(),
            attachments: Vec::new(),
            stdin: None,
            output_bytes_max: limits::OUTPUT_BYTES_DEFAULT,
            memory_bytes_max: None,
            keep: None,
            pty: None,
            leftovers: LeftoverRule::Kill,
            environment: EnvironmentOrigin { inherited: true, set: Vec::new(), names: Vec::new() },
            task: None,
            hosted: None,
            turn: None,
        }
    }

    /// The plainest specification of a task, everything else as by default.
    pub fn of_task(task: Task) -> Self {
        let environment =
            EnvironmentOrigin { inherited: false, set: Vec::new(), names: Vec::new() };
        let spec = Self::new(vec![task.kind.clone()], "/".to_owned());
        Self { environment, task: Some(task), ..spec }
    }

    /// Checks everything that needs no other row. Gives the first [`BadSpec`].
    pub fn check(&self) -> Result<(), BadSpec> {
        self.check_command()?;
        self.check_words()?;
        self.check_times()?;
        self.check_files()?;
        self.task.as_ref().map_or(Ok(()), |task| task.check(self))?;
        self.hosted.as_ref().map_or(Ok(()), |hosted| hosted.check())?;
        self.turn.as_ref().map_or(Ok(()), |turn| turn.check(self))
    }

    fn check_command(&self) -> Result<(), BadSpec> {
        let program = self.command.first().ok_or_else(|| bad("command", "is empty"))?;
        if program.is_empty() {
            return Err(bad("command", "names no program"));
        }
        at_most("command", "arguments", self.command.len(), limits::ARGUMENTS_MAX)?;
        let bytes = self.command.iter().map(String::len).sum();
        at_most("command", "bytes", bytes, limits::COMMAND_BYTES_MAX)?;
        if self.command.iter().any(|word| word.contains('\0')) {
            return Err(bad("command", "holds a NUL character"));
        }
        at_most("cwd", "bytes", self.cwd.len(), limits::CWD_BYTES_MAX)?;
        if !self.cwd.starts_with('/') || self.cwd.contains('\0') {
            return Err(bad("cwd", "is not an absolute path"));
        }
        Ok(())
    }

    fn check_words(&self) -> Result<(), BadSpec> {
        check_word("pool", &self.pool)?;
        let words = [("name", &self.name), ("lane", &self.lane)];
        for (field, word) in words.into_iter().filter_map(|(f, w)| w.as_ref().map(|w| (f, w))) {
            check_word(field, word)?;
        }
        if self.name.as_ref().is_some_and(|name| name.starts_with("job_")) {
            return Err(bad("name", "may not start with `job_`, as ids do"));
        }
        at_most("label", "labels", self.labels.len(), limits::LABELS_MAX)?;
        for (name, value) in &self.labels {
            check_word("label", name)?;
            if !value.is_empty() {
                check_word("label", value)?;
            }
        }
        let after = self.after.len() + self.after_any.len();
        at_most("after", "jobs", after, limits::DEPENDENCIES_MAX)?;
        at_most("notify", "sinks", self.notify.len(), limits::NOTIFY_MAX)?;
        self.notify.iter().try_for_each(|sink| check_word("notify", sink))
    }

    fn check_times(&self) -> Result<(), BadSpec> {
        if self.priority > limits::PRIORITY_MAX {
            return Err(bad("priority", "is not between 0 and 9"));
        }
        let spans = [
            ("delay", Some(self.delay)),
            ("timeout", self.timeout),
            ("stall", self.stall),
            ("grace", Some(self.grace)),
            ("retry_delay", Some(self.retry.delay)),
            ("keep", self.keep),
        ];
        for (field, span) in spans {
            if span.is_some_and(|span| span > limits::SPAN_MAX) {
                return Err(bad(field, "is longer than ten years"));
            }
        }
        if self.timeout == Some(Millis::ZERO) {
            return Err(bad("timeout", "is zero"));
        }
        if self.stall.is_some_and(|stall| stall < limits::STALL_MIN) {
            return Err(bad("stall", "is shorter than one second"));
        }
        if self.retry.max > limits::RETRIES_MAX {
            return Err(bad("retry", &format!("is more than {}", limits::RETRIES_MAX)));
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), BadSpec> {
        at_most("artifact", "patterns", self.artifacts.len(), limits::ARTIFACT_GLOBS_MAX)?;
        for glob in &self.artifacts {
            if glob.is_empty() || glob.starts_with('/') || glob.split('/').any(|part| part == "..")
            {
                return Err(bad("artifact", "must be a pattern inside the working directory"));
            }
        }
        at_most("attach", "files", self.attachments.len(), limits::ATTACHMENTS_MAX)?;
        for attachment in &self.attachments {
            if !is_inner_path(&attachment.path) {
                return Err(bad("attach", "must be a path inside the working directory"));
            }
            check_blob("attach", &attachment.blob)?;
        }
        if let Some(blob) = &self.stdin {
            check_blob("stdin", blob)?;
        }
        if self.output_bytes_max == 0 {
            return Err(bad("max_output", "is zero"));
        }
        if self.memory_bytes_max.is_some_and(|bytes| bytes < 1_024 * 1_024) {
            return Err(bad("memory", "is less than one mebibyte"));
        }
        Ok(())
    }
}

impl Environment {
    /// Checks names and size. Gives [`BadSpec`] for what no process could be given.
    pub fn check(&self) -> Result<(), BadSpec> {
        let bytes = self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        at_most("env", "bytes", bytes, limits::ENVIRONMENT_BYTES_MAX)?;
        for (name, value) in &self.0 {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(bad("env", "has a name that is empty or holds `=`, or holds a NUL"));
            }
        }
        Ok(())
    }
}

/// Tells whether `path` stays inside the directory it is relative to, whatever lies there.
pub fn is_inner_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= limits::CWD_BYTES_MAX
        && !path.contains('\0')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Checks a name, owner, lane, pool, key or label: not empty, not long, no control characters.
///
/// Gives [`BadSpec`] for `field` if it cannot be accepted.
pub fn check_word(field: &'static str, word: &str) -> Result<(), BadSpec> {
    if word.trim().is_empty() {
        return Err(bad(field, "is blank"));
    }
    at_most(field, "bytes", word.len(), limits::WORD_BYTES_MAX)?;
    if word.chars().any(char::is_control) {
        return Err(bad(field, "holds a control character"));
    }
    Ok(())
}

/// Checks a project: a directory, as a path.
///
/// Gives [`BadSpec`] if it cannot be accepted.
pub fn check_project(project: &str) -> Result<(), BadSpec> {
    at_most("project", "bytes", project.len(), limits::CWD_BYTES_MAX)?;
    if !project.starts_with('/') || project.contains('\0') {
        return Err(bad("project", "is not an absolute path"));
    }
    Ok(())
}

fn check_blob(field: &'static str, blob: &Blob) -> Result<(), BadSpec> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if blob.sha256.len() != 64 || !blob.sha256.bytes().all(is_hex) {
        return Err(bad(field, "names no content by its SHA-256"));
    }
    if blob.size > limits::BLOB_BYTES_MAX {
        return Err(bad(field, &format!("is larger than {} bytes", limits::BLOB_BYTES_MAX)));
    }
    Ok(())
}

pub(crate) fn at_most(
    field: &'static str,
    what: &str,
    count: usize,
    most: usize,
) -> Result<(), BadSpec> {
    if count > most {
        return Err(bad(field, &format!("has {count} {what}, and {most} is the limit")));
    }
    Ok(())
}

pub(crate) fn bad(field: &'static str, problem: &str) -> BadSpec {
    BadSpec { field, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> JobSpec {
        JobSpec::new(vec!["true".into()], "/".into())
    }

    fn field_of(spec: &JobSpec) -> Option<&'static str> {
        spec.check().err().map(|bad| bad.field)
    }

    #[test]
    fn the_plainest_specification_passes() {
        assert_eq!(spec().check(), Ok(()));
    }

    #[test]
    fn each_bad_field_is_named() {
        type Spoil = fn(&mut JobSpec);
        let breaks: [(&str, Spoil); 16] = [
            ("command", |s| s.command.clear()),
            ("command", |s| s.command = vec![String::new()]),
            ("command", |s| s.command.push("a\0b".into())),
            ("command", |s| s.command.push("x".repeat(limits::COMMAND_BYTES_MAX))),
            ("cwd", |s| s.cwd = "relative".into()),
            ("name", |s| s.name = Some("job_x".into())),
            ("name", |s| s.name = Some("a\nb".into())),
            ("pool", |s| s.pool = " ".into()),
            ("lane", |s| s.lane = Some("x".repeat(300))),
            ("priority", |s| s.priority = 10),
            ("timeout", |s| s.timeout = Some(Millis::ZERO)),
            ("stall", |s| s.stall = Some(Millis::new(1))),
            ("retry", |s| s.retry.max = 101),
            ("artifact", |s| s.artifacts = vec!["../x".into()]),
            ("max_output", |s| s.output_bytes_max = 0),
            ("memory", |s| s.memory_bytes_max = Some(1)),
        ];
        for (field, spoil) in breaks {
            let mut spec = spec();
            spoil(&mut spec);
            assert_eq!(field_of(&spec), Some(field));
        }
    }

    #[test]
    fn inner_paths_cannot_leave() {
        assert!(is_inner_path("a/b.txt"));
        for path in ["", "/a", "a//b", "./a", "a/../b", "..", "a/", "a\0"] {
            assert!(!is_inner_path(path), "{path:?} passed");
        }
    }

    #[test]
    fn a_debug_print_gives_no_secret_away() {
        let environment = Environment([("TOKEN".to_owned(), "hunter2".to_owned())].into());
        assert_eq!(format!("{environment:?}"), "Environment(1 names)");
    }
}
