//! From the home's rows to what owners are shown.

use super::{Durable, NOBODY, State, owner_name};
use crate::embed::{Owner, Scope};
use longhaul_core::delivery::{Delivery, DeliveryState, Destination};
use longhaul_core::id::DeliveryId;
use longhaul_core::job::{Job, JobState};
use longhaul_core::outcome::{Ending, Outcome};
use longhaul_core::port::{DeliveryFilter, Phase, Reader, Record, StoreError, Table};
use longhaul_core::roster::{
    DeadLetter, DeliveryStanding, Id, Left, News, Notify, Output, Snapshot, Standing, Verdict,
};
use longhaul_core::task::TaskResult;
use std::sync::Arc;

/// Labels under which a job keeps what the home has no field for.
pub(super) const LABEL: &str = "label";
pub(super) const AGENT: &str = "agent";
pub(super) const NOTIFY: &str = "notify";
/// Deliveries of one owner that are looked at.
const DELIVERIES_LOOKED_AT_MAX: u32 = 1_000;

/// The id that the owner says.
pub(super) fn id(job: &Job) -> Id {
    Id::parse(job.spec.name.as_deref().unwrap_or(job.id.as_str()))
}

pub(super) fn owner(job: &Job) -> Owner {
    Owner::from(job.owner.as_deref().filter(|owner| *owner != NOBODY))
}

/// How it ended, if it has.
pub(super) fn verdict(job: &Job) -> Option<Verdict> {
    let outcome = job.outcome()?;
    Some(Verdict {
        ending: outcome.kind,
        because: because(job, outcome).map(Arc::from),
        output: job.result.as_ref().map(|result| Arc::new(output(result))),
        is_orphan: false,
    })
}

fn because<'a>(job: &'a Job, outcome: &'a Outcome) -> Option<&'a str> {
    let of_attempt = || job.current()?.outcome.as_ref()?.message.as_deref();
    match outcome.kind {
        Ending::Succeeded => None,
        Ending::Failed | Ending::Cancelled | Ending::TimedOut | Ending::Lost => {
            outcome.message.as_deref().or_else(of_attempt)
        }
    }
}

fn output(result: &TaskResult) -> Output {
    let structured = result.structured.as_deref();
    Output {
        text: result.text.clone(),
        structured: structured.and_then(|json| serde_json::from_str(json).ok()),
        is_cut: result.is_cut,
    }
}

/// Whether its owner wants to be told of this end.
pub(super) fn is_to_be_told(job: &Job) -> bool {
    match job.spec.labels.get(NOTIFY).map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => job.outcome().is_some_and(|outcome| outcome.kind != Ending::Cancelled),
    }
}

/// The name of a wish, as the home keeps it; none for the usual one.
pub(super) const fn notify_name(notify: Notify) -> Option<&'static str> {
    match notify {
        Notify::Ended => None,
        Notify::Always => Some("always"),
        Notify::Never => Some("never"),
    }
}

fn kind(job: &Job) -> Option<Arc<str>> {
    let kind = job.spec.task.as_ref().map(|task| task.kind.as_str());
    kind.filter(|kind| *kind != crate::daemon::CLOSURE).map(Arc::from)
}

fn label(job: &Job, name: &str) -> Option<String> {
    job.spec.labels.get(name).cloned()
}

/// What a sink is given.
pub(super) fn news(job: &Job, delivery: &Delivery, number: u32) -> Option<News> {
    Some(News {
        delivery: delivery.seq,
        number,
        id: id(job),
        owner: owner(job).0,
        kind: kind(job),
        label: label(job, LABEL).map(Box::from),
        agent: label(job, AGENT).map(Arc::from),
        verdict: verdict(job)?,
        created_at: job.submitted_at,
        ended_at: job.ended_at()?,
    })
}

/// What its owner is owed for a job.
pub(super) fn delivery_of(
    reader: &mut dyn Reader,
    job: &Job,
) -> Result<Option<Delivery>, StoreError> {
    let id = DeliveryId::of(&job.id, &Destination::Inbox.place());
    let row = reader.load(Table::Delivery, id.as_str())?;
    Ok(row.as_ref().map(Delivery::from_row).transpose()?)
}

