//! What opening, closing and crashing leave on disk.

use crate::sample::{ask, change, event, insert, job, job_id, step};
use longhaul_core::port::{Phase, Position, Row, Store, StoreError, Table};
use longhaul_store::SqliteStore;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn store_in(folder: &Path) -> (PathBuf, SqliteStore) {
    let path = folder.join("state.db");
    let store = longhaul_store::open(&path).unwrap();
    (path, store)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_file_is_private_and_a_clean_close_leaves_two() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut store) = store_in(folder.path());
    insert(&mut store, &[job(1, Phase::Ready)]);
    assert_eq!(names(folder.path()).len(), 4);
    for name in names(folder.path()) {
        let mode = fs_err::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().unwrap();
    assert_eq!(names(folder.path()), ["state.db", "state.db.born"]);
    fs_err::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let mut store = longhaul_store::open(&path).unwrap();
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ask(&mut store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1)]);
}

#[test]
fn what_was_committed_is_there_after_a_kill_and_what_was_not_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    insert(&mut store, &[job(1, Phase::Ready)]);
    change(&mut store, &job(1, Phase::Active)).unwrap();
    step(&mut store, |tx| tx.append(&[event(1, 1)])).unwrap();
    // What a kill leaves is what is on disk in the middle of a transaction.
    let mut tx = store.begin().unwrap();
    tx.save(Table::Job, &job(2, Phase::Ready), true).unwrap();
    let killed = tempfile::tempdir().unwrap();
    for name in names(folder.path()) {
        fs_err::copy(folder.path().join(&name), killed.path().join(&name)).unwrap();
    }
    drop(tx);
    drop(store);
    let mut store = longhaul_store::open(&killed.path().join("state.db")).unwrap();
    assert_eq!(ask(&mut store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1)]);
    assert_eq!(ask(&mut store, |tx| tx.load(Table::Job, &job_id(1))), Some(job(1, Phase::Active)));
    assert_eq!(ask(&mut store, |tx| tx.head()), Position(1));
}

#[test]
fn a_first_start_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    fs_err::write(&path, "").unwrap();
    longhaul_store::open(&path).unwrap().close().unwrap();
    // Killed after the database was made and before its marker was.
    fs_err::remove_file(folder.path().join("state.db.born")).unwrap();
    longhaul_store::open(&path).unwrap().close().unwrap();
    assert_eq!(names(folder.path()), ["state.db", "state.db.born"]);
}

#[test]
fn a_symbolic_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = store_in(folder.path());
    store.close().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(longhaul_store::open(&link), Err(StoreError::Failed(_))));
    // A folder above may be one: that is the user's own arrangement.
    let home = folder.path().join("home");
    std::os::unix::fs::symlink(folder.path(), &home).unwrap();
    let store = longhaul_store::open(&home.join("state.db")).unwrap();
    store.open_reader().unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = store_in(folder.path());
    store.close().unwrap();
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let text = "the database has version 99, and this program knows versions up to 4";
    let refused = longhaul_store::open(&path).unwrap_err();
    assert_eq!(refused, StoreError::Newer(text.into()));
    let same = rusqlite::Connection::open(&path).unwrap();
    let version: u32 = same.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_full_disk_is_told_apart_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    insert(&mut store, &[job(1, Phase::Ready)]);
    // SQLite reports a database that may not grow in the same way as a disk that is full.
    store.limit_pages(1).unwrap();
    let big = Row { body: format!("\"{}\"", "x".repeat(1 << 20)), ..job(2, Phase::Ready) };
    let refused = step(&mut store, |tx| tx.save(Table::Job, &big, true)).unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(ask(&mut store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1)]);
    store.limit_pages(u32::MAX).unwrap();
    insert(&mut store, &[big]);
    assert_eq!(ask(&mut store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1), job_id(2)]);
}

#[test]
fn another_writer_is_kept_out_while_a_transaction_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut store) = store_in(folder.path());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    let tx = store.begin().unwrap();
    let busy = other.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(busy.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    tx.commit().unwrap();
}

