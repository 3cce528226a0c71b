//! Lists of jobs, newest first. Admission order is the table's own order, so a list that is narrowed
//! by nothing reads as many rows as it gives. For a state or an outcome there is an index each; with
//! several of them wanted, each gives its newest and the newest of all are kept.

use super::error::store_error;
use super::row::{all, read, to_i64};
use super::sql;
use longhaul_core::port::{Filter, Row, StoreError, Table};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How a list of jobs ends.
pub(super) const IN_ORDER: &str = " ORDER BY seq DESC LIMIT ?";

/// Gives jobs that pass `filter` with `seq` below `before`, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let before = before.map_or(Ok(i64::MAX), to_i64)?;
    let mut queries = Vec::new();
    match (&filter.outcomes[..], &filter.states[..]) {
        ([], []) => queries.push(Query::new(before)),
        ([], states) => {
            queries.extend(distinct(states).map(|state| Query::new(before).is("state", state)));
        }
        (outcomes, states) => queries.extend(
            distinct(outcomes)
                .map(|outcome| Query::new(before).is("outcome", outcome).one_of("+state", states)),
        ),
    }
    let mut found = Vec::new();
    for query in queries {
        let query = query.narrow(filter);
        found.extend(query.run(connection, IN_ORDER, limit, |row| read(Table::Job, row))?);
    }
    found.sort_by_key(|row: &Row| std::cmp::Reverse(row.seq));
    found.truncate(limit as usize);
    Ok(found)
}

/// The texts without repeats: a state that is asked for twice is not two lists.
pub(super) fn distinct(texts: &[String]) -> impl Iterator<Item = &String> {
    texts.iter().enumerate().filter(|(at, text)| !texts[..*at].contains(text)).map(|(_, text)| text)
}

/// A statement in the making. A `+` before a column keeps SQLite from choosing its index.
pub(super) struct Query {
    text: String,
    arguments: Vec<Value>,
}

impl Query {
    fn new(before: i64) -> Self {
        Self::of(sql::LIST_FROM, vec![before.into()])
    }

    /// The text so far, which ends in a condition, and what its marks stand for.
    pub(super) fn of(text: &str, arguments: Vec<Value>) -> Self {
        Self { text: text.to_owned(), arguments }
    }

    pub(super) fn is(mut self, column: &str, value: &str) -> Self {
        self.text.push_str(&format!(" AND {column} = ?"));
        self.arguments.push(value.to_owned().into());
        self
    }

    /// [`is`](Self::is) where a value is wanted at all.
    pub(super) fn maybe(self, column: &str, value: Option<&String>) -> Self {
        if let Some(value) = value { self.is(column, value) } else { self }
    }

    pub(super) fn one_of(mut self, column: &str, values: &[String]) -> Self {
        if values.is_empty() {
            return self;
        }
        let marks = vec!["?"; values.len()].join(", ");
        self.text.push_str(&format!(" AND {column} IN ({marks})"));
        self.arguments.extend(values.iter().cloned().map(Value::from));
        self
    }

    /// Adds what no index is used for. A parent's children are few and have an index, but in order
    /// of id: SQLite may choose to sort those instead of reading all jobs.
    fn narrow(mut self, filter: &Filter) -> Self {
        let columns = [
            ("+pool", &filter.pool),
            ("+lane", &filter.lane),
            ("+owner", &filter.owner),
            ("parent", &filter.parent),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                self = self.is(column, value);
            }
        }
        for (name, value) in &filter.labels {
            self.text.push_str(
                " AND EXISTS (SELECT 1 FROM json_each(job.labels) AS label \
                 WHERE label.key = ? AND label.value = ?)",
            );
            self.arguments.extend([name.clone().into(), value.clone().into()]);
        }
        self
    }

    /// Runs it with the order it is to `end` in.
    pub(super) fn run(
        mut self,
        connection: &Connection,
        end: &str,
        limit: u32,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<Row, StoreError>,
    ) -> Result<Vec<Row>, StoreError> {
        self.text.push_str(end);
        self.arguments.push(i64::from(limit).into());
        let statement = connection.prepare_cached(&self.text).map_err(store_error)?;
        all(statement, params_from_iter(self.arguments), read)
    }
}
