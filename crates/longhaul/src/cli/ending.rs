//! What a job's end means for whoever followed it: our own exit code, and what is said about it.

use super::error::{CliError, Leave};
use crate::api::{JobView, OutcomeKind, OutcomeView};

const TIMED_OUT: u8 = 124;
const NO_RESULT: u8 = 125;
const CANCELLED: u8 = 130;

/// The exit code of `run`, and of `wait` for one job.
pub(super) fn leave_as(job: &JobView) -> Leave {
    let Some(outcome) = &job.outcome else { return Leave(NO_RESULT) };
    match outcome.kind {
        OutcomeKind::Succeeded => Leave::OK,
        OutcomeKind::Cancelled => Leave(CANCELLED),
        OutcomeKind::TimedOut => Leave(TIMED_OUT),
        OutcomeKind::Lost => Leave(NO_RESULT),
        OutcomeKind::Failed => failed(outcome),
    }
}

fn failed(outcome: &OutcomeView) -> Leave {
    match (outcome.exit_code, outcome.signal) {
        // It was stopped for a reason and still exited with 0: that must not pass for success.
        (Some(0), _) => Leave(1),
        (Some(code), _) => Leave(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Leave(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        (None, None) => Leave(NO_RESULT),
    }
}

/// What is to be said about an end that its exit code alone does not explain.
pub(super) fn remark(job: &JobView) -> Option<CliError> {
    let outcome = job.outcome.as_ref()?;
    let id = &job.id;
    let reason = outcome.reason.as_deref();
    let message = match (outcome.kind, reason) {
        (OutcomeKind::Succeeded, _) | (OutcomeKind::Failed, None) => return None,
        (OutcomeKind::Failed, Some("spawn")) => format!("{id} could not be started"),
        (OutcomeKind::Failed, Some("dependency")) => {
            format!("{id} could not be started: a job it waited for did not succeed")
        }
        (OutcomeKind::Failed, Some("agent_failed" | "no_result")) => format!("{id} failed"),
        (OutcomeKind::Failed, Some("resume_failed")) => {
            format!("{id} failed: its conversation could not be resumed")
        }
        (OutcomeKind::Failed, Some(reason)) => format!("{id} was stopped ({reason})"),
        (OutcomeKind::Cancelled, _) => format!("{id} was cancelled"),
        (OutcomeKind::TimedOut, reason) => {
            format!("{id} timed out ({})", reason.unwrap_or("runtime"))
        }
        (OutcomeKind::Lost, _) => format!("{id} is lost: how it ended cannot be known"),
    };
    let message = match &outcome.message {
        Some(words) => format!("{message}: {}", super::output::plain(words)),
        None => message,
    };
    let by_hand = job.turn.as_ref().and_then(|turn| turn.resume_command.as_deref());
    let by_hand =
        by_hand.map(|command| format!("; `{}` goes on by hand", super::output::plain(command)));
    let hint = format!("`longhaul why {id}` says more{}", by_hand.unwrap_or_default());
    Some(CliError::refused("ended", message).hint(hint))
}

/// The outcome in a few words: `succeeded`, `failed (exit 3)`, `timed out (stall)`.
pub(super) fn in_words(outcome: &OutcomeView) -> String {
    let kind = outcome.kind.name().replace('_', " ");
    let detail = match (&outcome.reason, outcome.exit_code, outcome.signal) {
        (Some(reason), _, _) => Some(reason.clone()),
        (None, Some(code), _) if code != 0 => Some(format!("exit {code}")),
        (None, None, Some(signal)) => Some(format!("signal {signal}")),
        (None, _, _) => None,
    };
    detail.map_or_else(|| kind.clone(), |detail| format!("{kind} ({detail})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: OutcomeKind, exit_code: Option<i32>, signal: Option<i32>) -> OutcomeView {
        OutcomeView { kind, exit_code, signal, reason: None, message: None }
    }

    #[test]
    fn a_stopped_job_that_exits_with_zero_is_no_success() {
        assert_eq!(failed(&outcome(OutcomeKind::Failed, Some(0), None)), Leave(1));
    }

    #[test]
    fn codes_and_signals_become_exit_codes() {
        assert_eq!(failed(&outcome(OutcomeKind::Failed, Some(37), None)), Leave(37));
        assert_eq!(failed(&outcome(OutcomeKind::Failed, None, Some(9))), Leave(137));
        assert_eq!(failed(&outcome(OutcomeKind::Failed, None, None)), Leave(125));
    }

    #[test]
    fn outcomes_are_told_in_words() {
        assert_eq!(in_words(&outcome(OutcomeKind::Failed, Some(3), None)), "failed (exit 3)");
        assert_eq!(
            in_words(&outcome(OutcomeKind::TimedOut, None, Some(15))),
            "timed out (signal 15)"
        );
        assert_eq!(in_words(&outcome(OutcomeKind::Succeeded, Some(0), None)), "succeeded");
    }
}
