//! Brings a database to the shape that this version knows: numbered SQL files, each in its own
//! transaction, the number of the last one in `user_version`. An existing database is copied before
//! it is changed; a newer one is left alone.

use super::error::{file_error, store_error};
use super::files;
use longhaul_core::port::{StoreError, Table};
use rusqlite::{Connection, TransactionBehavior, backup::Backup};
use std::path::{Path, PathBuf};

/// All migrations, oldest first; the first is number 1. A released one is never changed.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/V0001__first.sql"),
    include_str!("../../migrations/V0002__deliveries.sql"),
    include_str!("../../migrations/V0003__agents.sql"),
    include_str!("../../migrations/V0004__sessions.sql"),
];
/// Copies of the database that are kept, the newest ones.
const BACKUPS_KEPT: usize = 2;
/// Marks the file as ours in SQLite's header, for `file(1)` and against foreign databases: "lngh".
const APPLICATION_ID: i32 = 0x6c6e_6768;

/// Brings the database at `path` up to date, and refuses one that is not ours or is newer.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    apply(connection, path, &MIGRATIONS)
}

fn apply(connection: &mut Connection, path: &Path, all: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(all.len()).expect("migrations are a handful");
    let version: u32 = number(connection, "user_version")?;
    if version > known {
        return Err(StoreError::Newer(format!(
            "the database has version {version}, and this program knows versions up to {known}"
        )));
    }
    refuse_foreign(connection, version)?;
    if version > 0 && version < known {
        back_up(connection, path, known)?;
    }
    for (step, sql) in (1..=known).zip(all).filter(|(step, _)| *step > version) {
        let behavior = TransactionBehavior::Immediate;
        let tx = connection.transaction_with_behavior(behavior).map_err(store_error)?;
        tx.execute_batch(sql).map_err(store_error)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(store_error)?;
        tx.pragma_update(None, "user_version", step).map_err(store_error)?;
        tx.commit().map_err(store_error)?;
        tracing::info!(version = step, "the database was migrated");
    }
    Ok(())
}

/// The version that first had this table.
pub(super) const fn since(table: Table) -> u32 {
    match table {
        Table::Job | Table::Environment | Table::Dependency | Table::Pool | Table::Host => 1,
        Table::Delivery | Table::Sink | Table::Owner | Table::Presence => 2,
        Table::Agent
        | Table::AgentEnvironment
        | Table::Mail
        | Table::Input
        | Table::Intake
        | Table::Approval
        | Table::Quota => 3,
        Table::Session | Table::Feed | Table::Credential | Table::Token => 4,
    }
}

/// The version of a database, as far as that can be read; what cannot is taken for the newest.
pub(super) fn version(connection: &Connection) -> u32 {
    let newest = u32::try_from(MIGRATIONS.len()).expect("migrations are a handful");
    number(connection, "user_version").unwrap_or(newest)
}

fn number<T: rusqlite::types::FromSql>(
    connection: &Connection,
    pragma: &str,
) -> Result<T, StoreError> {
    connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(store_error)
}

