//! `longhaul list`: jobs, newest first.

use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use super::{Caller, ending};
use crate::api::{JobView, OutcomeKind, State};
use crate::client::JobsAsk;
use crate::clock;

/// Characters of an id that say when it was made; jobs of one moment share them.
const TIME_CHARS: usize = "job_".len() + 10;
/// Characters of a command that are shown.
const WORDS_CHARS_MAX: usize = 60;

/// List jobs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul list --state running,queued
  longhaul list --outcome failed,timed_out,lost --limit 10
  longhaul list --label branch=main --json")]
pub(super) struct List {
    /// Only these states: preparing, queued, starting, running, stopping, ended
    #[arg(long, value_name = "S", value_delimiter = ',', value_parser = states())]
    state: Vec<String>,
    /// Only these outcomes: succeeded, failed, cancelled, timed_out, lost
    #[arg(long, value_name = "O", value_delimiter = ',', value_parser = outcomes())]
    outcome: Vec<String>,
    /// Only this pool
    #[arg(long, value_name = "P")]
    pool: Option<String>,
    /// Only this lane
    #[arg(long, value_name = "L")]
    lane: Option<String>,
    /// Only turns of this agent
    #[arg(long, value_name = "A")]
    agent: Option<String>,
    /// Only jobs with this label; may be repeated
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
    /// Only jobs of this owner
    #[arg(long, value_name = "O")]
    owner: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its `next_cursor`
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
}

fn states() -> clap::builder::PossibleValuesParser {
    State::ALL.map(State::name).into()
}

fn outcomes() -> clap::builder::PossibleValuesParser {
    OutcomeKind::ALL.map(OutcomeKind::name).into()
}

impl List {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let labels = self.labels.iter().map(|label| {
            let (name, value) = label
                .split_once('=')
                .ok_or_else(|| CliError::usage(format!("`--label {label}` is not KEY=VALUE")))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let ask = JobsAsk {
            labels: labels.collect::<Result<_, CliError>>()?,
            states: self.state,
            outcomes: self.outcome,
            pool: self.pool,
            lane: self.lane,
            agent: self.agent,
            owner: self.owner,
            limit: self.limit,
            cursor: self.cursor,
        };
        let page = caller.client().await?.jobs(&ask).await?;
        if caller.output.json {
            caller.output.value(&page)?;
            return Ok(Leave::OK);
        }
        if page.jobs.is_empty() {
            caller.output.note("no jobs");
            return Ok(Leave::OK);
        }
        let now = clock::wall_now().as_millis();
        let width = short_width(&page.jobs);
        let rows = page.jobs.iter().map(|job| row(job, width, now)).collect();
        caller.output.table(&["JOB", "STATE", "WHAT", "AGE", "TOOK"], rows)?;
        if let Some(cursor) = page.next_cursor {
            caller.output.note(&format!("more with `--cursor {cursor}`"));
        }
        Ok(Leave::OK)
    }
}

fn row(job: &JobView, width: usize, now: i64) -> Vec<(Tone, String)> {
    let (tone, state) = state(job);
    let id = job.id.get(..width).unwrap_or(&job.id).to_owned();
    let age = in_short(now - job.submitted_at.0);
    let end = job.ended_at.map_or(now, |at| at.0);
    let took = job.started_at.map(|start| in_short(end - start.0)).unwrap_or_default();
    vec![
        (Tone::Plain, id),
        (tone, state),
        (Tone::Plain, what(job)),
        (Tone::Faint, age),
        (Tone::Faint, took),
    ]
}

/// The state, or the outcome once there is one, and how good that is.
pub(super) fn state(job: &JobView) -> (Tone, String) {
    let Some(outcome) = &job.outcome else {
        let tone = match job.state {
            State::Preparing | State::Queued => Tone::Faint,
            State::Starting | State::Running => Tone::Live,
            State::Stopping | State::Ended => Tone::Doubtful,
        };
        return (tone, job.state.name().to_owned());
    };
    let tone = match outcome.kind {
        OutcomeKind::Succeeded => Tone::Good,
        OutcomeKind::Failed => Tone::Bad,
        OutcomeKind::Cancelled => Tone::Faint,
        OutcomeKind::TimedOut | OutcomeKind::Lost => Tone::Doubtful,
    };
    (tone, ending::in_words(outcome))
}

/// The job's name, else whose turn it is, else its command.
pub(super) fn what(job: &JobView) -> String {
    let usual = || match &job.agent {
        Some(agent) => format!("turn of {agent}"),
        None => job.command.join(" "),
    };
    clipped(&job.name.clone().unwrap_or_else(usual))
}

/// As much of a text as a table has room for.
pub(super) fn clipped(text: &str) -> String {
    let shown = plain(text);
    if shown.chars().count() <= WORDS_CHARS_MAX {
        return shown;
    }
    shown.chars().take(WORDS_CHARS_MAX - 1).chain(['…']).collect()
}

/// How many characters of the ids tell all of these jobs apart, so that each serves as a prefix.
fn short_width(jobs: &[JobView]) -> usize {
    let mut ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    ids.sort_unstable();
    let shared = ids.windows(2).map(|pair| {
        pair[0].bytes().zip(pair[1].bytes()).take_while(|(left, right)| left == right).count()
    });
    // Two more than the moment: a job that is not in this list may be of the same one.
    shared.max().map_or(0, |shared| shared + 1).max(TIME_CHARS + 2)
}

/// A span in one unit or two: `25ms`, `12s`, `4m 10s`, `3h 5m`, `2d 4h`.
pub(super) fn in_short(millis: i64) -> String {
    if (1..1_000).contains(&millis) {
        return format!("{millis}ms");
    }
    let seconds = millis.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, smaller: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit} {small}{smaller}")
        }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "m"),
        (_, _, _) => two(days, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units_at_most() {
        let known =
            [(-5, "0s"), (25, "25ms"), (59_999, "59s"), (250_000, "4m 10s"), (7_200_000, "2h")];
        for (millis, text) in known {
            assert_eq!(in_short(millis), text);
        }
        assert_eq!(in_short(187_500_000), "2d 4h");
    }
}
