//! What jobs ask for under their leases, proven by the token that their attempt was given.

use super::Shared;
use super::body::parse;
use super::error::{Answer, Failure};
use super::proof::proven;
use super::resolve::reread;
use crate::api::{DelegateAnswer, DelegateAsk, OperationAnswer, OperationAsk};
use crate::daemon;
use crate::links;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delegation::{self, CallMade};
use longhaul_core::id::JobId;
use longhaul_core::lease::{FS_READ, FS_WRITE};
use longhaul_core::time::Millis;

/// `POST /v1/jobs/{job}/authorize-operation`
pub(super) async fn authorize(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<OperationAnswer>> {
    let OperationAsk { attempt, capability, target, call } = parse(&body)?;
    let job = proven(&ports, &headers, &job, attempt)?;
    let resolved = match capability.as_str() {
        FS_READ | FS_WRITE => leads_to(&ports, &job, &target).await?,
        _ => None,
    };
    let call =
        call.map(|call| CallMade { call_id: call.call_id, tool: call.tool, args: call.args });
    let ask = Box::new(delegation::OperationAsk { capability, target, resolved, call });
    let reply = ports.engine.ask(Command::AuthorizeOperation { job, attempt, ask }).await?;
    answer(reply).map(Json)
}

fn answer(reply: Reply) -> Answer<OperationAnswer> {
    match reply {
        Reply::Allowed => Ok(OperationAnswer { is_allowed: true, code: None, reason: None }),
        Reply::Denied { code, reason } => {
            let code = Some(code.name().to_owned());
            Ok(OperationAnswer { is_allowed: false, code, reason: Some(reason) })
        }
        _ => Err(super::jobs::odd_reply()),
    }
}

/// Where a path of a job leads, if that is elsewhere than it says.
async fn leads_to(ports: &Shared, job: &JobId, target: &str) -> Answer<Option<String>> {
    let cwd = reread(ports, job).await?.map(|job| job.spec.cwd).unwrap_or_default();
    let all = all_lead_to(&cwd, vec![target.to_owned()]).await?;
    Ok(all.into_iter().next())
}

/// The same for several; only those that lead elsewhere.
pub(super) async fn all_lead_to(cwd: &str, targets: Vec<String>) -> Answer<Vec<String>> {
    let cwd = std::path::PathBuf::from(cwd);
    let look = move || {
        let mut elsewhere = Vec::new();
        for target in targets {
            elsewhere.extend(links::elsewhere(&cwd, &target).map_err(|error| {
                Failure::bad_request(format!("`{target}` cannot be followed: {error}"))
            })?);
        }
        Ok(elsewhere)
    };
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| Failure::bug(error.to_string()))?
}

/// `POST /v1/jobs/{job}/delegate`
pub(super) async fn delegate(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<DelegateAnswer>> {
    let ask: DelegateAsk = parse(&body)?;
    let parent = proven(&ports, &headers, &job, ask.attempt)?;
    let owner = reread(&ports, &parent).await?.and_then(|job| job.owner);
    let now = ports.clock.now();
    let in_time = ask.expires_in.map(|span| now.plus(Millis::new(span.0)).rfc3339());
    if in_time.is_some() && ask.expires_at.is_some() {
        return Err(Failure::bad_request("`expires_at` and `expires_in` say the same thing twice"));
    }
    let ask = daemon::DelegateAsk {
        parent,
        attempt: ask.attempt,
        principal: owner.unwrap_or_default(),
        id: ask.id,
        agent: ask.agent,
        input: ask.input,
        lease: ask.lease,
        expires_at: ask.expires_at.or(in_time),
        runtime_max: ask.timeout.map(|span| Millis::new(span.0)),
    };
    Ok(Json(match ports.inventory.delegate(ask, now).await? {
        daemon::Delegated::Job { id, name, is_new } => DelegateAnswer {
            is_allowed: true,
            job: Some(id.to_string()),
            id: Some(name),
            is_new,
            code: None,
            reason: None,
        },
        daemon::Delegated::Denied { code, reason } => DelegateAnswer {
            is_allowed: false,
            job: None,
            id: None,
            is_new: false,
            code: Some(code.name().to_owned()),
            reason: Some(reason),
        },
    }))
}
