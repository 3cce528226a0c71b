//! `longhaul turn`: tells an agent something. A turn is a job of its agent's lane.

use super::environment::EnvironmentOptions;
use super::error::{CliError, Kind, Leave};
use super::output::Stream;
use super::owner::Owner;
use super::policy::{BudgetOptions, PolicyOptions, TroubleOptions};
use super::signals::{self, Signals, left_by};
use super::turn_show::Telling;
use super::{Caller, ending, owner, submission};
use crate::api::{Fetched, JobView, Span, Time, TurnAsk, Variables};
use crate::client::{Client, Events, EventsAsk};
use clap::builder::NonEmptyStringValueParser;
use std::io::{IsTerminal, Read};

/// Where a prompt that is not on the command line comes from.
const STDIN: &str = "-";
/// The command that follows a turn.
const FOLLOW: &str = "events -f";
const WHEN: &str = "When it runs";
const ENDS: &str = "How it ends";

/// Tell an agent something: one run of its CLI, queued behind its others
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul turn fixer 'Make the tests pass' --follow
  git diff | longhaul turn reviewer - --timeout 20m
  longhaul turn fixer 'Go on' --after build --budget 0.50usd

A turn goes on with the agent's conversation, and begins with what mail it has not read. Without --follow \
the id of its job is printed once it is durable: `longhaul wait`, `show`, `logs`, `events` and `cancel` \
take it. With --follow what the agent says and does is told as it happens, and the exit code is that of \
`longhaul run`; Ctrl-C detaches, twice within 2 s cancels. With --json: the job.")]
pub(super) struct Turn {
    /// Which agent
    #[arg(value_name = "AGENT", value_parser = NonEmptyStringValueParser::new())]
    agent: String,
    /// What to tell it; `-` reads stdin, as does a pipe where nothing is given
    #[arg(value_name = "PROMPT|-")]
    prompt: Option<String>,
    /// Tell what it says and does, and leave with the job's exit code
    #[arg(long, short)]
    follow: bool,
    /// Name the job, for people; serves wherever an id does
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Label the job, to find it by; may be repeated
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
    /// Say on whose behalf, and who is told when it has ended [default: LONGHAUL_OWNER, else the user
    /// at the project of the current directory]
    #[arg(long, value_name = "O")]
    owner: Option<String>,
    /// Make asking twice harmless: same key and same turn give the same job, another is refused
    #[arg(long, value_name = "K")]
    key: Option<String>,
    /// Use this model instead of the agent's
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Begin a new conversation
    #[arg(long)]
    fresh: bool,
    /// Let the model take this many steps at most, where its CLI can count them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Give it a git worktree and a branch of its own
    #[arg(long)]
    worktree: bool,
    /// Set a variable for this turn, beside the agent's; may be repeated
    #[arg(long = "env", value_name = "K=V")]
    env: Vec<String>,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    budget: BudgetOptions,
    #[command(flatten)]
    trouble: TroubleOptions,
    /// Start when these jobs have succeeded
    #[arg(long, value_name = "JOB", num_args = 1.., help_heading = WHEN)]
    after: Vec<String>,
    /// Start when these jobs have ended, whatever their outcome
    #[arg(long, value_name = "JOB", num_args = 1.., help_heading = WHEN)]
    after_any: Vec<String>,
    /// Start this long from now at the earliest, such as `10m`
    #[arg(long, value_name = "D", help_heading = WHEN, conflicts_with = "at")]
    delay: Option<Span>,
    /// Start at this time at the earliest, such as `2026-05-01T08:00:00Z`
    #[arg(long, value_name = "T", help_heading = WHEN)]
    at: Option<Time>,
    /// Stop it when it runs longer than this
    #[arg(long, value_name = "D", help_heading = ENDS)]
    timeout: Option<Span>,
    /// Try again after a failure that may pass, up to this many times [default: 0]
    #[arg(long, value_name = "N", help_heading = ENDS)]
    retry: Option<u64>,
    /// Tell this sink when it has ended, beside the agent's; may be repeated
    #[arg(long, value_name = "SINK", help_heading = ENDS)]
    notify: Vec<String>,
}

/// What ends the following of a turn, before or with the turn itself.
enum Followed {
    Ended,
    Signal(i32),
    ReaderGone,
}

