//! Lives without end: `fuzz [seed]`. Stops at the first that breaks a law and prints its script.

use longhaul_sim::plan::Plan;
use longhaul_sim::shrink;
use longhaul_sim::system::Honest;
use longhaul_sim::tally::Tally;
use std::process::ExitCode;

/// Lives between two lines that say how far it is.
const SAY_EVERY: u64 = 1_000;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| word != "sim");
    let first = match words.next().map(|word| word.parse::<u64>()) {
        None => 0,
        Some(Ok(seed)) => seed,
        Some(Err(_)) => {
            eprintln!("usage: fuzz [SEED]");
            return ExitCode::from(2);
        }
    };
    let mut tally = Tally::default();
    for seed in first.. {
        // One in five is lived at two hosts.
        let plan = Plan::new(seed, if seed.is_multiple_of(5) { 2 } else { 1 });
        let broken = match shrink::run(&plan, &mut Honest, false) {
            Ok(ended) => {
                tally.add(&ended.tally);
                ended.broken
            }
            Err(broken) => Some(broken),
        };
        if let Some(broken) = broken {
            eprintln!("{}", shrink::report(&plan, &broken, || Box::new(Honest)));
            return ExitCode::FAILURE;
        }
        if tally.lives.is_multiple_of(SAY_EVERY) {
            println!("seed {seed}: {tally:?}");
        }
    }
    ExitCode::SUCCESS
}
