//! Pages of mail. A mailbox may hold ten thousand messages that are listed at once, so their texts go
//! from the row to the answer as they are stored, escapes and all: reading each into a value and writing
//! that again costs several times what the rest does.

use super::views::time;
use crate::api::{MailState, Time};
use longhaul_core::mail::{self, Mail};
use longhaul_core::port::{Corrupt, MailFilter, Reader, Record, Row, StoreError};
use longhaul_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Messages that are read at once: few at first, and more while they are small.
const READ_MAIL: u32 = 25;
const READ_MAIL_MAX: u32 = 1_000;
/// Bytes of one read below which the next may be of twice as many.
const READ_BYTES_SMALL: usize = 512 * 1_024;
/// Bytes of bodies and payloads after which a page ends, so that no page is too large to hold.
const PAGE_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// A message as core stores it, with its texts left as they are.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    from: &'a RawValue,
    #[serde(default)]
    from_turn: Option<&'a RawValue>,
    to: &'a RawValue,
    kind: &'a RawValue,
    priority: &'a RawValue,
    subject: &'a RawValue,
    #[serde(default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    payload: Option<Cow<'a, str>>,
    thread: &'a RawValue,
    #[serde(default)]
    reply_to: Option<&'a RawValue>,
    sent_at: Timestamp,
    #[serde(default)]
    tries: u32,
    state: mail::MailState,
}

/// A message as it is shown: what `MailView` is, word for word.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a RawValue,
    from: &'a RawValue,
    from_turn: Option<&'a RawValue>,
    to: &'a RawValue,
    kind: &'a RawValue,
    priority: &'a RawValue,
    subject: &'a RawValue,
    body: &'a RawValue,
    payload: Option<&'a RawValue>,
    thread: &'a RawValue,
    reply_to: Option<&'a RawValue>,
    sent_at: Time,
    state: MailState,
    turn: Option<&'a str>,
    tries: u32,
    ended_at: Option<Time>,
    returned_because: Option<&'a str>,
}

/// A page of so many messages, or of as many as fit: the JSON of a `MailPage`.
pub(super) fn page(
    reader: &mut dyn Reader,
    filter: &MailFilter,
    mut before: Option<u64>,
    limit: u32,
) -> Result<Vec<u8>, StoreError> {
    let mut text = br#"{"mail":["#.to_vec();
    let (mut count, mut bytes, mut at_once) = (0, 0, READ_MAIL);
    loop {
        let wanted = at_once.min(limit + 1);
        let before_read = bytes;
        let rows = reader.mail(filter, before, wanted)?;
        let is_last = rows.len() < wanted as usize;
        for row in &rows {
            if count == limit || bytes >= PAGE_BYTES_MAX {
                return Ok(ended(text, before));
            }
            bytes += row.body.len();
            before = Some(row.seq);
            if count > 0 {
                text.push(b',');
            }
            count += 1;
            write(&mut text, row)?;
        }
        if is_last {
            return Ok(ended(text, None));
        }
        let is_small = bytes - before_read < READ_BYTES_SMALL;
        at_once = if is_small { (at_once * 2).min(READ_MAIL_MAX) } else { READ_MAIL };
    }
}

fn ended(mut text: Vec<u8>, next: Option<u64>) -> Vec<u8> {
    let next = next.map_or_else(|| "null".to_owned(), |before| format!("\"{before}\""));
    text.extend(format!("],\"next_cursor\":{next}}}").bytes());
    text
}

/// Writes one message as it is shown.
fn write(text: &mut Vec<u8>, row: &Row) -> Result<(), Corrupt> {
    let garbled = |error: serde_json::Error| Corrupt {
        table: Mail::TABLE,
        id: row.id.clone(),
        message: error.to_string(),
    };
    let stored: Stored<'_> = serde_json::from_str(&row.body).map_err(garbled)?;
    let empty: &RawValue = serde_json::from_str("\"\"").map_err(garbled)?;
    let payload = stored.payload.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let (state, turn, ended_at, returned_because) = match &stored.state {
        mail::MailState::Unread => (MailState::Unread, None, None, None),
        mail::MailState::Taken { turn } => (MailState::Taken, Some(turn.as_str()), None, None),
        mail::MailState::Read { at, turn } => {
            (MailState::Read, turn.as_ref().map(|turn| turn.as_str()), Some(*at), None)
        }
        mail::MailState::Returned { at, because } => {
            (MailState::Returned, None, Some(*at), Some(because.as_str()))
        }
    };
    let shown = Shown {
        id: stored.id,
        from: stored.from,
        from_turn: stored.from_turn,
        to: stored.to,
        kind: stored.kind,
        priority: stored.priority,
        subject: stored.subject,
        body: stored.body.unwrap_or(empty),
        payload,
        thread: stored.thread,
        reply_to: stored.reply_to,
        sent_at: time(stored.sent_at),
        state,
        turn,
        tries: stored.tries,
        ended_at: ended_at.map(time),
        returned_because,
    };
    serde_json::to_writer(text, &shown).map_err(garbled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids, views};
    use serde_json::Value;

    fn mail(state: mail::MailState) -> Mail {
        let id = ids::mail_id().unwrap();
        let now = Timestamp::from_millis(1_700_000_000_123);
        let subject = "a \"plan\"\nin ünïcode \u{7}".to_owned();
        Mail { state, ..Mail::ours(id, "ann".to_owned(), "status", subject, now) }
    }

    fn shown(mail: &Mail) -> Value {
        let mut text = Vec::new();
        write(&mut text, &mail.to_row()).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn a_page_shows_a_message_as_it_is_shown_alone() {
        let at = Timestamp::from_millis(1_700_000_000_456);
        let turn = ids::job_id().unwrap();
        let states = [
            mail::MailState::Unread,
            mail::MailState::Taken { turn: turn.clone() },
            mail::MailState::Read { at, turn: None },
            mail::MailState::Read { at, turn: Some(turn.clone()) },
            mail::MailState::Returned { at, because: "\"ann\" has ended".to_owned() },
        ];
        for state in states {
            let plain = mail(state);
            let full = Mail {
                from_turn: Some(turn.clone()),
                also_to: vec!["bob".to_owned()],
                priority: mail::MailPriority::Urgent,
                body: "It is \\ as\twe said.".to_owned(),
                payload: Some(r#"{"a":["\u0007",1.5],"b":null}"#.to_owned()),
                reply_to: Some(ids::mail_id().unwrap()),
                tries: 3,
                ..plain.clone()
            };
            let garbled = Mail { payload: Some("{".to_owned()), ..plain.clone() };
            for mail in [plain, full, garbled] {
                let alone = serde_json::to_value(views::mail(mail.clone())).unwrap();
                assert_eq!(shown(&mail), alone);
            }
        }
    }

    #[test]
    fn a_row_that_makes_no_sense_is_named() {
        let row = Row { body: "{}".to_owned(), ..mail(mail::MailState::Unread).to_row() };
        let error = write(&mut Vec::new(), &row).unwrap_err();
        assert_eq!(error.id, row.id);
    }
}
