//! All automation of this repository: six verbs, one file each.
//!
//! `.ci/run` and people call the same verbs, so what passes here passes there. A new rule becomes
//! a check in `tidy/`, never another verb.

mod bench;
mod fix;
mod fuzz;
mod generate;
mod shell;
mod test;
mod tidy;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <verb>

  test [slow]          everything that must hold; `slow` adds failpoints, root-only tests, 6,000 lives
  tidy                 the rules no compiler checks, part of `test`
  bench [args]         longhaul beside its peers
  fuzz [target] [seed] the simulator, without end
  gen arcp             docs/arcp.md, from the rules and the citations in the code
  fix                  formats, and applies what clippy can repair";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    // Every verb works on the whole repository, from wherever it was called.
    std::env::set_current_dir(shell::root())?;
    let Some((verb, rest)) = args.split_first() else { bail!("no verb\n\n{USAGE}") };
    match verb.as_str() {
        "test" => test::run(rest),
        "tidy" => tidy::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest),
        "gen" => generate::run(rest),
        "fix" => fix::run(rest),
        "help" | "-h" | "--help" => {
            shell::say(USAGE);
            Ok(())
        }
        other => bail!("`{other}` is not a verb\n\n{USAGE}"),
    }
}
