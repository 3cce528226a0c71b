//! Worktrees of agents and turns: where they lie, which are left over, and what may go of those.

use super::Shared;
use super::agents::load_agent;
use super::doctor::{NAMED_MAX, finding, fine};
use super::error::{Answer, Failure};
use super::resolve::load;
use crate::api::{Finding, Level, WorkspaceView};
use crate::daemon::{Ignored, Reaped, Worktree};
use longhaul_core::agent::AgentSpec;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, StoreError};
use std::io;

/// The worktree that an agent works in; nothing while there is none.
pub(super) fn of_agent(ports: &Shared, agent: &AgentSpec) -> Option<WorkspaceView> {
    agent.worktree.then(|| shown(ports, &agent.name)).flatten()
}

/// The worktree that a turn works in: its own, or its agent's. Blocks.
pub(super) fn of_turn(
    ports: &Shared,
    reader: &mut dyn Reader,
    job: &Job,
) -> Result<Option<WorkspaceView>, StoreError> {
    let Some(turn) = &job.spec.turn else { return Ok(None) };
    if turn.worktree {
        return Ok(shown(ports, job.id.as_str()));
    }
    let agent = load_agent(reader, &turn.agent)?;
    Ok(agent.and_then(|agent| of_agent(ports, &agent.spec)))
}

fn shown(ports: &Shared, name: &str) -> Option<WorkspaceView> {
    let (path, branch) = ports.worktrees.find(name)?;
    Some(WorkspaceView { path: path.to_string_lossy().into_owned(), branch })
}

/// Removes the worktree of this name if nobody needs it and nothing is lost with it. Blocks.
pub(super) fn reap(ports: &Shared, name: &str) -> io::Result<Reaped> {
    ports.worktrees.reap(name, Ignored::Goes, || {
        let wanted = name.to_owned();
        match ports.readers.read_blocking(move |reader| is_needed(reader, &wanted)) {
            Ok(false) => Ok(()),
            Ok(true) => Err("it is in use".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// Whether there is an agent of that name, or a turn of that id that has not ended.
fn is_needed(reader: &mut dyn Reader, name: &str) -> Result<bool, StoreError> {
    let job = match JobId::parse(name) {
        Ok(id) => load(reader, &id)?,
        Err(_) => None,
    };
    Ok(job.is_some_and(|job| job.outcome().is_none()) || load_agent(reader, name)?.is_some())
}

/// Looks for worktrees of agents that are not there any more, and of turns that have ended.
pub(super) async fn examine(ports: &Shared) -> Answer<Vec<Finding>> {
    let looking = Shared::clone(ports);
    on_a_thread(move || {
        let left = match left_over(&looking) {
            Ok(left) => left,
            Err(error) => return vec![unlisted(&error)],
        };
        if left.is_empty() {
            return vec![fine("worktrees", "every worktree belongs to an agent or a turn")];
        }
        let count = left.len();
        let named = left.into_iter().take(NAMED_MAX).map(|worktree| {
            let kept = looking.worktrees.why_kept(&worktree.name);
            told(&worktree, kept.unwrap_or_else(|error| Some(error.to_string())))
        });
        let mut findings: Vec<Finding> = named.collect();
        if count > NAMED_MAX {
            let message = format!("{count} worktrees are left in all");
            findings.push(finding("worktrees", Level::Warning, message, "see those named above"));
        }
        findings
    })
    .await
}

/// Removes those that are left over and hold nothing that is nowhere else; says which went, and which
/// stay and why.
pub(super) async fn mend(ports: &Shared) -> Answer<Vec<Finding>> {
    let mending = Shared::clone(ports);
    on_a_thread(move || {
        let left = match left_over(&mending) {
            Ok(left) => left,
            Err(error) => return vec![unlisted(&error)],
        };
        let mended = left.into_iter().filter_map(|worktree| match reap(&mending, &worktree.name) {
            Ok(Reaped::Nothing) => None,
            Ok(Reaped::Gone) => {
                let (path, branch) = (worktree.path.display(), &worktree.branch);
                let message = format!("removed the worktree `{path}` and its branch `{branch}`");
                Some(fine("mended", message))
            }
            Ok(Reaped::Kept { because, .. }) => Some(told(&worktree, Some(because))),
            Err(error) => Some(told(&worktree, Some(error.to_string()))),
        });
        mended.collect()
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|error| Failure::bug(error.to_string()))
}

/// Those that nobody works in any more. Blocks.
fn left_over(ports: &Shared) -> io::Result<Vec<Worktree>> {
    let listed = ports.worktrees.list()?;
    let needed = ports.readers.read_blocking(move |reader| {
        let looked_at = listed.into_iter().map(|worktree| {
            let is_needed = is_needed(reader, &worktree.name)?;
            Ok((!is_needed).then_some(worktree))
        });
        looked_at.collect::<Result<Vec<_>, StoreError>>()
    });
    Ok(needed.map_err(io::Error::other)?.into_iter().flatten().collect())
}

fn unlisted(error: &io::Error) -> Finding {
    let message = format!("the worktrees cannot be listed: {error}");
    finding("worktrees", Level::Warning, message, "check their modes")
}

fn told(worktree: &Worktree, kept: Option<String>) -> Finding {
    let (path, repository) = (worktree.path.display(), worktree.repository.display());
    let (because, hint) = match kept {
        Some(because) => {
            let hint = format!(
                "merge or drop its branch, then `git -C {repository} worktree remove {path}`"
            );
            (because, hint)
        }
        None => {
            ("nothing is lost with it".to_owned(), "`longhaul doctor --fix` removes it".to_owned())
        }
    };
    let message = format!("the worktree `{path}` (`{}`) is left: {because}", worktree.branch);
    finding("worktrees", Level::Warning, message, hint)
}
