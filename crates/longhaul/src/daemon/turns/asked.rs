//! From what core says of an attempt to what its adapter is asked to launch. The same rows give the
//! same launch, so that one that is made again continues the first.

use super::environment;
use crate::access::{self, Bounds, bounds};
use crate::hold;
use crate::ids;
use longhaul_agents::{Adapter, Carry, Conversation, File, Launch, NanoUsd, Stdin, Turn, Unsuited};
use longhaul_core::job::Job;
use longhaul_core::spec::Environment;
use longhaul_core::turn::{Conversation as Asked, Input};
use std::collections::BTreeMap;
use std::path::Path;

/// What is launched for an attempt of a turn.
#[derive(Debug)]
pub(in crate::daemon) struct Outfit {
    /// The program and its arguments.
    pub(in crate::daemon) argv: Vec<String>,
    /// Where it runs.
    pub(in crate::daemon) cwd: String,
    /// Its environment, without what every job is given.
    pub(in crate::daemon) environment: BTreeMap<String, String>,
    /// What it reads on its standard input; nothing if `None`.
    pub(in crate::daemon) stdin: Option<String>,
    /// Files to write before the start: their names below the turn's own folder, and their texts.
    pub(in crate::daemon) files: Vec<(String, String)>,
}

/// Why there is nothing to launch. Trying again would come to the same.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::daemon) enum Unfit {
    #[error("there is no kind of agents called `{0}`")]
    NoKind(String),
    #[error(transparent)]
    Unsuited(#[from] Unsuited),
    #[error("`{0}` is outside of the attempt's own folder")]
    Elsewhere(String),
    #[error("{0}")]
    NoPlace(String),
    #[error("what it is to be told is not there any more")]
    NoInput,
}

/// What an attempt is made of.
pub(in crate::daemon) struct Ingredients<'a> {
    pub(in crate::daemon) job: &'a Job,
    pub(in crate::daemon) input: &'a Input,
    /// What the agent was added with.
    pub(in crate::daemon) of_agent: &'a Environment,
    /// What this very turn was given.
    pub(in crate::daemon) of_turn: &'a Environment,
    /// Where it runs, if not in the agent's own directory.
    pub(in crate::daemon) cwd: &'a str,
    /// A folder of the attempt's own, for the adapter's files.
    pub(in crate::daemon) folder: &'a str,
    /// This program, which is the hook that tool calls are put to.
    pub(in crate::daemon) program: &'a Path,
}

/// Works out what is launched.
pub(in crate::daemon) fn outfit(of: &Ingredients<'_>) -> Result<Outfit, Unfit> {
    let adapter = adapter(&of.input.agent.kind)?;
    let turn = turn(of);
    let launch = adapter.launch(&turn)?;
    let set = &of.input.agent.environment_set;
    let environment = environment::of(&of.of_agent.0, set, &of.of_turn.0, &launch);
    let Launch { mut argv, stdin, mut files, .. } = launch;
    if stdin == Stdin::Protocol {
        // The agent's own command line stands in a file of the process that holds it.
        let text = hold::Held::of(argv, &turn).text();
        files.push(File { path: format!("{}/{}", of.folder, hold::FILE), text });
        argv = hold::command(&of.program.to_string_lossy(), of.folder);
    }
    let files = files.into_iter().map(|file| {
        let below = file.path.strip_prefix(of.folder).and_then(|rest| rest.strip_prefix('/'));
        match below.filter(|name| is_name(name)) {
            Some(name) => Ok((name.to_owned(), file.text)),
            None => Err(Unfit::Elsewhere(file.path)),
        }
    });
    let files = files.collect::<Result<_, _>>()?;
    let stdin = match stdin {
        Stdin::Nothing | Stdin::Protocol => None,
        Stdin::Text(text) => Some(text),
    };
    Ok(Outfit { argv, cwd: of.cwd.to_owned(), environment, stdin, files })
}

/// The adapter of a kind of agents.
pub(super) fn adapter(kind: &str) -> Result<&'static dyn Adapter, Unfit> {
    longhaul_agents::adapter(kind).ok_or_else(|| Unfit::NoKind(kind.to_owned()))
}

/// A name of one file, so that nothing is written beside the folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0'])
}

/// The attempt in the adapters' words.
fn turn(of: &Ingredients<'_>) -> Turn {
    let (conversation, resumes_deferred) = conversation(of.job, of.input);
    let agent = &of.input.agent;
    let is_leased = of.job.spec.hosted.is_some();
    let Bounds { access, denied, asked, hook } =
        bounds(&agent.policy, &agent.kind, of.program, is_leased);
    Turn {
        prompt: of.input.prompt.clone(),
        model: of.input.agent.model.clone(),
        conversation,
        carry: carry(of.input),
        cwd: of.cwd.to_owned(),
        access,
        denied,
        asked,
        hook,
        steps_max: of.job.spec.turn.as_ref().and_then(|turn| turn.steps_max),
        budget: budget(of.input),
        extra: of.input.agent.extra.clone(),
        folder: of.folder.to_owned(),
        folder_is_roots: access::is_roots(Path::new(of.folder)),
        resumes_deferred,
        ..Turn::default()
    }
}

/// What the reading of an attempt's output begins with: all of the turn that a memory looks at.
pub(super) fn remembered(job: &Job, input: &Input) -> Turn {
    let (conversation, resumes_deferred) = conversation(job, input);
    Turn { conversation, resumes_deferred, carry: carry(input), ..Turn::default() }
}

/// Which conversation it belongs to, and whether that goes on at a tool call that was put off.
fn conversation(job: &Job, input: &Input) -> (Conversation, bool) {
    match &input.conversation {
        // Under an id of ours it can be resumed even if the CLI is killed before it names one.
        Asked::New => (Conversation::NewAs(ids::conversation(&job.id, input.attempt)), false),
        Asked::Resume(id) => (Conversation::Resume(id.clone()), false),
        Asked::Deferred(id) => (Conversation::Resume(id.clone()), true),
    }
}

fn carry(input: &Input) -> Option<Carry> {
    let carry = serde_json::from_str(input.carry.as_deref()?);
    // Of another version: what the turn used is then the least that is known.
    carry
        .inspect_err(
            |_| tracing::warn!(job = %input.job, "what the last turn used is not readable"),
        )
        .ok()
}

/// What the CLI itself is told to stop at. Where a person is asked first, it must not.
fn budget(input: &Input) -> Option<NanoUsd> {
    let budget = input.agent.budget.filter(|budget| !budget.is_asked)?;
    Some(NanoUsd(budget.nano_usd_max))
}
