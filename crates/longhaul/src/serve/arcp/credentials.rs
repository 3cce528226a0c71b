//! Credentials of jobs, for the principal whose job it is and for nobody else.

use super::denial;
use super::drive::Session;
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::features::Feature;
use longhaul_arcp::message::Credential;
use longhaul_core::job::Job;
use longhaul_core::outcome::Reason;
use serde_json::Value;

/// The job's credentials that are good, if this session may have them and agreed on it. Operators may
/// see every job; what is made for another's job is not theirs for that.
pub(super) async fn of(session: &Session, job: &Job) -> Result<Option<Vec<Credential>>, Denial> {
    let is_owner = job.owner.as_ref() == Some(&session.principal.name);
    let is_agreed = session.has(Feature::ProvisionedCredentials);
    if !is_owner || !is_agreed || job.issuers().is_empty() || job.outcome().is_some() {
        return Ok(None);
    }
    let provided = session.ports().credentials.of(&job.id).await.map_err(denial)?;
    let mut all = Vec::with_capacity(provided.len());
    for one in provided {
        let told = serde_json::from_value(Value::Object(one.disclosed()));
        all.push(told.map_err(|error| {
            // It says what is wrong with the shape, and nothing of the value.
            tracing::error!(credential = %one.id, %error, "a credential cannot be told");
            Denial::internal()
        })?);
    }
    Ok(Some(all))
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
