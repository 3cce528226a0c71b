//! Many jobs in one request, accepted all or none. A bad one is told by its place.

use super::error::{Answer, Failure};
use super::{Shared, spec};
use crate::api::{BatchAnswer, Spec, Variables};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use longhaul_core::command::{Command, Reply};
use longhaul_core::limits;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The body, its specs unread: each is read alone, so that its place is known if it is bad.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch<'a> {
    #[serde(default)]
    base_env: Option<Variables>,
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// `POST /v1/batch`
pub(super) async fn submit(
    State(ports): State<Shared>,
    body: Bytes,
) -> Answer<(StatusCode, Json<BatchAnswer>)> {
    let (base, specs) = read(&body)?;
    let mut common = spec::Common { base, ..spec::Common::default() };
    let mut jobs = Vec::with_capacity(specs.len());
    for (index, one) in specs.into_iter().enumerate() {
        let made = spec::submission(&ports, one, &mut common).await;
        jobs.push(made.map_err(|failure| failure.at(index))?);
    }
    if jobs.is_empty() {
        return Ok((StatusCode::CREATED, Json(BatchAnswer { ids: Vec::new() })));
    }
    let is_alone = jobs.len() == 1;
    let reply = ports.engine.ask(Command::Submit(jobs)).await.map_err(|error| {
        let failure = Failure::from(error);
        if is_alone { failure.at(0) } else { failure }
    })?;
    let Reply::Submitted(accepted) = reply else { return Err(super::jobs::odd_reply()) };
    let ids = accepted.into_iter().map(|(id, _)| id.into()).collect();
    Ok((StatusCode::CREATED, Json(BatchAnswer { ids })))
}

fn read(body: &[u8]) -> Answer<(Option<Variables>, Vec<Spec>)> {
    let batch: RawBatch<'_> = super::body::parse_borrowed(body)?;
    if batch.jobs.len() > limits::BATCH_JOBS_MAX {
        let most = limits::BATCH_JOBS_MAX;
        let message = format!("{} jobs in a batch, and {most} is the limit", batch.jobs.len());
        return Err(Failure::refused("too_many", message));
    }
    let specs = batch.jobs.iter().enumerate().map(|(index, raw)| {
        Spec::parse(raw.get().as_bytes()).map_err(|bad| Failure::bad_spec(bad.message).at(index))
    });
    Ok((batch.base_env, specs.collect::<Answer<Vec<Spec>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bad_one_of_a_batch_is_told_by_its_place() {
        let body = br#"{"jobs":[{"command":["a"]},{"command":["b"],"nmae":"x"}]}"#;
        let failure = read(body).unwrap_err();
        let text = format!("{failure:?}");
        assert!(text.contains("index: Some(1)"), "{text}");
        assert!(text.contains("`nmae` is not a field"), "{text}");
    }

    #[test]
    fn a_batch_has_its_own_fields_and_no_others() {
        assert_eq!(read(br#"{"jobs":[]}"#).unwrap().1, []);
        for bad in [&b"{}"[..], b"[]", br#"{"jobs":[],"x":1}"#, b"\xff", br#"{"jobs":[1"#] {
            assert!(read(bad).is_err());
        }
    }
}