#[test]
fn the_wal_is_put_away_by_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    insert(&mut store, &[job(1, Phase::Ready)]);
    let done = store.checkpoint().unwrap();
    assert!(done.pages > 0 && done.moved == done.pages, "{done:?}");
}

#[test]
fn the_wal_stays_bounded_however_much_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    let wal = folder.path().join("state.db-wal");
    let (mut written, mut largest) = (0, 0);
    let body = format!("\"{}\"", "x".repeat(100_000));
    for number in 1..=100 {
        let rows: Vec<Row> = (number * 10..number * 10 + 10)
            .map(|number| Row { body: body.clone(), ..job(number, Phase::Ready) })
            .collect();
        insert(&mut store, &rows);
        written += 1_000_000;
        largest = largest.max(fs_err::metadata(&wal).unwrap().len());
    }
    assert!(largest < 24 * 1_024 * 1_024, "{written} bytes of rows made a WAL of {largest}");
}

#[test]
fn closing_with_a_reader_open_still_leaves_everything_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    insert(&mut store, &[job(1, Phase::Ready)]);
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.head().unwrap(), Position(0));
    store.close().unwrap();
    assert_eq!(fs_err::metadata(folder.path().join("state.db-wal")).unwrap().len(), 0);
    assert_eq!(reader.ids(Table::Job, "", 9).unwrap(), [job_id(1)]);
}

/// Where secrets are.
const SECRET: [Table; 2] = [Table::Environment, Table::AgentEnvironment];

#[test]
fn a_removed_environment_is_overwritten_in_the_file() {
    for table in SECRET {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut store) = store_in(folder.path());
        let secret = "s3cr3t-".repeat(1_000);
        let row = Row::kept(job_id(1), format!("{{\"TOKEN\":\"{secret}\"}}"));
        step(&mut store, |tx| tx.save(table, &row, true)).unwrap();
        store.checkpoint().unwrap();
        let holds =
            |path: &Path| fs_err::read(path).unwrap().windows(7).any(|bytes| bytes == b"s3cr3t-");
        assert!(holds(&path), "the test looks for the wrong bytes");
        step(&mut store, |tx| tx.remove(table, &row.id)).unwrap();
        store.close().unwrap();
        assert!(!holds(&path));
    }
}

/// Whether the secret stands in any file of a folder.
fn has_secret(folder: &Path) -> bool {
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .into_iter()
        .any(|file| fs_err::read(file).unwrap().windows(7).any(|bytes| bytes == b"s3cr3t-"))
}

#[test]
fn a_removed_environment_leaves_no_trace_beside_the_file_once_erased() {
    for table in SECRET {
        let folder = tempfile::tempdir().unwrap();
        let (_, mut store) = store_in(folder.path());
        let row = Row::kept(job_id(1), "{\"TOKEN\":\"s3cr3t-\"}".to_owned());
        step(&mut store, |tx| tx.save(table, &row, true)).unwrap();
        step(&mut store, |tx| tx.remove(table, &row.id)).unwrap();
        assert!(has_secret(folder.path()), "the test looks for the wrong bytes");
        Store::erase(&mut store).unwrap();
        assert!(!has_secret(folder.path()));
        // The store goes on as before.
        insert(&mut store, &[job(1, Phase::Ready)]);
    }
}

#[test]
fn what_an_agents_environment_held_before_a_change_leaves_no_trace_once_erased() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut store) = store_in(folder.path());
    let old = Row::kept("ann".to_owned(), "{\"TOKEN\":\"s3cr3t-\"}".to_owned());
    let new = Row { body: "{}".to_owned(), ..old.clone() };
    step(&mut store, |tx| tx.save(Table::AgentEnvironment, &old, true)).unwrap();
    step(&mut store, |tx| tx.save(Table::AgentEnvironment, &new, false)).unwrap();
    assert!(has_secret(folder.path()), "the test looks for the wrong bytes");
    Store::erase(&mut store).unwrap();
    assert!(!has_secret(folder.path()));
}
