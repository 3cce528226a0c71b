//! A database of an earlier version opens with everything that was in it, and a copy of it stays.

use crate::sample::{ask, at, event, general, host, job, job_id, step};
use longhaul_core::port::{Phase, Position, Row, Store, Table};
use longhaul_store::{backups, rebuild, salvage};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// The schemas of the versions before this one.
const EARLIER: [&str; 3] = [
    include_str!("../../migrations/V0001__first.sql"),
    include_str!("../../migrations/V0002__deliveries.sql"),
    include_str!("../../migrations/V0003__agents.sql"),
];
/// The mark that every version puts into the header: "lngh".
const MARK: i32 = 0x6c6e_6768;

/// Jobs in every phase, as many as a lane of each needs.
fn jobs() -> Vec<Row> {
    let phases = [Phase::Ended, Phase::Active, Phase::Behind, Phase::Ready, Phase::Delayed];
    (1..).zip(phases).map(|(number, phase)| job(number, phase)).collect()
}

/// A database as an earlier version left it after a clean end: its schema and rows as that wrote them,
/// and the marker beside it.
fn of_version(version: usize, folder: &Path) -> PathBuf {
    let path = folder.join("state.db");
    let old = Connection::open(&path).unwrap();
    old.pragma_update(None, "journal_mode", "wal").unwrap();
    EARLIER[..version].iter().for_each(|schema| old.execute_batch(schema).unwrap());
    old.pragma_update(None, "application_id", MARK).unwrap();
    old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    for row in jobs() {
        let seq = i64::try_from(row.seq).unwrap();
        let ended_at = row.ended_at.map(longhaul_core::time::Timestamp::as_millis);
        let values = rusqlite::params![
            row.id,
            row.phase.name(),
            row.state,
            row.host,
            seq,
            row.outcome,
            ended_at,
            row.body
        ];
        let insert = "INSERT INTO job (id, phase, state, host, seq, outcome, ended_at, body, \
            priority, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)";
        old.execute(insert, values).unwrap();
    }
    let pool = "INSERT INTO pool (id, phase, state, priority, seq, bytes, body) \
        VALUES ('default', 'kept', '', 0, 0, 0, '{}')";
    old.execute(pool, []).unwrap();
    let entries = "INSERT INTO event VALUES (1, ?1, 1, 5, '{\"kind\":\"unblocked\"}'), \
        (2, NULL, 0, 5, '{\"number\":1}')";
    old.execute(entries, [job_id(1)]).unwrap();
    let id: String = old
        .query_row("SELECT value FROM meta WHERE name = 'store_id'", [], |row| row.get(0))
        .unwrap();
    old.close().unwrap();
    fs_err::write(folder.join("state.db.born"), id).unwrap();
    path
}

fn assert_whole(store: &mut dyn Store) {
    for row in jobs() {
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &row.id)), Some(row));
    }
    assert_eq!(ask(store, |tx| tx.ids(Table::Pool, "", 9)), ["default"]);
    assert_eq!(ask(store, |tx| tx.head()), Position(2));
    assert_eq!(ask(store, |tx| tx.ended_totals()), (1, 0));
    let reader = &mut *store.reader().unwrap();
    let entries = reader.events(None, Position(0), 9).unwrap();
    let bodies: Vec<_> = entries.into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, [event(1, 1).body, general(1).body]);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_database_of_the_first_version_opens_with_all_its_jobs_and_is_copied_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_version(1, folder.path());
    let mut store = longhaul_store::open(&path).unwrap();
    assert_whole(&mut store);
    let delivery = Row { due_at: Some(at(5)), ..Row::kept("dlv".into(), "{}".into()) };
    step(&mut store, |tx| tx.save(Table::Delivery, &delivery, true)).unwrap();
    assert_eq!(ask(&mut store, |tx| tx.next_due(&host(1))), Some(at(5)));
    store.close().unwrap();
    let copies = backups(&path).unwrap();
    assert_eq!(copies, [folder.path().join("state.db.before-v4")]);
    let copy = Connection::open_with_flags(&copies[0], OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM job"), 5);
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name = 'delivery'"), 0);
    // Opening once more migrates nothing and copies nothing.
    let mut store = longhaul_store::open(&path).unwrap();
    assert_whole(&mut store);
    assert_eq!(ask(&mut store, |tx| tx.load(Table::Delivery, "dlv")), Some(delivery));
    assert_eq!(backups(&path).unwrap().len(), 1);
}

#[test]
fn a_database_of_an_earlier_version_that_is_salvaged_misses_nothing() {
    for version in 1..=EARLIER.len() {
        let folder = tempfile::tempdir().unwrap();
        let salvaged = salvage(&of_version(version, folder.path())).unwrap();
        assert_eq!(salvaged.damage, Vec::<String>::new());
        assert_eq!((salvaged.jobs, salvaged.floor), (jobs(), 5));
    }
}

