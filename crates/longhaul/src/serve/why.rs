//! Why a job is as it is, in sentences. Each is built from recorded facts and cites their times and
//! attempts; nothing is guessed.

use super::Shared;
use super::around::around;
use super::error::Answer;
use super::resolve::find;
use super::{owed, views, why_turn};
use crate::api::{Span, Why};
use crate::views::{reason_name, time};
use axum::Json;
use axum::extract::{Path, State};
use longhaul_core::job::{Attempt, CleanupState, Job, JobState, Purge, Then, Waiting};
use longhaul_core::outcome::Outcome;
use longhaul_core::schedule::{Surroundings, waits_for};
use longhaul_core::time::Timestamp;

/// `GET /v1/jobs/{job}/why`
pub(super) async fn show(
    State(ports): State<Shared>,
    Path(job): Path<String>,
) -> Answer<Json<Why>> {
    let job = find(&ports, &job).await?;
    let looked_at = job.clone();
    let around = ports.readers.read(move |reader| around(reader, &looked_at)).await?;
    let doubt = ports
        .doubts
        .list()
        .into_iter()
        .find(|(id, number, _)| *id == job.id && *number == job.attempt);
    let mut why = sentences(&job, &around, ports.clock.now());
    why.extend(why_turn::sentences(&job, crate::views::turn(&job).as_deref()));
    let notices = owed::of_job(&ports, &job.id).await?;
    why.extend(notices.iter().flat_map(owed::sentences));
    if let Some((_, number, doubt)) = doubt {
        why.push(format!("Nothing can be proven about attempt {number}: {doubt}."));
    }
    Ok(Json(Why { job: job.id.to_string(), state: views::state(&job), why }))
}

fn sentences(job: &Job, around: &Surroundings, now: Timestamp) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(old) = &job.retry_of {
        why.push(format!("It repeats {old}, which had ended."));
    }
    why.extend(state(job, around, now));
    why.extend(cancelled(job));
    for attempt in job.attempts.iter().filter(|attempt| attempt.ended_at.is_some()) {
        why.extend(past(attempt));
    }
    why.extend(next(job));
    why.extend(owed(job));
    why
}

fn state(job: &Job, around: &Surroundings, now: Timestamp) -> Vec<String> {
    let number = job.attempt;
    match &job.state {
        JobState::Preparing { .. } => {
            let submitted = time(job.submitted_at);
            let what = waits_for(job, around, now);
            what.map(|what| format!("It was submitted at {submitted}, and waits for {what}."))
                .into_iter()
                .collect()
        }
        JobState::Queued { not_before, is_due, because } => {
            let mut why = Vec::new();
            if let Some(what) = waits_for(job, around, now) {
                let submitted = time(job.submitted_at);
                why.push(format!("It is queued, submitted at {submitted}, and waits for {what}."));
            }
            // Nobody knows when a person answers.
            if !is_due && *because != Waiting::Approval {
                let what = match because {
                    Waiting::New | Waiting::Kind | Waiting::Approval => "The hour it was given",
                    Waiting::RateLimited | Waiting::Parked => "The end of a limit of the vendor",
                    Waiting::Rerun => "The next attempt after one that was lost with its process",
                    Waiting::Retry => "The next attempt after a failed one",
                    Waiting::Launch => "The next launch after one that came to nothing",
                };
                why.push(format!("{what} comes at {}.", time(*not_before)));
            }
            why
        }
        JobState::Starting { give_up_at } => vec![format!(
            "Attempt {number} is being started; if it has not begun by {} the start is called off.",
            time(*give_up_at)
        )],
        JobState::Running { stop_at } => {
            let since = job.current().and_then(|attempt| attempt.started_at);
            let since = since.map(|at| format!(" since {}", time(at))).unwrap_or_default();
            let pid = job.current().and_then(|attempt| attempt.pid);
            let pid = pid.map(|pid| format!(" as process {pid}")).unwrap_or_default();
            let mut why = vec![format!("Attempt {number} has been running{since}{pid}.")];
            if let (Some(at), Some(span)) = (stop_at, job.spec.timeout) {
                let span = Span(span.get());
                why.push(format!("It may run for {span}, which is over at {}.", time(*at)));
            }
            if let Some(stall) = job.spec.stall {
                let span = Span(stall.get());
                why.push(format!("It is stopped when it shows no sign of life for {span}."));
            }
            why
        }
        JobState::Stopping { then, by_force, .. } if job.spec.task.is_some() => {
            stopping_task(number, then, *by_force)
        }
        JobState::Stopping { then, by_force, again_at } => {
            let how = if *by_force { "killed" } else { "asked to end" };
            let what = match then {
                Then::End(outcome) => format!("it will have {}", words(outcome)),
                Then::Answered => "it has said how its turn ended, and stays on".to_owned(),
                Then::Again => "its launch took too long and will be made again".to_owned(),
            };
            let again = if *by_force { "killed again" } else { "killed" };
            vec![
                format!("Attempt {number} is being {how}: {what}."),
                format!("Unless its end is proven before, it is {again} at {}.", time(*again_at)),
            ]
        }
        JobState::Ended { outcome, at } => {
            vec![format!("It ended at {}: it has {}.", time(*at), words(outcome))]
        }
    }
}

