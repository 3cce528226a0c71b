//! `longhaul agent`: named workers, each with a mailbox, a lane and a conversation.

use super::agent_add::Add;
use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use super::{Caller, agent_show, list};
use crate::api::{AgentState, AgentView, StopAgentAsk};
use clap::builder::NonEmptyStringValueParser;

/// Make, show and end agents: named workers with a mailbox and a conversation
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul agent add fixer --kind claude --cwd ~/src/app --allow-tool Read --allow-tool Edit
  longhaul turn fixer 'Make the tests pass' --follow
  longhaul agent show fixer
  longhaul agent stop fixer --reason 'the branch is merged'

An agent is one of the CLIs claude, codex, gemini, opencode, pi, omp or qwen; acp for any that speaks the \
Agent Client Protocol, ndjson for a program that writes events as JSON lines, plain for any other. Its \
turns run one at a time, oldest first, each going on with its conversation. Mail to it wakes it.")]
pub(super) struct Agent {
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AgentCommand {
    Add(Box<Add>),
    /// List the agents, with what they do and what they used
    List,
    /// Show all that is known of an agent
    Show {
        /// Which agent
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
    /// Forget an agent that has neither open turns nor children; its unread mail is returned
    Remove {
        /// Which agent
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
    /// End an agent: its turns are cancelled, its unread mail is returned, nothing wakes it
    Stop {
        /// Which agent
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Say why, for people
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Kill its turn without waiting for it to end
        #[arg(long)]
        now: bool,
    },
}

impl Agent {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        match self.command {
            AgentCommand::Add(add) => add.run(caller).await,
            AgentCommand::List => show_all(caller).await,
            AgentCommand::Show { name } => {
                let agent = caller.client().await?.agent(&name).await?;
                if caller.output.json {
                    caller.output.value(&agent)?;
                } else {
                    caller.output.line(&agent_show::in_full(&agent, &caller.output))?;
                }
                Ok(Leave::OK)
            }
            AgentCommand::Remove { name } => {
                caller.client().await?.remove_agent(&name).await?;
                if caller.output.json {
                    caller.output.value(&serde_json::json!({ "removed": name }))?;
                } else {
                    caller.output.note(&format!("{} is removed", plain(&name)));
                }
                Ok(Leave::OK)
            }
            AgentCommand::Stop { name, reason, now } => {
                let ask = StopAgentAsk { reason, now };
                let agent = caller.client().await?.stop_agent(&name, &ask).await?;
                if caller.output.json {
                    caller.output.value(&agent)?;
                } else {
                    let open = agent.turn.map(|job| format!("; {job} is being ended"));
                    let open = open.unwrap_or_default();
                    caller.output.note(&format!("{} is stopped{open}", plain(&name)));
                }
                Ok(Leave::OK)
            }
        }
    }
}

async fn show_all(caller: &Caller) -> Result<Leave, CliError> {
    let agents = caller.client().await?.agents().await?;
    if caller.output.json {
        caller.output.value(&agents)?;
        return Ok(Leave::OK);
    }
    if agents.agents.is_empty() {
        caller.output.note("no agents");
        return Ok(Leave::OK);
    }
    let rows = agents.agents.iter().map(row).collect();
    let head = ["AGENT", "KIND", "STATE", "WAITS FOR", "UNREAD", "TURNS", "COST", "WORKS FOR"];
    caller.output.table(&head, rows)?;
    Ok(Leave::OK)
}

fn row(agent: &AgentView) -> Vec<(Tone, String)> {
    let cost = agent.used.cost_usd.map(|usd| usd.to_string()).unwrap_or_default();
    let unread = if agent.unread == 0 { Tone::Faint } else { Tone::Doubtful };
    vec![
        (Tone::Plain, plain(&agent.name)),
        (Tone::Faint, plain(&agent.kind)),
        (tone(agent.state), agent.state.name().to_owned()),
        (Tone::Plain, list::clipped(agent.waiting_for.as_deref().unwrap_or_default())),
        (unread, agent.unread.to_string()),
        (Tone::Plain, agent.turns.to_string()),
        (Tone::Plain, cost),
        (Tone::Faint, plain(agent.parent.as_deref().unwrap_or_default())),
    ]
}

/// How good it is to be in a state.
pub(super) const fn tone(state: AgentState) -> Tone {
    match state {
        AgentState::Idle | AgentState::Stopped => Tone::Faint,
        AgentState::Waiting => Tone::Live,
        AgentState::Finished => Tone::Good,
    }
}
