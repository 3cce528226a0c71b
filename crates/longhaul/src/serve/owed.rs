//! How the notices of one job stand, in sentences: for whoever asks why, and for whoever wants the job
//! gone while somebody is still to be told of it.

use super::Shared;
use super::error::Answer;
use super::views::time;
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState, Destination, Settled};
use longhaul_core::id::JobId;
use longhaul_core::limits;
use longhaul_core::port::{DeliveryFilter, Record};

/// All notices of a job, oldest first.
pub(super) async fn of_job(ports: &Shared, job: &JobId) -> Answer<Vec<Delivery>> {
    let filter = DeliveryFilter { job: Some(job.to_string()), ..DeliveryFilter::default() };
    let most = limits::DELIVERIES_PER_JOB_MAX;
    let read = ports.readers.read(move |reader| {
        let rows = reader.deliveries(&filter, None, most)?;
        Ok(rows.iter().rev().map(Delivery::from_row).collect::<Result<Vec<_>, _>>()?)
    });
    Ok(read.await?)
}

/// To whom, when, which try, what was answered, who acknowledged.
pub(super) fn sentences(delivery: &Delivery) -> Vec<String> {
    let (place, id) = (place(delivery), &delivery.id);
    let mut said = vec![format!("{place} {} ({id}).", stands(delivery))];
    said.extend(delivery.receipts.iter().map(|receipt| {
        let (number, at) = (receipt.number, time(receipt.at));
        format!("Try {number} of {id}, known at {at}: {} said \"{}\".", receipt.by, receipt.answer)
    }));
    said
}

/// What keeps a job that somebody is still to be told of, and until when; `None` once they were.
pub(super) fn holds(delivery: &Delivery) -> Option<String> {
    let until = match &delivery.state {
        DeliveryState::Pending { not_before, is_due: false } => {
            format!("is tried again at {}", time(*not_before))
        }
        DeliveryState::Pending { .. } => match delivery.expires_at() {
            Some(at) => format!("waits for its owner until {} at most", time(at)),
            None => "is about to be sent".to_owned(),
        },
        DeliveryState::Claimed { by, until } => {
            format!("is with {} until {} at most", by.name(), time(*until))
        }
        DeliveryState::Sent { by, ack_by } => {
            format!("waits for {} to acknowledge it until {}", by.name(), time(*ack_by))
        }
        DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => return None,
    };
    Some(format!("{} to {} {until}", delivery.id, short(delivery)))
}

fn short(delivery: &Delivery) -> String {
    match &delivery.to {
        Destination::Inbox => "its owner".to_owned(),
        Destination::Sink(name) => format!("sink `{name}`"),
    }
}

fn place(delivery: &Delivery) -> String {
    match &delivery.to {
        Destination::Inbox => {
            format!("Its owner, {},", delivery.owner.as_deref().unwrap_or("nobody"))
        }
        Destination::Sink(name) => format!("The sink `{name}`"),
    }
}

fn stands(delivery: &Delivery) -> String {
    let (tries, failures) = (delivery.tries, delivery.failures);
    match &delivery.state {
        DeliveryState::Pending { not_before, is_due: false } => {
            format!("is told again at {}, after {failures} failed tries", time(*not_before))
        }
        DeliveryState::Pending { .. } if delivery.is_inbox() => {
            let until = delivery.expires_at().map(|at| format!(", until {}", time(at)));
            format!("is told as soon as it is present{}", until.unwrap_or_default())
        }
        DeliveryState::Pending { .. } => "is told as soon as it has room".to_owned(),
        DeliveryState::Claimed { by, until } => {
            format!("is being told by {} in try {tries}, which has until {}", who(by), time(*until))
        }
        DeliveryState::Sent { by, ack_by } => format!(
            "was told through {} in try {tries} and has not acknowledged it; it is told again at {}",
            who(by),
            time(*ack_by)
        ),
        DeliveryState::Acked { at, by, how } => {
            let at = time(*at);
            match how {
                Settled::Answered => format!("took the news at {at}, in try {tries}"),
                Settled::Acked => format!("knows: {by} acknowledged it at {at}"),
                Settled::Waited => format!("knows: {by} waited for the job, until {at}"),
                Settled::Shown => format!("knows: {by} looked at the result at {at}"),
                Settled::Streamed => format!("knows: {by} read past it at {at}"),
                Settled::Retried => {
                    format!("need not know since {at}: the job was asked for again")
                }
                Settled::Decided => format!("need not know since {at}: {by} decided it"),
            }
        }
        DeliveryState::Dead { at, because } => format!(
            "is not told any more since {}: {because}; `longhaul notices --redeliver {}` tells it \
             once more",
            time(*at),
            delivery.id
        ),
    }
}

fn who(by: &Claimant) -> String {
    match by {
        Claimant::Courier(_) => by.name(),
        Claimant::Presence { owner, .. } => format!("a connection of {owner}"),
    }
}
