//! Having fetched a result settles the notice of it: nobody is told twice what they know.

use super::Shared;
use super::body::parse;
use super::error::Answer;
use super::inbox::settled;
use super::resolve::find;
use crate::api::{Fetched, SettleAsk, SettledAnswer};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use longhaul_core::command::Command;
use longhaul_core::delivery::Settled;
use longhaul_core::id::JobId;

/// `POST /v1/jobs/{job}/settle`
pub(super) async fn settle(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    body: Bytes,
) -> Answer<Json<SettledAnswer>> {
    let SettleAsk { owner, how } = parse(&body)?;
    // `run` waits for this answer: a whole id need not be looked up first.
    let job = match JobId::parse(&job) {
        Ok(id) => id,
        Err(_) => find(&ports, &job).await?.id,
    };
    let how = match how {
        Fetched::Waited => Settled::Waited,
        Fetched::Shown => Settled::Shown,
        Fetched::Streamed => Settled::Streamed,
    };
    let settled = settled(&ports, Command::Settle { job, owner, how }).await?;
    Ok(Json(SettledAnswer { settled }))
}
