//! Looks a home's store over, and mends a damaged one, while no daemon runs. Nothing is thrown away:
//! what could be read is put back, so that the next daemon finds its jobs and adopts what still
//! runs; the damaged files lie aside, with what was read as JSON lines.

use super::DaemonError;
use super::lock::{self, HomeLock};
use crate::clock::wall_now;
use crate::config::Config;
use crate::home::{Home, make_private};
use longhaul_core::command::Place;
use longhaul_core::port::{Store, StoreError, Table};
use longhaul_core::restore::{Remains, restore};
use longhaul_store::Salvaged;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is wrong with the store of the home at `path`; nothing if it is sound.
///
/// # Errors
/// [`DaemonError::AlreadyRunning`]: ask that daemon. Others: it could not be looked at.
pub fn inspect(path: &Path) -> Result<Vec<String>, DaemonError> {
    let home = Home::open(path)?;
    let _lock = HomeLock::take(&home)?;
    look_over(&home)
}

/// Puts the store of the home at `path` aside if it is damaged, with everything that could be read
/// of it put back into a new one, and gives what was done, a line each; nothing for a sound one.
///
/// # Errors
/// As for [`inspect`]; what was begun stays where it is, and doing it again goes on with it.
pub fn repair(path: &Path) -> Result<Vec<String>, DaemonError> {
    let home = Home::open(path)?;
    let _lock = HomeLock::take(&home)?;
    let (work, aside) = (home.path().join(WORK), home.path().join(aside_name()));
    let fresh = work.join("state.db");
    if longhaul_store::is_replacing(&home.db(), &fresh)? {
        longhaul_store::replace(&home.db(), &fresh, &aside)?;
        remove_work(&work)?;
        return Ok(vec!["finished a repair that was cut off".to_owned()]);
    }
    remove_work(&work)?;
    if look_over(&home)?.is_empty() {
        return Ok(Vec::new());
    }
    // Reading comes first: moving must not be what loses it.
    let salvaged = match longhaul_store::salvage(&home.db()) {
        Ok(salvaged) => salvaged,
        Err(error) => {
            let moved = longhaul_store::quarantine(&home.db(), &aside)?;
            let unread = format!("nothing could be read of the damaged store: {error}");
            return Ok(vec![unread, moved_line(moved.len(), &aside)]);
        }
    };
    make_private(&aside).map_err(|source| DaemonError::io(&aside, source))?;
    make_private(&work).map_err(|source| DaemonError::io(&work, source))?;
    let file = aside.join("salvaged.jsonl");
    save(&file, &salvaged).map_err(|source| DaemonError::io(&file, source))?;
    let mut done = put_back(&home, &fresh, salvaged, &aside)?;
    let moved = longhaul_store::replace(&home.db(), &fresh, &aside)?;
    remove_work(&work)?;
    done.insert(0, moved_line(moved.len(), &aside));
    done.push(format!("what could be read lies as JSON lines in {}", file.display()));
    Ok(done)
}

/// Where a new store is built, in the home, so that putting it in its place is one rename.
const WORK: &str = "mending";
/// Lines about what was left out that are shown; a file has all of them.
const LINES_SHOWN: usize = 20;

fn aside_name() -> String {
    format!("damaged-{}", wall_now().as_millis())
}

fn moved_line(files: usize, aside: &Path) -> String {
    format!("put {files} files of the store aside into {}", aside.display())
}

