//! How SQLite answers what is asked in every step or by every list: from an index in the right
//! order, never by reading a table through or by sorting. Plans do not depend on the content, since
//! nobody runs ANALYZE on this database.

use super::{deliveries, keep_plans, list, migrate, sql};
use longhaul_core::port::Table;
use rusqlite::{Connection, Params, StatementStatus, params};
use std::ops::RangeInclusive;

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
        sql::NEXT_DUES,
        sql::RUNNABLE,
        sql::OCCUPIED,
        sql::LANE_HEAD,
        sql::BY_KEY,
        sql::OLDEST_ENDED,
        sql::ENDED_TOTALS,
        sql::TRIM_GENERAL,
        sql::EVENTS,
        sql::EVENTS_OF_JOB,
        sql::LATEST_OF_JOB,
        sql::ENTRIES,
        sql::NEXT_IN_LANES,
        sql::WAITING_IN_LANE,
        sql::OPEN_IN_LANE,
        sql::OPEN_IN_LANE_AFTER,
        sql::ACTIVE_IN_POOL,
        sql::ACTIVE_IN_LANE,
        sql::DELIVERY_COUNTS,
        sql::DEAD_DELIVERIES,
        sql::UNREAD,
        sql::UNREAD_COUNT,
        sql::OLDEST_ENDED_MAIL,
        sql::ENDED_MAIL_COUNT,
        sql::OPEN_JOBS_IN_LANE,
        sql::OLDEST_FIRST,
        sql::OLDEST_FIRST_OF_OWNER,
        sql::BY_NAME,
        sql::COUNTS,
        sql::POOL_LOAD,
        sql::AHEAD_OF,
    ]
    .map(str::to_owned)
    .into();
    for narrowed in ["", " AND state = ?", " AND outcome = ? AND +state IN (?, ?)"] {
        statements.push(format!("{}{narrowed}{}", sql::LIST_FROM, list::IN_ORDER));
    }
    for narrowed in ["", " AND state = ? AND +owner = ?", " AND owner = ? AND +pool = ?"] {
        statements.push(format!("{}{narrowed}{}", sql::DELIVERIES_FROM, deliveries::IN_ORDER));
    }
    for table in Table::ALL {
        for of_table in
            [sql::load, sql::update, sql::update_life, sql::remove, sql::ids, sql::by_prefix]
        {
            statements.push(of_table(table).to_owned());
        }
        for of_table in [sql::children, sql::rows, sql::rows_under, sql::row_up_to] {
            statements.push(of_table(table).to_owned());
        }
    }
    statements.extend(Table::TIMED.map(|table| sql::due(table).to_owned()));
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
        (sql::active_on(Table::Credential), "COVERING INDEX credential_active"),
        (sql::due(Table::Delivery), "COVERING INDEX delivery_due"),
        (sql::NEXT_DUES, "COVERING INDEX delivery_due"),
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
        (sql::NEXT_DUES, "COVERING INDEX job_due"),
        (sql::due(Table::Approval), "COVERING INDEX approval_due"),
        (sql::NEXT_DUES, "COVERING INDEX quota_due"),
        (sql::children(Table::Dependency), "COVERING INDEX dependency_parent"),
        (sql::UNREAD, "COVERING INDEX mail_ready (lane=?)"),
        (sql::UNREAD_COUNT, "PRIMARY KEY (name=?)"),
        (sql::OLDEST_ENDED_MAIL, "INDEX mail_ended"),
        (sql::OPEN_JOBS_IN_LANE, "INDEX job_lane_open (lane=?)"),
        (sql::rows_under(Table::Approval), "INDEX approval_parent (parent=? AND id>?)"),
        (sql::EVENTS_OF_JOB, "event_job"),
        (sql::LATEST_OF_JOB, "event_job"),
        (sql::ENTRIES, "event_job"),
        (sql::TRIM_GENERAL, "event_general"),
    ];
    for (statement, index) in expected {
        let plan = plan(&connection, statement);
        assert!(plan.iter().any(|line| line.contains(index)), "{statement}\n{plan:#?}");
    }
}

#[test]
fn a_list_of_deliveries_walks_the_index_of_what_narrows_it_most() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let cases = [
        ("", deliveries::IN_ORDER, "delivery_age ((seq,id)<(?,?))"),
        (" AND state = ?", deliveries::IN_ORDER, "delivery_state (state=? AND (seq,id)<(?,?))"),
        (" AND owner = ?", deliveries::IN_ORDER, "delivery_owner (owner=? AND (seq,id)<(?,?))"),
        (" AND parent = ? AND +state IN (?)", deliveries::SORTED, "delivery_parent (parent=?)"),
    ];
    for (narrowed, end, index) in cases {
        let plan = plan(&connection, &format!("{}{narrowed}{end}", sql::DELIVERIES_FROM));
        assert!(plan[0].contains(index), "{plan:#?}");
    }
}

