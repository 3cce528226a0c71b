//! One history, every store, the same answers. Each case in `rows`, `scans`, `deliveries`, `journal`,
//! `mail`, `lists` and `whole` is given a way to make an empty store and is run on all of them;
//! `random` plays the same random history on all of them side by side. What only SQLite can get wrong
//! is in `sqlite_*`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod deliveries;
mod fixtures;
mod journal;
mod lists;
mod mail;
mod random;
mod rows;
mod sample;
mod scans;
mod sqlite_damage;
mod sqlite_files;
mod sqlite_rules;
mod sqlite_upgrade;
mod whole;

use longhaul_core::port::Store;
use longhaul_store::MemoryStore;

/// Runs a case against every store.
fn on_every_store(case: impl Fn(&dyn Fn() -> Box<dyn Store>)) {
    case(&|| Box::new(MemoryStore::new()));
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    case(&|| {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}.db", count.get()));
        Box::new(longhaul_store::open(&path).unwrap())
    });
}
