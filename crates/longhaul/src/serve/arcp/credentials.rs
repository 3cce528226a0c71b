//! Credentials of jobs, for the principal whose job it is and for nobody else.
//!
//! A value stands in no journal. It is added where a frame is made for the session that asked for the
//! job, and only while it is good: what is told again later is the same but for that.

use super::denial;
use super::drive::Session;
use crate::daemon::{Credentials, Provided};
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::features::Feature;
use longhaul_arcp::message::Credential;
use longhaul_core::credential::ROTATED;
use longhaul_core::event::Fact;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::outcome::Reason;
use longhaul_core::port::{Reader, StoreError};
use serde_json::{Value, json};

/// How the entry of a status begins; whoever wrote it wrote the kind first.
const STATUS: &str = r#"{"kind":"told","name":"status""#;

/// The job's credentials that are good, if this session may have them and agreed on it. Operators may
/// see every job; what is made for another's job is not theirs for that.
pub(super) async fn of(session: &Session, job: &Job) -> Result<Option<Vec<Credential>>, Denial> {
    let is_owner = job.owner.as_ref() == Some(&session.principal.name);
    let is_agreed = session.has(Feature::ProvisionedCredentials);
    if !is_owner || !is_agreed || !has_any(job) {
        return Ok(None);
    }
    let provided = session.ports().credentials.of(&job.id).await.map_err(denial)?;
    shapes(provided).map(Some).ok_or_else(Denial::internal)
}

/// The credentials of a job that was delegated, for the session that asked for what delegated it.
pub(super) fn of_delegated(
    credentials: &Credentials,
    reader: &mut dyn Reader,
    job: &Job,
) -> Result<Option<Vec<Credential>>, StoreError> {
    if !has_any(job) {
        return Ok(None);
    }
    Ok(shapes(credentials.of_in(reader, &job.id)?))
}

fn has_any(job: &Job) -> bool {
    !job.issuers().is_empty() && job.outcome().is_none()
}

fn shapes(provided: Vec<Provided>) -> Option<Vec<Credential>> {
    let shape = |one: Provided| {
        let told = serde_json::from_value(Value::Object(one.disclosed()));
        // It says what is wrong with the shape, and nothing of the value.
        let failed = |error| tracing::error!(credential = %one.id, %error, "it cannot be told");
        told.map_err(failed).ok()
    };
    provided.into_iter().map(shape).collect()
}

/// The entry that says that a credential was replaced, with its value; nothing if `text` says something
/// else, or the value is good no more. [arcp §9.8.2] For the session that asked for the job.
pub(super) fn disclosed(
    credentials: &Credentials,
    reader: &mut dyn Reader,
    job: &JobId,
    text: &str,
) -> Result<Option<String>, StoreError> {
    // Nearly all that is told is something else, and need not be read.
    if !(text.starts_with(STATUS) && text.contains(ROTATED)) {
        return Ok(None);
    }
    let Ok(Fact::Told { name, mut body, decided }) = serde_json::from_str(text) else {
        return Ok(None);
    };
    let (id, generation) = (body["id"].as_str(), body["generation"].as_u64());
    let (Some(id), Some(generation), Some(ROTATED)) = (id, generation, body["phase"].as_str())
    else {
        return Ok(None);
    };
    let provided = credentials.generation(reader, job, id, generation)?;
    Ok(provided.map(|provided| {
        body["endpoint"] = json!(provided.endpoint());
        body["value"] = json!(provided.value());
        serde_json::to_string(&Fact::Told { name, body, decided }).expect("facts are plain trees")
    }))
}

/// Whether the job came to nothing for want of its credentials: whoever asked for it is refused, and it
/// was never accepted.
pub(super) fn has_failed(job: &Job) -> bool {
    job.outcome().is_some_and(|outcome| outcome.reason == Some(Reason::Credentials))
}

/// How that is told. What the issuer said may name what is the home's own business, and is in its log.
pub(super) fn refused(job: &Job) -> Denial {
    let words = "the job's credentials could not be made, so it was not accepted";
    Denial::new(Code::InternalError, words)
        .with("reason", "credentials")
        .with("job_id", job.id.as_str())
}
