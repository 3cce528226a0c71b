//! `cargo xtask tidy`: the rules no compiler checks, as tests of the repository itself.
//!
//! The repository is read once (`repo.rs`); a check is a pure function from it to violations, so
//! each is tested below itself on a small repository made up for the purpose. To add a rule, add a
//! file and a line in `CHECKS`.

pub(crate) mod arcp;
mod attributes;
mod banned_words;
mod ceilings;
mod crate_directions;
mod decisions;
mod errors_page;
mod items;
mod limits;
mod markers;
mod module_directions;
mod names;
mod paths;
mod purity;
mod repo;
mod scenarios;
mod sleeps;
mod source;
mod suites;
mod text;
mod titles;
mod unsafe_code;
pub(crate) mod workspace;

use crate::shell;
use anyhow::{Result, bail, ensure};
use repo::{Repo, Violation};

/// A rule: its name as printed, and what finds its violations.
type Check = (&'static str, fn(&Repo) -> Vec<Violation>);

const CHECKS: &[Check] = &[
    ("files and functions stay small", ceilings::check),
    ("modules import downwards", module_directions::check),
    ("crates depend downwards", crate_directions::check),
    ("core knows no vendor, protocol or clock; adapters no clock", banned_words::check),
    ("unsafe only in the shim", unsafe_code::check),
    ("no allow, no ignore", attributes::check),
    ("tests do not sleep", sleeps::check),
    ("no unfinished-work markers, no paths of one machine", markers::check),
    ("text is clean and files are small", text::check),
    ("one title a page", titles::check),
    ("decisions are numbered and listed", decisions::check),
    ("names say what a thing does", names::check),
    ("limits are documented and used", limits::check),
    ("every suite is declared", suites::check),
    ("every refusal has its page", errors_page::check),
    ("every scenario is tested or answered", scenarios::check),
    ("every rule of the protocol is kept and tested", arcp::check),
];

/// Runs every check, prints each violation as `path:line: message`, and fails if there was one.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`tidy` takes no arguments");
    let repo = Repo::read()?;
    let mut failed = 0;
    for (name, check) in CHECKS {
        let violations = check(&repo);
        for violation in &violations {
            shell::say(&violation.to_string());
        }
        if !violations.is_empty() {
            shell::say(&format!("FAILED: {name}"));
            failed += 1;
        }
    }
    shell::say(&format!("note: {}", purity::prove()?));
    shell::say(&format!("{} passed, {failed} failed", CHECKS.len() - failed));
    if failed > 0 {
        bail!("tidy found violations");
    }
    Ok(())
}
