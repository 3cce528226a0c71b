//! A job that says when it ended, as exactly as a job can: the last thing it does.

use crate::clock;
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

/// The word that makes this binary such a job: `stamp-end REPORT`.
pub(crate) const WORD: &str = "stamp-end";

/// Long enough for whoever submitted the job to begin waiting for it, and for the daemon to have
/// done all that a start leaves to do.
const LIFE: Duration = Duration::from_millis(60);

/// Lives, and writes the moment of its end to the report.
pub(crate) fn work(words: &[String]) -> Result<()> {
    let [report] = words else { anyhow::bail!("usage: {WORD} REPORT") };
    clock::rest(LIFE);
    fs_err::write(report, clock::monotonic_ms().to_string())?;
    Ok(())
}

/// The words of its command line.
pub(crate) fn command(report: &Path) -> Result<[String; 3]> {
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the benchmark's path is not UTF-8")?;
    let report = report.to_str().context("the folder's path is not UTF-8")?;
    Ok([own, WORD, report].map(str::to_owned))
}

/// When the job of this report ended. Only to be asked of one that did.
pub(crate) fn reported(report: &Path) -> Result<f64> {
    let text = fs_err::read_to_string(report)?;
    text.parse().with_context(|| format!("a job reported {text:?}"))
}
