//! A question to a person, on the wire.

use super::time;
use crate::api::{ApprovalState, ApprovalView, Span, Usd};
use longhaul_core::approval::{self, Approval, Question};
use serde_json::Value;

/// A question as it is shown.
pub fn approval(approval: &Approval) -> ApprovalView {
    let mut view = ApprovalView {
        id: approval.id.to_string(),
        job: approval.job.to_string(),
        agent: approval.agent.clone(),
        owner: approval.owner.clone(),
        attempt: approval.attempt,
        about: approval.question.name().to_owned(),
        question: sentence(&approval.question, &approval.agent),
        tool: None,
        call: None,
        input: None,
        state: ApprovalState::Asked,
        asked_at: time(approval.asked_at),
        give_up_at: approval.give_up_at.filter(|_| approval.is_open()).map(time),
        ended_at: None,
        by: None,
        reason: None,
    };
    if let Question::Tool { call, tool, input } = &approval.question {
        (view.tool, view.call) = (Some(tool.clone()), Some(call.clone()));
        let input = serde_json::from_str(input).unwrap_or_else(|_| Value::String(input.clone()));
        view.input = Some(input);
    }
    match &approval.state {
        approval::ApprovalState::Asked => {}
        approval::ApprovalState::Allowed { at, by } => {
            view.state = ApprovalState::Allowed;
            (view.ended_at, view.by) = (Some(time(*at)), Some(by.clone()));
        }
        approval::ApprovalState::Denied { at, by, reason } => {
            view.state = ApprovalState::Denied;
            (view.ended_at, view.by) = (Some(time(*at)), Some(by.clone()));
            view.reason.clone_from(reason);
        }
        approval::ApprovalState::Lapsed { at, because } => {
            view.state = ApprovalState::Lapsed;
            (view.ended_at, view.reason) = (Some(time(*at)), Some(because.clone()));
        }
    }
    view
}

fn sentence(question: &Question, agent: &str) -> String {
    match question {
        Question::Tool { tool, .. } => format!("may {agent} use {tool}?"),
        Question::Budget { nano_usd } => {
            let spent = Usd(*nano_usd);
            format!("may {agent} go on, although its budget is spent ({spent} so far)?")
        }
        Question::Limit { message } => {
            format!("may {agent} go on? The vendor's limit was met: {message}")
        }
        Question::Silence { quiet_ms } => {
            let span = Span(*quiet_ms);
            format!("{agent} has been quiet for {span}: is it to be left alone?")
        }
    }
}
