//! The command line as a tree. Each command's own options stand in the file of its name; help texts
//! are in the imperative and without a full stop.

use super::output::When;
use super::{
    agent, approvals, arcp, artifacts, audit, authorize, cancel, completions, credentials, daemon,
    delegate, doctor, emit, events, explain, hook, inbox, list, logs, mail, man, notices, pool,
    prune, retry, run, serve, show, sink, submit, token, turn, wait, why,
};
use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "\
Environment:
  LONGHAUL_HOME       where everything lies [default: $XDG_STATE_HOME/longhaul, else ~/.local/state/longhaul]
  LONGHAUL_URL        talk to a daemon elsewhere, or with `ws://` to any runtime that speaks ARCP;
                      `--url URL` goes before it, and LONGHAUL_TOKEN is the password
  LONGHAUL_OWNER      whose jobs are submitted and whose notices are read [default: USER@PROJECT]
  LONGHAUL_AUTOSTART  0: never start a daemon in the background
  NO_COLOR            no colours

Exit codes:
  run, wait JOB       the job's own; 128+N ended by signal N; 124 timed out; 130 cancelled; 125 lost, or could not be started
  otherwise           0 ok, 2 usage, 3 refused, 4 unavailable, 5 `wait --timeout` ran out, 70 our bug

JOB is an id, the beginning of one (4 or more characters after `job_`), or a job's name.
Durations are written `500ms`, `30s`, `10m`, `2h`, `7d`; sizes `64K`, `10M`, `2G`; times in RFC 3339.";

/// Run jobs that outlive terminals, crashes and restarts
#[derive(Debug, Parser)]
#[command(name = "longhaul", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_long_args = false)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Global {
    /// Ask the daemon or the runtime at this URL
    // Said once, among the variables of the environment, instead of with each of the commands.
    // Its own name, because commands have URLs of theirs among their arguments.
    #[arg(id = "daemon_url", long = "url", global = true, value_name = "URL", hide = true)]
    pub(super) url: Option<String>,
    /// Write JSON to stdout, and nothing else there
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) json: bool,
    /// Say nothing beside the result
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Colour the output
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    #[arg(help_heading = "Output", long_help = "Colour the output: auto, always or never")]
    pub(super) color: When,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(Box<run::Run>),
    Submit(Box<submit::Submit>),
    List(list::List),
    Show(show::Show),
    Why(why::Why),
    Logs(logs::Logs),
    Events(events::Events),
    Audit(audit::Audit),
    Wait(wait::Wait),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Prune(prune::Prune),
    Pool(pool::Pool),
    Artifacts(artifacts::Artifacts),
    Inbox(inbox::Inbox),
    Notices(notices::Notices),
    Sink(sink::Sink),
    Agent(agent::Agent),
    Turn(Box<turn::Turn>),
    Mail(mail::Mail),
    Approvals(approvals::Approvals),
    Emit(emit::Emit),
    Authorize(authorize::Authorize),
    Delegate(Box<delegate::Delegate>),
    Hook(hook::Hook),
    Token(token::Token),
    Credentials(credentials::Credentials),
    Serve(serve::Serve),
    Arcp(arcp::Arcp),
    Daemon(daemon::Daemon),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    Completions(completions::Completions),
    Man(man::Man),
}
