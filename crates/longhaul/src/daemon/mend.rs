//! Looks a home's store over, and puts a damaged one aside, while no daemon runs. Nothing is thrown
//! away: what could be read of it lies beside it as JSON lines, and attempt folders stay.

use super::DaemonError;
use super::lock::HomeLock;
use crate::clock::wall_now;
use crate::home::Home;
use longhaul_core::port::{Store, StoreError};
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

/// Puts the store of the home at `path` aside if it is damaged, and gives what was done, a line
/// each; nothing for a sound one. The next daemon begins with an empty store.
///
/// # Errors
/// As for [`inspect`]; what was begun stays where it is.
pub fn repair(path: &Path) -> Result<Vec<String>, DaemonError> {
    let home = Home::open(path)?;
    let _lock = HomeLock::take(&home)?;
    if look_over(&home)?.is_empty() {
        return Ok(Vec::new());
    }
    let aside = home.path().join(format!("damaged-{}", wall_now().as_millis()));
    let mut done = Vec::new();
    // Reading comes first: moving must not be what loses it.
    let salvaged = match longhaul_store::salvage(&home.db()) {
        Ok(salvaged) => Some(salvaged),
        Err(error) => {
            done.push(format!("nothing could be read of the damaged store: {error}"));
            None
        }
    };
    let moved = longhaul_store::quarantine(&home.db(), &aside)?;
    done.push(format!("put {} files of the store aside into {}", moved.len(), aside.display()));
    if let Some(salvaged) = salvaged {
        let file = aside.join("salvaged.jsonl");
        save(&file, &salvaged).map_err(|source| DaemonError::io(&file, source))?;
        done.push(format!(
            "saved {} jobs and {} journal entries as JSON lines in {}",
            salvaged.jobs.len(),
            salvaged.events.len(),
            file.display()
        ));
    }
    Ok(done)
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
