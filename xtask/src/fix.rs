//! `cargo xtask fix`: repairs what a tool can repair.

use crate::shell;
use anyhow::{Result, ensure};

/// Applies clippy's own repairs, then formats what they left.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`fix` takes no arguments");
    // The tree is usually dirty when somebody asks for this; git is the way back.
    let clippy =
        ["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"];
    shell::cargo(&clippy, &[])?;
    shell::cargo(&["fmt", "--all"], &[])
}
