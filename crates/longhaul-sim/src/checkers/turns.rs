//! Laws of taking turns: how many tries a sink has at once, who goes first, and that nobody waits for
//! another's trouble. And of standing in: only after the grace, and only within a project.

use super::notices::{claimant, phase, sink_of};
use super::{Broken, Kind, Seen, holds};
use longhaul_core::command::Command;
use longhaul_core::delivery::{Claimant, Delivery};
use longhaul_core::limits;
use longhaul_core::port::Phase;
use longhaul_core::sink::Sink;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;

/// Tries at once of a sound sink, and of one owner at it.
const SOUND: (usize, usize) = (8, 4);

/// Whether the step gave it to a courier.
fn is_given(seen: &Seen<'_>, delivery: &Delivery) -> bool {
    let before = seen.before.delivery(&delivery.id).map_or(0, |before| before.tries);
    matches!(claimant(delivery), Some(Claimant::Courier(_))) && delivery.tries > before
}

pub(super) fn check(seen: &Seen<'_>) -> Result<(), Broken> {
    let mut of_sinks: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in seen.after.owed() {
        if let (Some(sink), true) = (sink_of(delivery), phase(delivery) != Phase::Ended) {
            of_sinks.entry(sink).or_default().push(delivery);
        }
    }
    for (name, deliveries) in of_sinks {
        match seen.after.sinks.get(name).filter(|sink| sink.removed_at.is_none()) {
            Some(sink) => serves(seen, sink, &deliveries)?,
            None => {
                let given = deliveries.iter().find(|delivery| is_given(seen, delivery));
                holds("nothing goes to a sink that is gone", given.is_none(), || {
                    format!("{given:?}")
                })?;
                let left = deliveries.iter().find(|delivery| phase(delivery) == Phase::Ready);
                let goes_on = seen.step.next_due.is_some_and(|at| at <= seen.now);
                let is_gone = left.is_none() || goes_on || seen.kind == Kind::Retain;
                holds("what a sink that is gone would get is given up", is_gone, || {
                    format!("{left:?}")
                })?;
            }
        }
    }
    Ok(())
}

fn serves(seen: &Seen<'_>, sink: &Sink, deliveries: &[&Delivery]) -> Result<(), Broken> {
    let (most, lane_most) = if sink.trouble > 0 { (1, 1) } else { SOUND };
    let mut lanes: BTreeMap<Option<&str>, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        lanes.entry(delivery.owner.as_deref()).or_default().push(delivery);
    }
    let is_active = |delivery: &&&Delivery| phase(delivery) == Phase::Active;
    let active = deliveries.iter().filter(is_active).count();
    let given = |lane: &[&Delivery]| lane.iter().filter(|d| is_given(seen, d)).count();
    let goes_on = seen.step.next_due.is_some_and(|at| at <= seen.now);
    let mut fewest = usize::MAX;
    for (owner, lane) in &lanes {
        let in_lane = lane.iter().filter(is_active).count();
        let fits = given(lane) == 0 || (active <= most && in_lane <= lane_most);
        holds("a sink is not asked more often at once than it may be", fits, || {
            format!("{} for {owner:?}: {in_lane} of {active}, trouble {}", sink.name, sink.trouble)
        })?;
        let ready = lane.iter().filter(|delivery| phase(delivery) == Phase::Ready);
        let oldest = ready.min_by_key(|delivery| (delivery.seq, &delivery.id));
        let Some(oldest) = oldest else { continue };
        let could = active < most && in_lane < lane_most && !goes_on;
        holds("nothing waits for a sink that has a free try", !could, || {
            format!("{oldest:?}: {in_lane} of {active}, trouble {}", sink.trouble)
        })?;
        let younger = lane.iter().find(|delivery| {
            is_given(seen, delivery) && (delivery.seq, &delivery.id) > (oldest.seq, &oldest.id)
        });
        holds("an owner is told in order", younger.is_none(), || {
            format!("{younger:?} before {oldest:?}")
        })?;
        if in_lane < lane_most {
            fewest = fewest.min(given(lane));
        }
    }
    let greedy = lanes.iter().find(|(_, lane)| given(lane) > fewest.saturating_add(1));
    holds("owners take turns", greedy.is_none(), || format!("{:?} at {}", greedy, sink.name))
}

/// Since when each owner is away, and whether that is long enough.
#[derive(Debug, Default)]
pub(super) struct Absences {
    away: BTreeMap<String, (Timestamp, bool)>,
}

impl Absences {
    /// Only the owner, or one of its project after the grace, ever holds a notice.
    pub(super) fn check(&mut self, seen: &Seen<'_>) -> Result<(), Broken> {
        for delivery in seen.after.owed() {
            let Some(Claimant::Presence { id, owner, .. }) = claimant(delivery) else { continue };
            let origin = delivery.owner.as_deref().unwrap_or_default();
            let held = seen.before.delivery(&delivery.id).and_then(claimant);
            let is_new = held != claimant(delivery);
            if owner == origin || !is_new {
                continue;
            }
            let project = seen.after.presences.get(id).and_then(|here| here.project.as_ref());
            let is_same = project.is_some() && project == delivery.project.as_ref();
            holds("nobody takes over from another project", is_same, || format!("{delivery:?}"))?;
            let is_open = self.away.get(origin).is_some_and(|(_, is_open)| *is_open);
            holds("nobody takes over before the grace is over", is_open, || {
                format!("{delivery:?}, away {:?}", self.away.get(origin))
            })?;
        }
        self.follow(seen);
        Ok(())
    }

    fn follow(&mut self, seen: &Seen<'_>) {
        let slept = seen.batch.iter().filter_map(|command| match command {
            Command::Woke { slept } => Some(slept.get()),
            _ => None,
        });
        let slept = Millis::new(slept.sum());
        self.away.retain(|owner, _| seen.after.owners.contains_key(owner));
        for owner in seen.after.owners.keys() {
            if seen.after.presences.values().any(|here| here.owner == *owner) {
                self.away.remove(owner);
                continue;
            }
            let known = self.away.entry(owner.clone()).or_insert((seen.now, false));
            if !known.1 {
                known.0 = known.0.plus(if known.0 == seen.now { Millis::ZERO } else { slept });
            }
            let open_at = seen.place.adopt_after.map(|after| known.0.plus(after));
            known.1 |= open_at.is_some_and(|at| at <= seen.now);
        }
    }
}

/// The hour of an owner whose absence is to become long enough, and of sinks that go on.
pub(super) fn hours<'a>(seen: &Seen<'a>) -> impl Iterator<Item = (Timestamp, &'a str)> {
    let owners = seen.after.owners.values().filter_map(|owner| match owner.state {
        longhaul_core::owner::OwnerState::Away { open_at, .. } => Some((open_at?, &*owner.name)),
        longhaul_core::owner::OwnerState::Present
        | longhaul_core::owner::OwnerState::Open { .. } => None,
    });
    let sinks = seen.after.sinks.values();
    owners.chain(sinks.filter_map(|sink| Some((sink.again_at?, &*sink.name))))
}

const _: () = assert!(
    SOUND.0 == limits::SINK_TRIES_AT_ONCE_MAX as usize
        && SOUND.1 == limits::OWNER_TRIES_AT_ONCE_MAX as usize
);
