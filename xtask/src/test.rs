//! `cargo xtask test [slow]`: everything that must hold.
//!
//! `slow` is the merge gate: the same steps, then what needs failpoints and, as root, full disks, what
//! has a longer form, and the simulator at length. Nothing runs twice: a suite takes minutes, and
//! learns nothing from a second run. `.ci/run` passes `--tested` because it has just run the README's
//! own test command.

use crate::tidy::workspace::{self, Package};
use crate::{shell, tidy};
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// Simulated lives in the merge gate. The fast tests choose their own, smaller number.
const LIVES: &str = "6000";

/// Programs that embed longhaul, as the documentation shows them. Each checks what it shows.
const EXAMPLES: &[&str] = &["embed", "embed_durable"];

/// The feature that compiles fault points in; a package opts in by declaring it.
const FAILPOINTS: &str = "failpoints";

/// Tests that go on for longer when `LONGHAUL_TEST_SLOW` is set.
const LONGER: &[&str] = &["daemon_soak::"];

/// The feature that compiles in what mounts a file system of its own and fills it.
const FULL_DISK: &str = "full-disk";

/// Runs every step in order and stops at the first that fails.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut slow = false;
    let mut tested = false;
    for arg in args {
        match arg.as_str() {
            "slow" => slow = true,
            "--tested" => tested = true,
            other => bail!("`test` does not know `{other}`; it takes `slow`"),
        }
    }
    shell::cargo(&["fmt", "--all", "--check"], &[])?;
    clippy(&[])?;
    tidy::run(&[])?;
    if !tested {
        shell::cargo(&["test", "--workspace"], &[])?;
    }
    for example in EXAMPLES {
        shell::cargo(&["run", "--quiet", "--package", "longhaul", "--example", example], &[])?;
    }
    if slow { slow_steps() } else { Ok(()) }
}

fn slow_steps() -> Result<()> {
    let as_root = may_mount(&std::fs::read_to_string("/proc/self/status")?);
    let wanted: &[&str] = if as_root { &[FAILPOINTS, FULL_DISK] } else { &[FAILPOINTS] };
    let features = declared(&workspace::packages()?, wanted);
    if !as_root {
        shell::say("note: mounting is not permitted here, so the full-disk tests were left out");
    }
    if features.is_empty() {
        shell::say("note: no package declares failpoints; the suites run without them");
    }
    let mut chosen = vec!["--workspace", "--test", "it"];
    let plain = listed(&chosen)?;
    if !features.is_empty() {
        chosen.extend(["--features", features.as_str()]);
        // Code behind the feature is seen by no other clippy run.
        clippy(&chosen[3..])?;
    }
    let all = listed(&chosen)?;
    let more = more_than(&plain, &all);
    if more.is_empty() {
        bail!("no test is left for the slow run, though some are longer then: {LONGER:?}");
    }
    let mut words = vec!["test"];
    words.extend(&chosen);
    words.extend(["--", "--exact"]);
    words.extend(more);
    shell::cargo(&words, &[("LONGHAUL_TEST_SLOW", "1")])?;
    let sim = ["test", "--profile", "sim", "--package", "longhaul-sim"];
    shell::cargo(&sim, &[("LONGHAUL_SIM_LIVES", LIVES)])
}

/// The tests that cargo would run, by name.
fn listed(chosen: &[&str]) -> Result<BTreeSet<String>> {
    let mut words = vec!["test", "--quiet"];
    words.extend(chosen);
    words.extend(["--", "--list", "--format", "terse"]);
    Ok(named(&shell::output_of("cargo", &words)?))
}

fn named(list: &str) -> BTreeSet<String> {
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// What is there only with the features, and what is longer in a slow run.
fn more_than<'a>(plain: &BTreeSet<String>, all: &'a BTreeSet<String>) -> Vec<&'a str> {
    let is_longer = |name: &str| LONGER.iter().any(|longer| name.starts_with(longer));
    let more = all.iter().filter(|name| !plain.contains(*name) || is_longer(name));
    more.map(String::as_str).collect()
}

/// Whether we hold CAP_SYS_ADMIN, bit 21: root in a container often does not.
fn may_mount(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << 21) != 0)
}

fn clippy(more: &[&str]) -> Result<()> {
    let mut words = vec!["clippy", "--workspace", "--all-targets"];
    words.extend(more);
    words.extend(["--", "-D", "warnings"]);
    shell::cargo(&words, &[])
}

/// The value of `--features`, asked of the manifests so that nobody has to keep a list here.
fn declared(packages: &[Package], wanted: &[&str]) -> String {
    let mut found = Vec::new();
    for package in packages {
        let features = wanted.iter().filter(|name| package.features.iter().any(|f| f == *name));
        found.extend(features.map(|name| format!("{}/{name}", package.name)));
    }
    found.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, features: &[&str]) -> Package {
        let features = features.iter().map(|&f| f.to_owned()).collect();
        Package { name: name.to_owned(), features, ..Package::default() }
    }

    #[test]
    fn only_packages_that_declare_failpoints_are_asked_for_them() {
        let packages = [
            package("a", &["failpoints", "x"]),
            package("b", &["x"]),
            package("c", &["failpoints"]),
        ];
        assert_eq!(declared(&packages, &[FAILPOINTS]), "a/failpoints,c/failpoints");
        assert_eq!(declared(&packages, &[FAILPOINTS, "x"]), "a/failpoints,a/x,b/x,c/failpoints");
    }

    #[test]
    fn what_ran_already_runs_again_only_where_it_is_longer_then() {
        let plain = named("a::b: test\ndaemon_soak::c: test\nd: benchmark\n\n2 tests\n");
        let all = named("a::b: test\ndaemon_soak::c: test\nfull_disk::e: test\n");
        assert_eq!(more_than(&plain, &all), ["daemon_soak::c", "full_disk::e"]);
        assert!(more_than(&plain, &plain).iter().eq(["daemon_soak::c"].iter()));
    }

    #[test]
    fn full_disks_are_made_only_where_mounting_is_permitted() {
        assert!(may_mount("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_mount("CapEff:\t00000000a80425fb\n"), "a usual container");
        assert!(!may_mount(""));
    }

    #[test]
    fn an_unknown_word_is_refused_before_anything_runs() {
        let error = run(&["fast".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`fast`"), "{error}");
    }
}
