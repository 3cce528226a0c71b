//! `longhaul --url … wait`: until jobs have ended.

use super::{Asker, ends};
use crate::api::Span;
use crate::cli::error::{CliError, Leave};
use crate::cli::output::plain;
use crate::client::arcp::{Remote, refused};
use longhaul_arcp::client::{Answer, Ask, Status, Told};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Wait until jobs have ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp wait job_01K5
  longhaul --url ws://localhost:7777/arcp wait --timeout 10m job_01K5 job_01K6

The exit code is that of the job's end for one JOB; for several it is 0 once they have ended, however \
they did; 5 if the time ran out, and the jobs go on. With --json: an array of the ended jobs, in the \
order in which they were named.")]
pub(super) struct Wait {
    /// Which jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Wait for one of them only, whichever ends first
    #[arg(long)]
    any: bool,
    /// Give up after this long; the jobs go on
    #[arg(long, value_name = "D")]
    timeout: Option<Span>,
}

/// The jobs that have ended, how, and what programs read of it.
type Ended = BTreeMap<String, (Status, Value)>;

impl Wait {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let mut ended = Ended::new();
        let waiting = self.wait(asker, &mut ended);
        let in_time = match self.timeout {
            Some(span) => tokio::time::timeout(Duration::from_millis(span.0), waiting).await,
            None => Ok(waiting.await),
        };
        let Ok(waited) = in_time else {
            let after = self.timeout.map(|span| format!(" after {span}")).unwrap_or_default();
            let open = self.needed() - ended.len().min(self.needed());
            let words = format!("{open} of {} jobs have not ended{after}", self.jobs.len());
            return Err(CliError::timed_out(words).hint("they go on; waiting again is safe"));
        };
        waited?;
        let in_order: Vec<(&String, &(Status, Value))> =
            self.jobs.iter().filter_map(|job| Some((job, ended.get(job)?))).collect();
        if asker.output.json {
            let values: Vec<&Value> = in_order.iter().map(|(_, (_, value))| value).collect();
            asker.output.value(&values)?;
        } else {
            for (job, (status, _)) in &in_order {
                let status = asker.output.toned(super::list::tone(status.name()), status.name());
                asker.output.line(&format!("{} {status}", plain(job)))?;
            }
        }
        match (&self.jobs[..], &in_order[..]) {
            ([_], [(_, (status, _))]) => Ok(ends::leave_as(*status)),
            _ => Ok(Leave::OK),
        }
    }

    fn needed(&self) -> usize {
        let several: std::collections::BTreeSet<&String> = self.jobs.iter().collect();
        if self.any { 1 } else { several.len() }
    }

    async fn wait(&self, asker: &Asker, ended: &mut Ended) -> Result<(), CliError> {
        let mut remote = asker.remote().await?;
        for job in &self.jobs {
            if ended.contains_key(job) {
                continue;
            }
            let ask = Ask::Subscribe { job_id: job.clone(), is_from_start: false };
            if let Answer::Following(got) = remote.answer(ask).await?
                && let Some(status) = ends::ended(&got.current_status)
            {
                ended
                    .insert(job.clone(), (status, json!({"job_id": job, "status": status.name()})));
            }
        }
        while ended.len() < self.needed() {
            self.take(&mut remote, ended).await?;
        }
        remote.leave().await;
        Ok(())
    }

    async fn take(&self, remote: &mut Remote, ended: &mut Ended) -> Result<(), CliError> {
        match remote.next().await? {
            Told::Ended { job_id, end } if self.jobs.contains(&job_id) => {
                let value = ends::value(&job_id, &end);
                ended.insert(job_id, (end.status, value));
            }
            Told::Gone { job_id, denial } if self.jobs.contains(&job_id) => {
                return Err(refused(&denial).into());
            }
            _ => {}
        }
        Ok(())
    }
}
