//! The command line: parses, asks the daemon through [`crate::client`], and shows what it says. It
//! decides nothing and never reaches into the daemon; what it needs of the daemon's own code, to be
//! one or to mend a home without one, is handed to it as [`Roots`].

mod agent;
mod agent_add;
mod agent_show;
mod approvals;
mod arcp;
mod args;
mod artifacts;
mod attach;
mod audit;
mod authorize;
mod batch;
mod cancel;
mod completions;
mod credentials;
mod daemon;
mod delegate;
mod doctor;
mod emit;
mod ending;
mod environment;
mod error;
mod events;
mod explain;
mod hook;
mod inbox;
mod inside;
mod list;
mod logs;
mod mail;
mod man;
mod notices;
mod options;
mod output;
mod owner;
mod pieces;
mod policy;
mod pool;
mod prune;
mod quick;
mod remote;
mod retry;
mod run;
mod serve;
mod show;
mod signals;
mod sink;
mod stdin;
mod submission;
mod submit;
mod token;
mod turn;
mod turn_show;
mod wait;
mod why;

pub use man::manual;
pub use serve::ServeAsk;

use crate::client::{Client, Options, Target};
use args::{Arguments, Command};
use clap::Parser;
use error::{CliError, Leave};
use output::{Output, When};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the binary hands to the command line: parts of the daemon that run in this process.
#[derive(Clone, Copy, Debug)]
pub struct Roots {
    /// Is the daemon, until it is stopped. Gives what people should read if it cannot be.
    pub run_daemon: fn(background: bool) -> Result<(), Failed>,
    /// Is the daemon in the foreground, reached over a network as well, until it is stopped.
    pub serve: fn(&ServeAsk) -> Result<(), Failed>,
    /// Looks a home over while no daemon runs; each finding is one thing that is wrong.
    pub inspect: fn() -> Result<Vec<String>, Failed>,
    /// Mends a home while no daemon runs; each line is one thing that was done.
    pub repair: fn() -> Result<Vec<String>, Failed>,
}

/// Why a part of the daemon could not do its work, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// For programs.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Whoever called the program: how they are answered, and how the daemon is reached for them.
#[derive(Clone, Debug)]
struct Caller {
    output: Output,
    roots: Roots,
    /// Where the daemon is, if the command line says so.
    url: Option<String>,
}

impl Caller {
    /// How the daemon is reached. What the command line says goes before the environment.
    fn options(&self, may_start: bool) -> Result<Options, CliError> {
        let Some(url) = &self.url else { return options(may_start) };
        let token = std::env::var("LONGHAUL_TOKEN").ok().filter(|token| !token.is_empty());
        Ok(Options { target: Target::parse(url)?, token, autostart: false })
    }

    /// Reaches the daemon, and starts it if that is allowed and needed.
    async fn client(&self) -> Result<Client, CliError> {
        Ok(Client::connect(self.options(true)?).await?)
    }

    /// Reaches the daemon, and starts it whatever `LONGHAUL_AUTOSTART` says.
    async fn started(&self) -> Result<Client, CliError> {
        Ok(Client::connect(Options { autostart: true, ..self.options(true)? }).await?)
    }

    /// Reaches the daemon if it runs; never starts one.
    async fn running(&self) -> Result<Client, CliError> {
        Ok(Client::connect(self.options(false)?).await?)
    }

    /// Reaches the daemon of this user's home if it runs, whatever else the environment names.
    async fn running_here(&self) -> Result<Client, CliError> {
        let target = Target::Home(daemon::home()?);
        Ok(Client::connect(Options { target, token: None, autostart: false }).await?)
    }
}

/// Where the daemon is. Inside a job that is the job's own daemon, unless the job says otherwise: its
/// environment has no `LONGHAUL_HOME` of the caller.
fn options(may_start: bool) -> Result<Options, CliError> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let socket = std::env::var_os("LONGHAUL_SOCKET").filter(|socket| !socket.is_empty());
    if let Some(socket) = socket.filter(|_| !is_set("LONGHAUL_URL") && !is_set("LONGHAUL_HOME")) {
        let target = Target::Unix(PathBuf::from(socket));
        return Ok(Options { target, token: None, autostart: false });
    }
    let options = Options::from_environment()?;
    Ok(Options { autostart: options.autostart && may_start, ..options })
}

