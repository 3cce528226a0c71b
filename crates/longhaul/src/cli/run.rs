//! `longhaul run`: a job that feels like a plain command. Its bytes are ours, and so is its exit code;
//! but the terminal, and we, may go at any time without it.

use super::error::{CliError, Kind, Leave};
use super::options::JobOptions;
use super::output::Stream;
use super::submission::Submission;
use super::{Caller, ending, owner};
use crate::api::{CancelAsk, Fetched, JobView};
use crate::client::{self, Client, OutputAsk, OutputPiece};
use bytes::Bytes;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// A second Ctrl-C within this long cancels the job.
const AGAIN: Duration = Duration::from_secs(2);
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
                    self.say_detached("");
                    return Ok(left_by(number));
                }
                Followed::Interrupted => {
                    self.say_detached(", as Ctrl-C once more does now");
                    if timeout(AGAIN, signals.interrupt.recv()).await.is_err() {
                        return Ok(left_by(SignalKind::interrupt().as_raw_value()));
                    }
                    self.cancel().await?;
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
                number = signals.any() => return Ok(signals.meaning(number)),
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
                number = signals.any() => return Ok(signals.meaning(number)),
            }
        }
    }

    async fn pass_on(&self, stream: Stream, bytes: Bytes) -> Result<(), CliError> {
        let output = self.caller.output;
        tokio::task::spawn_blocking(move || output.bytes(stream, &bytes))
            .await
            .map_err(|error| CliError::bug(format!("the writer broke: {error}")))?
    }

    fn say_detached(&self, also: &str) {
        let id = self.id;
        self.caller.output.note(&format!(
            "detached; {id} goes on\n  longhaul logs -f {id}   follows it\n  longhaul cancel {id}    \
             ends it{also}"
        ));
    }

    /// Asks for the end; a job that ended meanwhile is as well.
    async fn cancel(&self) -> Result<(), CliError> {
        let reason = Some("interrupted twice".to_owned());
        let ask = CancelAsk { reason, ..CancelAsk::default() };
        match self.client.cancel(self.id, &ask).await {
            Ok(_) => Ok(()),
            Err(error) if error.code == "ended" => Ok(()),
            Err(error) => Err(error.into()),
        }
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

fn left_by(signal: i32) -> Leave {
    Leave(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// The signals that make us leave; none of them reaches the job.
struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind).map_err(|error: io::Error| {
                CliError::unavailable("unavailable", format!("signals cannot be heard: {error}"))
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for any of them and gives its number.
    async fn any(&mut self) -> i32 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        kind.as_raw_value()
    }

    fn meaning(&self, number: i32) -> Followed {
        if number == SignalKind::interrupt().as_raw_value() {
            Followed::Interrupted
        } else {
            Followed::Left(number)
        }
    }
}
