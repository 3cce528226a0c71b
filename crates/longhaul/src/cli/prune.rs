//! `longhaul prune`: removes ended jobs with all their files.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::plain;
use crate::api::{PruneAsk, Span};

/// Remove ended jobs that retention allows to go
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul prune --older-than 7d --dry-run
  longhaul prune job_01K5

Prints the ids of what is gone. What is live, undelivered or not cleaned up stays, and stderr says \
why; it is an error (3) only for jobs that were named.")]
pub(super) struct Prune {
    /// These jobs, whenever they ended; all that may go if none is named
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// Jobs that ended at least this long ago, instead of those past their keeping
    #[arg(long, value_name = "D")]
    older_than: Option<Span>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let is_named = !self.jobs.is_empty();
        let ask = PruneAsk {
            older_than_ms: self.older_than.map(|span| span.0),
            jobs: self.jobs,
            dry_run: self.dry_run,
        };
        let client = caller.client().await?;
        let bar = caller.output.progress(1, "removing");
        let pruned = client.prune(&ask).await?;
        bar.finish_and_clear();
        if caller.output.json {
            caller.output.value(&pruned)?;
        } else {
            for id in &pruned.removed {
                caller.output.line(id)?;
            }
            for kept in &pruned.kept {
                caller.output.note(&format!("{} stays: {}", kept.id, plain(&kept.why)));
            }
            let verb = if ask.dry_run { "would be removed" } else { "removed" };
            caller.output.note(&format!("{} {verb}", pruned.removed.len()));
        }
        Ok(if is_named && !pruned.kept.is_empty() { Leave::REFUSED } else { Leave::OK })
    }
}
