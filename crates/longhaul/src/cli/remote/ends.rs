//! How a job ended: our exit code, what is said about it, and what programs read.

use crate::cli::error::{CliError, Leave};
use crate::cli::output::plain;
use longhaul_arcp::client::{End, Failure, Gave, Status};
use serde_json::{Value, json};

const FAILED: u8 = 1;
const TIMED_OUT: u8 = 124;
const CANCELLED: u8 = 130;

/// The exit code.
pub(super) const fn leave_as(status: Status) -> Leave {
    match status {
        Status::Success => Leave::OK,
        Status::Error => Leave(FAILED),
        Status::TimedOut => Leave(TIMED_OUT),
        Status::Cancelled => Leave(CANCELLED),
    }
}

/// The state of that name, if it is an end.
pub(super) fn ended(state: &str) -> Option<Status> {
    let all = [Status::Success, Status::Error, Status::TimedOut, Status::Cancelled];
    all.into_iter().find(|status| status.name() == state)
}

/// What is to be said about an end that was no success, or whose result is not whole.
pub(super) fn remark(job: &str, end: &End) -> Option<CliError> {
    let job = plain(job);
    let why = match (&end.failure, &end.gave) {
        (Some(Failure { code, message, .. }), _) => {
            format!(": {}: {}", code.name(), plain(message))
        }
        (None, Gave::Broken(why)) => format!(", and its result is not whole: {}", plain(why)),
        (None, _) if end.status == Status::Success => return None,
        (None, _) => String::new(),
    };
    let what = match end.status {
        Status::Success => "succeeded",
        Status::Error => "failed",
        Status::Cancelled => "was cancelled",
        Status::TimedOut => "timed out",
    };
    Some(CliError::refused("ended", format!("{job} {what}{why}")))
}

/// The end as programs read it.
pub(super) fn value(job: &str, end: &End) -> Value {
    let mut value = json!({"job_id": job, "status": end.status.name()});
    match &end.gave {
        Gave::Nothing => {}
        Gave::Inline(result) => {
            value["result"] = serde_json::from_str(result.get()).unwrap_or(Value::Null);
        }
        Gave::Pieces { result_id, bytes } => {
            value["result_id"] = json!(result_id);
            value["result_bytes"] = json!(bytes);
        }
        Gave::Broken(why) => value["result_fault"] = json!(why),
    }
    if let Some(failure) = &end.failure {
        value["error"] = json!({
            "code": failure.code.name(),
            "message": failure.message,
            "retryable": failure.is_retryable,
            "details": failure.details,
        });
    }
    if let Some(summary) = &end.summary {
        value["summary"] = json!(summary);
    }
    value
}
