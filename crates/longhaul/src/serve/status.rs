//! How the daemon is, and its stop.

use super::error::Answer;
use super::{Shared, views};
use crate::api::{self, Status};
use crate::daemon::Principal;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use std::collections::BTreeMap;

/// `GET /v1/status`
pub(super) async fn show(
    State(ports): State<Shared>,
    principal: Option<Extension<Principal>>,
) -> Answer<Json<Status>> {
    let (head, counts) =
        ports.readers.read(|reader| Ok((reader.head()?, reader.counts()?))).await?;
    let mut jobs: BTreeMap<String, u64> =
        api::State::ALL.into_iter().map(|state| (state.name().to_owned(), 0)).collect();
    jobs.extend(counts);
    let status = Status {
        running: true,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        home: ports.home.path().display().to_string(),
        socket: ports.home.socket().display().to_string(),
        host: ports.host.to_string(),
        started_at: views::time(ports.started_at),
        head: head.0,
        jobs,
    };
    let is_client = |Extension(principal): Extension<Principal>| !principal.is_operator;
    Ok(Json(if principal.is_some_and(is_client) { reduced(status) } else { status }))
}

/// What clients may know: that we are here, since when, and in which version.
fn reduced(status: Status) -> Status {
    Status {
        pid: 0,
        home: String::new(),
        socket: String::new(),
        head: 0,
        jobs: BTreeMap::new(),
        ..status
    }
}

/// `POST /v1/stop`
pub(super) async fn stop(State(ports): State<Shared>) -> StatusCode {
    ports.stop.stop();
    StatusCode::ACCEPTED
}
