//! `longhaul audit`: who was let do what, and who was not, out of the journal.

use super::Caller;
use super::error::{CliError, Leave};
use super::events;
use crate::client::EventsAsk;
use clap::builder::NonEmptyStringValueParser;

/// Show who was let do what, and who was not
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul audit --job nightly
  longhaul audit -f --json

Shows subscriptions, operations under a lease, tool calls, delegations, questions and their answers,
cancellations, tokens, and who was turned away. Whoever is turned away again and again stands here
once a minute, with the number of times; that is not among what --job shows. A journal holds 10,000
entries of one job: `journal_full` says from where on there were more.

With --json: one entry a line, with its `position`; `--after` that goes on from there.")]
pub(super) struct Audit {
    /// Only what is about this job
    #[arg(long, value_name = "JOB", value_parser = NonEmptyStringValueParser::new())]
    job: Option<String>,
    /// Go on with new entries as they are made; of one job, to its end
    #[arg(short, long)]
    follow: bool,
    /// Only entries after this position
    #[arg(long, value_name = "POSITION", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

impl Audit {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let Self { job, after, follow } = self;
        events::print(caller, EventsAsk { job, after, follow, audit: true }).await
    }
}
