//! Credentials of jobs, for people: what there is, and having it replaced. Values are not told here.

use super::Shared;
use super::body::parse;
use super::error::Answer;
use super::jobs::odd_reply;
use super::resolve::find;
use super::views::time;
use crate::api::{CredentialView, CredentialsView, RotateAsk, Rotated};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use longhaul_core::command::{Command, Reply};
use longhaul_core::credential::{Credential, CredentialState};
use longhaul_core::port::{Record, Table};
use serde_json::Value;

/// Credentials of one job that are shown: those that take each other's place included.
const ROWS_MAX: u32 = 256;

/// `GET /v1/jobs/{job}/credentials`
pub(super) async fn list(
    State(ports): State<Shared>,
    Path(job): Path<String>,
) -> Answer<Json<CredentialsView>> {
    let job = find(&ports, &job).await?.id;
    let read = ports.readers.read(move |reader| {
        let rows = reader.rows(Table::Credential, Some(job.as_str()), "", ROWS_MAX)?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(Credential::from_row(row)?);
        }
        Ok(found)
    });
    let mut found = read.await?;
    found.sort_by(|one, other| {
        (&one.issuer, one.generation).cmp(&(&other.issuer, other.generation))
    });
    Ok(Json(CredentialsView { credentials: found.iter().map(view).collect() }))
}

/// `POST /v1/jobs/{job}/credentials/rotate`
pub(super) async fn rotate(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    body: Bytes,
) -> Answer<Json<Rotated>> {
    let RotateAsk { issuer } = parse(&body)?;
    let job = find(&ports, &job).await?.id;
    match ports.engine.ask(Command::RotateCredentials { job, issuer }).await? {
        Reply::Tried(rotated) => Ok(Json(Rotated { rotated })),
        _ => Err(odd_reply()),
    }
}

fn view(found: &Credential) -> CredentialView {
    let shown: Option<Value> =
        found.shown.as_deref().and_then(|shown| serde_json::from_str(shown).ok());
    let endpoint = shown.and_then(|shown| shown["endpoint"].as_str().map(str::to_owned));
    let rotate_at = match found.state {
        CredentialState::Active { rotate_at } => rotate_at,
        CredentialState::Minting { .. }
        | CredentialState::Revoking { .. }
        | CredentialState::Revoked
        | CredentialState::Stuck => None,
    };
    CredentialView {
        id: found.shown_id().to_string(),
        issuer: found.issuer.clone(),
        generation: found.generation,
        state: found.state_name().to_owned(),
        endpoint,
        rotate_at: rotate_at.map(time),
        problem: found.problem.clone(),
    }
}
