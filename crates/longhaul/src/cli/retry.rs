//! `longhaul retry`: a new job with the spec of an ended one. Its environment was erased with the old
//! one's end, so the caller's takes its place, and what was set on purpose must be set again.

use super::environment::EnvironmentOptions;
use super::error::{CliError, Leave};
use super::{Caller, submission};
use crate::api::{RetryAsk, Variables};
use clap::builder::NonEmptyStringValueParser;

/// Submit an ended job again, as a new job that names the old one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul retry nightly
  longhaul retry job_01K5 --env TOKEN=…

The environment of an ended job is erased: the new one begins with yours, or with a clean one if the \
old job had that. Variables that were set with --env must be given again.")]
pub(super) struct Retry {
    /// Which job
    #[arg(value_name = "JOB", value_parser = NonEmptyStringValueParser::new())]
    job: String,
    #[command(flatten)]
    environment: EnvironmentOptions,
}

impl Retry {
    pub(super) async fn run(mut self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let old = client.job(&self.job).await?;
        let was_clean = old.environment.as_ref().is_some_and(|origin| !origin.inherited);
        self.environment.clean_env |= was_clean && !self.environment.inherit_env;
        let environment = self.environment.resolve(std::env::vars_os())?;
        submission::say_left_out(caller, &environment);
        let ask = RetryAsk {
            id: Some(submission::fresh_id()?),
            base_env: Some(Variables(environment.base)),
            env: Variables(environment.set),
        };
        let submitted = client.retry(&old.id, ask).await?;
        if caller.output.json {
            caller.output.value(&submitted.job)?;
        } else {
            caller.output.line(&submitted.job.id)?;
        }
        Ok(Leave::OK)
    }
}
