//! Makes the script of a failing life small, and tells what is left of it.

use super::life::{Broken, Life, Tally};
use super::plan::Plan;
use crate::system::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lives tried while shrinking, at most.
const TRIES_MAX: u32 = 600;
/// Lines of the story that are told, and characters of each.
const LINES_MAX: usize = 120;
const LINE_MAX: usize = 360;

/// Lives a plan; a panic of what is simulated is a broken law, too.
///
/// # Errors
/// The first law that was broken.
pub fn attempt(plan: &Plan, system: &mut dyn System) -> Result<Tally, Broken> {
    let lived = catch_unwind(AssertUnwindSafe(|| Life::play(plan, system)));
    lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("without a word").to_owned();
        Err(Broken { law: "nothing panics", what })
    })
}

/// What a person gets to see of a failure: the law, the seed, the smallest script, and its story.
pub fn report(
    plan: &Plan,
    broken: &Broken,
    mut new_system: impl FnMut() -> Box<dyn System>,
) -> String {
    let small = shrink(plan, broken.law, &mut new_system);
    let told = catch_unwind(AssertUnwindSafe(|| Life::tell(&small, &mut *new_system())));
    let (story, ended) = told.unwrap_or_else(|_| (Vec::new(), Err(broken.clone())));
    let script: Vec<String> =
        small.script.iter().map(|timed| format!("{:>8} {:?}", timed.at, timed.what)).collect();
    let last = story.len().saturating_sub(LINES_MAX);
    let story: Vec<String> =
        story[last..].iter().map(|line| line.chars().take(LINE_MAX).collect()).collect();
    format!(
        "seed {} with {} host(s) breaks: {}\n{}\n\n{}\n\nand then:\n{}\n\n{ended:?}\n",
        plan.seed,
        plan.hosts,
        broken.law,
        broken.what,
        script.join("\n"),
        story.join("\n"),
    )
}

fn shrink(
    plan: &Plan,
    law: &'static str,
    new_system: &mut impl FnMut() -> Box<dyn System>,
) -> Plan {
    let mut tries = 0;
    let mut fails = |plan: &Plan| {
        tries += 1;
        let broken =
            if tries <= TRIES_MAX { attempt(plan, &mut *new_system()).err() } else { None };
        broken.is_some_and(|broken| broken.law == law)
    };
    let mut small = plan.clone();
    let faultless = Plan { is_faulty: false, ..small.clone() };
    if fails(&faultless) {
        small = faultless;
    }
    let mut piece = small.script.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut is_smaller) = (0, false);
        while from < small.script.len() {
            let mut less = small.clone();
            less.script.drain(from..(from + piece).min(small.script.len()));
            if fails(&less) {
                (small, is_smaller) = (less, true);
            } else {
                from += piece;
            }
        }
        if piece == 1 && !is_smaller {
            return small;
        }
        piece = (piece / 2).max(1);
    }
}