/// Nobody can end a function that does not listen: its process is everybody else's too.
fn stopping_task(number: u32, then: &Then, was_due: bool) -> Vec<String> {
    let Then::End(outcome) = then else {
        return vec![format!("Attempt {number} did not begin in time and will be made again.")];
    };
    let what = words(outcome);
    let mut why = vec![format!("Attempt {number} is being asked to end: it will have {what}.")];
    if was_due {
        why.push(
            "Its body ignores that it was cancelled; it keeps its slot until it really returns."
                .to_owned(),
        );
    }
    why
}

fn cancelled(job: &Job) -> Option<String> {
    let cancel = job.cancel.as_ref()?;
    let reason = match &cancel.reason {
        Some(reason) => format!(", saying \"{reason}\""),
        None => ", giving no reason".to_owned(),
    };
    Some(format!("Somebody asked for its end at {}{reason}.", time(cancel.at)))
}

/// What an attempt that is over came to.
fn past(attempt: &Attempt) -> Vec<String> {
    let number = attempt.number;
    let ended = attempt.ended_at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
    let mut why = vec![match &attempt.outcome {
        Some(outcome) => format!("Attempt {number} has {}{ended}.", words(outcome)),
        None => format!("Attempt {number} never began; that was certain{ended}."),
    }];
    if let Some(left) = attempt.leftovers.as_ref().filter(|left| left.found > 0) {
        let fate = if left.ended { "they were ended" } else { "they were left running" };
        let names = left.names.join(", ");
        let found = left.found;
        why.push(format!("Attempt {number} left {found} process(es), {names}; {fate}."));
    }
    let warnings = attempt.warnings.iter();
    why.extend(warnings.map(|warning| format!("About attempt {number}: {warning}.")));
    why
}

/// What follows a failed attempt, while the job goes on or now that it does not.
fn next(job: &Job) -> Option<String> {
    let retry = &job.spec.retry;
    let (failures, max) = (job.failures, retry.max);
    match &job.state {
        JobState::Ended { outcome, .. } if outcome.is_success() || max == 0 => None,
        JobState::Ended { .. } if job.cancel.is_some() => None,
        JobState::Ended { .. } => {
            Some(format!("Of {max} retries it had used {failures} when it ended."))
        }
        JobState::Preparing { .. }
        | JobState::Queued { .. }
        | JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Stopping { .. } => (max > 0).then(|| {
            format!(
                "A failed attempt is followed by another: {failures} of {max} retries are used."
            )
        }),
    }
}

fn owed(job: &Job) -> Vec<String> {
    let cleanup = &job.cleanup;
    let mut why = Vec::new();
    match &cleanup.state {
        CleanupState::None | CleanupState::Done => {}
        CleanupState::Pending { again_at, tries, is_trying: _ } => why.push(format!(
            "Its secrets and copies are being erased; after {tries} failed tries the next is due \
             by {}.",
            time(*again_at)
        )),
        CleanupState::Stuck => why.push(
            "Cleaning up after it was given up; `longhaul doctor` says what to do.".to_owned(),
        ),
    }
    let warnings = cleanup.warnings.iter();
    why.extend(
        warnings.map(|warning| {
            format!("Cleaning up failed {} time(s): {}.", warning.count, warning.text)
        }),
    );
    match &cleanup.purge {
        Purge::None => {}
        Purge::At { at } => why.push(format!("It is kept until {}.", time(*at))),
        Purge::Wanted { .. } => why.push("Its files are being removed.".to_owned()),
    }
    why
}

/// An ending, to follow "has".
fn words(outcome: &Outcome) -> String {
    let kind = match outcome.kind {
        longhaul_core::outcome::Ending::Succeeded => "succeeded",
        longhaul_core::outcome::Ending::Failed => "failed",
        longhaul_core::outcome::Ending::Cancelled => "been cancelled",
        longhaul_core::outcome::Ending::TimedOut => "timed out",
        longhaul_core::outcome::Ending::Lost => "been lost: its fate cannot be known",
    };
    let mut facts = Vec::new();
    facts.extend(outcome.exit_code.map(|code| format!("exit code {code}")));
    facts.extend(outcome.signal.map(|signal| format!("signal {signal}")));
    facts.extend(outcome.reason.map(|reason| format!("reason {}", reason_name(reason))));
    facts.extend(outcome.message.clone());
    if facts.is_empty() { kind.to_owned() } else { format!("{kind} ({})", facts.join("; ")) }
}