impl Turn {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let (agent, is_followed) = (self.agent.clone(), self.follow);
        let ask = self.ask()?;
        let client = caller.client().await?;
        // From here on a signal must not cut an answer off that says what was submitted.
        let mut signals = Signals::new()?;
        let id = ask.id.clone().unwrap_or_default();
        let submitted = tokio::select! {
            submitted = client.submit_turn(&agent, ask) => submitted?,
            number = signals.any() => {
                caller.output.note(&format!("interrupted; `longhaul show {id}` knows whether {id} was submitted"));
                return Ok(left_by(number));
            }
        };
        if !submitted.created {
            caller.output.note("the turn was there already: same key, same turn");
        }
        if is_followed {
            caller.output.aside(&submitted.job.id);
            return follow_to_the_end(&submitted.job.id, &client, &mut signals, caller).await;
        }
        if caller.output.json {
            caller.output.value(&submitted.job)?;
        } else {
            caller.output.line(&submitted.job.id)?;
        }
        Ok(Leave::OK)
    }

    fn ask(self) -> Result<TurnAsk, CliError> {
        let options = EnvironmentOptions { set: self.env, ..EnvironmentOptions::default() };
        let environment = options.resolve(std::env::vars_os())?;
        let owner = Owner::of_caller(self.owner.as_deref());
        Ok(TurnAsk {
            id: Some(submission::fresh_id()?),
            prompt: prompt(self.prompt)?,
            name: self.name,
            model: self.model,
            fresh: self.fresh,
            policy: self.policy.said(),
            budget: self.budget.said(),
            park: self.trouble.park,
            resume: self.trouble.resume,
            steps: self.steps,
            worktree: self.worktree,
            labels: submission::labels(&self.labels)?,
            after: self.after,
            after_any: self.after_any,
            delay: self.delay,
            at: self.at,
            timeout: self.timeout,
            retry: self.retry,
            key: self.key,
            owner: Some(owner.name),
            project: Some(owner.project),
            parent: submission::parent(),
            notify: self.notify,
            env: Variables(environment.set),
        })
    }
}

fn prompt(given: Option<String>) -> Result<String, CliError> {
    let given = match given {
        Some(text) if text != STDIN => text,
        None if std::io::stdin().is_terminal() => String::new(),
        Some(_) | None => {
            let mut read = String::new();
            std::io::stdin().lock().read_to_string(&mut read).map_err(|error| {
                CliError::usage(format!("standard input cannot be read: {error}"))
            })?;
            read
        }
    };
    if given.trim().is_empty() {
        return Err(CliError::usage("there is nothing to tell the agent: the prompt is empty")
            .hint("give it after the agent's name, or on stdin with `-`"));
    }
    Ok(given)
}

async fn follow_to_the_end(
    id: &str,
    client: &Client,
    signals: &mut Signals,
    caller: &Caller,
) -> Result<Leave, CliError> {
    let mut events =
        client.events(EventsAsk { job: Some(id.to_owned()), follow: true, ..EventsAsk::default() });
    let mut telling = Telling::default();
    loop {
        match follow(&mut events, &mut telling, signals, caller).await? {
            Followed::Ended => {
                return ended(&client.wait(id, None).await?.job, client, caller).await;
            }
            // What shells give for a program that SIGPIPE ended, as ours would be but for the turn.
            Followed::ReaderGone => return Ok(Leave(128 + 13)),
            Followed::Signal(signals::INTERRUPT) => {
                signals::say_detached(caller, id, FOLLOW, signals::ONCE_MORE);
                if !signals.comes_again().await {
                    return Ok(left_by(signals::INTERRUPT));
                }
                signals::cancel(client, id).await?;
            }
            Followed::Signal(number) => {
                signals::say_detached(caller, id, FOLLOW, "");
                return Ok(left_by(number));
            }
        }
    }
}

async fn follow(
    events: &mut Events<'_>,
    telling: &mut Telling,
    signals: &mut Signals,
    caller: &Caller,
) -> Result<Followed, CliError> {
    let output = caller.output;
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            number = signals.any() => return Ok(Followed::Signal(number)),
        };
        let Some(event) = event else { return Ok(Followed::Ended) };
        // With --json stdout has room for one value, which is the job.
        let Some(mut text) = telling.of(&event, &output).filter(|_| !output.json) else { continue };
        text.push('\n');
        let write = move || output.bytes(Stream::Out, text.as_bytes());
        // A reader that stands still must not keep us from hearing a signal.
        tokio::select! {
            written = tokio::task::spawn_blocking(write) => {
                let written = written
                    .map_err(|error| CliError::bug(format!("the writer broke: {error}")))?;
                match written {
                    Err(error) if error.kind == Kind::Closed => return Ok(Followed::ReaderGone),
                    other => other?,
                }
            }
            number = signals.any() => return Ok(Followed::Signal(number)),
        }
    }
}

async fn ended(job: &JobView, client: &Client, caller: &Caller) -> Result<Leave, CliError> {
    if caller.output.json {
        caller.output.value(job)?;
    }
    if let Some(remark) = ending::remark(job) {
        caller.output.complain(&remark);
    }
    owner::settle(client, job, Fetched::Waited, caller).await;
    Ok(ending::leave_as(job))
}
