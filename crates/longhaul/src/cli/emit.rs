//! `longhaul emit`: what a job says about itself, from inside. The job's own token says which attempt
//! speaks, so a process left over from an earlier one is not heard.

use super::Caller;
use super::error::{CliError, Leave};
use super::inside::Place;
use super::pieces;
use crate::api::EmitAsk;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// How long a result waits for a daemon that is away: without it all of the work was for nothing.
const RESULT_WAIT_MAX: Duration = Duration::from_secs(10 * 60);

/// Report something about the job that this is called in
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul emit progress --current 3 --total 10 --units files
  longhaul emit status \"waiting for the compiler\"
  longhaul emit result '{\"passed\":41}'
  make report | longhaul emit result --stream

Works inside a job only. Reports stand in the job's history, and each is a sign of life for --stall.
While the daemon is away a result waits for it, for ten minutes; other reports for ten seconds.")]
pub(super) struct Emit {
    #[command(subcommand)]
    report: Report,
}

#[derive(Debug, clap::Subcommand)]
enum Report {
    /// Say how far the work has come
    Progress {
        /// What is done
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        current: f64,
        /// What there is to do
        #[arg(long, value_name = "N")]
        total: Option<f64>,
        /// What is counted
        #[arg(long, value_name = "U")]
        units: Option<String>,
        /// What is being done
        #[arg(long, value_name = "M")]
        message: Option<String>,
    },
    /// Add a line to the job's history
    Log {
        /// How much it matters: trace, debug, info, warn, error or critical
        #[arg(long, value_name = "LEVEL", default_value = "info", hide_possible_values = true)]
        #[arg(value_parser = ["trace", "debug", "info", "warn", "error", "critical"])]
        level: String,
        /// What to say; `-` reads it from stdin
        #[arg(value_name = "MESSAGE")]
        message: String,
    },
    /// Say what is being thought
    Thought {
        /// The thought; `-` reads it from stdin
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Say what phase the work is in
    Status {
        /// The phase
        #[arg(value_name = "PHASE")]
        phase: String,
        /// More about it
        #[arg(long, value_name = "M")]
        message: Option<String>,
    },
    /// Report a measured number
    Metric {
        /// What was measured
        #[arg(value_name = "NAME")]
        name: String,
        /// How much
        #[arg(value_name = "VALUE", allow_negative_numbers = true)]
        value: f64,
        /// In what unit
        #[arg(long, value_name = "U")]
        unit: Option<String>,
    },
    /// Point at a file that was made
    Artifact {
        /// Where it lies
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// What to call it
        #[arg(long, value_name = "N")]
        name: Option<String>,
    },
    /// Report the result: JSON, or text
    Result {
        /// The result; `-` reads it from stdin
        #[arg(value_name = "VALUE", required_unless_present = "stream")]
        value: Option<String>,
        /// Report what comes on stdin, piece by piece and as it comes
        #[arg(long, conflicts_with = "value")]
        stream: bool,
        /// Take what comes for bytes, not for text
        #[arg(long, requires = "stream")]
        binary: bool,
    },
}

impl Emit {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let place = Place::find()?;
        if let Report::Result { stream: true, binary, .. } = self.report {
            return pieces::report(caller, &place, binary).await;
        }
        let (kind, body) = self.report.body()?;
        let client = match kind {
            "result" => place.client_within(RESULT_WAIT_MAX).await?,
            _ => place.client().await?,
        };
        let ask = EmitAsk { attempt: place.attempt, report: kind.to_owned(), body };
        client.emit(&place.job, &place.token, &ask).await?;
        if caller.output.json {
            caller.output.value(&json!({ "job": place.job, "report": ask.report }))?;
        }
        Ok(Leave::OK)
    }
}

impl Report {
    /// The kind's name and the report, without what was not said.
    fn body(self) -> Result<(&'static str, Value), CliError> {
        let (kind, body) = match self {
            Self::Progress { current, total, units, message } => {
                check_progress(current, total)?;
                let body = json!({"current": number(current), "total": total.map(number),
                    "units": units, "message": message});
                ("progress", body)
            }
            Self::Log { level, message } => {
                ("log", json!({"level": level, "message": said(message)?}))
            }
            Self::Thought { text } => ("thought", json!({"text": said(text)?})),
            Self::Status { phase, message } => {
                ("status", json!({"phase": phase, "message": message}))
            }
            Self::Metric { name, value, unit } => {
                if !value.is_finite() {
                    return Err(CliError::usage("a metric must be a number"));
                }
                ("metric", json!({"name": name, "value": number(value), "unit": unit}))
            }
            Self::Artifact { path, name } => {
                let path = super::submission::text_of(std::path::absolute(&path).unwrap_or(path))?;
                ("artifact", json!({"path": path, "name": name}))
            }
            Self::Result { value, .. } => {
                let text = said(value.unwrap_or_default())?;
                let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                ("result", json!({"value": value}))
            }
        };
        Ok((kind, without_nulls(body)))
    }
}

fn check_progress(current: f64, total: Option<f64>) -> Result<(), CliError> {
    if !current.is_finite() || current < 0.0 {
        return Err(CliError::usage("`--current` must be a number from zero up"));
    }
    match total {
        Some(total) if !total.is_finite() || total < current => {
            Err(CliError::usage("`--total` must be a number that `--current` does not exceed"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whole numbers are written without a fraction, as they were given.
fn number(value: f64) -> Value {
    // Beyond 2^53 a float is no exact count anyway.
    let is_whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
    if is_whole {
        format!("{value:.0}").parse::<i64>().map_or_else(|_| json!(value), Value::from)
    } else {
        json!(value)
    }
}

fn said(text: String) -> Result<String, CliError> {
    if text != "-" {
        return Ok(text);
    }
    let mut read = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut read)
        .map_err(|error| CliError::usage(format!("standard input cannot be read: {error}")))?;
    Ok(read.trim_end().to_owned())
}

fn without_nulls(body: Value) -> Value {
    match body {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_not_sent_and_whole_numbers_stay_whole() {
        let report = Report::Progress { current: 3.0, total: None, units: None, message: None };
        assert_eq!(report.body().unwrap(), ("progress", json!({"current": 3})));
        let report = Report::Metric { name: "cost".into(), value: 0.25, unit: Some("USD".into()) };
        let body = json!({"name": "cost", "value": 0.25, "unit": "USD"});
        assert_eq!(report.body().unwrap(), ("metric", body));
    }

    #[test]
    fn progress_beyond_its_total_is_refused() {
        assert!(check_progress(3.0, Some(2.0)).is_err());
        assert!(check_progress(-1.0, None).is_err());
        assert!(check_progress(2.0, Some(2.0)).is_ok());
    }
}
