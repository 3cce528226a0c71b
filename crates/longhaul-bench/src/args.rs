//! The options.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Measures longhaul beside its peers, on this machine, now.
#[derive(Debug, Parser)]
#[command(name = "longhaul-bench", version)]
pub(crate) struct Args {
    /// What to measure; everything if nothing is named
    pub(crate) scenarios: Vec<Scenario>,
    /// The longhaul binary; else the release binary beside this one, built first
    #[arg(long, value_name = "PATH")]
    pub(crate) longhaul: Option<PathBuf>,
    /// Where all state goes, on the disk to be measured; else a folder beside this binary
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Where to look for peers before PATH
    #[arg(long, value_name = "DIR")]
    pub(crate) peer_dir: Vec<PathBuf>,
    /// Install the peers that are missing (cargo install, apt-get install)
    #[arg(long)]
    pub(crate) install_peers: bool,
    /// Rounds of whole processes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Jobs in the deepest queue and the longest list
    #[arg(long, default_value_t = 100_000, value_name = "JOBS")]
    pub(crate) depth: usize,
    /// What a writing job writes
    #[arg(long, default_value = "1G", value_name = "SIZE", value_parser = bytes)]
    pub(crate) bytes: u64,
    /// A program beside which `ephemeral` is measured: is given a number of jobs as its last word,
    /// runs as many that do nothing until all are told, and prints its milliseconds
    #[arg(long, value_name = "COMMAND")]
    pub(crate) ephemeral_peer: Option<String>,
    /// Append one ledger line (JSON) to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A user's sentence that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// How fast is a job durable?
    Submit,
    /// What does it cost to run something through longhaul?
    RunTrue,
    /// How many small jobs get done in a second?
    Noop,
    /// Does a long queue slow me down?
    Queue,
    /// Does a long history?
    List,
    /// Does my job write slower?
    Output,
    /// The daemon was killed: when is all watched again?
    Rewatch,
    /// What does it hold in memory?
    Memory,
    /// What does it cost while nothing happens?
    Idle,
    /// My job ended: when does my webhook know?
    Webhook,
    /// My job ended: when does my `wait` return?
    Wait,
    /// Some sinks hang: do the others wait for them?
    Sinks,
    /// A thousand notices wait for another try: what does it cost?
    Backoff,
    /// What does a job inside my program cost?
    Ephemeral,
    /// What does a turn cost beside the bare CLI?
    Turn,
    /// How fast is what an agent says safe, and what does that cost?
    Ingest,
    /// Fifty agents speak at once: when does whoever follows them know?
    Fifty,
    /// How fast is mail sent, and how fast listed?
    Mail,
    /// An agent says a gibibyte: what does that cost in memory?
    Gib,
    /// My agent asks before each tool call: how long does it wait?
    Hook,
    /// My clients come over a WebSocket: what do jobs, events and silence cost?
    Sessions,
}

/// Reads `64K`, `10M`, `1G` or plain bytes.
pub(crate) fn bytes(text: &str) -> Result<u64> {
    let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, ""),
    };
    let shift = match unit {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => 0,
    };
    let count: u64 = digits.parse().with_context(|| format!("not a size: `{text}`"))?;
    count.checked_mul(1 << shift).with_context(|| format!("too large: `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_product_reads_them() {
        let read = ["5", "64K", "10M", "1G"].map(|text| bytes(text).unwrap());
        assert_eq!(read, [5, 65_536, 10_485_760, 1_073_741_824]);
        assert!(bytes("x").is_err() && bytes("").is_err() && bytes("99999999999999G").is_err());
    }
}
