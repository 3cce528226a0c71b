//! Starting other programs, and speaking to the person who called us.
//!
//! The only place in xtask that prints or reads the clock.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The repository's top folder.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies one folder below the top").to_owned()
}

/// Prints one line for a person to read.
#[expect(clippy::print_stdout, reason = "xtask's one voice")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints one line on stderr.
#[expect(clippy::print_stderr, reason = "xtask's one voice")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// Runs cargo with these words and waits for it; its output goes straight through.
///
/// Fails, naming the command, if cargo cannot be started or does not succeed.
pub(crate) fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let shown: String = env.iter().map(|(name, value)| format!("{name}={value} ")).collect();
    let shown = format!("{shown}cargo {}", args.join(" "));
    say(&format!("$ {shown}"));
    let started_at = now();
    let status = Command::new(cargo_path())
        .args(args)
        .envs(env.iter().copied())
        .status()
        .with_context(|| format!("failed to start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    say(&format!("  took {} s", started_at.elapsed().as_secs()));
    Ok(())
}

/// Runs a program and returns what it printed on stdout.
///
/// Fails, with its stderr, if it does not succeed or prints something that is not UTF-8.
pub(crate) fn output_of(program: &str, args: &[&str]) -> Result<String> {
    let shown = format!("{program} {}", args.join(" "));
    let program = if program == "cargo" { cargo_path() } else { program.to_owned() };
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("failed to start `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {}\n{}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` did not print UTF-8"))
}

/// The cargo that started us, so that a toolchain chosen by `+name` stays chosen.
fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is only shown, never decided on"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
