//! Lives of agents: `fuzz_agents [FIRST [COUNT]]`. Says which laws were broken, how often, and where
//! first; the first of all is made small.

use longhaul_sim::agents::{Plan, Tally, attempt, report};
use longhaul_sim::system::Honest;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Lives unless somebody says otherwise.
const COUNT: u64 = 1_000;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| word != "sim");
    let mut number = |usual: u64| match words.next().map(|word| word.parse::<u64>()) {
        None => Some(usual),
        Some(given) => given.ok(),
    };
    let (Some(first), Some(count)) = (number(0), number(COUNT)) else {
        eprintln!("usage: fuzz_agents [FIRST [COUNT]]");
        return ExitCode::from(2);
    };
    let mut tally = Tally::new();
    let mut broken: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let mut story = None;
    for seed in first..first + count {
        let plan = Plan::new(seed, if seed.is_multiple_of(4) { 2 } else { 1 });
        match attempt(&plan, &mut Honest) {
            Ok(one) => {
                one.iter().for_each(|(what, count)| *tally.entry(*what).or_default() += count)
            }
            Err(found) => {
                broken.entry(found.law).or_insert((0, seed)).0 += 1;
                if story.is_none() {
                    story = Some((plan, found));
                }
            }
        }
    }
    println!("{tally:#?}");
    for (law, (times, seed)) in &broken {
        println!("{times:>6} × {law} (first in seed {seed})");
    }
    match story {
        None => ExitCode::SUCCESS,
        Some((plan, found)) => {
            println!("{}", report(&plan, &found, || Box::new(Honest)));
            ExitCode::FAILURE
        }
    }
}
