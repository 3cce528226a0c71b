//! From core's types to the shapes on the wire, by hand: what is stored may change, what is sent may
//! not. No value of an environment passes here. Servers and couriers tell of a job in the same words.

mod agent;
mod approval;
mod mail;
mod turn;

pub use agent::{AgentAround, agent};
pub use approval::approval;
pub use mail::mail;
pub use turn::{health, turn};

use crate::api::{
    Attach, AttemptView, CleanupState, CleanupView, DeliveryStage, DeliveryView, EventView,
    JobView, Leftovers, LeftoversView, OriginView, OutcomeKind, OutcomeView, ReceiptView,
    ResultView, Size, Span, Spec, State, Stored, TaskView, Terminal, Time, Usd,
};
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState};
use longhaul_core::event::{self, Event};
use longhaul_core::job::{self, Attempt, Job, JobState};
use longhaul_core::outcome::{Ending, Outcome, Reason};
use longhaul_core::spec::{JobSpec, LeftoverRule};
use longhaul_core::task::TaskResult;
use longhaul_core::time::{Millis, Timestamp};
use serde_json::{Map, Value};

/// Fields of facts that are points in time.
const MOMENTS: [&str; 2] = ["not_before", "again_at"];
/// Fields of facts that are billionths of a US dollar, and under which name they are shown in dollars.
const MONEY: [(&str, &str); 2] = [("nano_usd", "usd"), ("nano_usd_max", "usd_max")];

/// Bytes on the standard output and standard error of a job's current or last attempt.
pub type Sizes = (u64, u64);

/// A job as it is shown, given what it waits for.
pub fn job(job: &Job, sizes: Sizes, waiting_for: Option<String>) -> JobView {
    let (stdout_bytes, stderr_bytes) = sizes;
    let current = job.current();
    let has_process = matches!(job.state, JobState::Running { .. } | JobState::Stopping { .. });
    JobView {
        id: job.id.to_string(),
        name: job.spec.name.clone(),
        state: state(job),
        outcome: job.outcome().map(outcome),
        command: job.spec.command.clone(),
        cwd: job.spec.cwd.clone(),
        agent: job.spec.turn.as_ref().map(|turn| turn.agent.clone()),
        pool: job.spec.pool.clone(),
        lane: job.spec.lane.clone(),
        priority: job.spec.priority,
        labels: job.spec.labels.clone(),
        owner: job.owner.clone(),
        parent: job.parent.as_ref().map(ToString::to_string),
        attempt: job.attempt,
        waiting_for,
        submitted_at: time(job.submitted_at),
        started_at: current.and_then(|attempt| attempt.started_at).map(time),
        ended_at: job.ended_at().map(time),
        pid: current.and_then(|attempt| attempt.pid).filter(|_| has_process),
        host: job.host.as_ref().map(ToString::to_string),
        stdout_bytes,
        stderr_bytes,
        retry_of: job.retry_of.as_ref().map(ToString::to_string),
        cancel_requested_at: job.cancel.as_ref().map(|cancel| time(cancel.at)),
        cleanup: cleanup(&job.cleanup),
        task: job.spec.task.as_ref().map(|task| TaskView {
            kind: task.kind.clone(),
            reruns: job.reruns,
            reruns_max: task.reruns_max,
        }),
        turn: turn(job),
        result: job.result.as_ref().map(result),
        attempts: None,
        history: None,
        spec: None,
        environment: None,
    }
}

/// What a task's function returned.
fn result(result: &TaskResult) -> ResultView {
    let structured = result.structured.as_deref();
    ResultView {
        text: result.text.clone(),
        structured: structured.and_then(|json| serde_json::from_str(json).ok()),
        is_cut: result.is_cut,
    }
}

/// The attempts of a job, the current one with what it has written so far.
pub fn attempts(job: &Job, sizes: Sizes) -> Vec<AttemptView> {
    let is_current = |attempt: &Attempt| attempt.number == job.attempt;
    job.attempts
        .iter()
        .map(|attempt| {
            let known = (attempt.stdout_bytes, attempt.stderr_bytes);
            let (stdout_bytes, stderr_bytes) = if is_current(attempt) { sizes } else { known };
            AttemptView {
                number: attempt.number,
                state: if attempt.ended_at.is_some() { State::Ended } else { state(job) },
                outcome: attempt.outcome.as_ref().map(outcome),
                started_at: attempt.started_at.map(time),
                ended_at: attempt.ended_at.map(time),
                pid: attempt.pid,
                stdout_bytes,
                stderr_bytes,
                cpu_ms: attempt.cpu_ms,
                memory_bytes_max: attempt.rss_bytes_max,
                leftovers: attempt.leftovers.as_ref().map(leftovers),
                warnings: attempt.warnings.clone(),
            }
        })
        .collect()
}

