//! Lives of agents. `LONGHAUL_SIM_LIVES` says how many, `LONGHAUL_SIM_AGENTS` replays one seed and
//! prints its story.

use crate::asked::number;
use longhaul_sim::agents::{Life, Plan, Tally, attempt, report};
use longhaul_sim::system::{Honest, System};

/// Lives unless somebody says otherwise: as many as every test run has time for.
const LIVES: u64 = 50;
/// Of so many lives one is lived at two hosts.
const TWO_HOSTS_IN: u64 = 4;

/// What happens in some life or other, of all that the laws are about.
const HAPPENS: [&str; 46] = [
    "agents begun anew",
    "agents finished",
    "agents stopped",
    "already_taken",
    "answered",
    "asked about a budget",
    "asked about a call",
    "asked about a limit",
    "asked about silence",
    "budget_warned",
    "calls allowed",
    "calls asked about",
    "calls denied",
    "calls left alone",
    "calls put off",
    "cancelled",
    "conversation_mismatch",
    "conversations resumed",
    "conversations resumed at a call",
    "crashes",
    "deaths after a commit",
    "deaths told",
    "ended: agent failed",
    "ended: budget",
    "ended: host lost",
    "ended: no result",
    "ended: rate limit",
    "ended: resume failed",
    "failed commits",
    "launches called off",
    "lively",
    "lost shims",
    "mail put back",
    "mail read",
    "mail returned",
    "parked",
    "probes",
    "questions allowed",
    "questions denied",
    "questions lapsed",
    "reboots",
    "refused steps",
    "resume_failed",
    "retrying",
    "silent turns told",
    "takings said again",
];

fn honest() -> Box<dyn System> {
    Box::new(Honest)
}

fn plan(seed: u64) -> Plan {
    Plan::new(seed, if seed.is_multiple_of(TWO_HOSTS_IN) { 2 } else { 1 })
}

fn lived(plan: &Plan) -> Tally {
    attempt(plan, &mut Honest).unwrap_or_else(|broken| panic!("{}", report(plan, &broken, honest)))
}

#[test]
fn lives_of_agents_keep_every_law() {
    if let Some(seed) = number("LONGHAUL_SIM_AGENTS") {
        let (story, ended) = Life::tell(&plan(seed), &mut Honest);
        println!("{}", story.join("\n"));
        ended.unwrap_or_else(|broken| panic!("{broken:?}"));
        return;
    }
    let mut all = Tally::new();
    for seed in 0..number("LONGHAUL_SIM_LIVES").unwrap_or(LIVES) {
        let tally = lived(&plan(seed));
        if seed.is_multiple_of(25) {
            assert_eq!(lived(&plan(seed)), tally, "a seed is one life");
        }
        for (what, count) in tally {
            *all.entry(what).or_default() += count;
        }
    }
    println!("{all:#?}");
    // A law that nothing happens to holds for nothing.
    let missing: Vec<&str> =
        HAPPENS.into_iter().filter(|what| all.get(what).is_none_or(|count| *count == 0)).collect();
    assert!(missing.is_empty(), "{missing:?} never happened");
    assert!(all["children"] > 4 * LIVES && all["entries of output"] > 10 * LIVES, "{all:#?}");
}

#[test]
fn seeds_that_once_broke_a_law_of_agents_hold_now() {
    let seeds =
        include_str!("../../seeds_agents.txt").lines().filter(|line| !line.starts_with('#'));
    let count = seeds.inspect(|line| drop(lived(&plan(line.parse().expect("a seed"))))).count();
    assert!(count > 0, "seeds_agents.txt holds no seed");
}
