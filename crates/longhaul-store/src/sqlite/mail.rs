//! Lists of messages, newest first. Each way to narrow has an index that is walked from its newest end:
//! a thread, else a mailbox, else a sender, the last two also in each wanted state; else a state, else
//! all. What else narrows is looked at on the way.

use super::list::{IN_ORDER, Query, distinct};
use super::row::{read, to_i64};
use super::sql;
use longhaul_core::port::{MailFilter, Row, StoreError, Table};
use rusqlite::Connection;
use std::cmp::Reverse;

/// Gives messages that pass `filter` with `seq` below `before`, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    filter: &MailFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let before = before.map_or(Ok(i64::MAX), to_i64)?;
    let begin = || narrowest(Query::of(sql::MAIL_FROM, vec![before.into()]), filter);
    let queries: Vec<Query> = match (&filter.thread, &filter.states[..]) {
        (Some(_), states) => vec![begin().one_of("+state", states)],
        (None, []) => vec![begin()],
        (None, states) => distinct(states).map(|state| begin().is("state", state)).collect(),
    };
    let mut found = Vec::new();
    for query in queries {
        let query = query.maybe("+name", filter.kind.as_ref());
        found.extend(query.run(connection, IN_ORDER, limit, |row| read(Table::Mail, row))?);
    }
    found.sort_by_key(|row: &Row| Reverse(row.seq));
    found.truncate(limit as usize);
    Ok(found)
}

/// Lets one column choose the index; the `+` before the others keeps them from it.
fn narrowest(query: Query, filter: &MailFilter) -> Query {
    let (to, from) = match (&filter.thread, &filter.to) {
        (Some(_), _) => ("+lane", "+pool"),
        (None, Some(_)) => ("lane", "+pool"),
        (None, None) => ("lane", "pool"),
    };
    query
        .maybe("parent", filter.thread.as_ref())
        .maybe(to, filter.to.as_ref())
        .maybe(from, filter.from.as_ref())
}
