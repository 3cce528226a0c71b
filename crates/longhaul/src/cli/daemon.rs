//! `longhaul daemon`: the process that decides and supervises. Stopping or killing it never stops a
//! job; jobs are held by processes of their own.

use super::Caller;
use super::error::{CliError, Leave};
use crate::api::Status;
use crate::client::{Client, Target};
use crate::home::{Holder, Home, HomeError};
use serde_json::json;
use std::time::Duration;

/// How long a daemon that is there may take to say how it is.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// How long a stopping daemon may take to let go of its home.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Start, stop or look at the daemon; jobs go on whatever it does
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul daemon status
  longhaul daemon restart

The daemon starts by itself on first use, unless LONGHAUL_AUTOSTART=0.")]
pub(super) struct Daemon {
    #[command(subcommand)]
    command: DaemonCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DaemonCommand {
    /// Be the daemon, in the foreground
    Run {
        /// Leave the terminal and log to the home
        #[arg(long)]
        background: bool,
    },
    /// Start it in the background
    Start,
    /// Stop it and wait until it is gone; jobs go on
    Stop,
    /// Say how it is; exit 4 if it is not running
    Status,
    /// Stop it and start it again, as after an upgrade
    Restart,
}

impl Daemon {
    pub(super) const fn is_run(&self) -> bool {
        matches!(self.command, DaemonCommand::Run { .. })
    }

    /// Is the daemon until it is stopped. Only for `daemon run`.
    pub(super) fn run_here(self, caller: &Caller) -> Result<Leave, CliError> {
        let DaemonCommand::Run { background } = self.command else {
            unreachable!("is_run() was asked")
        };
        (caller.roots.run_daemon)(background)?;
        Ok(Leave::OK)
    }

    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        match self.command {
            DaemonCommand::Run { .. } => unreachable!("run_here() does that"),
            DaemonCommand::Start => start(caller).await,
            DaemonCommand::Stop => {
                let was_running = stop(caller).await?;
                if caller.output.json {
                    caller.output.value(&json!({"running": false, "stopped": was_running}))?;
                } else if !was_running {
                    caller.output.note("no daemon was running");
                }
                Ok(Leave::OK)
            }
            DaemonCommand::Status => status(caller).await,
            DaemonCommand::Restart => {
                stop(caller).await?;
                start(caller).await
            }
        }
    }
}

async fn start(caller: &Caller) -> Result<Leave, CliError> {
    // It was asked for by name, so LONGHAUL_AUTOSTART=0 does not count.
    let status = answered(caller, &caller.started().await?).await?;
    if caller.output.json {
        caller.output.value(&status)?;
    } else {
        caller.output.line(&in_words(&status))?;
    }
    Ok(Leave::OK)
}

async fn status(caller: &Caller) -> Result<Leave, CliError> {
    let status = match caller.running().await {
        Ok(client) => answered(caller, &client).await?,
        Err(error) if error.code == "not_running" => return not_running(caller),
        Err(error) => return Err(error),
    };
    if caller.output.json {
        caller.output.value(&status)?;
    } else {
        caller.output.line(&in_words(&status))?;
    }
    Ok(Leave::OK)
}

/// How the daemon is. One that is there and says nothing, suspended or held up by its disk, is named:
/// whoever asks wants to know just that.
pub(super) async fn answered(caller: &Caller, client: &Client) -> Result<Status, CliError> {
    match tokio::time::timeout(ANSWER_MAX, client.status()).await {
        Ok(status) => Ok(status?),
        Err(_) => Err(silent(caller)),
    }
}

fn silent(caller: &Caller) -> CliError {
    // Only of a daemon on this machine is it known which process it is.
    let home = caller.options(false).ok().and_then(|options| match options.target {
        Target::Home(home) => Some(home),
        Target::Unix(_) | Target::Tcp(_) => None,
    });
    let holder = home.and_then(|home| home.holder().ok().flatten());
    let pid = holder.and_then(|holder| holder.pid);
    let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let seconds = ANSWER_MAX.as_secs();
    let message = format!("the daemon{who} is there, and has not answered in {seconds} s");
    CliError::unavailable("unavailable", message)
        .hint("`kill -CONT` wakes one that was suspended; killing it is safe, for jobs go on")
}

fn not_running(caller: &Caller) -> Result<Leave, CliError> {
    let home = home()?;
    if caller.output.json {
        caller.output.value(&json!({
            "running": false,
            "pid": null,
            "version": env!("CARGO_PKG_VERSION"),
            "home": home.path(),
            "socket": home.socket(),
            "jobs": {},
        }))?;
    } else {
        caller.output.line(&format!("not running, home {}", home.path().display()))?;
    }
    Ok(Leave::UNAVAILABLE)
}

fn in_words(status: &Status) -> String {
    let counts: Vec<String> = status
        .jobs
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let jobs = if counts.is_empty() { "no jobs".to_owned() } else { counts.join(", ") };
    format!(
        "running, pid {}, version {}, since {}\nhome {}\njobs {jobs}",
        status.pid, status.version, status.started_at, status.home
    )
}

/// Stops the daemon and waits until it has let go of its home. Gives whether one was running.
pub(super) async fn stop(caller: &Caller) -> Result<bool, CliError> {
    stop_within(stop_patiently(caller, || caller.running())).await
}

/// Stops the daemon that has this user's home, if one has. Gives whether one had it.
pub(super) fn make_room(caller: &Caller) -> Result<bool, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CliError::unavailable("runtime", format!("no event loop could be made: {error}"))
    })?;
    runtime.block_on(stop_within(stop_patiently(caller, || caller.running_here())))
}

async fn stop_within(stop: impl Future<Output = Result<bool, CliError>>) -> Result<bool, CliError> {
    let late = |_| {
        let seconds = STOP_MAX.as_secs();
        CliError::unavailable("unavailable", format!("the daemon has not left in {seconds} s"))
            .hint("`longhaul daemon status` says which process it is; killing it is safe")
    };
    tokio::time::timeout(STOP_MAX, stop).await.map_err(late)?
}

async fn stop_patiently<F>(caller: &Caller, reach: impl Fn() -> F) -> Result<bool, CliError>
where
    F: Future<Output = Result<Client, CliError>>,
{
    let mut was_held = false;
    let client = loop {
        match reach().await {
            Ok(client) => break client,
            Err(error) if error.code == "not_running" => {}
            Err(error) => return Err(error),
        }
        // A daemon on its way in has not opened its door yet, one on its way out has closed it.
        if holder(&home()?)?.is_none_or(|holder| holder.is_private) {
            return Ok(was_held);
        }
        was_held = true;
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let pid = client.status().await?.pid;
    client.stop().await?;
    let home = home()?;
    while let Some(holder) = holder(&home)? {
        // Whoever follows a job starts the next daemon at once; ours is gone all the same.
        if holder.pid.is_some_and(|holder| holder != pid) {
            caller.output.note("another was started at once by a command that follows a job");
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(true)
}

fn holder(home: &Home) -> Result<Option<Holder>, CliError> {
    home.holder().map_err(|error| {
        let message = format!("`{}` cannot be looked at: {error}", home.lock().display());
        CliError::unavailable("unavailable", message)
    })
}

/// The home that the environment names.
pub(super) fn home() -> Result<Home, CliError> {
    let open = || -> Result<Home, HomeError> { Home::open(&Home::locate()?) };
    open().map_err(|error| {
        let refused = CliError::refused("bad_home", error.to_string());
        error.hint().map_or_else(|| refused.clone(), |hint| refused.clone().hint(hint))
    })
}
