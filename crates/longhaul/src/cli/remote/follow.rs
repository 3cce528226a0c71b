//! `longhaul --url … logs`, and the following that `submit --follow` does.

use super::{Asker, ends, words};
use crate::cli::error::{CliError, Leave};
use crate::cli::output::{Output, Stream};
use crate::cli::signals::Signals;
use crate::client::arcp::{Remote, refused};
use longhaul_arcp::client::{Ask, End, Gave, Status, Told};
use longhaul_arcp::message::Event;
use serde_json::{Value, json};
use std::time::Duration;

/// After how long without news what a job told so far is taken to be all there is by now.
const QUIET: Duration = Duration::from_millis(750);

/// Print what a job told
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul --url ws://localhost:7777/arcp logs -f job_01K5

One line for each event, and the result at the end; a result that comes in pieces is written as it \
comes. Without -f: what there is by now. With --json: one object for each event, and one for the end.")]
pub(super) struct Logs {
    /// Which job
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on as the job tells more, to its end
    #[arg(short, long)]
    follow: bool,
}

impl Logs {
    pub(super) async fn run(self, asker: &Asker) -> Result<Leave, CliError> {
        let mut remote = asker.remote().await?;
        let ask = Ask::Subscribe { job_id: self.job.clone(), is_from_start: true };
        remote.answer(ask).await?;
        let printer = Printer::new(asker.output, asker.output.json);
        let mut follower = Follower::new(self.job, printer);
        let leave = if self.follow {
            follower.follow_to_end(&mut remote).await?
        } else {
            while let Ok(told) = tokio::time::timeout(QUIET, remote.next()).await {
                if follower.take(told?)?.is_some() {
                    break;
                }
            }
            Leave::OK
        };
        remote.leave().await;
        Ok(leave)
    }
}

/// Why following is over.
pub(super) enum Followed {
    /// The job has ended; the exit code that this stands for.
    Ended(Leave),
    /// We are to leave; the signal's number.
    Signal(i32),
}

/// Shows what one job tells.
pub(super) struct Follower {
    job: String,
    printer: Printer,
}

impl Follower {
    pub(super) fn new(job: String, printer: Printer) -> Self {
        Self { job, printer }
    }

    /// Shows everything to the job's end, and gives the exit code that it stands for.
    async fn follow_to_end(&mut self, remote: &mut Remote) -> Result<Leave, CliError> {
        loop {
            let told = remote.next().await?;
            if let Some(status) = self.take(told)? {
                return Ok(ends::leave_as(status));
            }
        }
    }

    /// The same, unless a signal comes first.
    pub(super) async fn follow(
        &mut self,
        remote: &mut Remote,
        signals: &mut Signals,
    ) -> Result<Followed, CliError> {
        tokio::select! {
            biased;
            signal = signals.any() => Ok(Followed::Signal(signal)),
            ended = self.follow_to_end(remote) => ended.map(Followed::Ended),
        }
    }

    /// Shows one thing, if it is of this job. Gives how the job ended, if it did.
    pub(super) fn take(&mut self, told: Told) -> Result<Option<Status>, CliError> {
        match told {
            Told::Event { job_id, event_seq, event } if job_id == self.job => {
                self.printer.event(&job_id, event_seq, &event)?;
            }
            Told::Piece { job_id, piece, .. } if job_id == self.job => {
                self.printer.piece(&job_id, &piece.result_id, &piece.bytes)?;
            }
            Told::Ended { job_id, end } if job_id == self.job => {
                self.printer.end(&job_id, &end)?;
                return Ok(Some(end.status));
            }
            Told::Gone { job_id, denial } if job_id == self.job => {
                return Err(refused(&denial).into());
            }
            Told::Gap { job_id } if job_id == self.job => {
                self.printer.output.note("the session was lost, and some events may be missing");
            }
            Told::Unreadable { job_id, why, .. } if job_id.as_ref() == Some(&self.job) => {
                self.printer.output.note(&format!("an event cannot be read: {why}"));
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Writes what a job tells.
pub(super) struct Printer {
    output: Output,
    /// Whether each event is a JSON object of its own.
    is_json: bool,
    is_silent: bool,
    /// Whether the result was written already, as it came.
    has_pieces: bool,
}

impl Printer {
    pub(super) const fn new(output: Output, is_json: bool) -> Self {
        Self { output, is_json, is_silent: false, has_pieces: false }
    }

    /// One that writes nothing but the end, as JSON.
    pub(super) const fn of_end(output: Output) -> Self {
        Self { output, is_json: true, is_silent: true, has_pieces: false }
    }

    fn event(&self, job: &str, event_seq: u64, event: &Event) -> Result<(), CliError> {
        if self.is_silent {
            return Ok(());
        }
        if !self.is_json {
            return self.output.line(&words::event(event));
        }
        let body = event.body.as_ref().map_or("null", |body| body.get());
        let mut body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        conceal(&mut body);
        self.output.value(&json!({"job_id": job, "event_seq": event_seq, "kind": event.kind, "ts": event.ts, "body": body}))
    }

    fn piece(&mut self, job: &str, result_id: &str, bytes: &[u8]) -> Result<(), CliError> {
        self.has_pieces = true;
        if self.is_silent {
            return Ok(());
        }
        if !self.is_json {
            return self.output.bytes(Stream::Out, bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        self.output.value(
            &json!({"job_id": job, "kind": "result_chunk", "result_id": result_id, "text": text}),
        )
    }

    fn end(&self, job: &str, end: &End) -> Result<(), CliError> {
        if self.is_json {
            self.output.value(&ends::value(job, end))?;
        } else if let Gave::Inline(result) = &end.gave {
            let text: Option<String> = serde_json::from_str(result.get()).ok();
            let text = text.unwrap_or_else(|| result.get().to_owned());
            if text != "null" {
                self.output.line(&text)?;
            }
        }
        if let Some(remark) = ends::remark(job, end) {
            self.output.complain(&remark);
        }
        Ok(())
    }
}

/// [arcp §14] A credential's value is a secret: what is printed here lies in logs and terminals.
fn conceal(body: &mut Value) {
    if body["phase"] == "credential_rotated"
        && let Some(fields) = body.as_object_mut()
    {
        fields.remove("value");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_credential_is_printed_nowhere() {
        let mut body = json!({ "phase": "credential_rotated", "id": "c", "value": "secret" });
        conceal(&mut body);
        assert_eq!(body, json!({ "phase": "credential_rotated", "id": "c" }));
        let mut other = json!({ "phase": "x", "value": 1 });
        conceal(&mut other);
        assert_eq!(other["value"], 1);
    }
}
