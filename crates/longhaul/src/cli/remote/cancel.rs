//! `longhaul --url … cancel`: asks a runtime to end jobs.

use super::Asker;
use crate::cli::error::{CliError, Leave};
use crate::cli::output::plain;
use longhaul_arcp::client::Ask;
use serde_json::json;

/// Ask the runtime to end jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp cancel job_01K5 --reason \"wrong branch\"

Returns once the runtime has said that it will; `wait` waits for the end. Some runtimes let only the \
session that asked for a job end it.")]
pub(super) struct Cancel {
    /// Which jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Say why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Cancel {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let mut remote = asker.remote().await?;
        let (mut done, mut refused) = (vec![], None);
        for job in &self.jobs {
            let ask = Ask::Cancel { job_id: job.clone(), reason: self.reason.clone() };
            match remote.answer(ask).await {
                Ok(_) => {
                    done.push(json!({"job_id": job, "cancelled": true}));
                    if !asker.output.json {
                        asker.output.line(&format!("{} is being ended", plain(job)))?;
                    }
                }
                // The others are ended all the same: that is what was asked.
                Err(error) if refused.is_some() => asker.output.complain(&error.into()),
                Err(error) => refused = Some(error),
            }
        }
        remote.leave().await;
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        if asker.output.json {
            match &done[..] {
                [one] => asker.output.value(one)?,
                several => asker.output.value(&several)?,
            }
        }
        Ok(Leave::OK)
    }
}
