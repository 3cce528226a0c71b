//! What no store may keep, whoever asks: the schema of SQLite says it in constraints and triggers,
//! and the memory twin asks here, so that the simulator meets the same refusals.

use longhaul_core::event::NewEvent;
use longhaul_core::port::{Phase, Row, StoreError, Table};

/// Refuses a row that breaks a rule by itself, or by what it was before.
pub(crate) fn check_row(table: Table, before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    if before.is_some_and(|before| before.seq != row.seq) {
        return Err(broken(table, row, "its seq never changes"));
    }
    if table != Table::Job {
        return Ok(());
    }
    let ended = row.phase == Phase::Ended;
    if ended != row.outcome.is_some() || ended != row.ended_at.is_some() {
        return Err(broken(
            table,
            row,
            "a job has an outcome and an end exactly when it has ended",
        ));
    }
    if row.phase == Phase::Active && row.host.is_none() {
        return Err(broken(table, row, "an active job has a host"));
    }
    let Some(before) = before else { return Ok(()) };
    let left = before.phase == Phase::Ended
        && (!ended || row.outcome != before.outcome || row.ended_at != before.ended_at);
    if left {
        return Err(broken(table, row, "an ended job stays as it ended"));
    }
    Ok(())
}

/// Refuses an entry whose number does not fit what it is about.
pub(crate) fn check_event(event: &NewEvent) -> Result<(), StoreError> {
    if event.job.is_none() == (event.seq == 0) {
        Ok(())
    } else {
        Err(StoreError::Failed("an entry is numbered exactly when it is about a job".into()))
    }
}

/// The error for a rule that `row` breaks.
pub(crate) fn broken(table: Table, row: &Row, rule: &str) -> StoreError {
    StoreError::Failed(format!("row {} of table {} is refused: {rule}", row.id, table.name()))
}
