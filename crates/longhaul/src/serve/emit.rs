//! Reports of a job about itself, proven by the token that its attempt was given. What a hosted job says
//! is told to those who follow it, so it has to be in words that they know.

use super::Shared;
use super::body::parse_borrowed;
use super::error::{Answer, Failure};
use super::proof::proven;
use super::resolve::reread;
use crate::api::EmitAsk;
use crate::daemon::told_entry;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use longhaul_core::command::{Command, Reply};
use longhaul_core::delegation::{CallMade, OperationAsk};
use longhaul_core::id::JobId;
use longhaul_core::lease::TOOL_CALL;
use longhaul_core::spec::check_word;
use longhaul_core::task::TaskResult;
use serde_json::{Value, json};

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
    let is_hosted = reread(&ports, &job).await?.is_some_and(|job| job.spec.hosted.is_some());
    let command = if is_hosted {
        told(job, ask)?
    } else {
        let body = ask.body.to_string();
        Command::Emit { job, attempt: ask.attempt, report: ask.report, body }
    };
    match ports.engine.ask(command).await? {
        Reply::Denied { code, reason } => {
            Err(Failure::new(StatusCode::FORBIDDEN, code.name(), reason))
        }
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// What a hosted job's report asks of the engine.
fn told(job: JobId, ask: EmitAsk) -> Answer<Command> {
    let EmitAsk { attempt, report, body } = ask;
    match report.as_str() {
        "result" => {
            let value = body.get("value").cloned().unwrap_or_default();
            let result =
                TaskResult { structured: Some(value.to_string()), ..TaskResult::default() };
            Ok(Command::GiveResult { job, attempt, result })
        }
        "delegate" => Err(Failure::bad_request("a delegation is asked for and not only told")
            .hint("`longhaul delegate` asks for it, and tells of it")),
        // Nobody tells of a call that the lease does not grant.
        TOOL_CALL_REPORT => {
            let word = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(tool), Some(call_id)) = (word("tool"), word("call_id")) else {
                return Err(Failure::bad_request("a `tool_call` needs `tool` and `call_id`"));
            };
            let args = body.get("args").cloned().unwrap_or_default();
            let call = Some(CallMade { call_id, tool: tool.clone(), args });
            let (capability, target) = (TOOL_CALL.to_owned(), tool);
            let ask = Box::new(OperationAsk { capability, target, resolved: None, call });
            Ok(Command::AuthorizeOperation { job, attempt, ask })
        }
        "artifact" => tell(job, attempt, "artifact_ref", &artifact(&body)),
        kind => tell(job, attempt, kind, &body),
    }
}

/// The report that a tool is called.
const TOOL_CALL_REPORT: &str = "tool_call";

fn tell(job: JobId, attempt: u32, kind: &str, body: &Value) -> Answer<Command> {
    let entry = told_entry(kind, body).map_err(|bad| Failure::bad_request(bad.message))?;
    Ok(Command::Tell { job, attempt, entries: vec![entry] })
}

/// A file of this machine, in the words of those who are elsewhere.
fn artifact(body: &Value) -> Value {
    let path = body.get("path").and_then(Value::as_str).unwrap_or_default();
    json!({ "uri": format!("file://{path}"), "content_type": "application/octet-stream" })
}
