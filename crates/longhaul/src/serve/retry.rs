//! An ended job once more: a new job that names the old one. Values that were set on purpose were
//! erased with the old job, so they come from the asker or the retry is refused.

use super::body::parse;
use super::error::{Answer, Failure};
use super::resolve::find;
use super::{Shared, jobs, spec};
use crate::api::{RetryAsk, Submitted, Variables};
use crate::daemon::CLOSURE;
use crate::project::{owner_in, project_of};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use longhaul_core::command::{Refused, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::spec::JobSpec;
use longhaul_core::time::Millis;
use std::path::Path as FilePath;

/// `POST /v1/jobs/{job}/retry`
pub(super) async fn retry(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Submitted>)> {
    let ask: RetryAsk = parse(&body)?;
    let old = find(&ports, &job).await?;
    if old.outcome().is_none() {
        let state = old.state_name();
        return Err(Refused::NotEnded { job: old.id, state }.into());
    }
    if old.spec.task.as_ref().is_some_and(|task| task.kind == CLOSURE) {
        let message = format!("{} was a closure of a program, which ran once and is gone", old.id);
        return Err(Failure::refused("retry_needs_kind", message)
            .hint("the program can make its body a kind with `Jobs::kind`"));
    }
    let is_delegated = old.spec.hosted.as_ref().is_some_and(|hosted| hosted.delegate.is_some());
    if let (true, Some(parent)) = (is_delegated, &old.parent) {
        let message = format!("{} was delegated by {parent}, and spends what that one has", old.id);
        return Err(Failure::refused("delegated", message)
            .hint(format!("`longhaul retry {parent}` tries the job again that delegated it")));
    }
    let id = match &ask.id {
        Some(id) => JobId::parse(id).map_err(|bad| Failure::bad_spec(format!("`id` is {bad}")))?,
        None => spec::fresh_id()?,
    };
    let set = set_again(&old, &ask)?;
    let nothing = Variables::default();
    // A turn has its agent's environment, which is kept with the agent; of its own only what was set.
    let base = old.spec.turn.as_ref().map_or(ask.base_env.as_ref(), |_| Some(&nothing));
    let inherited = base.is_some() && old.spec.environment.inherited;
    let (environment, origin) = spec::environment(base, &set, inherited);
    // What it waited for is over: waiting for that again, or until an hour that has passed, would be
    // either nothing or, for a job that failed, the end at once.
    let new = JobSpec {
        environment: origin,
        after: Vec::new(),
        after_any: Vec::new(),
        delay: Millis::ZERO,
        at: None,
        ..old.spec
    };
    spec::check_blobs(&ports, &new)?;
    // A job that was stored before owners were derived has none.
    let project = old.project.unwrap_or_else(|| project_of(FilePath::new(&new.cwd)));
    let owner = old.owner.unwrap_or_else(|| owner_in(&project));
    let submission = Submission {
        id,
        spec: new,
        environment,
        // The key belongs to the old job for ever.
        key: None,
        owner: Some(owner),
        project: Some(project),
        parent: old.parent,
        retry_of: Some(old.id),
        session: None,
    };
    jobs::accept(&ports, submission).await
}

/// The variables that were set on purpose, with values from the asker.
fn set_again(old: &Job, ask: &RetryAsk) -> Answer<Variables> {
    let mut set = ask.env.clone();
    let mut gone = Vec::new();
    for name in &old.spec.environment.set {
        if set.0.contains_key(name) {
            continue;
        }
        match ask.base_env.as_ref().and_then(|base| base.0.get(name)) {
            Some(value) => {
                set.0.insert(name.clone(), value.clone());
            }
            None => gone.push(name.as_str()),
        }
    }
    if gone.is_empty() {
        return Ok(set);
    }
    let names = gone.join(", ");
    let message = format!("{} was given {names} on purpose, and the values are erased", old.id);
    let options: Vec<String> = gone.iter().map(|name| format!("--env {name}=…")).collect();
    let hint = format!("`longhaul retry {} {}` gives them again", old.id, options.join(" "));
    Err(Failure::refused("environment_gone", message).hint(hint))
}
