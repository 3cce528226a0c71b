//! `longhaul sink`: places that are told when jobs end.

use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use super::submission::{text_of, working_directory};
use super::{Caller, list};
use crate::api::{SinkAsk, SinkView, Sinks};
use clap::builder::NonEmptyStringValueParser;
use std::path::PathBuf;

/// Say where notices go when jobs end
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul sink add ci webhook https://ci.example/hook --secret-file ~/.config/ci.secret
  longhaul sink add log exec -- tee -a /var/log/jobs.jsonl
  longhaul sink test ci
  longhaul submit --notify ci -- make test

A sink gets the notice of a job as JSON: a webhook as its body, signed as Standard Webhooks say if it \
has a secret; a program on its stdin (exit 75: try again later). It is tried until it takes it, with \
growing pauses; `longhaul notices` says what became of each try. The same notice may come twice, always \
under the same id.")]
pub(super) struct Sink {
    #[command(subcommand)]
    command: SinkCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SinkCommand {
    /// Make a sink
    Add(Add),
    /// List the sinks
    List,
    /// Remove a sink; what is owed to it is given up
    Remove {
        /// Which sink
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
    /// Send a test notice at once and say what the sink answers
    Test {
        /// Which sink
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// What `--notify` calls it
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Take the place of another sink of that name, and of what is owed to it
    #[arg(long)]
    replace: bool,
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// Post notices to an address
    Webhook {
        /// Where, without a user or password: `https://…` or `http://…`
        #[arg(value_name = "URL")]
        url: String,
        /// Sign with the secret in this file, which nobody else may read (mode 0600)
        #[arg(long, value_name = "F")]
        secret_file: Option<PathBuf>,
    },
    /// Run a program with the notice on its stdin, in the current directory
    Exec {
        /// What to run
        #[arg(value_name = "CMD", trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
    /// Write to an agent's mailbox
    Agent {
        /// Which agent
        #[arg(value_name = "AGENT")]
        agent: String,
    },
    /// Show a notification on the desktop
    Desktop,
}

impl Sink {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        match self.command {
            SinkCommand::Add(add) => add.run(caller).await,
            SinkCommand::List => {
                show(caller, &caller.client().await?.sinks().await?)?;
                Ok(Leave::OK)
            }
            SinkCommand::Remove { name } => {
                caller.client().await?.remove_sink(&name).await?;
                if caller.output.json {
                    caller.output.value(&serde_json::json!({ "removed": name }))?;
                } else {
                    caller.output.note(&format!("{} is removed", plain(&name)));
                }
                Ok(Leave::OK)
            }
            SinkCommand::Test { name } => test(caller, &name).await,
        }
    }
}

impl Add {
    async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let ask = ask(self.kind, self.replace)?;
        let sink = caller.client().await?.put_sink(&self.name, &ask).await?;
        if caller.output.json {
            caller.output.value(&sink)?;
            return Ok(Leave::OK);
        }
        caller.output.line(&format!("{}: {}", plain(&sink.name), plain(&target(&sink))))?;
        if let Some(what) = &sink.waiting_for {
            caller.output.note(&format!("nothing is sent to it for now: it waits for {what}"));
        }
        Ok(Leave::OK)
    }
}

/// Paths are made whole here: the daemon knows no current directory.
fn ask(kind: Kind, replace: bool) -> Result<SinkAsk, CliError> {
    Ok(match kind {
        Kind::Webhook { url, secret_file } => {
            let absolute = |path: PathBuf| {
                let absolute = std::path::absolute(&path).map_err(|error| {
                    CliError::usage(format!("`{}` is no path: {error}", path.display()))
                })?;
                text_of(absolute)
            };
            SinkAsk::Webhook { url, secret_file: secret_file.map(absolute).transpose()?, replace }
        }
        Kind::Exec { command } => {
            let cwd = Some(text_of(working_directory(None)?)?);
            SinkAsk::Exec { command, cwd, replace }
        }
        Kind::Agent { agent } => SinkAsk::Agent { agent, replace },
        Kind::Desktop => SinkAsk::Desktop { replace },
    })
}

async fn test(caller: &Caller, name: &str) -> Result<Leave, CliError> {
    let tested = caller.client().await?.test_sink(name).await?;
    if caller.output.json {
        caller.output.value(&tested)?;
    } else {
        let (tone, word) = if tested.ok { (Tone::Good, "took it") } else { (Tone::Bad, "failed") };
        let word = caller.output.toned(tone, word);
        let answer = plain(&tested.answer);
        caller.output.line(&format!("{}: {word} in {}ms: {answer}", plain(name), tested.ms))?;
    }
    Ok(if tested.ok { Leave::OK } else { Leave::REFUSED })
}

fn show(caller: &Caller, sinks: &Sinks) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(sinks);
    }
    if sinks.sinks.is_empty() {
        caller.output.note("no sinks");
        return Ok(());
    }
    let rows = sinks.sinks.iter().map(row).collect();
    caller.output.table(&["SINK", "KIND", "TO", "PENDING", "DEAD", "STATE"], rows)
}

fn row(sink: &SinkView) -> Vec<(Tone, String)> {
    let state = match (&sink.waiting_for, sink.trouble) {
        (Some(what), _) => (Tone::Faint, format!("waits for {what}")),
        (None, 0) => (Tone::Plain, "sound".to_owned()),
        (None, tries) => (Tone::Doubtful, format!("in trouble: {tries} failed in a row")),
    };
    let dead = if sink.dead == 0 { Tone::Plain } else { Tone::Bad };
    vec![
        (Tone::Plain, plain(&sink.name)),
        (Tone::Faint, plain(&sink.kind)),
        (Tone::Plain, list::clipped(&target(sink))),
        (Tone::Plain, sink.pending.to_string()),
        (dead, sink.dead.to_string()),
        state,
    ]
}

/// Where it leads, in one text.
fn target(sink: &SinkView) -> String {
    let signed = if sink.secret { " (signed)" } else { "" };
    match (&sink.url, &sink.command, &sink.agent) {
        (Some(url), _, _) => format!("{url}{signed}"),
        (None, Some(command), _) => command.join(" "),
        (None, None, Some(agent)) => agent.clone(),
        (None, None, None) => sink.kind.clone(),
    }
}
