//! `longhaul delegate`: another agent works for the job that this is called in.

use super::error::{CliError, Leave};
use super::inside::Place;
use super::{Caller, ending};
use crate::api::{DelegateAnswer, DelegateAsk, JobView, Span};
use crate::client::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

/// The capability whose values are amounts of money.
const COST_BUDGET: &str = "cost.budget";

/// Have another agent work for the job that this is called in
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul delegate reviewer --input '{\"file\":\"a.rs\"}' --id review-1 --wait
  longhaul delegate builder --lease '{\"fs.write\":[\"/w/out/**\"]}' --budget USD:0.50

Works inside a job only. What the agent may do is at most what this job may do; what it is not given it \
does not have. Its budget is set aside from this job's, and what it leaves of it comes back. Without \
--budget it spends this job's own. It ends when this job ends. Under the same --id it is the same job, \
also in a later attempt. Prints the new job's id, or with --wait its result; the exit code is then that \
of the job, and 3 if it may not be.")]
pub(super) struct Delegate {
    /// Which agent: its name, or name@version
    #[arg(value_name = "AGENT")]
    agent: String,
    /// What the agent is asked; `-` reads it from stdin
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// What it may do: capabilities, each with its patterns
    #[arg(long, value_name = "JSON")]
    lease: Option<String>,
    /// What it may spend, such as USD:0.50
    #[arg(long, value_name = "AMOUNT")]
    budget: Vec<String>,
    /// Until when it may work: a time in UTC, or a span from now
    #[arg(long, value_name = "T")]
    expires: Option<String>,
    /// The longest that it may run
    #[arg(long, value_name = "D")]
    timeout: Option<Span>,
    /// This job's own name for it
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Wait until it has ended, and print its result
    #[arg(long)]
    wait: bool,
}

impl Delegate {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let place = Place::find()?;
        let waits = self.wait;
        let ask = self.ask(place.attempt)?;
        let client = place.client().await?;
        let answer = client.delegate(&place.job, &place.token, &ask).await?;
        let Some(job) = answer.job.clone().filter(|_| answer.is_allowed) else {
            return refused(answer, caller);
        };
        if waits {
            return wait(&client, &job, caller).await;
        }
        if caller.output.json {
            caller.output.value(&answer)?;
        } else {
            caller.output.line(&job)?;
        }
        Ok(Leave::OK)
    }

    fn ask(self, attempt: u32) -> Result<DelegateAsk, CliError> {
        let input = match self.input {
            Some(text) if text == "-" => Some(stdin()?),
            given => given,
        };
        let input = input.map(|text| json("--input", &text)).transpose()?.unwrap_or(Value::Null);
        let mut lease: BTreeMap<String, Vec<String>> = match self.lease {
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                CliError::usage(format!("`--lease` is no lease: {error}"))
                    .hint("such as `{\"fs.read\":[\"/src/**\"]}`")
            })?,
            None => BTreeMap::new(),
        };
        if !self.budget.is_empty() {
            lease.entry(COST_BUDGET.to_owned()).or_default().extend(self.budget);
        }
        // A span has no `T` and no `:`.
        let (expires_in, expires_at) = match self.expires {
            Some(text) if text.contains('T') => (None, Some(text)),
            Some(text) => {
                let span: Span = text.parse().map_err(|bad| {
                    CliError::usage(format!("`--expires` is neither a time nor a span: {bad}"))
                })?;
                (Some(span), None)
            }
            None => (None, None),
        };
        let (id, agent, timeout) = (self.id, self.agent, self.timeout);
        Ok(DelegateAsk { attempt, id, agent, input, lease, expires_at, expires_in, timeout })
    }
}

/// Reads an argument that is JSON.
pub(super) fn json(flag: &str, text: &str) -> Result<Value, CliError> {
    serde_json::from_str(text).map_err(|error| {
        CliError::usage(format!("`{flag}` is not JSON: {error}"))
            .hint("a text needs its own quotes: '\"text\"'")
    })
}

fn stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| CliError::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}

fn refused(answer: DelegateAnswer, caller: &Caller) -> Result<Leave, CliError> {
    if caller.output.json {
        caller.output.value(&answer)?;
        return Ok(Leave::REFUSED);
    }
    let code = answer.code.unwrap_or_else(|| "permission_denied".to_owned());
    Err(CliError::refused(&code, answer.reason.unwrap_or_else(|| "it may not".to_owned())))
}

async fn wait(client: &Client, job: &str, caller: &Caller) -> Result<Leave, CliError> {
    let ended = client.wait(job, None).await?.job;
    if caller.output.json {
        caller.output.value(&ended)?;
    } else if let Some(text) = result_of(&ended) {
        caller.output.line(&text)?;
    }
    if let Some(remark) = ending::remark(&ended).filter(|_| !caller.output.json) {
        caller.output.complain(&remark);
    }
    Ok(ending::leave_as(&ended))
}

/// What it gave back: JSON if it is for programs.
fn result_of(job: &JobView) -> Option<String> {
    let result = job.result.as_ref()?;
    match &result.structured {
        Some(value) => Some(value.to_string()),
        None => Some(result.text.clone()).filter(|text| !text.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delegate() -> Delegate {
        let agent = "a".to_owned();
        let (input, lease, expires, timeout, id) = (None, None, None, None, None);
        Delegate { agent, input, lease, budget: Vec::new(), expires, timeout, id, wait: false }
    }

    #[test]
    fn a_budget_is_a_part_of_the_lease() {
        let lease = Some(r#"{"fs.read":["/a"]}"#.to_owned());
        let ask = Delegate { lease, budget: vec!["USD:1".into()], ..delegate() }.ask(1).unwrap();
        assert_eq!(ask.lease["cost.budget"], ["USD:1"]);
        assert_eq!(ask.lease["fs.read"], ["/a"]);
        let bad = Delegate { lease: Some("[]".into()), ..delegate() };
        assert!(bad.ask(1).is_err());
    }

    #[test]
    fn an_end_is_a_time_or_a_span() {
        let expires = |text: &str| Delegate { expires: Some(text.into()), ..delegate() }.ask(1);
        let at = expires("2026-01-31T12:00:00Z").unwrap();
        assert_eq!((at.expires_at.is_some(), at.expires_in), (true, None));
        assert_eq!(expires("10m").unwrap().expires_in, Some(Span(600_000)));
        assert!(expires("soon").is_err());
    }
}
