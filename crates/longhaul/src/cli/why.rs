//! `longhaul why`: the scheduler's and the machine's own reasons, in sentences.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::plain;

/// Say why a job waits, runs, was stopped or was retried
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  longhaul why nightly")]
pub(super) struct Why {
    /// Which job
    #[arg(value_name = "JOB")]
    job: String,
}

impl Why {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let why = caller.client().await?.why(&self.job).await?;
        if caller.output.json {
            caller.output.value(&why)?;
            return Ok(Leave::OK);
        }
        let lines: Vec<String> = why.why.iter().map(|sentence| plain(sentence)).collect();
        caller.output.line(&lines.join("\n"))?;
        Ok(Leave::OK)
    }
}
