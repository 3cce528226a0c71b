//! A damaged store is found at open and never emptied silently; what can be read comes out.

use crate::sample::{event, insert, job, job_id, step};
use longhaul_core::port::{Filter, Phase, Position, Row, Store, StoreError, Table};
use longhaul_store::{is_replacing, quarantine, rebuild, replace, salvage};
use std::path::{Path, PathBuf};

const JOBS: u64 = 400;

/// A store with many jobs and entries, closed cleanly.
fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("state.db");
    let mut store = longhaul_store::open(&path).unwrap();
    let body = |number| format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(1_500));
    let jobs: Vec<Row> =
        (1..=JOBS).map(|number| Row { body: body(number), ..job(number, Phase::Ready) }).collect();
    insert(&mut store, &jobs);
    let events: Vec<_> = (1..=JOBS).map(|number| event(number, 1)).collect();
    step(&mut store, |tx| tx.append(&events)).unwrap();
    store.close().unwrap();
    path
}

fn is_found(path: &Path) -> bool {
    matches!(longhaul_store::open(path), Err(StoreError::Corrupt(_)))
}

fn shorten(path: &Path, bytes: u64) {
    fs_err::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_database_that_is_gone_or_empty_is_found_and_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    shorten(&path, 0);
    assert!(is_found(&path));
    assert!(is_found(&path), "the first look changed something");
    fs_err::remove_file(&path).unwrap();
    assert!(is_found(&path));
    assert!(!path.exists());
}

#[test]
fn a_database_cut_short_anywhere_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let whole = fs_err::metadata(&path).unwrap().len();
    for bytes in [whole - 1, whole - 4_096, whole / 2, 4_096, 4_095, 100, 99, 15, 1] {
        shorten(&path, bytes);
        assert!(is_found(&path), "cut to {bytes} of {whole} bytes");
    }
}

#[test]
fn garbage_and_a_database_swapped_for_another_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let other = tempfile::tempdir().unwrap();
    fs_err::copy(filled(other.path()), &path).unwrap();
    assert!(is_found(&path), "another store passed for this one");
    fs_err::write(&path, b"garbage ".repeat(1_000)).unwrap();
    assert!(is_found(&path));
}

#[test]
fn a_wal_without_its_database_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    fs_err::write(folder.path().join("state.db-wal"), "something").unwrap();
    assert!(is_found(&path));
}

#[test]
fn pages_overwritten_are_found_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    overwrite(&path, 20, 30);
    // A WAL that was not put away is what a crash leaves.
    fs_err::write(folder.path().join("state.db-wal"), "").unwrap();
    assert!(is_found(&path));
}

/// Writes garbage over some pages.
fn overwrite(path: &Path, from_page: usize, to_page: usize) {
    let mut bytes = fs_err::read(path).unwrap();
    bytes[from_page * 4_096..to_page * 4_096].fill(0xa5);
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn quarantine_takes_everything_and_a_new_store_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    shorten(&path, 100);
    let into = folder.path().join("damaged");
    let moved = quarantine(&path, &into).unwrap();
    assert_eq!(moved, [into.join("state.db"), into.join("state.db.born")]);
    longhaul_store::open(&path).unwrap().close().unwrap();
    // A second one does not overwrite the first, and moves nothing.
    assert!(matches!(quarantine(&path, &into), Err(StoreError::Failed(_))));
    assert!(path.exists());
    assert_eq!(fs_err::metadata(into.join("state.db")).unwrap().len(), 100);
}

#[test]
fn everything_comes_out_of_a_whole_database() {
    let folder = tempfile::tempdir().unwrap();
    let salvaged = salvage(&filled(folder.path())).unwrap();
    assert_eq!(salvaged.jobs.len() as u64, JOBS);
    assert_eq!(salvaged.events.len() as u64, JOBS);
    assert_eq!((salvaged.jobs_unread, salvaged.events_unread), (0, 0));
    assert_eq!(salvaged.damage, Vec::<String>::new());
}

