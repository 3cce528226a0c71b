//! Makes the script of a failing life small: leaves out whatever it fails without, in ever smaller
//! pieces, then jobs of batches, then each fault of the drivers.

use crate::checkers::Broken;
use crate::life::{Ended, live};
use crate::plan::{Faults, Plan};
use crate::script::{Op, Timed};
use crate::system::System;
use longhaul_store::MemoryStore;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lives tried while shrinking, at most.
const TRIES_MAX: u32 = 2_000;

/// Lives a plan over the memory twin; a panic of what is simulated is a broken law, too.
pub fn attempt(plan: &Plan, system: &mut dyn System, keeps_lines: bool) -> Option<Broken> {
    run(plan, system, keeps_lines).map_or_else(Some, |ended| ended.broken)
}

/// As [`attempt`], with everything that is known of a life that came to its end.
///
/// # Errors
/// The panic, as a broken law.
pub fn run(plan: &Plan, system: &mut dyn System, keeps_lines: bool) -> Result<Ended, Broken> {
    let lived =
        catch_unwind(AssertUnwindSafe(|| live(plan, MemoryStore::new(), system, keeps_lines)));
    lived.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let story = text.unwrap_or("without a word").to_owned();
        Broken { law: "nothing panics", story }
    })
}

/// A plan that breaks the same law and has nothing in it that it could do without.
pub fn shrink(
    plan: &Plan,
    law: &'static str,
    mut new_system: impl FnMut() -> Box<dyn System>,
) -> Plan {
    let mut tries = 0;
    let mut fails = |plan: &Plan| {
        tries += 1;
        tries <= TRIES_MAX
            && attempt(plan, &mut *new_system(), false).is_some_and(|broken| broken.law == law)
    };
    let mut small = plan.clone();
    let mut piece = small.script.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut is_smaller = false;
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
            break;
        }
        piece = (piece / 2).max(1);
    }
    batches(&mut small, &mut fails);
    drivers(&mut small, &mut fails);
    small
}

fn batches(small: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    for index in 0..small.script.len() {
        let mut job = 0;
        loop {
            let mut less = small.clone();
            let Op::Submit(asks) = &mut less.script[index].what else { break };
            if job >= asks.len() || asks.len() == 1 {
                break;
            }
            asks.remove(job);
            if fails(&less) {
                *small = less;
            } else {
                job += 1;
            }
        }
    }
}

fn drivers(small: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    let without: [fn(&mut Faults) -> &mut u64; 7] = [
        |faults| &mut faults.wants_lost,
        |faults| &mut faults.wants_twice,
        |faults| &mut faults.wants_late,
        |faults| &mut faults.reports_lost,
        |faults| &mut faults.reports_twice,
        |faults| &mut faults.reports_late,
        |faults| &mut faults.replies_lost,
    ];
    for part in without {
        let mut less = small.clone();
        *part(&mut less.faults) = 0;
        if fails(&less) {
            *small = less;
        }
    }
}

/// What a person gets to see of a failure: the law, the seed, the smallest script, and its story.
pub fn report(plan: &Plan, broken: &Broken, new_system: impl FnMut() -> Box<dyn System>) -> String {
    let mut new_system = new_system;
    let small = shrink(plan, broken.law, &mut new_system);
    let mut text = format!("seed {} breaks: {}\n{}\n", plan.seed, broken.law, broken.story);
    let (hosts, faults, restarts) = (small.hosts, small.faults, small.restart_at_end);
    let kept = small.jobs_max;
    write!(text, "\n{hosts} host(s), {faults:?}, restarts at the end: {restarts}, keeps {kept}\n")
        .expect("a text takes any text");
    for timed in &small.script {
        writeln!(text, "{}", line(timed)).expect("a text takes any text");
    }
    match run(&small, &mut *new_system(), true) {
        Ok(ended) => {
            text.push_str("\nand then:\n");
            text.push_str(&ended.trace.lines.unwrap_or_default().join("\n"));
        }
        Err(broken) => writeln!(text, "\n{}", broken.story).expect("a text takes any text"),
    }
    text
}

fn line(timed: &Timed) -> String {
    timed.to_string()
}
