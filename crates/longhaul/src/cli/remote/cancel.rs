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

Returns once the runtime has said that it will; `wait` waits for the end. Only the session that asked for \
a job may end it, and operators: `submit` leaves in the home what it takes to come back to it.")]
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
        let (mut done, mut refused) = (vec![], None);
        for job in &self.jobs {
            let mut remote = asker.remote_of(job).await?;
            let ask = Ask::Cancel { job_id: job.clone(), reason: self.reason.clone() };
            let answer = remote.answer(ask).await;
            // In a session of another hour the job was not asked for.
            let is_its_own = remote.welcomed().is_some_and(|welcomed| welcomed.is_resumed);
            asker.keep(job, remote.leave().await.filter(|_| is_its_own));
            match answer {
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
