//! `longhaul agent add`: what an agent shall be.

use super::environment::EnvironmentOptions;
use super::error::{CliError, Leave};
use super::output::plain;
use super::owner::Owner;
use super::policy::{BudgetOptions, PolicyOptions, QuietOptions, TroubleOptions};
use super::submission::{say_left_out, text_of, working_directory};
use super::{Caller, agent_show};
use crate::api::{AgentAsk, Span, Variables};
use clap::builder::NonEmptyStringValueParser;
use std::path::PathBuf;

const PLACE: &str = "Where it runs";

/// Make an agent, or change one
#[derive(Debug, clap::Args)]
#[command(override_usage = "longhaul agent add [OPTIONS] --kind KIND <NAME> [-- ARG...]")]
#[command(after_help = "Examples:
  longhaul agent add fixer --kind claude --allow-tool Read --allow-tool 'Edit' --write-under src
  longhaul agent add lead --kind codex --role lead --budget 20usd --budget-ask
  longhaul agent add worker --kind claude --parent lead --role builder --worktree
  longhaul agent add tool --kind plain -- ./agent.sh --fast

Of your environment the agent keeps what its CLI needs: paths, language, proxies, and its own vendor's \
keys and settings; anything else, such as a token of another service, is named with --env. A change \
with --replace keeps conversation, mail and turns. An agent that has ended begins anew when it is added \
again, and goes on with --replace.")]
pub(super) struct Add {
    /// What it is called: no other agent is
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Run this CLI: claude, codex, gemini, opencode, pi, omp, qwen, acp, ndjson or plain
    #[arg(long, value_name = "KIND", value_parser = NonEmptyStringValueParser::new())]
    kind: String,
    /// Say what it is there for: who has a role other than coordinator, orchestrator or monitor owes a
    /// mail that says that its work is done
    #[arg(long, value_name = "R")]
    role: Option<String>,
    /// Let it work for this agent, which is told when it dies
    #[arg(long, value_name = "A")]
    parent: Option<String>,
    /// Use this model, as the CLI names it
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Say on whose behalf it works, and who is told [default: LONGHAUL_OWNER, else the user at the
    /// project of the current directory]
    #[arg(long, value_name = "O")]
    owner: Option<String>,
    /// Change an agent of that name
    #[arg(long)]
    replace: bool,
    /// Run its turns in this directory instead of the current one
    #[arg(long, value_name = "D", help_heading = PLACE)]
    cwd: Option<PathBuf>,
    /// Give it a git worktree and a branch of its own
    #[arg(long, help_heading = PLACE)]
    worktree: bool,
    /// Take a slot of this pool for each turn
    #[arg(long, value_name = "P", help_heading = PLACE)]
    pool: Option<String>,
    /// Set a variable for its turns; may be repeated
    #[arg(long = "env", value_name = "K=V", help_heading = PLACE)]
    env: Vec<String>,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    budget: BudgetOptions,
    #[command(flatten)]
    trouble: TroubleOptions,
    #[command(flatten)]
    quiet: QuietOptions,
    /// Stop a turn that runs longer than this
    #[arg(long, value_name = "D", help_heading = "How its turns end")]
    timeout: Option<Span>,
    /// Tell this sink when a turn has ended; may be repeated
    #[arg(long, value_name = "SINK", help_heading = "How its turns end")]
    notify: Vec<String>,
    /// Pass these on to the CLI; for acp, ndjson and plain the program and its arguments
    #[arg(value_name = "ARG", last = true)]
    extra: Vec<String>,
}

impl Add {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let name = self.name.clone();
        let ask = self.ask(caller)?;
        let agent = caller.client().await?.put_agent(&name, &ask).await?;
        if caller.output.json {
            caller.output.value(&agent)?;
        } else {
            caller.output.line(&agent_show::in_short(&agent))?;
        }
        for warning in &agent.warnings {
            caller.output.note(&plain(warning));
        }
        Ok(Leave::OK)
    }

    /// Paths are made whole here: the daemon knows no current directory.
    fn ask(self, caller: &Caller) -> Result<AgentAsk, CliError> {
        let cwd = text_of(working_directory(self.cwd.as_deref())?)?;
        let options = EnvironmentOptions { set: self.env, ..EnvironmentOptions::default() };
        let environment = options.resolve(std::env::vars_os())?;
        say_left_out(caller, &environment);
        let owner = Owner::of_caller(self.owner.as_deref());
        Ok(AgentAsk {
            kind: self.kind,
            role: self.role,
            parent: self.parent,
            model: self.model,
            cwd: Some(cwd),
            extra: self.extra,
            policy: self.policy.said().unwrap_or_default(),
            budget: self.budget.said(),
            park: self.trouble.park.unwrap_or_default(),
            resume: self.trouble.resume.unwrap_or_default(),
            quiet: self.quiet.said(),
            worktree: self.worktree,
            pool: self.pool,
            timeout: self.timeout,
            notify: self.notify,
            env: Variables(environment.set),
            base_env: Some(Variables(environment.base)),
            owner: Some(owner.name),
            project: Some(owner.project),
            replace: self.replace,
        })
    }
}