/// An entry of the journal.
pub fn event(event: &Event) -> EventView {
    let mut fact: Map<String, Value> = serde_json::from_str(&event.body).unwrap_or_default();
    let kind = match fact.remove("kind") {
        Some(Value::String(kind)) => kind,
        // Nothing of ours is without a kind; a reader still gets the entry's place and time.
        _ => "unknown".to_owned(),
    };
    for name in MOMENTS {
        if let Some(moment) = fact.get_mut(name)
            && let Some(millis) = moment.as_i64()
        {
            *moment = Value::String(Time(millis).to_string());
        }
    }
    for (stored, shown) in MONEY {
        if let Some(nanos) = fact.get(stored).and_then(Value::as_u64) {
            fact.remove(stored);
            let dollars = serde_json::to_value(Usd(nanos)).expect("an amount is a number");
            fact.insert(shown.to_owned(), dollars);
        }
    }
    if kind == "emitted"
        && let Some(body) = fact.get_mut("body")
        && let Some(parsed) = body.as_str().and_then(|text| serde_json::from_str(text).ok())
    {
        *body = parsed;
    }
    EventView {
        position: event.position.0,
        job: event.job.as_ref().map(ToString::to_string),
        seq: event.seq,
        at: time(event.at),
        kind,
        fact,
    }
}

/// A notice on its way to one place.
pub fn delivery(delivery: &Delivery) -> DeliveryView {
    let mut view = DeliveryView {
        id: delivery.id.to_string(),
        job: delivery.job.to_string(),
        about: delivery.about.as_ref().map(ToString::to_string),
        to: delivery.to.place(),
        owner: delivery.owner.clone(),
        state: DeliveryStage::Pending,
        tries: delivery.tries,
        failures: delivery.failures,
        created_at: time(delivery.owed_since),
        not_before: None,
        claimed_by: delivery.claimant().map(Claimant::name),
        acked_by: None,
        acked_how: None,
        ended_at: delivery.ended_at().map(time),
        dead_because: None,
        receipts: Vec::with_capacity(delivery.receipts.len()),
    };
    match &delivery.state {
        DeliveryState::Pending { not_before, is_due } => {
            view.not_before = (!is_due).then(|| time(*not_before));
        }
        DeliveryState::Claimed { .. } => view.state = DeliveryStage::Claimed,
        DeliveryState::Sent { .. } => view.state = DeliveryStage::Sent,
        DeliveryState::Acked { by, how, .. } => {
            view.state = DeliveryStage::Acked;
            view.acked_by = Some(by.clone());
            view.acked_how = Some(how.name().to_owned());
        }
        DeliveryState::Dead { because, .. } => {
            view.state = DeliveryStage::Dead;
            view.dead_because = Some(because.clone());
        }
    }
    view.receipts.extend(delivery.receipts.iter().map(|receipt| ReceiptView {
        number: receipt.number,
        at: time(receipt.at),
        by: receipt.by.clone(),
        answer: receipt.answer.clone(),
    }));
    view
}

