//! `longhaul wait`: until jobs have ended.

use super::error::{CliError, Leave};
use super::output::Tone;
use super::owner::{self, Owner};
use super::{Caller, ending, list};
use crate::api::{Fetched, JobView, Span};
use crate::client::Client;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::time::Duration;

/// Notices settled at the same time; their commits are shared.
const SETTLED_AT_ONCE: usize = 16;
/// How long the daemon has to say what has ended when the time has run out.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Wait until jobs have ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul wait nightly
  longhaul wait --any --timeout 10m build test lint

The exit code is the job's own for one JOB; for several it is 0 once they have ended, however they \
did; 5 if the time ran out, and the jobs go on. With --json: an array of the ended jobs, in the order \
in which they were named.")]
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

impl Wait {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let needed = if self.any { 1 } else { self.jobs.len() };
        let mut ended: Vec<(usize, JobView)> = Vec::new();
        let all = wait_for(&client, &self.jobs, needed, &mut ended, caller);
        let in_time = match self.timeout {
            Some(span) => tokio::time::timeout(Duration::from_millis(span.0), all).await,
            None => Ok(all.await),
        };
        let in_time = match in_time {
            Ok(result) => result.map(|()| true)?,
            Err(_) => self.look_once_more(&client, needed, &mut ended).await?,
        };
        ended.sort_by_key(|(index, _)| *index);
        let ended: Vec<JobView> = ended.into_iter().map(|(_, job)| job).collect();
        if !in_time {
            return Err(self.ran_out(&ended));
        }
        show(&ended, caller)?;
        let waiter = Owner::of_caller(None);
        let own = ended.iter().filter(|job| waiter.owns(job));
        let settle = |job| owner::settle(&client, job, Fetched::Waited, caller);
        futures_util::stream::iter(own).for_each_concurrent(SETTLED_AT_ONCE, settle).await;
        Ok(self.leave(&ended))
    }

    /// The time has run out, perhaps before anything was answered: what has not ended is only known
    /// from the daemon. Whether enough have ended after all.
    async fn look_once_more(
        &self,
        client: &Client,
        needed: usize,
        ended: &mut Vec<(usize, JobView)>,
    ) -> Result<bool, CliError> {
        let known: Vec<usize> = ended.iter().map(|(index, _)| *index).collect();
        let open = self.jobs.iter().enumerate().filter(|(index, _)| !known.contains(index));
        let looks = open.map(|(index, job)| look(client, index, job));
        let looks = futures_util::future::try_join_all(looks);
        // A daemon that does not answer at all is no reason to wait for longer than was asked.
        if let Ok(found) = tokio::time::timeout(LAST_LOOK, looks).await {
            ended.extend(found?.into_iter().flatten());
            ended.truncate(needed);
        }
        Ok(ended.len() >= needed)
    }

    fn ran_out(&self, ended: &[JobView]) -> CliError {
        let after = self.timeout.map(|span| format!(" after {span}")).unwrap_or_default();
        let open = self.jobs.len() - ended.len();
        let what = match (&self.jobs[..], open) {
            ([job], _) => format!("{job} has not ended{after}"),
            (_, open) => format!("{open} of {} jobs have not ended{after}", self.jobs.len()),
        };
        CliError::timed_out(what).hint("they go on; waiting again is safe")
    }

    fn leave(&self, ended: &[JobView]) -> Leave {
        if let ([_], [job]) = (&self.jobs[..], ended) {
            return ending::leave_as(job);
        }
        Leave::OK
    }
}

/// The job named at `index`, if it has ended.
async fn look(
    client: &Client,
    index: usize,
    job: &str,
) -> Result<Option<(usize, JobView)>, CliError> {
    let waited = client.wait(job, Some(Duration::ZERO)).await?;
    Ok(waited.is_ended.then_some((index, waited.job)))
}

/// Waits for all at once; `ended` grows as they end, so that nothing is lost when time runs out.
async fn wait_for(
    client: &Client,
    jobs: &[String],
    needed: usize,
    ended: &mut Vec<(usize, JobView)>,
    caller: &Caller,
) -> Result<(), CliError> {
    let bar = caller.output.progress(needed as u64, "waiting");
    let mut open: FuturesUnordered<_> = jobs
        .iter()
        .enumerate()
        .map(|(index, job)| async move { (index, client.wait(job, None).await) })
        .collect();
    while ended.len() < needed
        && let Some((index, waited)) = open.next().await
    {
        ended.push((index, waited?.job));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn show(ended: &[JobView], caller: &Caller) -> Result<(), CliError> {
    let output = caller.output;
    if output.json {
        return output.value(&ended);
    }
    for job in ended {
        let (tone, words) = list::state(job);
        let id = output.toned(Tone::Plain, &job.id);
        output.line(&format!("{id} {}", output.toned(tone, &words)))?;
    }
    Ok(())
}
