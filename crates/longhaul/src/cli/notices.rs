//! `longhaul notices`: receipts. To whom, when, which try, what was answered, who acknowledged.

use super::Caller;
use super::error::{CliError, Leave};
use super::list::{clipped, in_short};
use super::output::{Tone, plain};
use crate::api::{DeliveryStage, DeliveryView};
use crate::client::NoticesAsk;
use crate::clock;
use clap::builder::NonEmptyStringValueParser;

/// Show what became of notices, and send dead ones again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul notices nightly
  longhaul notices --state dead
  longhaul notices --redeliver dlv_01K5

A notice is pending (waits for its hour or its owner), claimed (being told), sent (told, and not yet \
acknowledged), acked or dead (given up: refused for good, failed too often, or too old). --json has the \
receipts of the newest tries.")]
pub(super) struct Notices {
    /// Only of this job
    #[arg(value_name = "JOB", value_parser = NonEmptyStringValueParser::new())]
    job: Option<String>,
    /// Only these states: pending, claimed, sent, acked, dead
    #[arg(long, value_name = "S", value_delimiter = ',', value_parser = states())]
    state: Vec<String>,
    /// Only of jobs of this owner
    #[arg(long, value_name = "O")]
    owner: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its `next_cursor`
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
    /// Owe this dead notice again
    #[arg(long, value_name = "ID", exclusive = true)]
    redeliver: Option<String>,
}

fn states() -> clap::builder::PossibleValuesParser {
    DeliveryStage::ALL.map(DeliveryStage::name).into()
}

impl Notices {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        if let Some(id) = &self.redeliver {
            let notice = client.redeliver(id).await?;
            if caller.output.json {
                caller.output.value(&notice)?;
            } else {
                let to = plain(&notice.to);
                caller.output.note(&format!("{} is owed to {to} again", notice.id));
            }
            return Ok(Leave::OK);
        }
        let ask = NoticesAsk {
            job: self.job,
            states: self.state,
            owner: self.owner,
            limit: self.limit,
            cursor: self.cursor,
        };
        let page = client.notices(&ask).await?;
        if caller.output.json {
            caller.output.value(&page)?;
            return Ok(Leave::OK);
        }
        if page.notices.is_empty() {
            caller.output.note("no notices");
            return Ok(Leave::OK);
        }
        let now = clock::wall_now().as_millis();
        let rows = page.notices.iter().map(|notice| row(notice, now)).collect();
        let head = ["NOTICE", "JOB", "TO", "STATE", "TRY", "AGE", "LAST"];
        caller.output.table(&head, rows)?;
        if let Some(cursor) = page.next_cursor {
            caller.output.note(&format!("more with `--cursor {cursor}`"));
        }
        Ok(Leave::OK)
    }
}

fn row(notice: &DeliveryView, now: i64) -> Vec<(Tone, String)> {
    let tone = match notice.state {
        DeliveryStage::Pending => Tone::Faint,
        DeliveryStage::Claimed | DeliveryStage::Sent => Tone::Live,
        DeliveryStage::Acked => Tone::Good,
        DeliveryStage::Dead => Tone::Bad,
    };
    vec![
        (Tone::Plain, notice.id.clone()),
        (Tone::Plain, notice.job.clone()),
        (Tone::Plain, plain(&place(notice))),
        (tone, notice.state.name().to_owned()),
        (Tone::Plain, notice.tries.to_string()),
        (Tone::Faint, in_short(now - notice.created_at.0)),
        (Tone::Faint, clipped(&last(notice))),
    ]
}

/// An inbox says whose it is.
fn place(notice: &DeliveryView) -> String {
    match &notice.owner {
        Some(owner) if notice.to == "inbox" => format!("inbox of {owner}"),
        Some(_) | None => notice.to.clone(),
    }
}

/// What is most worth knowing of how it stands.
fn last(notice: &DeliveryView) -> String {
    if let Some(why) = &notice.dead_because {
        return why.clone();
    }
    if let (Some(by), Some(how)) = (&notice.acked_by, &notice.acked_how) {
        return format!("{how} by {by}");
    }
    if let Some(by) = &notice.claimed_by {
        return format!("with {by}");
    }
    notice.receipts.last().map(|receipt| receipt.answer.clone()).unwrap_or_default()
}
