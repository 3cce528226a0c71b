//! Lives of the real thing: none may break a law. `LONGHAUL_SIM_LIVES` says how many,
//! `LONGHAUL_SIM_SEED` replays one and prints its story.

use crate::asked::number;
use longhaul_sim::plan::Plan;
use longhaul_sim::shrink;
use longhaul_sim::system::{Honest, System};
use longhaul_sim::tally::Tally;

/// Lives at one host unless somebody says otherwise: as many as every test run has time for.
const LIVES: u64 = 100;

fn honest() -> Box<dyn System> {
    Box::new(Honest)
}

#[expect(clippy::print_stdout, reason = "what the lives came to is for whoever runs them")]
fn lives(hosts: usize, seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let plan = Plan::new(seed, hosts);
        match shrink::run(&plan, &mut Honest, false) {
            Ok(ended) if ended.broken.is_none() => tally.add(&ended.tally),
            Ok(ended) => {
                let broken = ended.broken.expect("the arm above takes the whole ones");
                panic!("{}", shrink::report(&plan, &broken, honest));
            }
            Err(broken) => panic!("{}", shrink::report(&plan, &broken, honest)),
        }
    }
    println!("{hosts} host(s): {tally:#?}");
    tally
}

#[test]
fn lives_at_one_host_hold_every_law() {
    if let Some(seed) = number("LONGHAUL_SIM_SEED") {
        let ended = shrink::run(&Plan::new(seed, 1), &mut Honest, true).expect("no panic");
        println!("{}", ended.trace.lines.unwrap_or_default().join("\n"));
        assert_eq!(ended.broken, None);
        return;
    }
    let count = number("LONGHAUL_SIM_LIVES").unwrap_or(LIVES);
    let tally = lives(1, 0..count);
    assert!(tally.jobs > count * 5 && tally.processes > count * 3, "lives were empty: {tally:?}");
}

#[test]
fn lives_at_two_hosts_hold_every_law() {
    let count = number("LONGHAUL_SIM_LIVES").unwrap_or(LIVES) / 5;
    let tally = lives(2, 1_000_000..1_000_000 + count);
    assert!(tally.jobs > count * 5 && tally.processes > count * 3, "lives were empty: {tally:?}");
}

#[test]
fn seeds_that_once_broke_a_law_hold_now() {
    let seeds = include_str!("../../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in seeds {
        let (seed, hosts) = line.split_once(' ').expect("a seed and a number of hosts");
        let seed = seed.parse().expect("a seed");
        lives(hosts.parse().expect("1 or 2"), std::iter::once(seed));
        count += 1;
    }
    assert!(count > 0, "seeds.txt holds no seed");
}
