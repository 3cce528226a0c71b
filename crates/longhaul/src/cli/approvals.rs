//! `longhaul approvals`: tool calls, spent budgets and silences that wait for a person.

use super::Caller;
use super::error::{CliError, Leave};
use super::list::{clipped, in_short};
use super::output::{Tone, plain};
use super::owner::Owner;
use crate::api::{ApprovalAsk, ApprovalState, ApprovalView};
use crate::client::{ApprovalsAsk, Client};
use crate::clock;

/// Show what waits for a person's answer, and answer it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul approvals
  longhaul approvals --allow apr_01K5
  longhaul approvals --deny apr_01K5 --reason \"use the test database\"

A tool call waits without a process where the CLI can put it off (claude), else its CLI is held. The \
reason of a no is told to the agent. --json has what each call would do.")]
pub(super) struct Approvals {
    /// Answer with yes
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "deny")]
    allow: Vec<String>,
    /// Answer with no
    #[arg(long, value_name = "ID", num_args = 1..)]
    deny: Vec<String>,
    /// Why; an agent is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only about this turn
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only about turns of this agent
    #[arg(long, value_name = "A")]
    agent: Option<String>,
    /// Only these states: asked, allowed, denied, lapsed
    #[arg(long, value_name = "S", value_delimiter = ',', default_value = "asked")]
    #[arg(value_parser = states(), hide_possible_values = true)]
    state: Vec<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its `next_cursor`
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
}

fn states() -> clap::builder::PossibleValuesParser {
    ApprovalState::ALL.map(ApprovalState::name).into()
}

impl Approvals {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let (is_allowed, ids) =
            if self.deny.is_empty() { (true, &self.allow) } else { (false, &self.deny) };
        if !ids.is_empty() {
            // Its own environment says so; a turn that hides it can be held only by a sandbox.
            if std::env::var_os("LONGHAUL_JOB_TOKEN").is_some() {
                let message = "a job may not answer for a person";
                return Err(CliError::refused("forbidden", message)
                    .hint("answer from a terminal outside of any job"));
            }
            let client = caller.client().await?;
            return answer(&client, is_allowed, ids, self.reason, caller).await;
        }
        if self.reason.is_some() {
            return Err(CliError::usage(
                "`--reason` is for an answer: `--allow ID` or `--deny ID`",
            ));
        }
        let client = caller.client().await?;
        let ask = ApprovalsAsk {
            job: self.job,
            states: self.state,
            owner: None,
            agent: self.agent,
            limit: self.limit,
            cursor: self.cursor,
        };
        let page = client.approvals(&ask).await?;
        if caller.output.json {
            caller.output.value(&page)?;
            return Ok(Leave::OK);
        }
        if page.approvals.is_empty() {
            caller.output.note("nothing waits for an answer");
            return Ok(Leave::OK);
        }
        let now = clock::wall_now().as_millis();
        let rows = page.approvals.iter().map(|approval| row(approval, now)).collect();
        let head = ["APPROVAL", "AGENT", "STATE", "QUESTION", "WHAT", "AGE"];
        caller.output.table(&head, rows)?;
        if let Some(cursor) = page.next_cursor {
            caller.output.note(&format!("more with `--cursor {cursor}`"));
        }
        Ok(Leave::OK)
    }
}

async fn answer(
    client: &Client,
    allow: bool,
    ids: &[String],
    reason: Option<String>,
    caller: &Caller,
) -> Result<Leave, CliError> {
    let by = Owner::of_caller(None).name;
    for id in ids {
        let ask = ApprovalAsk { allow, reason: reason.clone(), by: Some(by.clone()) };
        let approval = client.answer(id, &ask).await?;
        if caller.output.json {
            caller.output.value(&approval)?;
        } else {
            let question = plain(&approval.question);
            caller.output.note(&format!("{}: {question} – {}", approval.id, approval.state.name()));
        }
    }
    Ok(Leave::OK)
}

fn row(approval: &ApprovalView, now: i64) -> Vec<(Tone, String)> {
    let tone = match approval.state {
        ApprovalState::Asked => Tone::Live,
        ApprovalState::Allowed => Tone::Good,
        ApprovalState::Denied => Tone::Bad,
        ApprovalState::Lapsed => Tone::Faint,
    };
    let what = approval.input.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        (Tone::Plain, approval.id.clone()),
        (Tone::Plain, plain(&approval.agent)),
        (tone, approval.state.name().to_owned()),
        (Tone::Plain, plain(&approval.question)),
        (Tone::Faint, clipped(&plain(&what))),
        (Tone::Faint, in_short(now - approval.asked_at.0)),
    ]
}
