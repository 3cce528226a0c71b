//! The schema refuses what core must never ask for, whoever asks: each constraint, unique index and
//! trigger is seen to fail, through a second connection that knows nothing of this crate.

use crate::sample::{event, general, insert, job, step};
use longhaul_core::port::{Phase, Row, Store, Table};
use rusqlite::Connection;

/// A store with one job in most phases, some entries and some deliveries, and a foreign connection to it.
fn filled(folder: &std::path::Path) -> Connection {
    let path = folder.join("state.db");
    let mut store = longhaul_store::open(&path).unwrap();
    let laned = |number, phase| Row { lane: Some("l".into()), ..job(number, phase) };
    let ended = Row { key: Some("k".into()), ..job(3, Phase::Ended) };
    insert(&mut store, &[laned(1, Phase::Active), laned(2, Phase::Behind), ended]);
    step(&mut store, |tx| tx.append(&[event(1, 1), event(1, 2), general(1), general(2)])).unwrap();
    step(&mut store, |tx| {
        for (number, outcome) in [(1, "acked"), (2, "dead")] {
            let outcome = Some(outcome.to_owned());
            tx.save(Table::Delivery, &Row { outcome, ..job(number, Phase::Ended) }, true)?;
        }
        tx.save(Table::Delivery, &Row { key: Some("k".into()), ..job(3, Phase::Active) }, true)?;
        for (number, outcome) in [(1, "read"), (2, "returned")] {
            let outcome = Some(outcome.to_owned());
            tx.save(Table::Mail, &Row { outcome, ..job(number, Phase::Ended) }, true)?;
        }
        tx.save(Table::Mail, &Row { lane: Some("ann".into()), ..job(3, Phase::Ready) }, true)
    })
    .unwrap();
    store.close().unwrap();
    Connection::open(path).unwrap()
}

#[test]
fn every_rule_of_the_schema_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(folder.path());
    let cases = [
        ("UPDATE job SET phase = 'sleeping' WHERE seq = 1", "CHECK"),
        ("UPDATE job SET body = '{' WHERE seq = 1", "CHECK"),
        ("UPDATE job SET labels = 'x' WHERE seq = 1", "CHECK"),
        ("UPDATE job SET bytes = -1 WHERE seq = 1", "CHECK"),
        ("UPDATE job SET host = NULL WHERE seq = 1", "active_means_host"),
        ("UPDATE job SET outcome = 'failed' WHERE seq = 1", "ended_means_outcome"),
        ("UPDATE job SET ended_at = 1 WHERE seq = 1", "ended_means_time"),
        ("UPDATE job SET phase = 'ended', ended_at = 1 WHERE seq = 1", "ended_means_outcome"),
        ("UPDATE job SET phase = 'ended', outcome = 'x' WHERE seq = 1", "ended_means_time"),
        ("UPDATE job SET phase = 'active', host = 'h' WHERE seq = 2", "UNIQUE"),
        ("UPDATE job SET key = 'k' WHERE seq = 1", "UNIQUE"),
        ("UPDATE job SET seq = 2 WHERE seq = 1", "UNIQUE"),
        (
            "UPDATE job SET phase = 'ready', outcome = NULL, ended_at = NULL WHERE seq = 3",
            "stays as it ended",
        ),
        ("UPDATE job SET outcome = 'failed' WHERE seq = 3", "stays as it ended"),
        ("UPDATE job SET ended_at = 1 WHERE seq = 3", "stays as it ended"),
        (
            "INSERT INTO environment SELECT * FROM environment WHERE 0 UNION ALL \
          SELECT 'a', 'asleep', '', NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, \
          NULL, 0, NULL, '{}'",
            "CHECK",
        ),
        ("INSERT INTO event VALUES (9, 'j', 0, 0, '{}')", "numbered_means_job"),
        ("INSERT INTO event VALUES (9, NULL, 1, 0, '{}')", "numbered_means_job"),
        ("INSERT INTO event VALUES (9, 'j', -1, 0, '{}')", "numbered_means_job"),
        ("INSERT INTO event VALUES (9, 'j', 1, 0, 'no json')", "CHECK"),
        ("INSERT INTO event VALUES (1, 'j', 1, 0, '{}')", "UNIQUE"),
        ("INSERT INTO event SELECT 9, job, seq, at, body FROM event WHERE position = 1", "UNIQUE"),
        ("UPDATE event SET at = 9 WHERE position = 1", "never changes"),
        ("DELETE FROM event WHERE position = 2", "goes with its whole job"),
        ("DELETE FROM event WHERE position = 4", "go from the oldest on"),
        ("DELETE FROM event", "goes with its whole job"),
        ("UPDATE tally SET value = -1", "CHECK"),
    ];
    for (statement, rule) in cases {
        let refused = connection.execute_batch(statement).unwrap_err().to_string();
        assert!(refused.contains(rule), "{statement}\n{refused}");
    }
}