/// What a job was asked to be; the names of its environment are shown apart.
pub fn spec(job: &Job) -> Spec {
    let spec: &JobSpec = &job.spec;
    let span = |millis: Millis| Span(millis.get());
    Spec {
        command: spec.command.clone(),
        name: spec.name.clone(),
        cwd: Some(spec.cwd.clone()),
        labels: spec.labels.clone(),
        pool: Some(spec.pool.clone()),
        lane: spec.lane.clone(),
        priority: Some(spec.priority.into()),
        after: spec.after.iter().map(ToString::to_string).collect(),
        after_any: spec.after_any.iter().map(ToString::to_string).collect(),
        delay: (spec.delay != Millis::ZERO).then(|| span(spec.delay)),
        at: spec.at.map(time),
        timeout: spec.timeout.map(span),
        stall: spec.stall.map(span),
        grace: Some(span(spec.grace)),
        retry: Some(spec.retry.max.into()),
        retry_delay: Some(span(spec.retry.delay)),
        retry_on: spec.retry.on.clone(),
        // A hosted job's says whose it is and what they call it, in a form of ours.
        key: job.key.clone().filter(|_| spec.hosted.is_none()),
        owner: job.owner.clone(),
        parent: job.parent.as_ref().map(ToString::to_string),
        notify: spec.notify.clone(),
        artifact: spec.artifacts.clone(),
        attach: spec
            .attachments
            .iter()
            .map(|attached| Attach {
                path: attached.path.clone(),
                sha256: attached.blob.sha256.clone(),
                size: attached.blob.size,
                executable: attached.executable,
            })
            .collect(),
        stdin: spec
            .stdin
            .as_ref()
            .map(|blob| Stored { sha256: blob.sha256.clone(), size: blob.size }),
        max_output: Some(Size(spec.output_bytes_max)),
        memory: spec.memory_bytes_max.map(Size),
        keep: spec.keep.map(span),
        pty: spec.pty.map(|pty| Terminal { rows: pty.rows, cols: pty.cols }),
        leftovers: Some(match spec.leftovers {
            LeftoverRule::Kill => Leftovers::Kill,
            LeftoverRule::Report => Leftovers::Report,
        }),
        ..Spec::default()
    }
}

/// Where a job's environment came from.
pub fn origin(job: &Job) -> OriginView {
    let origin = &job.spec.environment;
    OriginView { inherited: origin.inherited, set: origin.set.clone(), names: origin.names.clone() }
}

/// A point in time as it is shown.
pub const fn time(at: Timestamp) -> Time {
    Time(at.as_millis())
}

/// Where a job is in its life, as it is shown.
pub const fn state(job: &Job) -> State {
    match job.state {
        JobState::Preparing { .. } => State::Preparing,
        JobState::Queued { .. } => State::Queued,
        JobState::Starting { .. } => State::Starting,
        JobState::Running { .. } => State::Running,
        JobState::Stopping { .. } => State::Stopping,
        JobState::Ended { .. } => State::Ended,
    }
}

fn outcome(outcome: &Outcome) -> OutcomeView {
    OutcomeView {
        kind: match outcome.kind {
            Ending::Succeeded => OutcomeKind::Succeeded,
            Ending::Failed => OutcomeKind::Failed,
            Ending::Cancelled => OutcomeKind::Cancelled,
            Ending::TimedOut => OutcomeKind::TimedOut,
            Ending::Lost => OutcomeKind::Lost,
        },
        exit_code: outcome.exit_code,
        signal: outcome.signal,
        reason: outcome.reason.map(reason_name),
        message: outcome.message.clone(),
    }
}

fn cleanup(cleanup: &job::Cleanup) -> CleanupView {
    let warnings = cleanup.warnings.iter().map(|warning| match warning.count {
        0 | 1 => warning.text.clone(),
        count => format!("{} ({count} times)", warning.text),
    });
    CleanupView {
        state: match cleanup.state {
            job::CleanupState::None => CleanupState::None,
            job::CleanupState::Pending { .. } => CleanupState::Pending,
            job::CleanupState::Done => CleanupState::Done,
            job::CleanupState::Stuck => CleanupState::Stuck,
        },
        warnings: warnings.collect(),
    }
}

fn leftovers(leftovers: &event::Leftovers) -> LeftoversView {
    LeftoversView { found: leftovers.found, names: leftovers.names.clone(), ended: leftovers.ended }
}

/// The name of what narrows an ending, as in JSON.
pub fn reason_name(reason: Reason) -> String {
    let name = match reason {
        Reason::Runtime => "runtime",
        Reason::Stall => "stall",
        Reason::OutputLimit => "output_limit",
        Reason::Oom => "oom",
        Reason::Spawn => "spawn",
        Reason::Dependency => "dependency",
        Reason::Credentials => "credentials",
        Reason::HostLost => "host_lost",
        Reason::Budget => "budget",
        Reason::Lease => "lease",
        Reason::RateLimit => "rate_limit",
        Reason::ResumeFailed => "resume_failed",
        Reason::NoResult => "no_result",
        Reason::AgentFailed => "agent_failed",
    };
    name.to_owned()
}
