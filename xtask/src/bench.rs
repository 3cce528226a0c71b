//! `cargo xtask bench [args]`: longhaul beside its peers, as users get it.

use crate::shell;
use anyhow::Result;

/// Builds the benchmark with the release profile and hands it every argument.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut words = vec!["run", "--release", "--package", "longhaul-bench", "--"];
    words.extend(args.iter().map(String::as_str));
    shell::cargo(&words, &[])
}