#[test]
fn every_rule_about_deliveries_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(folder.path());
    let cases = [
        ("phase = 'sleeping' WHERE seq = 3", "CHECK"),
        ("body = '{' WHERE seq = 3", "CHECK"),
        ("host = NULL WHERE seq = 3", "active_means_host"),
        ("outcome = 'dead' WHERE seq = 3", "ended_means_outcome"),
        ("ended_at = 1 WHERE seq = 3", "ended_means_time"),
        ("outcome = NULL WHERE seq = 2", "ended_means_outcome"),
        ("outcome = 'failed' WHERE seq = 2", "ends_acked_or_dead"),
        ("key = 'k' WHERE seq = 2", "UNIQUE"),
        ("id = (SELECT id FROM delivery WHERE seq = 3) WHERE seq = 2", "UNIQUE"),
        ("outcome = 'dead' WHERE seq = 1", "stays as it ended"),
        ("ended_at = 1 WHERE seq = 1", "stays as it ended"),
        ("phase = 'ready', outcome = NULL, ended_at = NULL WHERE seq = 1", "stays as it ended"),
    ];
    for (change, rule) in cases {
        let statement = format!("UPDATE delivery SET {change}");
        let refused = connection.execute_batch(&statement).unwrap_err().to_string();
        assert!(refused.contains(rule), "{statement}\n{refused}");
    }
    // A delivery's place is not its own alone, and what is dead may go out once more.
    connection.execute_batch("UPDATE delivery SET seq = 3 WHERE seq = 1").unwrap();
    let again = "UPDATE delivery SET phase = 'ready', outcome = NULL, ended_at = NULL";
    connection.execute_batch(&format!("{again} WHERE seq = 2")).unwrap();
}

#[test]
fn every_rule_about_mail_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(folder.path());
    let cases = [
        ("UPDATE mail SET phase = 'sleeping' WHERE seq = 3", "CHECK"),
        ("UPDATE mail SET body = '{' WHERE seq = 3", "CHECK"),
        ("UPDATE mail SET due_at = 1 WHERE seq = 3", "CHECK"),
        ("UPDATE mail SET outcome = 'read' WHERE seq = 3", "ended_means_outcome"),
        ("UPDATE mail SET ended_at = 1 WHERE seq = 3", "ended_means_time"),
        ("UPDATE mail SET outcome = 'acked' WHERE seq = 2", "stays as it ended"),
        (
            "UPDATE mail SET phase = 'ended', outcome = 'acked', ended_at = 1 WHERE seq = 3",
            "ends_read_or_returned",
        ),
        ("UPDATE mail SET seq = 2 WHERE seq = 3", "UNIQUE"),
        ("UPDATE mail SET outcome = 'returned' WHERE seq = 1", "stays as it ended"),
        ("UPDATE mail SET ended_at = 1 WHERE seq = 2", "stays as it ended"),
        (
            "UPDATE mail SET phase = 'ready', outcome = NULL, ended_at = NULL WHERE seq = 2",
            "stays as it ended",
        ),
        ("UPDATE mailbox SET unread = -1", "CHECK"),
    ];
    for (statement, rule) in cases {
        let refused = connection.execute_batch(statement).unwrap_err().to_string();
        assert!(refused.contains(rule), "{statement}\n{refused}");
    }
    for table in ["agent_environment", "input", "intake"] {
        let insert = format!(
            "INSERT INTO {table} (id, phase, state, due_at, priority, seq, bytes, body) \
             VALUES ('a', 'kept', '', 1, 0, 0, 0, '{{}}')"
        );
        let refused = connection.execute_batch(&insert).unwrap_err().to_string();
        assert!(refused.contains("CHECK"), "{insert}\n{refused}");
    }
}

#[test]
fn a_count_that_is_wrong_is_found_by_a_check() {
    let cases = [
        ("UPDATE mailbox SET unread = 2", "mailbox ann says 2 unread, there are 1"),
        ("DELETE FROM mailbox", "mailbox ann says 0 unread, there are 1"),
        ("INSERT INTO mailbox VALUES ('eve', 1)", "mailbox eve says 1 unread, there are 0"),
        (
            "UPDATE tally SET value = 7 WHERE name = 'ended_mail'",
            "the tally of ended mail says 7, there are 2",
        ),
    ];
    for (damage, said) in cases {
        let folder = tempfile::tempdir().unwrap();
        let connection = filled(folder.path());
        connection.execute_batch(damage).unwrap();
        connection.close().unwrap();
        let store = longhaul_store::open(&folder.path().join("state.db")).unwrap();
        assert_eq!(store.reader().unwrap().check().unwrap(), [said], "{damage}");
    }
}

#[test]
fn a_whole_job_and_the_oldest_entries_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(folder.path());
    connection.execute_batch("INSERT INTO forgetting SELECT job FROM event LIMIT 1").unwrap();
    connection.execute_batch("DELETE FROM event WHERE position = 3").unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM event"), 1);
    assert_eq!(count("SELECT count(*) FROM forgetting"), 0);
}
