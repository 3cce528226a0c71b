//! What became of a job, as events of the protocol.

use super::{Entry, Object, Said, ended};
use crate::error::Code;
use crate::profile::Profile;
use longhaul_core::delegation::DenialCode;
use longhaul_core::event::{Decision, Fact};
use longhaul_core::time::Timestamp;

/// A `status` in this phase.
pub(super) fn status<'a>(phase: &str, message: Option<&str>) -> Said<'a> {
    Said::event("status", Object::new().text("phase", Some(phase)).text("message", message).end())
}

/// What a fact says. Only some facts are told; the others, which can stand between those where a job
/// was told of very often, say no more than their kind.
pub(super) fn said<'a>(entry: &Entry<'_>, profile: Profile, kind: &str) -> Said<'a> {
    let Ok(fact) = serde_json::from_str::<Fact>(entry.text) else {
        return status(kind, None);
    };
    match fact {
        Fact::Ended { .. } => {
            ended::said(entry, entry.ending, profile).unwrap_or_else(|| status(kind, None))
        }
        Fact::Started { attempt, .. } => {
            let words = (attempt > 1).then(|| format!("attempt {attempt}"));
            status("running", words.as_deref())
        }
        Fact::Retrying { not_before, failures } => {
            later("retrying", not_before, &format!("{failures} failed so far"))
        }
        Fact::Rerunning { not_before, reruns } => {
            later("retrying", not_before, &format!("lost {reruns} times so far"))
        }
        Fact::Parked { not_before, message, .. } => later("parked", not_before, &message),
        Fact::WaitsForAnswer { approval } => status("waits_for_answer", Some(approval.as_str())),
        Fact::BudgetWarned { nano_usd, nano_usd_max, .. } => {
            status("budget_warned", Some(&spent(nano_usd, nano_usd_max)))
        }
        Fact::ToolDecided { call, tool, decision: Decision::Denied, code, reason, .. } => {
            denied(&call, &tool, code, reason.as_deref())
        }
        // Exhaustive on purpose would mean a decision for every fact there will ever be, and this one
        // is right for all of them.
        _ => status(kind, None),
    }
}

fn later<'a>(phase: &str, not_before: Timestamp, words: &str) -> Said<'a> {
    status(phase, Some(&format!("not before {}: {words}", not_before.rfc3339())))
}

fn spent(nano_usd: u64, nano_usd_max: u64) -> String {
    let usd = |nano: u64| format!("{}.{:02}", nano / 1_000_000_000, nano / 10_000_000 % 100);
    format!("{} of {} USD are spent", usd(nano_usd), usd(nano_usd_max))
}

/// [arcp §9.3] A refused operation is told as the result of the call that it was asked for in.
fn denied<'a>(call: &str, tool: &str, code: Option<DenialCode>, reason: Option<&str>) -> Said<'a> {
    let code = code.map(DenialCode::told).and_then(|told| Code::named(&told));
    let code = code.unwrap_or(Code::PermissionDenied);
    let words = format!("`{tool}` was refused");
    let error = Object::new()
        .text("code", Some(code.name()))
        .text("message", Some(reason.unwrap_or(&words)))
        .raw("retryable", Some(if code.is_retryable() { "true" } else { "false" }))
        .end();
    let call = if call.is_empty() { tool } else { call };
    let body = Object::new().text("call_id", Some(call)).raw("error", Some(&error)).end();
    Said::event("tool_result", body)
}
