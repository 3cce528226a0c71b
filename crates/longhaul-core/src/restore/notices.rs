//! Who is still to be told, made whole: every open notice has its row, every row its job, and the
//! counts of jobs and owners say what the rows say. Nobody is connected to a store that is mended.

use super::Read;
use crate::delivery::{Delivery, Destination};
use crate::job::Job;
use crate::owner::{Owner, OwnerState};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Makes whole what was read. `until`: the latest moment that anything tells of.
pub(super) fn make_whole(read: &mut Read, until: Timestamp, left_out: &mut Vec<String>) {
    let jobs = &read.jobs;
    read.deliveries.retain(|_, delivery| {
        let is_known = jobs.contains_key(&delivery.job);
        if !is_known {
            left_out.push(format!("{} is gone; {} is about it", delivery.job, delivery.id));
        }
        is_known
    });
    let mut of_owner: BTreeMap<String, u32> = BTreeMap::new();
    for job in read.jobs.values_mut() {
        let owed = make_again(job, &read.deliveries, until);
        read.deliveries.extend(owed.into_iter().map(|made| (made.id.clone(), made)));
        job.cleanup.notices.open = 0;
    }
    for delivery in read.deliveries.values_mut().filter(|delivery| delivery.is_open()) {
        delivery.release(until);
        if let Some(job) = read.jobs.get_mut(&delivery.job) {
            job.cleanup.notices.open += 1;
        }
        if let Some(owner) = delivery.owner.as_ref().filter(|_| delivery.is_inbox()) {
            *of_owner.entry(owner.clone()).or_default() += 1;
        }
    }
    let mut known = std::mem::take(&mut read.owners);
    for (name, open) in of_owner {
        // When others may step in is forgotten with the row; never is the safe answer.
        let mut owner =
            known.remove(&name).unwrap_or_else(|| Owner::new(name.clone(), None, until));
        (owner.open, owner.presences) = (open, 0);
        if owner.state == OwnerState::Present {
            owner.state = OwnerState::Away { since: until, open_at: None };
        }
        read.owners.insert(name, owner);
    }
}

/// The notices that a job says are open and that have no row any more. Which of its places knew
/// already cannot be told, so each that is missing is told again: a doubled notice is dropped by its
/// id, a lost one is lost.
fn make_again(
    job: &Job,
    known: &BTreeMap<crate::id::DeliveryId, Delivery>,
    until: Timestamp,
) -> Vec<Delivery> {
    let of_job = known.values().filter(|known| known.job == job.id && known.about.is_none());
    let found = of_job.filter(|known| known.is_open()).count();
    if job.outcome().is_none() || job.cleanup.notices.open as usize <= found {
        return Vec::new();
    }
    let inbox = job.owner.is_some().then_some(Destination::Inbox);
    let sinks = job.spec.notify.iter().cloned().map(Destination::Sink);
    let all = inbox.into_iter().chain(sinks);
    let made = all.map(|to| Delivery::new(job, to, job.seq, until));
    made.filter(|made| !known.contains_key(&made.id)).collect()
}
