//! Who asks, where that matters: a job that proves itself with the token of its attempt, or else the
//! person whose socket it is. Nobody says for himself which agent he is.

use super::Shared;
use super::error::{Answer, Failure};
use super::resolve::reread;
use super::spec::home_folder;
use crate::api::ByTurn;
use crate::project::{owner_in, project_of};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use longhaul_core::id::JobId;
use longhaul_core::mail::{is_reserved, person_box};
use longhaul_core::spec::check_word;
use std::path::Path;

/// The job that is named, if the request brings the token of its attempt.
pub(super) fn proven(
    ports: &Shared,
    headers: &HeaderMap,
    job: &str,
    attempt: u32,
) -> Answer<JobId> {
    // Every wrong answer is the same one, so that nobody learns here which jobs there are.
    let job = JobId::parse(job).map_err(|_| forbidden())?;
    let token = bearer(headers).unwrap_or_default();
    if ports.tokens.is_of(token, &job, attempt) { Ok(job) } else { Err(forbidden()) }
}

/// The token that a request brings.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn forbidden() -> Failure {
    let message = "the token is not that of this job and attempt";
    Failure::new(StatusCode::FORBIDDEN, "forbidden", message)
        .hint("inside a job, use `LONGHAUL_JOB_TOKEN` and `LONGHAUL_ATTEMPT` as they were given")
}

/// Whose mail is sent, handed out or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Correspondent {
    /// The mailbox: an agent's, or a person's.
    pub(super) mailbox: String,
    /// The agent's turn that asks.
    pub(super) turn: Option<(JobId, u32)>,
}

/// Finds out who asks: the agent of the turn that proves itself; for any other job the person it
/// belongs to; else the person who is named, or whom the home belongs to.
pub(super) async fn correspondent(
    ports: &Shared,
    headers: &HeaderMap,
    turn: Option<&ByTurn>,
    owner: Option<String>,
) -> Answer<Correspondent> {
    let Some(by) = turn else {
        if bearer(headers).is_some() {
            return Err(Failure::bad_request("a token came without the `turn` that it proves"));
        }
        let owner = owner.unwrap_or_else(|| owner_in(&project_of(Path::new(&home_folder()))));
        check_word("owner", &owner).map_err(|bad| Failure::bad_request(bad.to_string()))?;
        return person(&owner);
    };
    let id = proven(ports, headers, &by.job, by.attempt)?;
    let job = reread(ports, &id).await?.ok_or_else(forbidden)?;
    Ok(match job.spec.turn {
        Some(turn) => Correspondent { mailbox: turn.agent, turn: Some((id, by.attempt)) },
        None => {
            let owner = job.owner.ok_or_else(forbidden)?;
            return person(&owner);
        }
    })
}

/// A person, who is not called like us or like a group: mail would seem to be from these.
fn person(owner: &str) -> Answer<Correspondent> {
    if is_reserved(owner) {
        return Err(Failure::bad_request(format!("`owner` may not be `{owner}`, a name of ours")));
    }
    Ok(Correspondent { mailbox: person_box(owner), turn: None })
}
