//! `longhaul run`: a job that feels like a plain command. Its bytes are ours, and so is its exit code;
//! but the terminal, and we, may go at any time without it.

use super::error::{CliError, Kind, Leave};
use super::options::JobOptions;
use super::output::Stream;
use super::signals::{self, Signals, left_by};
use super::submission::Submission;
use super::{Caller, ending, owner};
use crate::api::{Fetched, JobView};
use crate::client::{self, Client, OutputAsk, OutputPiece};
use bytes::Bytes;

/// The command that follows a job's output.
const FOLLOW: &str = "logs -f";
/// What shells give for a program that SIGPIPE ended, as ours would be but for the job's sake.
const PIPE_CLOSED: Leave = Leave(128 + 13);

/// Run a job and leave with its exit code
#[derive(Debug, clap::Args)]
#[command(override_usage = "longhaul run [OPTIONS] -- CMD [ARG]...")]
#[command(after_help = "Examples:
  longhaul run -- make test
  longhaul run --timeout 10m --retry 3 -- ./flaky.sh
  tar c src | longhaul run --stdin - --memory 2G -- ./build.sh

Stdout and stderr of the job are passed on byte for byte. Ctrl-C detaches, and so does closing the \
terminal: the job goes on. Ctrl-C twice within 2 s cancels it. Detached, the exit code is 128 and the \
signal's number. With --json the output stays in the job, and the ended job is printed.")]
pub(super) struct Run {
    #[command(flatten)]
    options: JobOptions,
    /// What to run
    #[arg(value_name = "CMD", trailing_var_arg = true, required = true)]
    command: Vec<String>,
}

/// What ends the following of a job, before or with the job itself.
enum Followed {
    Ended(Box<JobView>),
    Interrupted,
    Left(i32),
    ReaderGone,
}

impl Run {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let submission = Submission::prepare(&self.options, self.command, caller)?;
        let client = caller.client().await?;
        // From here on a signal must not cut an answer off that says what was submitted.
        let mut signals = Signals::new()?;
        let id = submission.id().to_owned();
        let submitted = tokio::select! {
            submitted = submission.hand_in(&client, caller) => submitted?,
            number = signals.any() => {
                caller.output.note(&format!("interrupted; `longhaul show {id}` knows whether {id} was submitted"));
                return Ok(left_by(number));
            }
        };
        let id = submitted.job.id;
        caller.output.aside(&id);
        let job = Job { id: &id, client: &client, caller };
        job.follow_to_the_end(&mut signals).await
    }
}

/// The job that is being run.
struct Job<'a> {
    id: &'a str,
    client: &'a Client,
    caller: &'a Caller,
}

impl Job<'_> {
    async fn follow_to_the_end(&self, signals: &mut Signals) -> Result<Leave, CliError> {
        // With --json the bytes stay where they are: stdout has room for one value.
        let from = (!self.caller.output.json).then_some(0);
        let job = self.id.to_owned();
        let ask = OutputAsk { job, follow: true, attempt: None, stdout: from, stderr: from };
        let mut pieces = self.client.output(ask);
        loop {
            match self.follow(&mut pieces, signals).await? {
                Followed::Ended(job) => return self.ended(&job).await,
                Followed::ReaderGone => return Ok(PIPE_CLOSED),
                Followed::Left(number) => {
                    signals::say_detached(self.caller, self.id, FOLLOW, "");
                    return Ok(left_by(number));
                }
                Followed::Interrupted => {
                    signals::say_detached(self.caller, self.id, FOLLOW, signals::ONCE_MORE);
                    if !signals.comes_again().await {
                        return Ok(left_by(signals::INTERRUPT));
                    }
                    signals::cancel(self.client, self.id).await?;
                }
            }
        }
    }

    async fn follow(
        &self,
        pieces: &mut client::Output<'_>,
        signals: &mut Signals,
    ) -> Result<Followed, CliError> {
        loop {
            let piece = tokio::select! {
                piece = pieces.next() => piece?,
                number = signals.any() => return Ok(meaning(number)),
            };
            let (stream, bytes) = match piece {
                Some(OutputPiece::Stdout(bytes)) => (Stream::Out, bytes),
                Some(OutputPiece::Stderr(bytes)) => (Stream::Err, bytes),
                Some(OutputPiece::Attempt(_)) => continue,
                Some(OutputPiece::End(job)) => return Ok(Followed::Ended(job)),
                None => return Err(CliError::bug("the output ended without the job's end")),
            };
            // A reader that stands still must not keep us from hearing a signal.
            tokio::select! {
                written = self.pass_on(stream, bytes) => match written {
                    Err(error) if error.kind == Kind::Closed => return Ok(Followed::ReaderGone),
                    other => other?,
                },
                number = signals.any() => return Ok(meaning(number)),
            }
        }
    }

    async fn pass_on(&self, stream: Stream, bytes: Bytes) -> Result<(), CliError> {
        let output = self.caller.output;
        tokio::task::spawn_blocking(move || output.bytes(stream, &bytes))
            .await
            .map_err(|error| CliError::bug(format!("the writer broke: {error}")))?
    }

    async fn ended(&self, job: &JobView) -> Result<Leave, CliError> {
        if self.caller.output.json {
            self.caller.output.value(job)?;
        }
        if let Some(remark) = ending::remark(job) {
            self.caller.output.complain(&remark);
        }
        owner::settle(self.client, job, Fetched::Waited, self.caller).await;
        Ok(ending::leave_as(job))
    }
}

const fn meaning(signal: i32) -> Followed {
    if signal == signals::INTERRUPT { Followed::Interrupted } else { Followed::Left(signal) }
}
