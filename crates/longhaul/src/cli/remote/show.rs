//! `longhaul --url … show`: what a runtime says of one job.

use super::{Asker, list};
use crate::cli::error::{CliError, Leave};
use crate::cli::output::plain;
use longhaul_arcp::client::{Answer, Ask};

/// Show one job: its state, its agent and what it may do
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp show job_01K5")]
pub(super) struct Show {
    /// Which job
    #[arg(value_name = "JOB")]
    job: String,
}

impl Show {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let output = asker.output;
        let mut remote = asker.remote().await?;
        let ask = Ask::Subscribe { job_id: self.job.clone(), is_from_start: false };
        let Answer::Following(mut job) = remote.answer(ask).await? else {
            return Err(CliError::bug("a subscription was answered with something else"));
        };
        remote.unfollow(&self.job);
        remote.leave().await;
        // Secrets are for whoever asked for the job, at the time.
        job.credentials = None;
        if output.json {
            output.value(&job)?;
            return Ok(Leave::OK);
        }
        output.line(&format!("job      {}", plain(&job.job_id)))?;
        let status = output.toned(list::tone(&job.current_status), &plain(&job.current_status));
        output.line(&format!("status   {status}"))?;
        output.line(&format!("agent    {}", plain(&job.agent)))?;
        for (capability, patterns) in &job.lease {
            let patterns = plain(&patterns.join(", "));
            output.line(&format!("may      {}: {patterns}", plain(capability)))?;
        }
        for (currency, left) in job.budget.iter().flatten() {
            output.line(&format!("left     {} {}", plain(left.get()), plain(currency)))?;
        }
        let constraints = job.lease_constraints.as_ref();
        if let Some(at) = constraints.and_then(|bounds| bounds.expires_at.as_deref()) {
            output.line(&format!("until    {}", plain(at)))?;
        }
        if let Some(parent) = &job.parent_job_id {
            output.line(&format!("parent   {}", plain(parent)))?;
        }
        if let Some(trace) = &job.trace_id {
            output.line(&format!("trace    {}", plain(trace)))?;
        }
        Ok(Leave::OK)
    }
}
