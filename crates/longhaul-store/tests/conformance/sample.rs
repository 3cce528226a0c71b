//! Rows and entries to fill stores with, and short ways to say what a case does.

use longhaul_core::event::NewEvent;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::port::{Phase, Row, Store, StoreError, Table, Tx};
use longhaul_core::time::Timestamp;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The id of job `number`; ids sort as numbers do.
pub(crate) fn job_id(number: u64) -> String {
    format!("job_{number:026}")
}

pub(crate) fn host(number: u64) -> HostId {
    HostId::parse(&format!("host_{number:026}")).unwrap()
}

/// Job `number` in a phase that needs nothing else, admitted as `number`.
pub(crate) fn job(number: u64, phase: Phase) -> Row {
    let mut row = Row::kept(job_id(number), format!(r#"{{"number":{number}}}"#));
    row.seq = number;
    enter(&mut row, phase);
    row
}

/// Puts a row into a phase with the columns that the phase asks for.
pub(crate) fn enter(row: &mut Row, phase: Phase) {
    row.phase = phase;
    row.state = phase.name().to_owned();
    row.host = (phase == Phase::Active).then(|| host(1).to_string());
    let ended = phase == Phase::Ended;
    row.outcome = ended.then(|| "succeeded".to_owned());
    row.ended_at = ended.then(|| at(1_000 + i64::try_from(row.seq).unwrap()));
}

pub(crate) fn event(job: u64, seq: u64) -> NewEvent {
    let job = Some(JobId::parse(&job_id(job)).unwrap());
    NewEvent { job, seq, at: at(5), body: r#"{"kind":"unblocked"}"#.to_owned() }
}

pub(crate) fn general(number: u64) -> NewEvent {
    NewEvent { job: None, seq: 0, at: at(5), body: format!(r#"{{"number":{number}}}"#) }
}

/// Runs one transaction and commits it if all of it worked; a part that fails undoes it.
pub(crate) fn step<T>(
    store: &mut dyn Store,
    body: impl FnOnce(&mut dyn Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut tx = store.begin()?;
    let answer = body(tx.as_mut())?;
    tx.commit()?;
    Ok(answer)
}

/// Saves new jobs in one transaction.
pub(crate) fn insert(store: &mut dyn Store, rows: &[Row]) {
    step(store, |tx| rows.iter().try_for_each(|row| tx.save(Table::Job, row, true))).unwrap();
}

/// Saves a change of one job.
pub(crate) fn change(store: &mut dyn Store, row: &Row) -> Result<(), StoreError> {
    step(store, |tx| tx.save(Table::Job, row, false))
}

/// Asks one question in a transaction of its own.
pub(crate) fn ask<T>(
    store: &mut dyn Store,
    question: impl FnOnce(&mut dyn Tx) -> Result<T, StoreError>,
) -> T {
    step(store, question).unwrap()
}