#[test]
fn a_list_of_mail_walks_the_index_of_what_narrows_it_most() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let cases = [
        ("", "INTEGER PRIMARY KEY (rowid<?)"),
        (" AND state = ?", "mail_state (state=? AND rowid<?)"),
        (" AND lane = ? AND +pool = ? AND +name = ?", "mail_to (lane=? AND rowid<?)"),
        (" AND lane = ? AND state = ?", "mail_to_state (lane=? AND state=? AND rowid<?)"),
        (" AND pool = ?", "mail_from (pool=? AND rowid<?)"),
        (" AND pool = ? AND state = ?", "mail_from_state (pool=? AND state=? AND rowid<?)"),
        (" AND parent = ? AND +state IN (?, ?)", "mail_thread (parent=? AND rowid<?)"),
    ];
    for (narrowed, index) in cases {
        let statement = format!("{}{narrowed}{}", sql::MAIL_FROM, list::IN_ORDER);
        let plan = plan(&connection, &statement);
        assert!(plan[0].contains(index) && plan.len() == 1, "{statement}\n{plan:#?}");
    }
}

/// The steps that SQLite's machine takes for a statement, and the rows that it gives.
fn work(connection: &Connection, statement: &str, arguments: impl Params) -> (i32, usize) {
    let mut statement = connection.prepare(statement).unwrap();
    let mut rows = statement.query(arguments).unwrap();
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    drop(rows);
    (statement.get_status(StatementStatus::VmStep), count)
}

#[test]
fn what_waits_behind_others_costs_a_step_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let fill = |lanes: u32, each: u32| {
        let insert = "INSERT INTO delivery SELECT printf('%s %d %d', ?3, lane.value, each.value), ?3, \
            '', CASE ?3 WHEN 'delayed' THEN each.value END, NULL, printf('lane %02d', lane.value), \
            NULL, NULL, 'p', 0, each.value, NULL, NULL, NULL, NULL, 0, NULL, '{}' \
            FROM json_each(?1) AS lane, json_each(?2) AS each";
        let numbers = |to: u32| format!("{:?}", (1..=to).collect::<Vec<_>>());
        connection.execute("DELETE FROM delivery", []).unwrap();
        for phase in ["ready", "delayed"] {
            let arguments = params![numbers(lanes), numbers(each), phase];
            connection.execute(insert, arguments).unwrap();
        }
        [
            work(&connection, sql::NEXT_IN_LANES, params!["p", "lane 01", 4]),
            work(&connection, sql::WAITING_IN_LANE, params!["lane 03", 2]),
            work(&connection, sql::OPEN_IN_LANE, params!["lane 03", 2]),
            work(&connection, sql::NEXT_DUES, params!["host_a"]),
        ]
    };
    let few = fill(9, 2);
    assert_eq!(few.map(|(_, rows)| rows), [4, 2, 2, 1]);
    assert!(few.iter().all(|(steps, _)| *steps > 0), "nothing is counted");
    assert_eq!(fill(9, 1_000), few);
    // Nor do lanes that are not asked for.
    assert_eq!(fill(90, 20), few);
}

#[test]
fn what_was_read_long_ago_costs_a_mailbox_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    let send = |numbers: RangeInclusive<u32>, phase: &str| {
        let insert = "INSERT INTO mail SELECT printf('%s %d', ?2, value), ?2, ?2, NULL, NULL, 'box', \
            NULL, NULL, 'sender', 0, NULL, NULL, 'status', iif(?2 = 'ended', 'read', NULL), \
            iif(?2 = 'ended', 1, NULL), 0, NULL, '{}' FROM json_each(?1)";
        let numbers = format!("{:?}", numbers.collect::<Vec<_>>());
        connection.execute(insert, params![numbers, phase]).unwrap();
    };
    let list = |narrowed: &str| format!("{}{narrowed}{}", sql::MAIL_FROM, list::IN_ORDER);
    let ask = || {
        [
            work(&connection, sql::UNREAD, params!["box", 3]),
            work(&connection, sql::UNREAD_COUNT, params!["box"]),
            work(&connection, sql::OLDEST_ENDED_MAIL, params![3]),
            work(&connection, sql::ENDED_MAIL_COUNT, params![]),
            work(&connection, &list(" AND lane = ?"), params![i64::MAX, "box", 3]),
            work(&connection, &list(" AND state = ?"), params![i64::MAX, "ready", 3]),
            work(
                &connection,
                &list(" AND pool = ? AND state = ?"),
                params![i64::MAX, "sender", "ready", 3],
            ),
        ]
    };
    send(1..=5, "ended");
    send(1..=5, "ready");
    send(6..=9, "ended");
    let few = ask();
    assert_eq!(few.map(|(_, rows)| rows), [3, 1, 3, 1, 3, 3, 3]);
    send(10..=2_000, "ended");
    assert_eq!(ask(), few);
    let unread: u32 = connection.query_row(sql::UNREAD_COUNT, ["box"], |row| row.get(0)).unwrap();
    assert_eq!(unread, 5);
}

#[test]
fn a_statement_is_prepared_once_however_often_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let connection = database(folder.path());
    keep_plans(&connection).unwrap();
    for (sql, limit) in [(sql::RUNNABLE, 9), (sql::UNREAD, 9), (sql::RUNNABLE, 7)] {
        let mut statement = connection.prepare_cached(sql).unwrap();
        for _ in 0..3 {
            let mut rows = statement.query(params!["default", limit]).unwrap();
            assert!(rows.next().unwrap().is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
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
