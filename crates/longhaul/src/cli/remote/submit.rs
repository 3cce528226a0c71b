//! `longhaul --url … submit`: asks a runtime for a job of one of its agents.

use super::Asker;
use super::follow::{Followed, Follower, Printer};
use crate::api::{Span, Time};
use crate::cli::error::{CliError, Leave};
use crate::cli::output::plain;
use crate::cli::signals::{self, Signals, left_by};
use crate::client::arcp::Remote;
use longhaul_arcp::client::{Answer, Ask, Submission};
use longhaul_arcp::limits::OUTBOUND_BYTES_MAX;
use longhaul_arcp::message::{Constraints, LeaseMap};
use longhaul_arcp::trace::Trace;
use longhaul_core::time::Timestamp;
use serde_json::value::RawValue;
use std::io::Read;
use std::num::NonZeroU64;

/// Ask for a job of an agent and print its id once the runtime has accepted it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp submit echo --input '{\"text\":\"hi\"}' --follow
  longhaul --url ws://localhost:7777/arcp submit calc@2.0.0 --input - < question.json
  longhaul --url ws://localhost:7777/arcp submit coder --lease '{\"fs.read\":[\"/src/**\"]}' --budget USD:1.50

With --json: what the runtime answered, or with --follow how the job ended.")]
pub(super) struct Submit {
    /// Which agent, such as `calc` or `calc@1.0.0`
    #[arg(value_name = "AGENT")]
    agent: String,
    /// What it is asked, as JSON; `-` reads it from stdin
    #[arg(long, value_name = "JSON|-")]
    input: Option<String>,
    /// What it shall be allowed to do, as JSON: capabilities, and patterns for each
    #[arg(long, value_name = "JSON")]
    lease: Option<String>,
    /// What it may spend, such as `USD:1.50`; may be repeated
    #[arg(long, value_name = "CUR:AMOUNT")]
    budget: Vec<String>,
    /// When what it is allowed ends, such as `2026-05-01T08:00:00Z`
    #[arg(long, value_name = "T")]
    expires: Option<Time>,
    /// Make asking twice harmless: same key and same ask give the same job, another ask is refused
    #[arg(long, value_name = "K")]
    key: Option<String>,
    /// End the job if it runs longer than this
    #[arg(long, value_name = "D")]
    max_runtime: Option<Span>,
    /// Show what the job tells, to its end
    #[arg(long, short)]
    follow: bool,
}

impl Submit {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let output = asker.output;
        let is_following = self.follow;
        let submission = self.submission()?;
        let mut remote = asker.remote().await?;
        let answer = remote.answer(Ask::Submit(Box::new(submission))).await?;
        let Answer::Submitted(accepted) = answer else {
            return Err(CliError::bug("a submission was answered with something else"));
        };
        let (leave, is_over) = if is_following {
            let printer =
                if output.json { Printer::of_end(output) } else { Printer::new(output, false) };
            if !output.json {
                output.note(&format!("{} was accepted", accepted.job_id));
            }
            let follower = Follower::new(accepted.job_id.clone(), printer);
            follow(follower, &mut remote, asker, &accepted.job_id).await?
        } else if output.json {
            output.value(&accepted)?;
            (Leave::OK, false)
        } else {
            output.line(&accepted.job_id)?;
            (Leave::OK, false)
        };
        let kept = remote.leave().await;
        if !is_over {
            asker.keep(&accepted.job_id, kept);
        }
        Ok(leave)
    }

    fn submission(self) -> Result<Submission, CliError> {
        let no_chance = |error: std::io::Error| {
            CliError::unavailable("unavailable", format!("no random numbers: {error}"))
        };
        let secret = crate::ids::secret().map_err(no_chance)?;
        let hex: String = secret.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let trace =
            Trace::parse(&hex).ok_or_else(|| CliError::bug("a trace of zeros was drawn"))?;
        let is_key_fresh = self.key.is_none();
        let key = match self.key {
            Some(key) => key,
            None => crate::ids::job_id().map_err(no_chance)?.as_str().to_owned(),
        };
        let expires_at = self.expires.map(|at| Timestamp::from_millis(at.0).rfc3339());
        Ok(Submission {
            agent: self.agent,
            input: self.input.as_deref().map(input).transpose()?,
            lease: lease(self.lease.as_deref(), self.budget)?,
            constraints: expires_at.map(|at| Constraints { expires_at: Some(at) }),
            key,
            is_key_fresh,
            // What is less than a second would be no time at all.
            runtime_secs_max: self.max_runtime.map(|span| {
                NonZeroU64::MIN.max(NonZeroU64::new(span.0 / 1_000).unwrap_or(NonZeroU64::MIN))
            }),
            trace,
        })
    }
}

/// Follows a job to its end, or until a signal makes us leave; tells which of the two it was. Ctrl-C leaves
/// the job alone, and a second one ends it, as with jobs of this machine.
async fn follow(
    mut follower: Follower,
    remote: &mut Remote,
    asker: &Asker,
    job: &str,
) -> Result<(Leave, bool), CliError> {
    let mut signals = Signals::new()?;
    loop {
        let signal = match follower.follow(remote, &mut signals).await? {
            Followed::Ended(leave) => return Ok((leave, true)),
            Followed::Signal(signal) => signal,
        };
        let may_end = signal == signals::INTERRUPT;
        let also = if may_end { signals::ONCE_MORE } else { "" };
        let (url, job) = (plain(&asker.url), plain(job));
        asker.output.note(&format!(
            "detached; {job} goes on\n  longhaul --url {url} logs -f {job}   follows it\n  \
             longhaul --url {url} cancel {job}    ends it{also}"
        ));
        if !may_end || !signals.comes_again().await {
            return Ok((left_by(signal), false));
        }
        let reason = Some("interrupted twice".to_owned());
        remote.answer(Ask::Cancel { job_id: job.clone(), reason }).await?;
    }
}

fn input(text: &str) -> Result<Box<RawValue>, CliError> {
    let text = if text == "-" { read_stdin()? } else { text.to_owned() };
    RawValue::from_string(text.trim().to_owned())
        .map_err(|error| CliError::usage(format!("`--input` is not JSON: {error}")))
}

fn read_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let most = OUTBOUND_BYTES_MAX as u64 + 1;
    let read = std::io::stdin().lock().take(most).read_to_string(&mut text);
    let size = read.map_err(|error| {
        CliError::unavailable("unavailable", format!("standard input could not be read: {error}"))
    })?;
    if size as u64 == most {
        let words = format!("the input is larger than {OUTBOUND_BYTES_MAX} bytes");
        return Err(CliError::usage(words));
    }
    Ok(text)
}

/// What is asked to be allowed; a budget is a part of that.
fn lease(text: Option<&str>, budget: Vec<String>) -> Result<LeaseMap, CliError> {
    let mut lease: LeaseMap = match text {
        None => LeaseMap::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            CliError::usage(format!("`--lease` is no object of lists of patterns: {error}"))
                .hint("such as '{\"fs.read\":[\"/src/**\"]}'")
        })?,
    };
    if !budget.is_empty() {
        lease.entry("cost.budget".to_owned()).or_default().extend(budget);
    }
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_part_of_the_lease() {
        let both = lease(Some(r#"{"cost.budget":["EUR:1"]}"#), vec!["USD:2".to_owned()]).unwrap();
        assert_eq!(both["cost.budget"], ["EUR:1", "USD:2"]);
        assert!(lease(None, vec![]).unwrap().is_empty());
        assert!(lease(Some("[]"), vec![]).is_err() && input("{").is_err());
    }
}
