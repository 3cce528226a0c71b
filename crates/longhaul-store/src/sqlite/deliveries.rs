//! Lists of deliveries, newest first. Each way to narrow has one index that is walked from its newest
//! end: a job's few deliveries, else those in each wanted state, else an owner's, else all.

use super::list::{Query, distinct};
use super::row::{read, to_i64};
use super::sql;
use longhaul_core::port::{DeliveryFilter, Row, StoreError, Table};
use rusqlite::Connection;
use std::cmp::Reverse;

/// How a list that walks its index ends.
pub(super) const IN_ORDER: &str = " ORDER BY seq DESC, id DESC LIMIT ?";
/// How a job's list ends: few enough to be sorted, and the `+` keeps SQLite from walking all by age
/// instead of asking for the job.
pub(super) const SORTED: &str = " ORDER BY +seq DESC, +id DESC LIMIT ?";

/// Gives deliveries that pass `filter` with `(seq, id)` below `before`, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    filter: &DeliveryFilter,
    before: Option<(u64, String)>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    // Nothing is made as late as the largest number that SQLite holds.
    let (seq, id) = match before {
        Some((seq, id)) => (to_i64(seq)?, id),
        None => (i64::MAX, String::new()),
    };
    let begin = || Query::of(sql::DELIVERIES_FROM, vec![seq.into(), id.clone().into()]);
    let queries = match (&filter.job, &filter.states[..]) {
        (Some(job), states) => {
            let query = begin().is("parent", job).one_of("+state", states);
            vec![query.maybe("+owner", filter.owner.as_ref())]
        }
        (None, []) => vec![begin().maybe("owner", filter.owner.as_ref())],
        (None, states) => distinct(states)
            .map(|state| begin().is("state", state).maybe("+owner", filter.owner.as_ref()))
            .collect(),
    };
    let end = if filter.job.is_some() { SORTED } else { IN_ORDER };
    let mut found = Vec::new();
    for query in queries {
        let query = query.maybe("+pool", filter.pool.as_ref());
        found.extend(query.run(connection, end, limit, |row| read(Table::Delivery, row))?);
    }
    found.sort_by(|one: &Row, other: &Row| {
        Reverse((one.seq, &one.id)).cmp(&Reverse((other.seq, &other.id)))
    });
    found.truncate(limit as usize);
    Ok(found)
}