/// Does what `arguments`, the program's name included, ask for, and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>, roots: Roots) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // A runtime that speaks ARCP is asked other things than a daemon of ours.
    if let Some(url) = remote::url(&arguments) {
        return remote::main(&arguments, url);
    }
    let arguments = match quick::parse(&arguments) {
        Some(parsed) => parsed,
        None => match Arguments::try_parse_from(&arguments) {
            Ok(parsed) => parsed,
            Err(error) => return misread(&error, &arguments),
        },
    };
    let global = arguments.global;
    // Nothing but frames may stand on the stdout of a session, not even an error.
    let json = global.json && !matches!(arguments.command, Command::Arcp(_));
    let output = Output::new(json, global.quiet, global.color);
    let caller = Caller { output, roots, url: global.url };
    match dispatch(arguments.command, &caller) {
        Ok(Leave(code)) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// Answers a command line that did not parse; asking for help or the version is one of these.
fn misread(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let before_command = arguments.iter().take_while(|word| *word != "--");
    let json = before_command.into_iter().any(|word| word == "--json");
    let output = Output::new(json, false, When::Auto);
    if error.use_stderr() {
        let error = error::from_clap(error);
        output.error(&error);
        return ExitCode::from(error.kind.exit_code());
    }
    match output.help(error) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.kind.exit_code()),
    }
}

/// What needs no daemon runs as it is; everything else on a small runtime of one thread.
fn dispatch(command: Command, caller: &Caller) -> Result<Leave, CliError> {
    match command {
        Command::Completions(command) => command.run(caller),
        Command::Man(command) => command.run(caller),
        Command::Explain(command) => command.run(caller),
        // The daemon makes its own runtime.
        Command::Daemon(command) if command.is_run() => command.run_here(caller),
        Command::Serve(command) => command.run_here(caller),
        other => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| {
                CliError::unavailable("runtime", format!("no event loop could be made: {error}"))
            })?;
            let left = runtime.block_on(ask(other, caller));
            // A writer whose reader stands still must not keep us here.
            runtime.shutdown_background();
            left
        }
    }
}

async fn ask(command: Command, caller: &Caller) -> Result<Leave, CliError> {
    match command {
        Command::Run(command) => Box::pin(command.run(caller)).await,
        Command::Submit(command) => Box::pin(command.run(caller)).await,
        Command::List(command) => command.run(caller).await,
        Command::Show(command) => command.run(caller).await,
        Command::Why(command) => command.run(caller).await,
        Command::Logs(command) => command.run(caller).await,
        Command::Events(command) => command.run(caller).await,
        Command::Audit(command) => command.run(caller).await,
        Command::Wait(command) => command.run(caller).await,
        Command::Cancel(command) => command.run(caller).await,
        Command::Retry(command) => command.run(caller).await,
        Command::Prune(command) => command.run(caller).await,
        Command::Pool(command) => command.run(caller).await,
        Command::Artifacts(command) => command.run(caller).await,
        Command::Inbox(command) => command.run(caller).await,
        Command::Notices(command) => command.run(caller).await,
        Command::Sink(command) => command.run(caller).await,
        Command::Agent(command) => command.run(caller).await,
        Command::Turn(command) => Box::pin(command.run(caller)).await,
        Command::Mail(command) => command.run(caller).await,
        Command::Emit(command) => command.run(caller).await,
        Command::Authorize(command) => command.run(caller).await,
        Command::Delegate(command) => command.run(caller).await,
        Command::Hook(command) => command.run(caller).await,
        Command::Approvals(command) => command.run(caller).await,
        Command::Arcp(command) => Box::pin(command.run(caller)).await,
        Command::Token(command) => command.run(caller).await,
        Command::Credentials(command) => command.run(caller).await,
        Command::Daemon(command) => command.run(caller).await,
        Command::Doctor(command) => command.run(caller).await,
        Command::Completions(_) | Command::Man(_) | Command::Explain(_) | Command::Serve(_) => {
            unreachable!("dispatched without a runtime")
        }
    }
}
