//! Reports of a job about itself, proven by the token that its attempt was given.

use super::Shared;
use super::body::parse_borrowed;
use super::error::{Answer, Failure};
use super::proof::proven;
use crate::api::EmitAsk;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use longhaul_core::command::Command;
use longhaul_core::spec::check_word;

/// `POST /v1/jobs/{job}/emit`
pub(super) async fn emit(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    let ask: EmitAsk = parse_borrowed(&body)?;
    let job = proven(&ports, &headers, &job, ask.attempt)?;
    check_word("report", &ask.report).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let body = ask.body.to_string();
    let (attempt, report) = (ask.attempt, ask.report);
    ports.engine.ask(Command::Emit { job, attempt, report, body }).await?;
    Ok(StatusCode::NO_CONTENT)
}
