//! What a turn has beside what every attempt has: what is launched follows from its agent and its
//! adapter, and its end from what it wrote.

use super::evidence::{Left, Subject};
use super::launch::LaunchError;
use super::site::Site;
use crate::daemon::turns::{self, Closing, Follower, Ingredients, Outfit, Unfit};
use crate::daemon::worktrees::WorktreeError;
use longhaul_core::agent::{AgentEnvironment, AgentSpec, Ladder};
use longhaul_core::job::Job;
use longhaul_core::port::{Record, Table};
use longhaul_core::role;
use longhaul_core::spec::Environment;
use longhaul_core::time::Millis;
use longhaul_core::turn::{Input, TurnEnd};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// The name of the agent, in the environment of its turns.
const AGENT_VARIABLE: &str = "LONGHAUL_AGENT";

/// Turns whose output is taken to its end at the same time; each holds a batch in memory.
pub(super) const CLOSINGS_MAX: usize = 8;

impl Site {
    /// Whoever takes what an attempt writes.
    pub(super) fn follower(&self, subject: &Subject) -> Follower {
        Follower {
            engine: self.engine.clone(),
            readers: self.readers.clone(),
            spools: self.spools.clone(),
            home: self.home.clone(),
            credentials: self.credentials.clone(),
            job: subject.job.clone(),
            attempt: subject.attempt,
        }
    }
}

impl Subject {
    /// Works out what is launched for a turn of this agent. Blocks.
    pub(super) fn turn_outfit(
        &self,
        site: &Site,
        job: &Job,
        agent: &str,
        of_turn: &Environment,
    ) -> Result<Outfit, LaunchError> {
        let (id, name) = (self.job.as_str().to_owned(), agent.to_owned());
        let (input, of_agent) = site.readers.read_blocking(move |reader| {
            let input = reader.load(Table::Input, &id)?;
            let input = input.as_ref().map(Input::from_row).transpose()?;
            let environment = reader.load(Table::AgentEnvironment, &name)?;
            let environment = environment.as_ref().map(AgentEnvironment::from_row).transpose()?;
            Ok((input, environment))
        })?;
        let input = input.filter(|input| input.attempt == self.attempt).ok_or(Unfit::NoInput)?;
        let nothing = Environment(BTreeMap::new());
        let of_agent = of_agent.as_ref().map_or(&nothing, |stored| &stored.environment);
        // A link of the kernel's would lead a hook's shell to itself.
        let program =
            std::fs::canonicalize(&site.program).unwrap_or_else(|_| PathBuf::from("longhaul"));
        let folder = site.home.attempt(&self.job, self.attempt).join("turn");
        let cwd = self.workplace(site, job, &input)?;
        let mut outfit = turns::outfit(&Ingredients {
            job,
            input: &input,
            of_agent,
            of_turn,
            cwd: &cwd,
            folder: &folder.display().to_string(),
            program: &program,
        })?;
        outfit.environment.insert(AGENT_VARIABLE.to_owned(), agent.to_owned());
        Ok(outfit)
    }
}

impl Subject {
    /// Where a turn runs: in its agent's directory, or what stands for that in a worktree. Blocks.
    fn workplace(&self, site: &Site, job: &Job, input: &Input) -> Result<String, LaunchError> {
        let cwd = &input.agent.cwd;
        let is_own = job.spec.turn.as_ref().is_some_and(|turn| turn.worktree);
        let name = match (is_own, input.agent.worktree) {
            (true, _) => self.job.as_str(),
            (false, true) => &input.agent.name,
            (false, false) => return Ok(cwd.clone()),
        };
        match site.worktrees.prepare(name, Path::new(cwd)) {
            Ok(path) => Ok(path.to_string_lossy().into_owned()),
            Err(error @ WorktreeError::Never(_)) => Err(Unfit::NoPlace(error.to_string()).into()),
            Err(error @ WorktreeError::Now(_)) => Err(io::Error::other(error).into()),
        }
    }

    /// After how long a silence of this turn something is done about it. Blocks.
    pub(super) fn rungs(&self, site: &Site) -> Vec<Millis> {
        let id = self.job.as_str().to_owned();
        let input = site.readers.read_blocking(move |reader| {
            let input = reader.load(Table::Input, &id)?;
            Ok(input.as_ref().map(Input::from_row).transpose()?)
        });
        match input {
            Ok(input) => input.map_or_else(Vec::new, |input| rungs(&input.agent)),
            // Silence that nobody looks for is better than an end that nobody meant.
            Err(error) => {
                tracing::warn!(job = %self.job, %error, "a turn's silence is not looked for");
                vec![]
            }
        }
    }
}

/// The rungs of an agent's own ladder, or of its role's.
fn rungs(agent: &AgentSpec) -> Vec<Millis> {
    let ladder = agent.ladder.unwrap_or_else(|| role::ladder(role::owes(agent.role.as_deref())));
    let Ladder { warn_after, nudge_after, ask_after, stop_after } = ladder;
    [warn_after, nudge_after, ask_after, stop_after].into_iter().flatten().collect()
}

/// Adds to an end what the attempt's output says about it, if it is a turn's. Nothing if that cannot
/// be known for now.
pub(super) async fn finish(
    site: &Arc<Site>,
    closings: &Semaphore,
    mut left: Left,
    follower: Option<AbortHandle>,
) -> Option<Left> {
    if !left.is_turn {
        return Some(left);
    }
    // What it has under way is committed or not; the row says which.
    if let Some(follower) = follower {
        follower.abort();
    }
    let _permit = closings.acquire().await.expect("the semaphore is never closed");
    let sizes = (left.exit.stdout_bytes, left.exit.stderr_bytes);
    match site.follower(&left.subject).close(sizes).await {
        Closing::Closed(closed) => {
            let id = left.subject.job.as_str();
            let read = site.readers.glance(|reader| reader.latest(id, turns::ENTRIES_MAX));
            // Without them the end is as certain.
            let entries = read.await.unwrap_or_default();
            let end: TurnEnd = turns::end(&closed, &left.exit, &left.cwd, &entries);
            left.exit.turn = Some(Box::new(end));
            Some(left)
        }
        Closing::Unwanted => Some(left),
        Closing::NotNow => None,
    }
}
