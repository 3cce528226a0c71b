//! Lives of sessions. `LONGHAUL_SIM_LIVES` says how many, `LONGHAUL_SIM_SESSIONS` replays one seed.

use crate::asked::number;
use longhaul_core::port::Store;
use longhaul_sim::sessions::{Broken, Life, Tally};
use longhaul_sim::system::{Honest, System};
use longhaul_store::MemoryStore;

/// Lives without a mutant.
const LIVES: u64 = 120;

fn live(seed: u64, system: &mut dyn System) -> Result<Tally, Broken> {
    Life::play(seed, Box::new(MemoryStore::new()), system)
}

#[test]
fn lives_of_sessions_keep_every_law() {
    if let Some(seed) = number("LONGHAUL_SIM_SESSIONS") {
        let tally = live(seed, &mut Honest).unwrap_or_else(|broken| panic!("{broken:#?}"));
        assert!(tally.opened > 0, "{tally:?}");
        return;
    }
    let mut all = Tally::default();
    // A life of sessions costs as much as four others.
    for seed in 0..number("LONGHAUL_SIM_LIVES").map_or(LIVES, |lives| lives / 4) {
        let tally = live(seed, &mut Honest).unwrap_or_else(|broken| panic!("{broken:#?}"));
        if seed % 50 == 0 {
            assert_eq!(live(seed, &mut Honest).as_ref(), Ok(&tally), "a seed is one life");
        }
        all.add(&tally);
    }
    // A law that nothing happens to holds for nothing.
    assert_eq!(all.missing(), [""; 0], "{all:#?}");
}

#[test]
fn sessions_over_memory_and_over_sqlite_are_the_same() {
    for seed in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = longhaul_store::open(&folder.path().join("longhaul.db")).expect("a database");
        let store: Box<dyn Store> = Box::new(sqlite);
        let over_sqlite = Life::play(seed, store, &mut Honest);
        assert!(over_sqlite.is_ok(), "{over_sqlite:?}");
        assert_eq!(over_sqlite, live(seed, &mut Honest), "seed {seed}");
    }
}
