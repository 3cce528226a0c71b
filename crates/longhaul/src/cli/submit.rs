//! `longhaul submit`: hands jobs in and gives their ids once they are durable.

use super::error::{CliError, Leave};
use super::options::JobOptions;
use super::submission::Submission;
use super::{Caller, batch};
use std::path::PathBuf;

/// Submit a job and print its id once it is durable
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "longhaul submit [OPTIONS] -- CMD [ARG]...\n       longhaul submit --batch FILE|-"
)]
#[command(after_help = "Examples:
  longhaul submit --name nightly --timeout 2h -- make test
  longhaul submit --after build --lane deploy -- ./deploy.sh
  longhaul submit --batch jobs.jsonl

A line of a batch is a job spec in JSON, such as {\"command\":[\"make\",\"test\"],\"timeout\":\"10m\"}. \
`cwd` is the current directory and the environment the caller's unless the line says otherwise. All \
jobs of a batch are accepted or none; ids are printed in order.")]
pub(super) struct Submit {
    /// Read one job spec a line from a file, or from stdin with `-`; submits all or none
    #[arg(long, value_name = "FILE|-", conflicts_with = "command")]
    batch: Option<PathBuf>,
    #[command(flatten)]
    options: JobOptions,
    /// What to run
    #[arg(value_name = "CMD", trailing_var_arg = true, required_unless_present = "batch")]
    command: Vec<String>,
}

impl Submit {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        if let Some(file) = &self.batch {
            if self.options != JobOptions::default() {
                return Err(CliError::usage("`--batch` takes no options of a job beside it")
                    .hint("each line of the batch says what its job shall be"));
            }
            return batch::submit(file, caller).await;
        }
        let submission = Submission::prepare(&self.options, self.command, caller)?;
        let client = caller.client().await?;
        let submitted = submission.hand_in(&client, caller).await?;
        if caller.output.json {
            caller.output.value(&submitted.job)?;
        } else {
            caller.output.line(&submitted.job.id)?;
        }
        if !submitted.created {
            caller.output.note("the job was there already: same key, same spec");
        }
        Ok(Leave::OK)
    }
}
