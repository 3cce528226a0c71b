//! A job that writes, and times itself: only the writing counts, not its start.

use crate::clock::Started;
use crate::{args, bench::Bench};
use anyhow::{Context, Result};
use std::io::Write;
use std::path::Path;

/// The word that makes this binary a writer: `write-bytes SIZE REPORT`.
pub(crate) const WORD: &str = "write-bytes";

const BLOCK_BYTES: usize = 64 << 10;

/// Writes that much to stdout and how many milliseconds it took to the report.
pub(crate) fn work(words: &[String]) -> Result<()> {
    let [size, report] = words else { anyhow::bail!("usage: {WORD} SIZE REPORT") };
    let mut left = args::bytes(size)?;
    let block: Vec<u8> = (b'a'..=b'z').cycle().take(BLOCK_BYTES).collect();
    // Rust's stdout is buffered by lines; the descriptor itself is what jobs write to.
    let mut out = std::fs::File::from(rustix::io::dup(std::io::stdout())?);
    let started = Started::now();
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        out.write_all(&block[..part])?;
        left -= part as u64;
    }
    let took = started.elapsed_ms();
    // By a name of its own first: the reader must never see half a number.
    let unfinished = format!("{report}.unfinished");
    fs_err::write(&unfinished, took.to_string())?;
    fs_err::rename(unfinished, report)?;
    Ok(())
}

/// The words of a writer's command line.
pub(crate) fn command(bench: &Bench, report: &Path) -> Result<Vec<String>> {
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the benchmark's path is not UTF-8")?;
    let report = report.to_str().context("the folder's path is not UTF-8")?;
    Ok([own, WORD, &bench.args.bytes.to_string(), report].map(str::to_owned).to_vec())
}

/// What a writer reported, in milliseconds.
pub(crate) fn reported(report: &Path) -> Result<f64> {
    let text = fs_err::read_to_string(report)?;
    text.parse().with_context(|| format!("a writer reported {text:?}"))
}
