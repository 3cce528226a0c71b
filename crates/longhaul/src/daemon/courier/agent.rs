//! A notice as mail to an agent. It goes the way of all mail, so it wakes the agent, is taken by its
//! next turn, and comes back if no turn can be had.

use super::Letter;
use super::answer::Answer;
use super::desktop;
use crate::api::Notice;
use crate::daemon::{AskError, EngineHandle};
use longhaul_core::command::{Command, Refused};
use longhaul_core::id::{DeliveryId, MailId};
use longhaul_core::limits;
use longhaul_core::mail::{Letter as Mail, MailPriority, OURSELVES};
use longhaul_core::time::Millis;

/// Kind of the mail: nobody has to act on it.
const KIND: &str = "status";

/// Sends a notice to the agent of this name. Sent again it is the same message.
pub(super) async fn mail(
    letter: &Letter,
    notice: &Notice,
    engine: &EngineHandle,
    agent: &str,
) -> Answer {
    // Told of its own turns by mail, it would have a turn about each, for ever.
    if notice.job.as_ref().is_some_and(|job| job.agent.as_deref() == Some(agent)) {
        return Answer::is_final("it is about a turn of its own");
    }
    let mail = match compose(letter, notice, agent) {
        Ok(mail) => mail,
        Err(why) => return Answer::is_final(why),
    };
    match engine.ask(Command::SendMail(Box::new(mail))).await {
        Ok(_) => Answer::delivered(format!("sent to agent `{agent}`")),
        Err(AskError::Refused(refused)) => {
            let is_final = matches!(refused, Refused::NoAgent(_) | Refused::AgentEnded { .. });
            let said = refused.to_string();
            if is_final { Answer::is_final(said) } else { Answer::failed(said) }
        }
        Err(AskError::Unavailable { message, retry_after_ms, .. }) => {
            Answer::later(message, Some(Millis::new(retry_after_ms)))
        }
        Err(AskError::Bug(message)) => Answer::failed(message),
    }
}

fn compose(letter: &Letter, notice: &Notice, agent: &str) -> Result<Mail, String> {
    let id = mail_id(&letter.id).ok_or_else(|| format!("`{}` is no id", letter.id))?;
    let payload = String::from_utf8(letter.body.to_vec()).map_err(|error| error.to_string())?;
    // A long one is still told of; what it would say can be asked for.
    let payload = Some(payload).filter(|text| text.len() <= limits::MAIL_PAYLOAD_BYTES_MAX);
    Ok(Mail {
        id,
        from: OURSELVES.to_owned(),
        turn: None,
        to: vec![agent.to_owned()],
        kind: KIND.to_owned(),
        priority: MailPriority::Normal,
        subject: desktop::title(notice),
        body: desktop::line(notice),
        payload,
        reply_to: None,
    })
}

/// The message's id follows from the delivery's, so that a try that is made again is no second message.
fn mail_id(delivery: &str) -> Option<MailId> {
    let body = delivery.strip_prefix(DeliveryId::PREFIX)?;
    MailId::parse(&format!("{}{body}", MailId::PREFIX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::wall_now;
    use crate::ids;
    use crate::notice::{self, Address};
    use bytes::Bytes;

    #[test]
    fn the_same_notice_is_the_same_message() {
        let id = ids::test_delivery_id().unwrap();
        let address = Address { id: id.to_string(), number: 2, to: "sink:a".to_owned() };
        let notice = notice::of_test(address, wall_now());
        let body = Bytes::from(serde_json::to_vec(&notice).unwrap());
        let letter = Letter { id: id.to_string(), number: 2, body };
        let mail = compose(&letter, &notice, "lead").unwrap();
        assert_eq!(mail.id.as_str()[5..], id.as_str()[4..]);
        assert_eq!((mail.to, mail.from.as_str()), (vec!["lead".to_owned()], "@longhaul"));
        let payload: serde_json::Value = serde_json::from_str(&mail.payload.unwrap()).unwrap();
        assert_eq!(payload["id"], id.as_str());
        let long = Bytes::from(vec![b'1'; limits::MAIL_PAYLOAD_BYTES_MAX + 1]);
        assert_eq!(
            compose(&Letter { body: long, ..letter }, &notice, "lead").unwrap().payload,
            None
        );
    }
}
