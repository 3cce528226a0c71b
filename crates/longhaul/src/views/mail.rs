//! Messages as they are shown.

use super::time;
use crate::api::{MailPriority, MailState, MailView};
use longhaul_core::mail::{self, Mail};

/// A message as it is shown.
pub fn mail(mail: &Mail) -> MailView {
    let payload = mail.payload.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let mut view = MailView {
        id: mail.id.to_string(),
        from: mail.from.clone(),
        from_turn: mail.from_turn.as_ref().map(ToString::to_string),
        to: mail.to.clone(),
        kind: mail.kind.clone(),
        priority: priority(mail.priority),
        subject: mail.subject.clone(),
        body: mail.body.clone(),
        payload,
        thread: mail.thread.to_string(),
        reply_to: mail.reply_to.as_ref().map(ToString::to_string),
        sent_at: time(mail.sent_at),
        state: MailState::Unread,
        turn: None,
        tries: mail.tries,
        ended_at: None,
        returned_because: None,
    };
    match &mail.state {
        mail::MailState::Unread => {}
        mail::MailState::Taken { turn } => {
            (view.state, view.turn) = (MailState::Taken, Some(turn.to_string()));
        }
        mail::MailState::Read { at, turn } => {
            (view.state, view.ended_at) = (MailState::Read, Some(time(*at)));
            view.turn = turn.as_ref().map(ToString::to_string);
        }
        mail::MailState::Returned { at, because } => {
            (view.state, view.ended_at) = (MailState::Returned, Some(time(*at)));
            view.returned_because = Some(because.clone());
        }
    }
    view
}

const fn priority(priority: mail::MailPriority) -> MailPriority {
    match priority {
        mail::MailPriority::Low => MailPriority::Low,
        mail::MailPriority::Normal => MailPriority::Normal,
        mail::MailPriority::High => MailPriority::High,
        mail::MailPriority::Urgent => MailPriority::Urgent,
    }
}
