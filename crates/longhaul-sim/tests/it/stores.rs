//! The same life gives the same trace: lived twice, and over SQLite as over memory.

use longhaul_core::port::Store;
use longhaul_sim::life::live;
use longhaul_sim::plan::Plan;
use longhaul_sim::system::Honest;
use longhaul_store::MemoryStore;

/// The trace of a life, as one number, after seeing that it broke no law.
fn trace<S: Store + 'static>(plan: &Plan, store: S) -> u64 {
    let ended = live(plan, store, &mut Honest, false);
    assert_eq!(ended.broken, None, "seed {}", plan.seed);
    ended.trace.sum()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in (0..300).step_by(50) {
        let again = || trace(&Plan::new(seed, 1), MemoryStore::new());
        assert_eq!(again(), again(), "seed {seed}");
    }
    let of = |seed| trace(&Plan::new(seed, 1), MemoryStore::new());
    assert_ne!(of(0), of(1), "traces say something");
}

#[test]
fn memory_and_sqlite_agree() {
    for seed in 0..24 {
        let plan = Plan::new(seed, if seed % 4 == 0 { 2 } else { 1 });
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = longhaul_store::open(&folder.path().join("longhaul.db")).expect("a database");
        assert_eq!(trace(&plan, sqlite), trace(&plan, MemoryStore::new()), "seed {seed}");
    }
}
