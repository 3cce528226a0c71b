//! Jobs as clients are told of them.

use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::grammar;
use longhaul_arcp::message::{Accepted, JobEntry, LeaseMap, Subscribed};
use longhaul_arcp::profile::Profile;
use longhaul_core::hosted::Hosted;
use longhaul_core::job::{Job, JobState};
use longhaul_core::lease::Lease;
use longhaul_core::outcome::Ending;
use serde_json::Value;

/// The job's state, as the protocol names it.
pub(super) const fn status(job: &Job) -> &'static str {
    match &job.state {
        JobState::Preparing { .. } | JobState::Queued { .. } | JobState::Starting { .. } => {
            "pending"
        }
        JobState::Running { .. } | JobState::Stopping { .. } => "running",
        JobState::Ended { outcome, .. } => match outcome.kind {
            Ending::Succeeded => "success",
            Ending::Failed | Ending::Lost => "error",
            Ending::Cancelled => "cancelled",
            Ending::TimedOut => "timed_out",
        },
    }
}

fn hosted(job: &Job) -> &Hosted {
    job.spec.hosted.as_deref().expect("only jobs of hosted agents are told of")
}

/// Its trace; none for a job that was made before it had one.
pub(super) fn trace(job: &Job) -> Option<String> {
    Some(hosted(job).trace.clone()).filter(|trace| !trace.is_empty())
}

fn lease(lease: &Lease) -> LeaseMap {
    lease.asked()
}

/// That it is there.
pub(super) fn accepted(job: &Job, profile: Profile) -> Accepted {
    let about = hosted(job);
    let initial = job.account.as_ref().map(|account| account.initial());
    Accepted {
        job_id: job.id.to_string(),
        lease: lease(&about.lease),
        accepted_at: job.submitted_at.rfc3339(),
        agent: Some(about.reference()),
        lease_constraints: grammar::constraints(&about.lease),
        budget: initial.and_then(|initial| grammar::budget(initial, profile)),
        credentials: None,
        parent_job_id: about.delegate.as_ref().and_then(|_| parent(job)),
        delegate_id: about.delegate.clone(),
        trace_id: trace(job),
        request_id: None,
    }
}

/// That it is followed from `subscribed_from` on, and whether what happened before comes first.
pub(super) fn subscribed(
    job: &Job,
    profile: Profile,
    subscribed_from: u64,
    replayed: bool,
) -> Subscribed {
    let about = hosted(job);
    let remaining = job.account.as_ref().map(|account| account.remaining());
    Subscribed {
        job_id: job.id.to_string(),
        current_status: status(job).to_owned(),
        agent: about.reference(),
        lease: lease(&about.lease),
        subscribed_from,
        replayed,
        lease_constraints: grammar::constraints(&about.lease),
        budget: remaining.and_then(|remaining| grammar::budget(remaining, profile)),
        credentials: None,
        parent_job_id: parent(job),
        trace_id: trace(job),
        request_id: None,
    }
}

/// It, in a list.
pub(super) fn entry(job: &Job) -> JobEntry {
    let about = hosted(job);
    let submitted_at = job.submitted_at.rfc3339();
    JobEntry {
        job_id: job.id.to_string(),
        agent: about.reference(),
        status: status(job).to_owned(),
        lease: lease(&about.lease),
        parent_job_id: parent(job),
        created_at: submitted_at.clone(),
        submitted_at,
        trace_id: trace(job),
        last_event_seq: job.told_at,
    }
}

/// What the job itself says went wrong. A code that the protocol does not know is passed on beside one
/// that it does.
pub(super) fn failure(job: &Job) -> Option<Denial> {
    let failure = job.result.as_ref()?.failure.as_ref()?;
    let known = Code::named(&failure.code);
    let mut denial = Denial::new(known.unwrap_or(Code::InternalError), failure.message.clone());
    if let Some(Ok(Value::Object(details))) =
        failure.details.as_deref().map(serde_json::from_str::<Value>)
    {
        denial.details = details;
    }
    Some(if known.is_none() { denial.with("code", failure.code.as_str()) } else { denial })
}

fn parent(job: &Job) -> Option<String> {
    job.parent.as_ref().map(ToString::to_string)
}

/// There is no such job, for whoever asks.
pub(super) fn no_job(id: &str) -> Denial {
    Denial::new(Code::JobNotFound, "there is no such job").with("job_id", id)
}