#[test]
fn a_database_of_the_second_version_keeps_its_deliveries_and_takes_agents_and_mail() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_version(2, folder.path());
    let old = Connection::open(&path).unwrap();
    let insert = "INSERT INTO delivery (id, phase, state, lane, pool, seq, outcome, ended_at, body, \
        priority, bytes) VALUES (?1, ?2, ?2, 'l', 'p', ?3, ?4, ?5, '{}', 0, 0)";
    old.execute(insert, rusqlite::params!["dlv_1", "ready", 1, None::<String>, None::<i64>])
        .unwrap();
    old.execute(insert, rusqlite::params!["dlv_2", "ended", 2, "dead", 9]).unwrap();
    old.close().unwrap();
    let mut store = longhaul_store::open(&path).unwrap();
    assert_whole(&mut store);
    assert_eq!(ask(&mut store, |tx| tx.waiting_in_lane("l", 9)), ["dlv_1"]);
    assert_eq!(store.reader().unwrap().dead_deliveries().unwrap(), 1);
    let ended = Row { outcome: Some("read".into()), ..job(1, Phase::Ended) };
    let waiting = Row { lane: Some("ann".into()), ..job(2, Phase::Ready) };
    step(&mut store, |tx| {
        tx.save(Table::Agent, &Row::kept("ann".into(), "{}".into()), true)?;
        tx.save(Table::Mail, &ended, true)?;
        tx.save(Table::Mail, &waiting, true)
    })
    .unwrap();
    assert_eq!(ask(&mut store, |tx| tx.unread("ann", 9)), [job_id(2)]);
    assert_eq!(ask(&mut store, |tx| tx.ended_mail_count()), 1);
    assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
    let copies = backups(&path).unwrap();
    assert_eq!(copies, [folder.path().join("state.db.before-v4")]);
    let copy = Connection::open_with_flags(&copies[0], OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = "SELECT count(*) FROM delivery";
    assert_eq!(copy.query_row(count, [], |row| row.get::<_, u32>(0)).unwrap(), 2);
}

#[test]
fn a_database_of_the_third_version_keeps_its_agents_and_takes_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_version(3, folder.path());
    let old = Connection::open(&path).unwrap();
    let insert = "INSERT INTO agent (id, phase, state, seq, priority, bytes, body) \
        VALUES ('ann', 'kept', 'idle', 0, 0, 0, '{}')";
    old.execute(insert, []).unwrap();
    old.close().unwrap();
    let mut store = longhaul_store::open(&path).unwrap();
    assert_whole(&mut store);
    assert!(ask(&mut store, |tx| tx.load(Table::Agent, "ann")).is_some());
    let due = Row { due_at: Some(at(5)), ..Row::kept("sess".into(), "{}".into()) };
    let run = |number: u32| {
        let parent = Some("sess".to_owned());
        Row { parent, ..Row::kept(format!("sess/{number}"), "{}".into()) }
    };
    step(&mut store, |tx| {
        tx.save(Table::Session, &due, true)?;
        tx.save(Table::Feed, &run(2), true)?;
        tx.save(Table::Feed, &run(1), true)
    })
    .unwrap();
    assert_eq!(ask(&mut store, |tx| tx.next_due(&host(1))), Some(at(5)));
    assert_eq!(ask(&mut store, |tx| tx.children(Table::Feed, "sess", "", 9)), ["sess/1", "sess/2"]);
    assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
    assert_eq!(backups(&path).unwrap(), [folder.path().join("state.db.before-v4")]);
}

#[test]
fn every_table_comes_out_of_a_database_and_goes_into_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut store = longhaul_store::open(&path).unwrap();
    let row = |table: Table| match table {
        Table::Feed => Row { parent: Some("s".into()), ..Row::kept("s/1".into(), "{}".into()) },
        Table::Delivery => {
            let outcome = Some("dead".to_owned());
            Row { lane: Some("l".into()), outcome, ..job(7, Phase::Ended) }
        }
        Table::Job => job(7, Phase::Ready),
        Table::Environment
        | Table::Dependency
        | Table::Pool
        | Table::Host
        | Table::Sink
        | Table::Owner
        | Table::Presence
        | Table::Agent
        | Table::AgentEnvironment
        | Table::Mail
        | Table::Input
        | Table::Intake
        | Table::Approval
        | Table::Quota
        | Table::Session
        | Table::Credential
        | Table::Token => Row::kept(table.name().to_owned(), "{}".into()),
    };
    step(&mut store, |tx| Table::ALL.iter().try_for_each(|&of| tx.save(of, &row(of), true)))
        .unwrap();
    store.close().unwrap();
    let salvaged = salvage(&path).unwrap();
    let jobs = salvaged.jobs.into_iter().map(|row| (Table::Job, row));
    let rows: Vec<_> = jobs.chain(salvaged.others).collect();
    assert_eq!(rows, Table::ALL.map(|table| (table, row(table))));
    let fresh = folder.path().join("fresh.db");
    assert_eq!(rebuild(&fresh, &rows, &[], salvaged.floor).unwrap(), Vec::<String>::new());
    let mut store = longhaul_store::open(&fresh).unwrap();
    for table in Table::ALL {
        let row = row(table);
        assert_eq!(ask(&mut store, |tx| tx.load(table, &row.id)), Some(row));
    }
    assert_eq!(store.reader().unwrap().dead_deliveries().unwrap(), 1);
}
