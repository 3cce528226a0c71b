//! `longhaul inbox`: what an owner has to be told.

use super::error::{CliError, Leave};
use super::output::{Output, Tone, plain};
use super::owner::Owner;
use super::{Caller, list};
use crate::api::{AckAsk, ApprovalView, InboxPage, Notice, Span};
use crate::client::Client;
use crate::clock;
use std::time::Duration;

/// Show, follow or acknowledge the notices of jobs that ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul inbox
  longhaul inbox --wait --timeout 1h --ack-all --json
  longhaul inbox --follow --ack-all
  longhaul inbox --ack dlv_01K5

Every job that ends is told to its owner, until the owner acknowledges it or has fetched the result \
with `wait`, `run` or `show --settle`. Listing claims and settles nothing. --follow and --wait make the \
owner present for as long as they run: then notices are handed over at once, each to one of those who \
are present, and come again if it goes without having acknowledged them. Of an owner that is away for \
long, others of the same project are told. With --json: an object with `owner` and `notices`; with \
--follow one notice a line. The same notice may come twice, always under the same id.")]
pub(super) struct Inbox {
    /// Whose notices [default: LONGHAUL_OWNER, else the user at the project of the current directory]
    #[arg(long, value_name = "O")]
    owner: Option<String>,
    /// Go on with new notices as they come; the owner is present meanwhile
    #[arg(long, conflicts_with = "wait")]
    follow: bool,
    /// Wait until there is a notice, print all that are there, and leave
    #[arg(long)]
    wait: bool,
    /// Give up waiting after this long (exit code 5)
    #[arg(long, value_name = "D", requires = "wait")]
    timeout: Option<Span>,
    /// Acknowledge these notices
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["follow", "wait", "ack_all"])]
    ack: Vec<String>,
    /// Acknowledge all notices; with --follow or --wait, those that were printed
    #[arg(long)]
    ack_all: bool,
}

impl Inbox {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let owner = Owner::of_caller(self.owner.as_deref());
        let client = caller.client().await?;
        if self.follow {
            return self.follow(&client, owner, caller).await;
        }
        if self.wait {
            return self.wait(&client, owner, caller).await;
        }
        if self.ack_all || !self.ack.is_empty() {
            let ids = (!self.ack_all).then_some(self.ack);
            return acknowledge(&client, owner, ids, caller).await;
        }
        let page = client.inbox(&owner.name).await?;
        show(&page, caller)?;
        Ok(Leave::OK)
    }

    async fn follow(
        &self,
        client: &Client,
        owner: Owner,
        caller: &Caller,
    ) -> Result<Leave, CliError> {
        let mut inbox = client.follow_inbox(owner.name.clone(), Some(owner.project));
        loop {
            let wake = inbox.next().await?;
            for notice in &wake.notices {
                if caller.output.json {
                    caller.output.value(notice)?;
                } else {
                    caller.output.line(&in_words(notice, &caller.output))?;
                }
            }
            if self.ack_all {
                acknowledge_printed(client, &owner.name, &wake.notices).await?;
            }
        }
    }

    async fn wait(
        &self,
        client: &Client,
        owner: Owner,
        caller: &Caller,
    ) -> Result<Leave, CliError> {
        let mut inbox = client.follow_inbox(owner.name.clone(), Some(owner.project));
        let wake = match self.timeout {
            None => inbox.next().await?,
            Some(span) => {
                let patience = Duration::from_millis(span.0);
                match tokio::time::timeout(patience, inbox.next()).await {
                    Ok(wake) => wake?,
                    Err(_) => {
                        let message = format!("nothing came for {} in {span}", plain(&owner.name));
                        return Err(CliError::timed_out(message)
                            .hint("what comes later waits in the inbox"));
                    }
                }
            }
        };
        let page = InboxPage { owner: owner.name, notices: wake.notices, next_cursor: None };
        show(&page, caller)?;
        if self.ack_all {
            // What was taken over is ours only while we are connected; the presence outlives this.
            acknowledge_printed(client, &page.owner, &page.notices).await?;
        }
        drop(inbox);
        Ok(Leave::OK)
    }
}

async fn acknowledge_printed(
    client: &Client,
    owner: &str,
    notices: &[Notice],
) -> Result<(), CliError> {
    let ids: Vec<String> = notices.iter().map(|notice| notice.id.clone()).collect();
    client.acknowledge_what_is_ours(owner, &ids).await?;
    Ok(())
}

async fn acknowledge(
    client: &Client,
    owner: Owner,
    ids: Option<Vec<String>>,
    caller: &Caller,
) -> Result<Leave, CliError> {
    let ask = AckAsk { owner: owner.name, all: ids.is_none(), ids };
    let acked = client.acknowledge(&ask).await?;
    if caller.output.json {
        caller.output.value(&acked)?;
    } else {
        caller.output.note(&format!("{} acknowledged", acked.acked));
    }
    Ok(Leave::OK)
}

fn show(page: &InboxPage, caller: &Caller) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(page);
    }
    if page.notices.is_empty() {
        caller.output.note(&format!("nothing for {}", plain(&page.owner)));
        return Ok(());
    }
    let now = clock::wall_now().as_millis();
    let rows = page.notices.iter().map(|notice| row(notice, now)).collect();
    caller.output.table(&["NOTICE", "JOB", "OUTCOME", "WHAT", "AGE"], rows)
}

fn row(notice: &Notice, now: i64) -> Vec<(Tone, String)> {
    let age = (Tone::Faint, list::in_short(now - notice.at.0));
    let id = (Tone::Plain, notice.id.clone());
    let Some(job) = &notice.job else {
        return vec![id, blank(), blank(), (Tone::Faint, "a test".to_owned()), age];
    };
    if let Some(approval) = &notice.approval {
        let state = (Tone::Live, approval.state.name().to_owned());
        let question = (Tone::Plain, asked(approval));
        return vec![id, (Tone::Plain, job.id.clone()), state, question, age];
    }
    let outcome = list::state(job);
    vec![id, (Tone::Plain, job.id.clone()), outcome, (Tone::Plain, list::what(job)), age]
}

/// A question, and by what it is answered.
fn asked(approval: &ApprovalView) -> String {
    format!("{} ({})", plain(&approval.question), approval.id)
}

fn blank() -> (Tone, String) {
    (Tone::Plain, String::new())
}

/// One notice as one line: when, of which job, how it ended, what it was, and what to acknowledge.
fn in_words(notice: &Notice, output: &Output) -> String {
    let (at, id) = (notice.at, output.toned(Tone::Faint, &notice.id));
    let Some(job) = &notice.job else { return format!("{at} a test {id}") };
    if let Some(approval) = &notice.approval {
        return format!("{at} {} {} {id}", job.id, output.toned(Tone::Live, &asked(approval)));
    }
    let (tone, words) = list::state(job);
    format!("{at} {} {} {} {id}", job.id, output.toned(tone, &words), list::what(job))
}