fn remove_work(work: &Path) -> Result<(), DaemonError> {
    match fs_err::remove_dir_all(work) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DaemonError::io(work, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Builds a new store of what was salvaged at `fresh`, and says what it holds and what it does not.
fn put_back(
    home: &Home,
    fresh: &Path,
    salvaged: Salvaged,
    aside: &Path,
) -> Result<Vec<String>, DaemonError> {
    let unread = (salvaged.jobs_unread, salvaged.events_unread);
    let (floor, damage) = (salvaged.floor, salvaged.damage);
    let jobs = salvaged.jobs.into_iter().map(|row| (Table::Job, row));
    let rows = jobs.chain(salvaged.others).collect();
    let restored = restore(Remains { rows, events: salvaged.events });
    let refused = longhaul_store::rebuild(fresh, &restored.rows, &restored.events, floor)?;
    if !restored.gone.is_empty() || restored.count(Table::Agent) > 0 {
        let mut store = longhaul_store::open(fresh)?;
        let now = wall_now();
        longhaul_core::restore::abandon(&mut store, &place(home)?, &restored.gone, now)?;
        store.close()?;
    }
    let mut done = vec![format!(
        "put back {} jobs, {} environments, {} deliveries, {} agents, {} messages and {} journal entries",
        restored.count(Table::Job),
        restored.count(Table::Environment) + restored.count(Table::AgentEnvironment),
        restored.count(Table::Delivery),
        restored.count(Table::Agent),
        restored.count(Table::Mail),
        restored.events.len()
    )];
    if unread != (0, 0) {
        done.push(format!("{} jobs and {} journal entries were found torn", unread.0, unread.1));
    }
    done.extend(restored.pools_made.iter().map(|pool| {
        format!("pool `{pool}` was lost and has one slot; `longhaul pool set` changes that")
    }));
    let gone = restored.gone.iter().map(|job| format!("{job} is gone, and others waited for it"));
    let refused = refused.into_iter().map(|what| format!("{what} contradicts another"));
    let damage = damage.into_iter().map(|what| format!("a part could not be followed: {what}"));
    let all: Vec<String> = damage.chain(restored.left_out).chain(gone).chain(refused).collect();
    done.extend(all.iter().take(LINES_SHOWN).cloned());
    if all.len() > LINES_SHOWN {
        let file = aside.join("left-out.txt");
        fs_err::write(&file, all.join("\n")).map_err(|source| DaemonError::io(&file, source))?;
        done.push(format!("{} more: {}", all.len() - LINES_SHOWN, file.display()));
    }
    Ok(done)
}

/// Who decides for the jobs that wait in vain, as the daemon itself would.
fn place(home: &Home) -> Result<Place, DaemonError> {
    let config = Config::load(home)?;
    let boot = longhaul_shim::identity::boot_id()
        .map_err(|source| DaemonError::io(Path::new("/proc"), source))?;
    Ok(Place {
        host: lock::host(home)?,
        boot,
        default_slots: config.default_slots,
        retention: config.retention,
        adopt_after: config.adopt_after,
    })
}

fn look_over(home: &Home) -> Result<Vec<String>, DaemonError> {
    // A home without a store is sound, and looking must not make one.
    let is_new = !home.db().exists() && longhaul_store::backups(&home.db())?.is_empty();
    let looked = || longhaul_store::open(&home.db())?.reader()?.check();
    if is_new && !has_remains(home) {
        return Ok(Vec::new());
    }
    match looked() {
        Ok(wrong) => Ok(wrong),
        Err(error @ StoreError::Corrupt(_)) => Ok(vec![error.to_string()]),
        Err(error) => Err(error.into()),
    }
}

/// Whether files lie there that belong to a store whose main file is gone.
fn has_remains(home: &Home) -> bool {
    let db = home.db();
    let name = db.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(home.path()) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&name))
}

fn save(path: &Path, salvaged: &Salvaged) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut file = BufWriter::new(file);
    for job in &salvaged.jobs {
        writeln!(file, "{}", job.body)?;
    }
    for event in &salvaged.events {
        writeln!(file, "{}", event.body)?;
    }
    file.flush()?;
    file.get_ref().sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_store_is_put_aside_and_a_sound_one_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("home");
        let home = Home::open(&path).unwrap();
        assert_eq!(inspect(&path).unwrap(), [""; 0]);
        assert!(!home.db().exists(), "looking made a store");
        drop(longhaul_store::open(&home.db()).unwrap());
        assert_eq!(repair(&path).unwrap(), [""; 0]);
        std::fs::write(home.db(), vec![7; 8_192]).unwrap();
        assert_eq!(inspect(&path).unwrap().len(), 1);
        let done = repair(&path).unwrap();
        assert!(done.iter().any(|line| line.contains("aside")), "{done:?}");
        drop(longhaul_store::open(&home.db()).unwrap());
        assert_eq!(inspect(&path).unwrap(), [""; 0]);
    }
}
