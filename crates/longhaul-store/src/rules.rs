//! What no store may keep, whoever asks: the schema of SQLite says it in constraints and triggers,
//! and the memory twin asks here, so that the simulator meets the same refusals.

use longhaul_core::event::NewEvent;
use longhaul_core::port::{Phase, Row, StoreError, Table};

/// Refuses a row that breaks a rule by itself, or by what it was before.
pub(crate) fn check_row(table: Table, before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    if before.is_some_and(|before| before.seq != row.seq) {
        return Err(broken(table, row, "its seq never changes"));
    }
    match table {
        Table::Job => check_job(before, row),
        Table::Delivery => check_delivery(before, row),
        Table::Mail => check_mail(before, row),
        Table::Session => check_session(before, row),
        Table::Feed => check_run(row),
        Table::Credential => check_credential(before, row),
        Table::Environment
        | Table::Dependency
        | Table::Pool
        | Table::Host
        | Table::Sink
        | Table::Owner
        | Table::Presence
        | Table::Agent
        | Table::AgentEnvironment
        | Table::Input
        | Table::Intake
        | Table::Approval
        | Table::Quota
        | Table::Token => Ok(()),
    }
}

fn check_job(before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    check_life(Table::Job, row)?;
    let Some(before) = before else { return Ok(()) };
    if before.phase == Phase::Ended && !is_same_end(before, row) {
        return Err(broken(Table::Job, row, "an ended job stays as it ended"));
    }
    Ok(())
}

fn check_delivery(before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    check_life(Table::Delivery, row)?;
    if !matches!(row.outcome.as_deref(), None | Some(ACKED | DEAD)) {
        return Err(broken(Table::Delivery, row, "a delivery ends acked or dead"));
    }
    let Some(before) = before else { return Ok(()) };
    // What is dead may be sent once more; what somebody took is told for ever.
    if before.outcome.as_deref() == Some(ACKED) && !is_same_end(before, row) {
        return Err(broken(Table::Delivery, row, "an acked delivery stays as it ended"));
    }
    Ok(())
}

fn check_mail(before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    check_end(Table::Mail, row)?;
    if !matches!(row.outcome.as_deref(), None | Some(READ | RETURNED)) {
        return Err(broken(Table::Mail, row, "a message ends read or returned"));
    }
    let Some(before) = before else { return Ok(()) };
    if before.phase == Phase::Ended && !is_same_end(before, row) {
        return Err(broken(Table::Mail, row, "an ended message stays as it ended"));
    }
    Ok(())
}

fn check_session(before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    let is_over = |row: &Row| row.phase == Phase::Ended;
    if before.is_some_and(is_over) && !is_over(row) {
        return Err(broken(Table::Session, row, "a session that is over stays over"));
    }
    Ok(())
}

/// A run's id begins with its session's, which is how runs of one sort.
fn check_run(row: &Row) -> Result<(), StoreError> {
    let parent = row.parent.as_deref().unwrap_or_default();
    let rest = row.id.strip_prefix(parent).and_then(|rest| rest.strip_prefix('/'));
    if row.parent.is_none() || rest.is_none() {
        return Err(broken(Table::Feed, row, "its id begins with its session's"));
    }
    Ok(())
}

fn check_credential(before: Option<&Row>, row: &Row) -> Result<(), StoreError> {
    let refused = |rule| Err(broken(Table::Credential, row, rule));
    if row.phase == Phase::Active && row.host.is_none() {
        return refused("what is active has a host");
    }
    if before.is_some_and(|before| before.state == REVOKED) && row.state != REVOKED {
        return refused("what is revoked stays revoked");
    }
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    if row.state != GOOD && body.get("sealed").is_some_and(|sealed| !sealed.is_null()) {
        return refused("only what is good has a value");
    }
    Ok(())
}

/// Refuses an hour in a table that no step asks for one: it would never be kept.
pub(crate) fn check_hour(table: Table, row: &Row) -> Result<(), StoreError> {
    if row.due_at.is_none() || Table::TIMED.contains(&table) {
        return Ok(());
    }
    Err(broken(table, row, "nothing in its table is ever due"))
}

/// The state of a credential that is good for nothing any more.
const REVOKED: &str = "revoked";
/// The state of a credential that is good.
const GOOD: &str = "active";
/// The outcomes of a message.
const READ: &str = "read";
const RETURNED: &str = "returned";
/// The outcome of a delivery that was taken.
const ACKED: &str = "acked";
/// The outcome of a delivery that was given up.
pub(crate) const DEAD: &str = "dead";

fn is_same_end(before: &Row, row: &Row) -> bool {
    row.phase == Phase::Ended && row.outcome == before.outcome && row.ended_at == before.ended_at
}

/// What holds for everything that ends for good.
fn check_end(table: Table, row: &Row) -> Result<(), StoreError> {
    let ended = row.phase == Phase::Ended;
    if ended != row.outcome.is_some() || ended != row.ended_at.is_some() {
        return Err(broken(table, row, "it has an outcome and an end exactly when it has ended"));
    }
    Ok(())
}

/// What holds for everything that is scheduled and ends.
fn check_life(table: Table, row: &Row) -> Result<(), StoreError> {
    check_end(table, row)?;
    if row.phase == Phase::Active && row.host.is_none() {
        return Err(broken(table, row, "what is active has a host"));
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
