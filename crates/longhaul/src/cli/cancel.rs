//! `longhaul cancel`: asks jobs to end. The answer comes once that is recorded, not once they are
//! dead; a crash between the two changes nothing about their end.

use super::error::{CliError, Leave};
use super::{Caller, ending, list};
use crate::api::{CancelAsk, Cancelled};
use crate::client::Client;

/// End jobs: SIGTERM, grace, SIGKILL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul cancel nightly --reason \"wrong branch\"
  longhaul cancel --now --wait job_01K5

Returns once the end is recorded and certain; --wait waits until the jobs are gone. Queued jobs end at \
once. With --json: the job and how many jobs changed; an array of these for several.")]
pub(super) struct Cancel {
    /// Which jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Say why; `why` and `show` repeat it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Kill at once, without the grace
    #[arg(long)]
    now: bool,
    /// End the jobs that these have submitted, too
    #[arg(long)]
    tree: bool,
    /// Wait until they have ended
    #[arg(long)]
    wait: bool,
}

impl Cancel {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let (mut done, mut refused) = (Vec::new(), None);
        for job in &self.jobs {
            match self.cancel(&client, job).await {
                Ok(cancelled) => {
                    if !caller.output.json {
                        caller.output.line(&in_words(&cancelled))?;
                    }
                    done.push(cancelled);
                }
                // The others are ended all the same: that is what was asked.
                Err(error) if self.jobs.len() > 1 && refused.is_some() => {
                    caller.output.complain(&error);
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        if caller.output.json {
            match &done[..] {
                [one] => caller.output.value(one)?,
                several => caller.output.value(&several)?,
            }
        }
        Ok(Leave::OK)
    }

    async fn cancel(&self, client: &Client, job: &str) -> Result<Cancelled, CliError> {
        let ask = CancelAsk { reason: self.reason.clone(), now: self.now, tree: self.tree };
        let mut cancelled = client.cancel(job, &ask).await?;
        if self.wait {
            cancelled.job = client.wait(&cancelled.job.id, None).await?.job;
        }
        Ok(cancelled)
    }
}

fn in_words(cancelled: &Cancelled) -> String {
    let job = &cancelled.job;
    let what = match (&job.outcome, cancelled.changed) {
        (Some(outcome), _) => format!("has ended: {}", ending::in_words(outcome)),
        (None, 0) => "was being ended already".to_owned(),
        (None, _) => format!("is being ended ({})", list::state(job).1),
    };
    let others = cancelled.changed.saturating_sub(1);
    let others = if others == 0 { String::new() } else { format!(", with {others} jobs below it") };
    format!("{} {what}{others}", job.id)
}
