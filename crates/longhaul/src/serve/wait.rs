//! Waiting for a job's end: woken by commits about that job, never by a clock.

use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::{find, reread};
use super::{Shared, views};
use crate::api::JobView;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use std::time::Duration;

/// `GET /v1/jobs/{job}/wait`
pub(super) async fn wait(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer<(StatusCode, Json<JobView>)> {
    let query = Query::parse(raw.as_deref(), &["timeout_ms"])?;
    let patience = query.number("timeout_ms")?.map(Duration::from_millis);
    let job = find(&ports, &job).await?;
    // Watched before it is read again, so that no commit falls between.
    let mut watch = ports.journal.watch_job(&job.id);
    let until_ended = async {
        loop {
            let now = reread(&ports, &job.id).await?;
            let now = now.ok_or_else(|| Failure::not_found(job.id.as_str()))?;
            if now.outcome().is_some() {
                return Ok::<_, Failure>(now);
            }
            watch.changed().await;
        }
    };
    let ended = match patience {
        None => Some(until_ended.await?),
        Some(patience) => tokio::time::timeout(patience, until_ended).await.ok().transpose()?,
    };
    match ended {
        Some(job) => Ok((StatusCode::OK, Json(views::show(&ports, job).await?))),
        None => {
            let now = reread(&ports, &job.id).await?.unwrap_or(job);
            let is_ended = now.outcome().is_some();
            let status = if is_ended { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(views::show(&ports, now).await?)))
        }
    }
}