impl Durable {
    /// One job, as its owner sees it.
    pub(super) fn snapshot(&self, job: &Job) -> Snapshot {
        let delivery = self.look(|reader| delivery_of(reader, job));
        let details = self.tasks().details(&job.id);
        let state = self.state();
        let is_watched = state.watches.contains_key(&job.id);
        let is_settled = delivery.as_ref().is_some_and(|delivery| !delivery.is_open());
        let verdict = verdict(job);
        let standing = match &job.state {
            JobState::Preparing { .. } | JobState::Queued { .. } | JobState::Starting { .. } => {
                Standing::Queued
            }
            JobState::Running { .. } => Standing::Running,
            JobState::Stopping { .. } => Standing::Stopping,
            JobState::Ended { .. } => Standing::Ended,
        };
        Snapshot {
            id: id(job),
            owner: owner(job).0,
            kind: kind(job),
            label: label(job, LABEL).map(Box::from),
            agent: label(job, AGENT).map(Arc::from),
            standing,
            attempt: job.attempt.max(1),
            has_slot: job.phase() == Phase::Active,
            is_orphan: job.is_forced(),
            is_watched,
            is_consumed: is_settled,
            details,
            verdict,
            delivery: standing_of(delivery.as_ref(), is_watched),
            created_at: job.submitted_at,
            started_at: job.attempts.first().and_then(|attempt| attempt.started_at),
            ended_at: job.ended_at(),
        }
    }

    /// Every delivery to the owners in `scope`, newest first, that is in one of these states.
    fn deliveries(&self, scope: &Scope, states: &[&str]) -> Vec<(Delivery, Option<Job>)> {
        let owner = match scope {
            Scope::All => None,
            Scope::Of(owner) => Some(owner_name(owner).to_owned()),
        };
        let states = states.iter().map(|state| (*state).to_owned()).collect();
        let filter = DeliveryFilter { owner, states, ..DeliveryFilter::default() };
        self.look(|reader| {
            let mut found = Vec::new();
            for row in reader.deliveries(&filter, None, DELIVERIES_LOOKED_AT_MAX)? {
                let delivery = Delivery::from_row(&row)?;
                if delivery.is_inbox() {
                    let job = super::load(reader, &delivery.job)?;
                    found.push((delivery, job));
                }
            }
            Ok(found)
        })
    }

    /// What is left to tell.
    pub(super) fn left(&self, scope: &Scope) -> Left {
        let open = self.deliveries(scope, &["pending", "claimed", "sent"]);
        let dead = self.deliveries(scope, &["dead"]).len();
        let state = self.state();
        let mut left = Left { dead, ..Left::default() };
        for (delivery, job) in open.iter().rev() {
            let Some(job) = job.as_ref().filter(|job| is_to_be_told(job)) else { continue };
            if state.watches.contains_key(&job.id) {
                left.watched += 1;
                continue;
            }
            count(&mut left, &state, delivery, job);
        }
        left
    }

    /// What could not be told to this owner, oldest first.
    pub(in crate::embed) fn dead_letters(&self, owner: &Owner) -> Vec<DeadLetter> {
        let dead = self.deliveries(&Scope::Of(owner.clone()), &["dead"]);
        let letters = dead.iter().rev().filter_map(|(delivery, job)| {
            let DeliveryState::Dead { at, because } = &delivery.state else { return None };
            let news = news(job.as_ref()?, delivery, delivery.tries)?;
            Some(DeadLetter { news, because: because.as_str().into(), at: *at })
        });
        letters.collect()
    }
}

fn count(left: &mut Left, state: &State, delivery: &Delivery, job: &Job) {
    left.pending += 1;
    left.pending_ids.push(id(job));
    let owner = delivery.owner.as_deref().unwrap_or(NOBODY);
    left.without_sink += usize::from(!state.sinks.contains_key(owner));
    match delivery.state {
        DeliveryState::Claimed { .. } | DeliveryState::Sent { .. } => left.delivering += 1,
        DeliveryState::Pending { not_before, is_due: false } => {
            let at = left.next_try_at.map_or(not_before, |at| at.min(not_before));
            left.next_try_at = Some(at);
        }
        DeliveryState::Pending { .. }
        | DeliveryState::Acked { .. }
        | DeliveryState::Dead { .. } => {}
    }
}

fn standing_of(delivery: Option<&Delivery>, is_watched: bool) -> DeliveryStanding {
    let Some(delivery) = delivery else { return DeliveryStanding::Nothing };
    match delivery.state {
        DeliveryState::Acked { how: longhaul_core::delivery::Settled::Acked, .. } => {
            DeliveryStanding::Delivered
        }
        DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => DeliveryStanding::Settled,
        _ if is_watched => DeliveryStanding::Watched,
        DeliveryState::Claimed { .. } | DeliveryState::Sent { .. } => DeliveryStanding::Delivering,
        DeliveryState::Pending { is_due: true, .. } => DeliveryStanding::Pending,
        DeliveryState::Pending { not_before, .. } => DeliveryStanding::Delayed(not_before),
    }
}