/// Refuses a database that some other program made: it has content, but not our mark.
fn refuse_foreign(connection: &Connection, version: u32) -> Result<(), StoreError> {
    let mark: i32 = number(connection, "application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(store_error)?;
    let is_fresh = version == 0 && mark == 0 && tables == 0;
    if is_fresh || mark == APPLICATION_ID {
        return Ok(());
    }
    Err(StoreError::Failed("the file is a database of some other program".into()))
}

/// Copies the database to `<path>.before-v<version>`, whole or not at all, and removes all but the
/// newest copies.
fn back_up(connection: &Connection, path: &Path, version: u32) -> Result<(), StoreError> {
    let unfinished = files::beside(path, ".before-unfinished");
    files::remove_if_there(&unfinished)?;
    files::create_private(&unfinished)?;
    let mut copy = Connection::open(&unfinished).map_err(store_error)?;
    let backup = Backup::new(connection, &mut copy).map_err(store_error)?;
    backup.run_to_completion(i32::MAX, std::time::Duration::ZERO, None).map_err(store_error)?;
    drop(backup);
    copy.close().map_err(|(_, error)| store_error(error))?;
    files::sync(&unfinished)?;
    let finished = files::beside(path, &format!(".before-v{version}"));
    fs_err::rename(&unfinished, &finished).map_err(|error| file_error(&error))?;
    files::sync_folder_of(path)?;
    tracing::info!(backup = %finished.display(), "the database was copied before migrating it");
    let all = backups(path)?;
    for old in all.iter().take(all.len().saturating_sub(BACKUPS_KEPT)) {
        files::remove_if_there(old)?;
    }
    Ok(())
}

/// The copies made of the database at `path` before it was migrated, oldest version first.
pub fn backups(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let prefix = files::beside(path, ".before-v");
    let prefix = prefix.file_name().expect("`beside` gives a file in a folder").to_string_lossy();
    let mut found = Vec::new();
    for entry in fs_err::read_dir(files::folder_of(path)).map_err(|error| file_error(&error))? {
        let entry = entry.map_err(|error| file_error(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let version = name.strip_prefix(&*prefix).and_then(|version| version.parse::<u32>().ok());
        found.extend(version.map(|version| (version, entry.path())));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [&str; 4] = [
        "CREATE TABLE one (x); INSERT INTO one VALUES (1)",
        "CREATE TABLE two (x)",
        "CREATE TABLE three (x)",
        "CREATE TABLE four (x)",
    ];

    fn database(folder: &Path) -> (PathBuf, Connection) {
        let path = folder.join("state.db");
        let connection = Connection::open(&path).unwrap();
        (path, connection)
    }

    #[test]
    fn an_existing_database_is_copied_before_each_change_and_two_copies_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(folder.path());
        apply(&mut connection, &path, &STEPS[..1]).unwrap();
        assert_eq!(backups(&path).unwrap(), Vec::<PathBuf>::new());
        for known in 2..=4 {
            apply(&mut connection, &path, &STEPS[..known]).unwrap();
        }
        let copies = backups(&path).unwrap();
        let names: Vec<_> = copies.iter().map(|copy| copy.file_name().unwrap()).collect();
        assert_eq!(names, ["state.db.before-v3", "state.db.before-v4"]);
        let copy = Connection::open(&copies[1]).unwrap();
        assert_eq!(number::<u32>(&copy, "user_version").unwrap(), 3);
        let kept: i64 = copy.query_row("SELECT x FROM one", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(folder.path());
        let broken = [STEPS[0], "CREATE TABLE two (x); CREATE TABLE one (x)"];
        assert!(apply(&mut connection, &path, &broken).is_err());
        assert_eq!(number::<u32>(&connection, "user_version").unwrap(), 1);
        let two = connection.query_row("SELECT count(*) FROM two", [], |row| row.get::<_, i64>(0));
        assert!(two.is_err(), "half of a failed migration is there");
        apply(&mut connection, &path, &STEPS).unwrap();
        assert_eq!(number::<u32>(&connection, "user_version").unwrap(), 4);
    }

    #[test]
    fn a_newer_database_is_refused_with_both_versions_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(folder.path());
        apply(&mut connection, &path, &STEPS[..3]).unwrap();
        let refused = apply(&mut connection, &path, &STEPS[..1]).unwrap_err();
        let text = "the database has version 3, and this program knows versions up to 1";
        assert_eq!(refused, StoreError::Newer(text.into()));
        assert_eq!(number::<u32>(&connection, "user_version").unwrap(), 3);
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(folder.path());
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let refused = apply(&mut connection, &path, &STEPS).unwrap_err();
        assert!(refused.to_string().contains("some other program"), "{refused}");
    }
}
