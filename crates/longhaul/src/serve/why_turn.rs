//! Why a turn is as it is, beside what is said of every job: its conversation, its mail, what it waits
//! for, what is thought of its silence.

use super::views::time;
use crate::api::TurnView;
use longhaul_core::job::{Job, JobState};
use longhaul_core::turn::Health;

/// Sentences about a turn; none about any other job.
pub(super) fn sentences(job: &Job, view: Option<&TurnView>) -> Vec<String> {
    let (Some(turn), Some(state), Some(view)) = (&job.spec.turn, &job.turn, view) else {
        return Vec::new();
    };
    let is_over = job.outcome().is_some();
    let woken = if turn.is_wake { ", made because mail waited" } else { "" };
    let mut why = vec![format!("It is a turn of agent `{}`{woken}.", turn.agent)];
    why.extend(conversation(view));
    if state.is_afresh {
        why.push("Its conversation could not be resumed, so a new one was begun.".to_owned());
    }
    if !state.mail.is_empty() {
        let mail: Vec<&str> = state.mail.iter().map(|id| id.as_str()).collect();
        let mail = mail.join(", ");
        why.push(format!("It has taken mail, about which its end decides: {mail}."));
    }
    if state.parks > 0 {
        let parks = state.parks;
        why.push(format!("It met a limit of the vendor and was set aside {parks} time(s)."));
    }
    if let Some(asks) = state.asks.as_ref().filter(|_| !is_over) {
        why.push(format!("It asked {asks}; `longhaul approvals` shows and answers it."));
    }
    if let Some(awaits) = &state.awaits {
        why.push(format!("It asked a question by mail, {awaits}, and waits for the answer."));
    }
    if let Some(at) = state.answered_at.filter(|_| matches!(job.state, JobState::Running { .. })) {
        let at = time(at);
        why.push(format!("Its CLI said at {at} that it is done; only its process is still there."));
    }
    why.extend(silence(state.health).filter(|_| !is_over).map(str::to_owned));
    if let Some(budget) = &view.budget {
        why.push(format!("It may cost {}, of which {} is left.", budget.usd_max, budget.usd_left));
    }
    if let Some(mail) = &state.terminal {
        why.push(format!("By {mail} it said that its agent's work is done."));
    }
    why
}

fn conversation(view: &TurnView) -> Vec<String> {
    let Some(id) = &view.conversation else { return Vec::new() };
    let mismatch = if view.is_mismatch { ", another than was to go on" } else { "" };
    let by_hand = view.resume_command.as_ref();
    let by_hand = by_hand.map(|command| format!("; `{command}` goes on with it by hand"));
    vec![format!("Its conversation is {id}{mismatch}{}.", by_hand.unwrap_or_default())]
}

const fn silence(health: Health) -> Option<&'static str> {
    match health {
        Health::Well => None,
        Health::Quiet => Some("It has shown no sign of life for longer than its role lets pass."),
        Health::Nudged => Some(
            "It has shown no sign of life for so long that it was sent a message, for its next turn.",
        ),
        Health::Asked => {
            Some("It has shown no sign of life for so long that its owner was asked about it.")
        }
    }
}
