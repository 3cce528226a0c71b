//! `longhaul --url … list`: jobs, as the runtime orders them.

use super::Asker;
use crate::api::Time;
use crate::cli::error::{CliError, Leave};
use crate::cli::output::{Tone, plain};
use longhaul_arcp::client::{Answer, Ask};
use longhaul_arcp::message::{Filter, JobEntry, ListJobs};
use longhaul_core::time::Timestamp;
use std::num::NonZeroU64;

/// List jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp list --status running
  longhaul --url ws://localhost:7777/arcp list --agent calc --limit 10 --json

With --json: one page, with the `next_cursor` of the next.")]
pub(super) struct List {
    /// Only these states: pending, running, success, error, cancelled, timed_out
    #[arg(long, value_name = "S", value_delimiter = ',')]
    status: Vec<String>,
    /// Only jobs of this agent, in any version unless one is named
    #[arg(long, value_name = "A")]
    agent: Option<String>,
    /// Only jobs made after this time
    #[arg(long, value_name = "T")]
    after: Option<Time>,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,
    /// Go on where an earlier list ended: its `next_cursor`
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
}

impl List {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let output = asker.output;
        let filter = Filter {
            status: Some(self.status).filter(|status| !status.is_empty()),
            agent: self.agent,
            created_after: self.after.map(|at| Timestamp::from_millis(at.0).rfc3339()),
            created_before: None,
        };
        let filter = Some(filter).filter(|filter| *filter != Filter::default());
        let list = ListJobs { filter, limit: self.limit, cursor: self.cursor };
        let mut remote = asker.remote().await?;
        let Answer::Listed(page) = remote.answer(Ask::List(list)).await? else {
            return Err(CliError::bug("a list was answered with something else"));
        };
        remote.leave().await;
        if output.json {
            output
                .value(&serde_json::json!({"jobs": page.jobs, "next_cursor": page.next_cursor}))?;
            return Ok(Leave::OK);
        }
        if page.jobs.is_empty() {
            output.note("no jobs");
            return Ok(Leave::OK);
        }
        output
            .table(&["JOB", "STATUS", "AGENT", "CREATED"], page.jobs.iter().map(row).collect())?;
        if let Some(cursor) = page.next_cursor {
            output.note(&format!("more with `--cursor {}`", plain(&cursor)));
        }
        Ok(Leave::OK)
    }
}

fn row(job: &JobEntry) -> Vec<(Tone, String)> {
    let created = if job.created_at.is_empty() { &job.submitted_at } else { &job.created_at };
    vec![
        (Tone::Plain, plain(&job.job_id)),
        (tone(&job.status), plain(&job.status)),
        (Tone::Plain, plain(&job.agent)),
        (Tone::Faint, plain(created)),
    ]
}

/// How good a state is.
pub(super) fn tone(status: &str) -> Tone {
    match status {
        "success" => Tone::Good,
        "error" => Tone::Bad,
        "running" => Tone::Live,
        "timed_out" => Tone::Doubtful,
        _ => Tone::Faint,
    }
}
