//! Work that is not a process: an async function of the program that the engine runs in, registered
//! under a kind. Its attempt leaves nothing on disk. The evidence is that the function returned, or
//! that the process which ran it is gone: whoever holds the home and does not run it can tell.

use crate::limits;
use crate::spec::{BadSpec, JobSpec, at_most, bad, check_word};
use serde::{Deserialize, Serialize};

/// What a job that is a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Under which name its function was registered. Only a process that knows it runs the task.
    pub kind: String,
    /// What the function is given, as JSON text.
    pub input: String,
    /// How often it is run again when the process that ran it was lost. Zero for what must not be
    /// begun twice.
    #[serde(default)]
    pub reruns_max: u32,
}

/// What a task's function returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// For people and models.
    pub text: String,
    /// For programs, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<String>,
    /// Whether something was left out because it was too large.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_cut: bool,
    /// What went wrong, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<TaskFailure>,
}

/// What went wrong in a task, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// A word that programs branch on.
    pub code: String,
    /// The same in words.
    pub message: String,
    /// Whether the same may go well another time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_retryable: bool,
    /// What else there is to know, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Task {
    /// Checks it, and that `spec` asks for nothing that only a process has.
    pub(crate) fn check(&self, spec: &JobSpec) -> Result<(), BadSpec> {
        check_word("kind", &self.kind)?;
        if spec.command != [self.kind.as_str()] {
            return Err(bad("command", "is not the task's kind"));
        }
        at_most("input", "bytes", self.input.len(), limits::TASK_INPUT_BYTES_MAX)?;
        if serde_json::from_str::<serde::de::IgnoredAny>(&self.input).is_err() {
            return Err(bad("input", "is not JSON"));
        }
        if self.reruns_max > limits::RERUNS_MAX {
            return Err(bad("reruns", &format!("is more than {}", limits::RERUNS_MAX)));
        }
        let only_for_processes = [
            ("stall", spec.stall.is_some()),
            ("retry_on", !spec.retry.on.is_empty()),
            ("artifact", !spec.artifacts.is_empty()),
            ("attach", !spec.attachments.is_empty()),
            ("stdin", spec.stdin.is_some()),
            ("memory", spec.memory_bytes_max.is_some()),
            ("pty", spec.pty.is_some()),
        ];
        match only_for_processes.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((field, _)) => Err(bad(field, "is only for processes, and this is a task")),
            None => Ok(()),
        }
    }

    /// Where tasks of a kind that nobody runs wait: out of the way of their pool's other jobs, and
    /// found by their kind. No pool has such a name, for names hold no line breaks.
    pub fn waiting_pool(kind: &str) -> String {
        format!("task\n{kind}")
    }
}

impl TaskResult {
    /// Keeps it within what a row may hold: the end of a text says more than its start, and half of
    /// what is for programs is nothing.
    pub(crate) fn bound(&mut self, most: usize) {
        if self.text.len() > most {
            let mut from = self.text.len() - most;
            while !self.text.is_char_boundary(from) {
                from += 1;
            }
            self.text.drain(..from);
            self.is_cut = true;
        }
        if self.structured.as_ref().is_some_and(|structured| structured.len() > most) {
            self.structured = None;
            self.is_cut = true;
        }
        if let Some(failure) = &mut self.failure {
            failure.code = crate::decide::clip(&failure.code, limits::WORD_BYTES_MAX);
            failure.message = crate::decide::clip(&failure.message, limits::MESSAGE_BYTES_MAX);
            let is_long = |text: &String| text.len() > limits::EMISSION_BYTES_MAX;
            self.is_cut |= failure.details.take_if(|details| is_long(details)).is_some();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    fn task() -> Task {
        Task { kind: "sum".into(), input: "[1, 2]".into(), reruns_max: 0 }
    }

    #[test]
    fn a_task_asks_for_nothing_that_only_a_process_has() {
        type Spoil = fn(&mut JobSpec);
        let breaks: [(&str, Spoil); 8] = [
            ("command", |s| s.command.push("-v".into())),
            ("stall", |s| s.stall = Some(Millis::from_secs(9))),
            ("retry_on", |s| s.retry.on = vec![1]),
            ("artifact", |s| s.artifacts = vec!["a".into()]),
            ("memory", |s| s.memory_bytes_max = Some(1 << 30)),
            ("input", |s| s.task.as_mut().unwrap().input = "{".into()),
            ("input", |s| s.task.as_mut().unwrap().input = " ".repeat(1 << 20)),
            ("reruns", |s| s.task.as_mut().unwrap().reruns_max = 101),
        ];
        assert_eq!(JobSpec::of_task(task()).check(), Ok(()));
        for (field, spoil) in breaks {
            let mut spec = JobSpec::of_task(task());
            spoil(&mut spec);
            assert_eq!(spec.check().err().map(|bad| bad.field), Some(field));
        }
    }

    #[test]
    fn of_a_long_result_the_end_of_its_text_is_kept() {
        let long = format!("ä{}z", "x".repeat(limits::RESULT_BYTES_MAX - 1));
        let structured = Some(format!("[{}1]", "1,".repeat(limits::RESULT_BYTES_MAX)));
        let mut result = TaskResult { text: long, structured, ..TaskResult::default() };
        result.bound(limits::RESULT_BYTES_MAX);
        assert!(result.is_cut && result.structured.is_none() && result.text.ends_with("xz"));
        assert_eq!(result.text.len(), limits::RESULT_BYTES_MAX);
    }
}
