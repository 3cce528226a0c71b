//! `longhaul events`: the journal, which is what happened and in which order.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::{Output, Tone, plain};
use crate::api::EventView;
use crate::client::EventsAsk;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;

/// Show what happened, from the journal
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul events nightly
  longhaul events -f --after 1200 --json

With --json: one event a line, with its `position`; `--after` that goes on from there.")]
pub(super) struct Events {
    /// Only events of this job
    #[arg(value_name = "JOB", value_parser = NonEmptyStringValueParser::new())]
    job: Option<String>,
    /// Go on with new events as they happen; of one job, to its end
    #[arg(short, long)]
    follow: bool,
    /// Only events after this position
    #[arg(long, value_name = "POSITION", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

impl Events {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let Self { job, after, follow } = self;
        print(caller, EventsAsk { job, after, follow, audit: false }).await
    }
}

/// Prints the entries that are asked for, one a line.
pub(super) async fn print(caller: &Caller, ask: EventsAsk) -> Result<Leave, CliError> {
    let client = caller.client().await?;
    let mut events = client.events(ask);
    while let Some(event) = events.next().await? {
        if caller.output.json {
            caller.output.value(&event)?;
        } else {
            caller.output.line(&in_words(&event, &caller.output))?;
        }
    }
    Ok(Leave::OK)
}

/// One event as one line: where, when, of which job, what.
pub(super) fn in_words(event: &EventView, output: &Output) -> String {
    let fields: Vec<String> = event
        .fact
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{name}={}", plain(&short(value))))
        .collect();
    let position = output.toned(Tone::Faint, &format!("{:>6}", event.position));
    let job = event.job.as_deref().unwrap_or("-");
    let line = format!("{position} {} {job} {} {}", event.at, event.kind, fields.join(" "));
    line.trim_end().to_owned()
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let named = |(name, value): (&String, &Value)| {
                (!value.is_null()).then(|| format!("{name}={}", short(value)))
            };
            fields.iter().filter_map(named).collect::<Vec<_>>().join(",")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}
