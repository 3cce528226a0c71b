//! `cargo xtask fuzz [target] [seed]`: simulated lives without end, until one breaks a law.

use crate::shell;
use anyhow::Result;

/// Builds the simulator fast but with its assertions on, and hands it every argument.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut words = vec!["run", "--profile", "sim", "--package", "longhaul-sim"];
    words.extend(["--example", "fuzz", "--"]);
    words.extend(args.iter().map(String::as_str));
    shell::cargo(&words, &[])
}
