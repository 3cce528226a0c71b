//! How SQLite answers what is asked in every step or by every list: from an index in the right
//! order, never by reading a table through or by sorting. Plans do not depend on the content, since
//! nobody runs ANALYZE on this database.

use super::{migrate, sql};
use longhaul_core::port::Table;
use rusqlite::Connection;

/// The lines of the plan for one statement.
fn plan(connection: &Connection, statement: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let mut lines = explain.raw_query();
    let mut plan = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        plan.push(line.get("detail").unwrap());
    }
    plan
}

/// Whether a line of a plan is work that grows with the table: a sort, or a walk over the table. A
/// walk over a partial index is in order and stops at the limit.
fn grows(line: &str) -> bool {
    // `next` is the recursion from lane to lane, which has as many rows as are wanted.
    let is_walk = line.starts_with("SCAN") && !["SCAN CONSTANT ROW", "SCAN next"].contains(&line);
    line.contains("TEMP B-TREE") || is_walk && !line.contains("INDEX")
}

fn database(folder: &std::path::Path) -> Connection {
    let path = folder.join("state.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate::migrate(&mut connection, &path).unwrap();
    connection
}

#[test]
fn nothing_that_a_step_or_a_list_asks_reads_a_table_through_or_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let mut statements: Vec<String> = [
        sql::RUNNABLE,
        sql::OCCUPIED,
        sql::LANE_HEAD,
        sql::BY_KEY,
        sql::OLDEST_ENDED,
        sql::ENDED_TOTALS,
        sql::TRIM_GENERAL,
        sql::EVENTS,
        sql::EVENTS_OF_JOB,
        sql::NEXT_IN_LANES,
        sql::WAITING_IN_LANE,
        sql::OPEN_IN_LANE,
        sql::OPEN_IN_LANE_AFTER,
        sql::ACTIVE_IN_POOL,
        sql::ACTIVE_IN_LANE,
        sql::DELIVERY_COUNTS,
        sql::DEAD_DELIVERIES,
        sql::BY_NAME,
        sql::COUNTS,
        sql::POOL_LOAD,
        sql::AHEAD_OF,
    ]
    .map(str::to_owned)
    .into();
    for narrowed in ["", " AND state = ?", " AND outcome = ? AND +state IN (?, ?)"] {
        statements.push(format!("{}{narrowed} ORDER BY seq DESC LIMIT ?", sql::LIST_FROM));
    }
    for table in Table::ALL {
        for of_table in
            [sql::load, sql::update, sql::update_life, sql::remove, sql::ids, sql::by_prefix]
        {
            statements.push(of_table(table).to_owned());
        }
        for of_table in [sql::children, sql::due, sql::next_due] {
            statements.push(of_table(table).to_owned());
        }
    }
    for statement in statements {
        let plan = plan(&connection, &statement);
        assert!(!plan.is_empty(), "{statement} has no plan");
        assert!(!plan.iter().any(|line| grows(line)), "{statement}\n{plan:#?}");
    }
}

#[test]
fn each_scan_of_a_step_uses_the_index_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let expected = [
        (sql::RUNNABLE, "job_ready"),
        (sql::OCCUPIED, "COVERING INDEX job_active_pool"),
        (sql::LANE_HEAD, "job_lane_open"),
        (sql::active_on(Table::Job), "COVERING INDEX job_active_host"),
        (sql::active_on(Table::Delivery), "COVERING INDEX delivery_active_host"),
        (sql::due(Table::Delivery), "COVERING INDEX delivery_due"),
        (sql::next_due(Table::Delivery), "COVERING INDEX delivery_due"),
        (sql::children(Table::Delivery), "COVERING INDEX delivery_parent"),
        (sql::WAITING_IN_LANE, "COVERING INDEX delivery_ready_lane (lane=?)"),
        (sql::OPEN_IN_LANE, "COVERING INDEX delivery_open_lane (lane=?)"),
        (sql::OPEN_IN_LANE_AFTER, "INDEX delivery_open_lane (lane=? AND (seq,id)>(?,?))"),
        (sql::ACTIVE_IN_POOL, "COVERING INDEX delivery_open_pool (pool=? AND phase=?)"),
        (sql::ACTIVE_IN_LANE, "COVERING INDEX delivery_active_lane (lane=?)"),
        (sql::DELIVERY_COUNTS, "COVERING INDEX delivery_open_pool (pool=?)"),
        (sql::DEAD_DELIVERIES, "COVERING INDEX delivery_dead"),
        (sql::OLDEST_ENDED, "COVERING INDEX job_ended"),
        (sql::due(Table::Job), "COVERING INDEX job_due"),
        (sql::next_due(Table::Job), "COVERING INDEX job_due"),
        (sql::due(Table::Dependency), "COVERING INDEX dependency_due"),
        (sql::children(Table::Dependency), "COVERING INDEX dependency_parent"),
        (sql::EVENTS_OF_JOB, "event_job"),
        (sql::TRIM_GENERAL, "event_general"),
    ];
    for (statement, index) in expected {
        let plan = plan(&connection, statement);
        assert!(plan.iter().any(|line| line.contains(index)), "{statement}\n{plan:#?}");
    }
}

#[test]
fn a_walk_over_a_table_and_a_sort_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    for slow in ["SELECT id FROM job WHERE body = ?", "SELECT id FROM job ORDER BY bytes"] {
        assert!(plan(&connection, slow).iter().any(|line| grows(line)), "{slow}");
    }
}
