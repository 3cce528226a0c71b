//! Builds core for a target that has no operating system: what compiles there does no I/O.
//!
//! Only where that target is installed; a newcomer is not asked to install it, and `banned_words`
//! holds the line without it.

use crate::shell;
use anyhow::Result;
use std::path::Path;

const TARGET: &str = "wasm32-unknown-unknown";

/// Says which proof was given; fails if core does not build for the bare target.
pub(super) fn prove() -> Result<String> {
    let folder = shell::output_of("rustc", &["--print", "target-libdir", "--target", TARGET])?;
    if !Path::new(folder.trim()).exists() {
        return Ok(format!("core's purity was checked by its words; {TARGET} is not installed"));
    }
    let words = [
        "check",
        "--quiet",
        "--target",
        TARGET,
        "--package",
        "longhaul-core",
        "--package",
        "longhaul-agents",
        "--package",
        "longhaul-arcp",
    ];
    shell::cargo(&words, &[])?;
    Ok(format!("core's purity was checked by its words and by building it for {TARGET}"))
}
