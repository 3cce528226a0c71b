//! Reports of a job about itself, proven by the token that its attempt was given.

use super::Shared;
use super::body::parse_borrowed;
use super::error::{Answer, Failure};
use crate::api::EmitAsk;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use longhaul_core::spec::check_word;

/// `POST /v1/jobs/{job}/emit`
pub(super) async fn emit(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    let ask: EmitAsk = parse_borrowed(&body)?;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Every wrong answer is the same one, so that nobody learns here which jobs there are.
    let job = JobId::parse(&job).map_err(|_| forbidden())?;
    if !ports.tokens.is_of(token, &job, ask.attempt) {
        return Err(forbidden());
    }
    check_word("report", &ask.report).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let body = ask.body.to_string();
    let (attempt, report) = (ask.attempt, ask.report);
    ports.engine.ask(Command::Emit { job, attempt, report, body }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn forbidden() -> Failure {
    let message = "the token is not that of this job and attempt";
    Failure::new(StatusCode::FORBIDDEN, "forbidden", message)
        .hint("inside a job, use `LONGHAUL_JOB_TOKEN` and `LONGHAUL_ATTEMPT` as they were given")
}