#[test]
fn what_was_only_in_the_wal_comes_out_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let mut store = longhaul_store::open(&path).unwrap();
    insert(&mut store, &[job(JOBS + 1, Phase::Ready)]);
    let crashed = tempfile::tempdir().unwrap();
    for name in ["state.db", "state.db-wal"] {
        fs_err::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let salvaged = salvage(&crashed.path().join("state.db")).unwrap();
    assert_eq!(salvaged.jobs.len() as u64, JOBS + 1);
}

#[test]
fn what_lies_on_both_sides_of_the_damage_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let whole = fs_err::metadata(&path).unwrap().len();
    let middle = usize::try_from(whole / 4_096 / 2).unwrap();
    overwrite(&path, middle, middle + 2);
    let salvaged = salvage(&path).unwrap();
    assert!(!salvaged.damage.is_empty());
    let count = salvaged.jobs.len() as u64;
    assert!((JOBS * 8 / 10..JOBS).contains(&count), "{count} of {JOBS} jobs came out");
    assert_eq!(salvaged.jobs[0].id, job_id(1));
    assert_eq!(salvaged.jobs.last().unwrap().id, job_id(JOBS));
}

#[test]
fn a_database_cut_in_half_still_gives_its_first_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    shorten(&path, fs_err::metadata(&path).unwrap().len() / 2);
    let salvaged = salvage(&path).unwrap();
    assert!(!salvaged.damage.is_empty());
    assert!(!salvaged.jobs.is_empty(), "{:?}", salvaged.damage);
    fs_err::write(&path, "no database at all").unwrap();
    let salvaged = salvage(&path).unwrap();
    assert!(salvaged.jobs.is_empty() && !salvaged.damage.is_empty());
}

/// Salvages, and builds a new store of it beside the damaged one.
fn rebuilt(folder: &Path, path: &Path) -> PathBuf {
    let salvaged = salvage(path).unwrap();
    let fresh = folder.join("fresh.db");
    let rows: Vec<_> = salvaged.jobs.into_iter().map(|row| (Table::Job, row)).collect();
    let events: Vec<_> = salvaged.events;
    assert_eq!(rebuild(&fresh, &rows, &events, salvaged.floor).unwrap(), Vec::<String>::new());
    fresh
}

#[test]
fn a_rebuilt_store_has_what_was_read_and_uses_no_position_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let middle = usize::try_from(fs_err::metadata(&path).unwrap().len() / 4_096 / 2).unwrap();
    overwrite(&path, middle, middle + 2);
    let fresh = rebuilt(folder.path(), &path);
    let into = folder.path().join("damaged");
    assert!(!is_replacing(&path, &fresh).unwrap());
    assert!(replace(&path, &fresh, &into).unwrap().contains(&into.join("state.db")));
    let mut store = longhaul_store::open(&path).unwrap();
    let mut reader = store.reader().unwrap();
    assert!(reader.load(Table::Job, &job_id(JOBS)).unwrap().is_some());
    let events = reader.events(None, Position(0), 1_000).unwrap();
    assert_eq!(events.last().unwrap().position, Position(JOBS));
    let next = step(&mut store, |tx| tx.append(&[event(1, 2)])).unwrap();
    assert!(next.0 > JOBS, "{next} was used before");
}

#[test]
fn a_replacing_cut_off_anywhere_never_passes_for_an_empty_store_and_is_finished() {
    // Before the marker, before the old files, before the new one is in place.
    for cut in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path());
        overwrite(&path, 20, 22);
        let fresh = rebuilt(folder.path(), &path);
        if cut >= 1 {
            fs_err::rename(folder.path().join("fresh.db.born"), marker(&path)).unwrap();
            assert!(is_found(&path), "cut at {cut}");
        }
        if cut >= 2 {
            fs_err::remove_file(&path).unwrap();
            assert!(is_found(&path), "cut at {cut}");
        }
        assert_eq!(is_replacing(&path, &fresh).unwrap(), cut >= 1, "cut at {cut}");
        replace(&path, &fresh, &folder.path().join("damaged")).unwrap();
        let store = longhaul_store::open(&path).unwrap();
        assert_eq!(store.reader().unwrap().list(&Filter::default(), None, 1).unwrap().len(), 1);
    }
}

fn marker(path: &Path) -> PathBuf {
    path.with_extension("db.born")
}
