//! One history, every store, the same answers. Each case in `rows`, `scans` and `journal` is given a
//! way to make an empty store and is run on all of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod journal;
mod rows;
mod sample;
mod scans;

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
