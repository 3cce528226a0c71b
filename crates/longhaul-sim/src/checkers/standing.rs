//! Laws of notices, sinks and owners after a step: each stands as the commands left it, but for what
//! the hour, the courier and a full home may do.

use super::notes::{By, Is, Note, Notes, backoff};
use super::{Broken, Kind, Seen, holds};
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState};
use longhaul_core::limits;
use longhaul_core::time::Timestamp;

/// Holds what is there against what the naive model says.
pub(super) fn check(notes: &Notes<'_>, seen: &Seen<'_>) -> Result<(), Broken> {
    for (id, note) in &notes.all {
        let found = seen.after.delivery(id);
        holds("every notice stays as long as its job", found.is_some(), || {
            format!("{id} of {}: {:?}", note.job, note.is)
        })?;
        let stands = found.is_some_and(|found| stands(note, found, notes, seen));
        holds("notices stand as the commands left them", stands, || {
            format!("{found:?}, not {note:?}")
        })?;
    }
    let unknown = seen.after.deliveries.keys().find(|id| !notes.all.contains_key(*id));
    holds("every end is owed once to each who is to be told", unknown.is_none(), || {
        format!("{:?}", unknown.and_then(|id| seen.after.delivery(id)))
    })?;
    sinks(notes, seen)?;
    presences(notes, seen)
}

fn stands(note: &Note<'_>, found: &Delivery, notes: &Notes<'_>, seen: &Seen<'_>) -> bool {
    let is_same = note.failures == found.failures
        && note.since == found.owed_since
        && note.owner == found.owner.as_deref()
        && note.project == found.project.as_deref()
        && note.job == found.job;
    let has_tried = |more: u32| found.tries == note.tries + more;
    let has_lapsed = |more: u32| found.lapses == note.lapses + more;
    is_same
        && match (&note.is, &found.state) {
            (Is::Knows { by, how }, DeliveryState::Acked { by: found, how: did, .. }) => {
                by == found && how == did && has_tried(0) && has_lapsed(0)
            }
            (Is::Dead, DeliveryState::Dead { .. }) => has_tried(0) && has_lapsed(0),
            (Is::Held { by, until, is_sent }, state) => {
                has_tried(0)
                    && match state {
                        DeliveryState::Claimed { by: found, until: at } => {
                            By::of(found) == *by && at == until && !is_sent && has_lapsed(0)
                        }
                        DeliveryState::Sent { by: found, ack_by: at } => {
                            By::of(found) == *by && at == until && *is_sent && has_lapsed(0)
                        }
                        DeliveryState::Pending { not_before, is_due: false } => {
                            let (least, most) = backoff(note.lapses + 1, limits::CLAIM_MAX);
                            let span = seen.now.plus(least)..=seen.now.plus(most);
                            *until <= seen.now && has_lapsed(1) && span.contains(not_before)
                        }
                        DeliveryState::Pending { .. }
                        | DeliveryState::Acked { .. }
                        | DeliveryState::Dead { .. } => false,
                    }
            }
            (Is::Waits(least, most), DeliveryState::Pending { not_before, is_due: false }) => {
                (*least..=*most).contains(not_before) && has_tried(0) && has_lapsed(0)
            }
            (Is::Waits(least, _), _) if *least > seen.now => false,
            (Is::Ready | Is::Waits(..), state) => {
                has_lapsed(0) && may_go(note, state, notes, seen) && {
                    let is_claimed = matches!(state, DeliveryState::Claimed { .. });
                    has_tried(u32::from(is_claimed))
                }
            }
            (Is::Knows { .. } | Is::Dead, _) => false,
        }
}

/// What may become of a notice that waits for nothing but its turn.
fn may_go(note: &Note<'_>, state: &DeliveryState, notes: &Notes<'_>, seen: &Seen<'_>) -> bool {
    match state {
        DeliveryState::Pending { is_due: true, .. } => true,
        DeliveryState::Claimed { by: Claimant::Courier(host), until } => {
            let is_there = note.sink.is_some_and(|sink| notes.has_sink(sink));
            is_there && *host == seen.place.host && *until == seen.now.plus(limits::CLAIM_MAX)
        }
        DeliveryState::Dead { at, .. } => match note.sink {
            Some(sink) => !notes.has_sink(sink) && *at == seen.now,
            None => {
                let pressed = seen.kind == Kind::Retain;
                let age = if pressed { limits::INBOX_AGE_PRESSED } else { limits::INBOX_AGE_MAX };
                note.since.plus(age) <= seen.now
            }
        },
        DeliveryState::Pending { .. }
        | DeliveryState::Claimed { .. }
        | DeliveryState::Sent { .. }
        | DeliveryState::Acked { .. } => false,
    }
}

fn sinks(notes: &Notes<'_>, seen: &Seen<'_>) -> Result<(), Broken> {
    let found = seen.after.sinks.values().filter(|sink| sink.removed_at.is_none());
    let mut count = 0;
    for sink in found {
        let right = notes.sinks.get(sink.name.as_str());
        let is_right = right.is_some_and(|right| {
            right.is_there && *right.kind == sink.kind && right.trouble == sink.trouble
        });
        holds("sinks stand as the commands left them", is_right, || {
            format!("{sink:?}, not {right:?}")
        })?;
        count += 1;
    }
    let there = notes.sinks.values().filter(|sink| sink.is_there).count();
    holds("sinks stand as the commands left them", there == count, || {
        format!("{count} are there, not {there}")
    })
}

fn presences(notes: &Notes<'_>, seen: &Seen<'_>) -> Result<(), Broken> {
    let is_same = notes.here.len() == seen.after.presences.len()
        && seen.after.presences.values().all(|found| {
            notes.here.get(&found.id).is_some_and(|here| {
                here.owner == found.owner
                    && here.project == found.project.as_deref()
                    && *here.host == found.host
            })
        });
    holds("who is there is known, and nobody else", is_same, || {
        format!("{:?}, not {:?}", seen.after.presences.values(), notes.here)
    })
}

/// When time alone changes it, said a second time.
pub(super) fn due(delivery: &Delivery) -> Option<Timestamp> {
    let is_inbox = super::notices::sink_of(delivery).is_none();
    match &delivery.state {
        DeliveryState::Pending { not_before, is_due: false } => Some(*not_before),
        DeliveryState::Pending { .. } => {
            is_inbox.then(|| delivery.owed_since.plus(limits::INBOX_AGE_MAX))
        }
        DeliveryState::Claimed { until: at, .. } | DeliveryState::Sent { ack_by: at, .. } => {
            Some(*at)
        }
        DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => None,
    }
}
