//! Messages as they are shown.

use super::time;
use crate::api::{MailPriority, MailState, MailView};
use longhaul_core::mail::{self, Mail};

/// A message as it is shown. Takes it whole: of a long list nothing is copied.
pub fn mail(mail: Mail) -> MailView {
    let payload = mail.payload.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let mut view = MailView {
        id: mail.id.into(),
        from: mail.from,
        from_turn: mail.from_turn.map(Into::into),
        to: mail.to,
        kind: mail.kind,
        priority: priority(mail.priority),
        subject: mail.subject,
        body: mail.body,
        payload,
        thread: mail.thread.into(),
        reply_to: mail.reply_to.map(Into::into),
        sent_at: time(mail.sent_at),
        state: MailState::Unread,
        turn: None,
        tries: mail.tries,
        ended_at: None,
        returned_because: None,
    };
    match mail.state {
        mail::MailState::Unread => {}
        mail::MailState::Taken { turn } => {
            (view.state, view.turn) = (MailState::Taken, Some(turn.into()));
        }
        mail::MailState::Read { at, turn } => {
            (view.state, view.ended_at) = (MailState::Read, Some(time(at)));
            view.turn = turn.map(Into::into);
        }
        mail::MailState::Returned { at, because } => {
            (view.state, view.ended_at) = (MailState::Returned, Some(time(at)));
            view.returned_because = Some(because);
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
