//! What a store that lies about notices, sinks and owners gives back or keeps.

use crate::warped::Lie;
use longhaul_core::delivery::{Delivery, DeliveryState};
use longhaul_core::id::DeliveryId;
use longhaul_core::job::Job;
use longhaul_core::owner::{Owner, OwnerState, Presence};
use longhaul_core::port::{Phase, Record, Row, StoreError, Table, Tx};
use longhaul_core::sink::Sink;
use longhaul_core::time::Millis;

/// The row as this store says it is.
pub(crate) fn loaded(lie: Lie, table: Table, row: Row) -> Row {
    match (lie, table) {
        (Lie::OpensInboxesAtOnce, Table::Owner) => changed(row, |owner: &mut Owner| {
            if let OwnerState::Away { since, .. } = owner.state {
                owner.state = OwnerState::Open { since };
            }
        }),
        (Lie::ForgetsWhoIsToBeTold, Table::Job) => changed(row, |job: &mut Job| {
            job.cleanup.notices.told_at = None;
        }),
        _ => row,
    }
}

/// Keeps the row, or what this store makes of it.
pub(crate) fn save(
    tx: &mut dyn Tx,
    lie: Lie,
    table: Table,
    row: &Row,
    new: bool,
) -> Result<(), StoreError> {
    let is_inbox = row.lane.as_ref().is_some_and(|lane| lane.starts_with("inbox|"));
    let old = if new { None } else { tx.load(table, &row.id)? };
    let row = match (lie, table) {
        (Lie::LosesInboxRows, Table::Delivery) if new && is_inbox => return Ok(()),
        (Lie::DropsDeadLetters, Table::Delivery) if row.outcome.as_deref() == Some("dead") => {
            return tx.remove(table, &row.id);
        }
        (Lie::DoublesNotices, Table::Delivery) if new && !is_inbox => {
            let double = changed(row.clone(), |delivery: &mut Delivery| {
                let id = delivery.id.as_str();
                let end = if id.ends_with('0') { "1" } else { "0" };
                let id = format!("{}{end}", &id[..id.len() - 1]);
                delivery.id = DeliveryId::parse(&id).expect("as good as the first");
            });
            tx.save(table, &double, true)?;
            row.clone()
        }
        (_, Table::Delivery) => changed(row.clone(), |delivery: &mut Delivery| {
            untrue_delivery(lie, delivery, old.as_ref());
        }),
        (_, Table::Sink) => changed(row.clone(), |sink: &mut Sink| {
            let old = old.as_ref().and_then(|row| Sink::from_row(row).ok());
            if let Some(old) = old.filter(|_| lie == Lie::NeverForgivesTrouble) {
                sink.trouble = sink.trouble.max(old.trouble);
            }
        }),
        (Lie::CountsOneOpenTooMany, Table::Owner) => {
            changed(row.clone(), |owner: &mut Owner| owner.open += 1)
        }
        (_, Table::Presence) => changed(row.clone(), |presence: &mut Presence| {
            let old = old.as_ref().and_then(|row| Presence::from_row(row).ok());
            match lie {
                Lie::LosesHolds => presence.holds.clear(),
                Lie::KeepsHolds => presence.holds = old.map_or(Vec::new(), |old| old.holds),
                _ => {}
            }
        }),
        _ => row.clone(),
    };
    tx.save(table, &row, new)
}

fn untrue_delivery(lie: Lie, delivery: &mut Delivery, old: Option<&Row>) {
    let old = old.and_then(|row| Delivery::from_row(row).ok());
    match lie {
        Lie::ForgetsFailures => delivery.failures = 0,
        Lie::TakesLapsesForFailures => {
            let lapsed = old.is_some_and(|old| old.lapses < delivery.lapses);
            delivery.failures += u32::from(lapsed);
        }
        Lie::HurriesAfterFailures if delivery.phase() == Phase::Delayed => {
            let more = (1_000_u64 << delivery.failures.min(12)) / 4;
            if let DeliveryState::Pending { not_before, .. } = &mut delivery.state {
                *not_before = not_before.minus(Millis::new(more));
            }
        }
        _ => {}
    }
}

/// How many are under way, as this store says.
pub(crate) const fn counted(lie: Lie, found: u32) -> u32 {
    match lie {
        Lie::SeesNoTries => 0,
        Lie::SeesOneMoreTry => found + 1,
        _ => found,
    }
}

fn changed<R: Record>(row: Row, change: impl FnOnce(&mut R)) -> Row {
    let mut record = R::from_row(&row).expect("core wrote it");
    change(&mut record);
    record.to_row()
}
