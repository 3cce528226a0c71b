//! The command line against a runtime elsewhere that speaks ARCP: what can be asked of any of them, ours
//! or another. Chosen by the URL; what such a runtime cannot be asked is refused before anything is
//! sent.

mod cancel;
mod ends;
mod follow;
mod kept;
mod list;
mod show;
mod submit;
mod wait;
mod words;

use super::args::Global;
use super::error::{CliError, Leave};
use super::misread;
use super::output::Output;
use crate::api::Span;
use crate::client::arcp::{Endpoint, GIVE_UP, Kept, Remote};
use clap::{Parser, Subcommand};
use kept::Shelf;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

const AFTER_HELP: &str = "\
Environment:
  LONGHAUL_URL    the runtime, if no --url is given
  LONGHAUL_TOKEN  what proves who asks

Exit codes:
  submit --follow, logs -f, wait JOB   0 success, 1 error, 124 timed out, 130 cancelled
  otherwise                            0 ok, 2 usage, 3 refused, 4 unavailable, 5 `wait --timeout` ran out, 70 our bug

Connections that are lost are made again, and nothing is shown twice.";

/// Ask a runtime elsewhere that speaks ARCP 1.1
#[derive(Debug, Parser)]
#[command(name = "longhaul", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_long_args = false)]
#[command(override_usage = "longhaul --url ws://HOST:PORT/arcp [OPTIONS] <COMMAND>")]
struct Arguments {
    #[command(flatten)]
    global: Global,
    /// Try for this long to reach a runtime that went away
    #[arg(long, global = true, value_name = "D")]
    give_up: Option<Span>,
    #[command(subcommand)]
    command: Command,
}

/// What any runtime can be asked.
#[derive(Debug, Subcommand)]
enum Command {
    Submit(Box<submit::Submit>),
    List(list::List),
    Show(show::Show),
    Logs(follow::Logs),
    Cancel(cancel::Cancel),
    Wait(wait::Wait),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Whoever asks, and whom.
#[derive(Debug)]
struct Asker {
    output: Output,
    url: String,
    give_up: Option<Span>,
}

impl Asker {
    /// Opens a session.
    async fn remote(&self) -> Result<Remote, CliError> {
        let (endpoint, token, give_up) = self.knock()?;
        Ok(Remote::connect(endpoint, token, give_up).await?)
    }

    /// Goes on with the session that asked for a job, if it was kept here and is still there; opens
    /// another otherwise.
    async fn remote_of(&self, job: &str) -> Result<Remote, CliError> {
        match Shelf::open().and_then(|shelf| shelf.find(&self.url, job)) {
            Ok(None) => self.remote().await,
            Ok(Some(kept)) => {
                let (endpoint, token, give_up) = self.knock()?;
                Ok(Remote::resume(endpoint, token, give_up, kept).await?)
            }
            Err(why) => {
                self.output.note(&format!("the session that asked for {job} is not known: {why}"));
                self.remote().await
            }
        }
    }

    /// Keeps the session that asked for a job, so that another command can end it; forgets it if there is
    /// none any more.
    fn keep(&self, job: &str, kept: Option<Kept>) {
        let done = Shelf::open().and_then(|shelf| match kept {
            Some(kept) => shelf.put(&self.url, job, kept),
            None => shelf.forget(&self.url, job),
        });
        if let Err(why) = done {
            // The job is there all the same.
            self.output.note(&format!("`cancel` may be refused for a while: {why}"));
        }
    }

    fn knock(&self) -> Result<(Endpoint, Option<String>, Duration), CliError> {
        let endpoint = Endpoint::parse(&self.url)?;
        let token = std::env::var("LONGHAUL_TOKEN").ok().filter(|token| !token.is_empty());
        let give_up = self.give_up.map_or(GIVE_UP, |span| Duration::from_millis(span.0));
        Ok((endpoint, token, give_up))
    }
}

/// The URL of the runtime that is meant, if one that speaks ARCP is.
pub(super) fn url(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let mut given = None;
    while let Some(word) = words.next() {
        match word.strip_prefix("--url") {
            _ if word == "--" => break,
            Some("") => given = words.next().map(str::to_owned),
            Some(rest) => given = rest.strip_prefix('=').map(str::to_owned).or(given),
            None => {}
        }
    }
    let url = given.or_else(|| std::env::var("LONGHAUL_URL").ok())?;
    Endpoint::is_meant(&url).then_some(url)
}

/// Does what `arguments` ask of the runtime at `url`.
pub(super) fn main(arguments: &[OsString], url: String) -> ExitCode {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return misread(&error, arguments),
    };
    let Arguments { global, give_up, command } = parsed;
    let output = Output::new(global.json, global.quiet, global.color);
    let asker = Asker { output, url, give_up };
    match run(command, &asker) {
        Ok(Leave(code)) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(command: Command, asker: &Asker) -> Result<Leave, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CliError::unavailable("unavailable", format!("no event loop could be made: {error}"))
    })?;
    let left = runtime.block_on(async {
        match command {
            Command::Submit(command) => Box::pin(command.run(asker)).await,
            Command::List(command) => command.run(asker).await,
            Command::Show(command) => command.run(asker).await,
            Command::Logs(command) => command.run(asker).await,
            Command::Cancel(command) => command.run(asker).await,
            Command::Wait(command) => Box::pin(command.run(asker)).await,
            Command::Other(words) => Err(not_there(&words, &asker.url)),
        }
    });
    runtime.shutdown_background();
    left
}

/// A command that only a daemon of ours can do, or nobody.
fn not_there(words: &[OsString], url: &str) -> CliError {
    let word = words.first().map_or_else(String::new, |word| word.to_string_lossy().into_owned());
    let word = super::output::plain(&word);
    CliError::usage(format!("`{word}` cannot be asked of the runtime at `{url}`"))
        .hint("over ARCP there are submit, list, show, logs, cancel and wait; for the rest, unset `LONGHAUL_URL` or give the URL of a daemon's HTTP API")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_url_is_found_wherever_it_stands() {
        let found = |line: &str| url(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(found("longhaul --url ws://h list").as_deref(), Some("ws://h"));
        assert_eq!(found("longhaul list --url=wss://h").as_deref(), Some("wss://h"));
        assert_eq!(found("longhaul --url http://h:1 list"), None);
        assert_eq!(found("longhaul run -- curl --url ws://h"), None);
        assert_eq!(found("longhaul list"), None);
    }
}
