//! `longhaul show`: all that is known of one job. Values of its environment are not known to anybody
//! who asks; only the names are.

use super::error::{CliError, Leave};
use super::list::{in_short, state};
use super::output::{Output, Tone, plain};
use super::owner::{self, Owner};
use super::{Caller, ending, events, turn_show};
use crate::api::{AttemptView, Fetched, JobView, Time};
use crate::client::Client;
use clap::builder::NonEmptyStringValueParser;

/// Show all that is known of a job
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul show nightly
  longhaul show --json job_01K5 | jq .outcome")]
pub(super) struct Show {
    /// Which job
    #[arg(value_name = "JOB", value_parser = NonEmptyStringValueParser::new())]
    job: String,
    /// Settle the job's notice to its owner, who knows now how it ended
    #[arg(long)]
    settle: bool,
}

impl Show {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let job = client.job(&self.job).await?;
        if caller.output.json {
            caller.output.value(&job)?;
        } else {
            caller.output.line(&in_full(&job, &caller.output))?;
        }
        if self.settle {
            settle(&client, &job, caller).await;
        }
        Ok(Leave::OK)
    }
}

/// Settles the notice, or says why there is nothing to settle.
async fn settle(client: &Client, job: &JobView, caller: &Caller) {
    if job.outcome.is_none() {
        caller.output.note(&format!("{} has not ended; nothing was settled", job.id));
    } else if !Owner::of_caller(None).owns(job) {
        let owner = plain(job.owner.as_deref().unwrap_or("nobody"));
        caller.output.note(&format!("{} is {owner}'s to settle; nothing was settled", job.id));
    } else {
        owner::settle(client, job, Fetched::Shown, caller).await;
    }
}

/// Lines of a name and a value, in groups.
pub(super) struct Sheet {
    text: String,
}

impl Sheet {
    /// A sheet that begins with this line.
    pub(super) const fn new(first: String) -> Self {
        Self { text: first }
    }

    /// All of it, without a line's end.
    pub(super) fn text(self) -> String {
        self.text.trim_end().to_owned()
    }

    /// A name and a value; nothing for no value.
    pub(super) fn pair(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        if !value.is_empty() {
            self.text.push_str(&format!("  {name:<12} {value}\n"));
        }
    }

    pub(super) fn time(&mut self, name: &str, time: Option<Time>) {
        self.pair(name, time.map(|time| time.to_string()).unwrap_or_default());
    }

    pub(super) fn group(&mut self, name: &str) {
        self.text.push_str(&format!("\n{name}\n"));
    }
}

fn in_full(job: &JobView, output: &Output) -> String {
    let (tone, words) = state(job);
    let name = job.name.as_deref().map(|name| format!("  {}", plain(name))).unwrap_or_default();
    let mut sheet = Sheet::new(format!("{}{name}  {}\n", job.id, output.toned(tone, &words)));
    sheet.pair("command", plain(&job.command.join(" ")));
    sheet.pair("cwd", plain(&job.cwd));
    let message = job.outcome.as_ref().and_then(|outcome| outcome.message.as_deref());
    sheet.pair("message", plain(message.unwrap_or_default()));
    sheet.pair("waiting for", plain(job.waiting_for.as_deref().unwrap_or_default()));
    if let Some(turn) = &job.turn {
        turn_show::lines(&mut sheet, turn);
    }
    times(&mut sheet, job);
    places(&mut sheet, job);
    if job.attempts.as_ref().is_some_and(|attempts| !attempts.is_empty()) {
        sheet.group("attempts");
    }
    for attempt in job.attempts.iter().flatten() {
        attempt_line(&mut sheet, attempt, output);
    }
    for warning in &job.cleanup.warnings {
        sheet.pair("warning", plain(warning));
    }
    if let Some(history) = job.history.as_ref().filter(|history| !history.is_empty()) {
        sheet.group("history");
        for event in history {
            sheet.text.push_str(&format!("  {}\n", events::in_words(event, output)));
        }
    }
    sheet.text()
}

fn times(sheet: &mut Sheet, job: &JobView) {
    sheet.group("times");
    sheet.time("submitted", Some(job.submitted_at));
    sheet.time("started", job.started_at);
    sheet.time("cancelled", job.cancel_requested_at);
    sheet.time("ended", job.ended_at);
    if let (Some(start), Some(end)) = (job.started_at, job.ended_at) {
        sheet.pair("took", in_short(end.0 - start.0));
    }
}

fn places(sheet: &mut Sheet, job: &JobView) {
    sheet.group("place");
    let lane = job.lane.as_deref().map(|lane| format!(", lane {lane}")).unwrap_or_default();
    sheet.pair("pool", plain(&format!("{}, priority {}{lane}", job.pool, job.priority)));
    let labels: Vec<String> =
        job.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    sheet.pair("labels", plain(&labels.join(", ")));
    sheet.pair("owner", plain(job.owner.as_deref().unwrap_or_default()));
    sheet.pair("parent", job.parent.as_deref().unwrap_or_default());
    sheet.pair("retry of", job.retry_of.as_deref().unwrap_or_default());
    sheet.pair("pid", job.pid.map(|pid| pid.to_string()).unwrap_or_default());
    sheet.pair("output", output_sizes(job.stdout_bytes, job.stderr_bytes));
    if let Some(environment) = &job.environment {
        let origin = if environment.inherited { "the caller's" } else { "clean" };
        let set = plain(&environment.set.join(", "));
        let set = if set.is_empty() { String::new() } else { format!(", set: {set}") };
        let count = environment.names.len();
        sheet.pair("environment", format!("{origin}, {count} names{set}"));
    }
}

fn attempt_line(sheet: &mut Sheet, attempt: &AttemptView, output: &Output) {
    let end =
        attempt.outcome.as_ref().map_or_else(|| attempt.state.name().to_owned(), ending::in_words);
    let sizes = output_sizes(attempt.stdout_bytes, attempt.stderr_bytes);
    let took = attempt.started_at.zip(attempt.ended_at);
    let took = took.map(|(from, to)| format!(", {}", in_short(to.0 - from.0))).unwrap_or_default();
    sheet.pair(&format!("#{}", attempt.number), format!("{end}{took}, {sizes}"));
    if let Some(left) = &attempt.leftovers {
        let names = plain(&left.names.join(", "));
        let what = if left.ended { "and were ended" } else { "and go on" };
        let text = format!("{} processes were left running {what}: {names}", left.found);
        sheet.pair("", output.toned(Tone::Doubtful, &text));
    }
    for warning in &attempt.warnings {
        sheet.pair("", output.toned(Tone::Doubtful, &plain(warning)));
    }
}

fn output_sizes(stdout: u64, stderr: u64) -> String {
    format!("stdout {}, stderr {}", rounded(stdout), rounded(stderr))
}

/// A size that people can read: exact below a kibibyte, one unit above.
pub(super) fn rounded(bytes: u64) -> String {
    let unit = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1_u64 << 10, "K")]
        .into_iter()
        .find(|(unit, _)| bytes >= *unit);
    match unit {
        Some((unit, name)) => format!("{}.{}{name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}
