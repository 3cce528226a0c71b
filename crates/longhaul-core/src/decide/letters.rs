//! Letters: what is sent is checked, addressed and put into each mailbox, all or none; and what it
//! means that an agent says its work is done.

use super::mail::post;
use super::recipients::{Sender, address};
use super::{agents, clip, standing};
use crate::command::{Refused, Reply};
use crate::id::MailId;
use crate::limits;
use crate::mail::{Letter, Mail, MailState, OURSELVES, is_reserved};
use crate::mail_kind;
use crate::role;
use crate::spec::{BadSpec, at_most, bad, check_word};
use crate::world::{Fault, World};

/// Sends a letter: one message to each mailbox, all or none. Sent again, it is the same.
pub(super) fn send(world: &mut World<'_>, mut letter: Letter) -> Result<Reply, Fault> {
    if letter.kind.is_empty() {
        mail_kind::DEFAULT.clone_into(&mut letter.kind);
    }
    check(&letter).map_err(Refused::from)?;
    if let Some(known) = known_already(world, &letter)? {
        return Ok(Reply::Mailed(known));
    }
    let sender = sender(world, &letter)?;
    let answered = match &letter.reply_to {
        Some(id) => Some(world.find_mail(id)?.cloned().ok_or_else(|| Refused::NoMail(id.clone()))?),
        None => None,
    };
    let to = address(world, &sender, &letter.to, answered.as_ref())?;
    for mailbox in &to {
        if world.scan()?.unread_count(mailbox)? >= limits::MAIL_UNREAD_MAX {
            let limit = limits::MAIL_UNREAD_MAX;
            return Err(Refused::TooMany { what: "unread messages in one mailbox", limit }.into());
        }
    }
    let subject = subject(&letter, answered.as_ref()).map_err(Refused::from)?;
    let thread = answered.map_or_else(|| letter.id.clone(), |mail| mail.thread);
    let mut ids = Vec::with_capacity(to.len());
    for (place, mailbox) in to.iter().enumerate() {
        let is_first = place == 0;
        let id = id_of(&letter.id, mailbox, is_first);
        let mail = Mail {
            id: id.clone(),
            seq: 0,
            from: sender.mailbox.clone(),
            from_turn: sender.turn.clone(),
            to: mailbox.clone(),
            also_to: if is_first { to[1..].to_vec() } else { Vec::new() },
            kind: letter.kind.clone(),
            priority: letter.priority,
            subject: subject.clone(),
            body: letter.body.clone(),
            payload: letter.payload.clone(),
            thread: thread.clone(),
            reply_to: letter.reply_to.clone(),
            sent_at: world.now(),
            tries: 0,
            state: MailState::Unread,
        };
        post(world, mail)?;
        ids.push(id);
    }
    mean(world, &sender, &letter.kind, &to, &ids)?;
    Ok(Reply::Mailed(ids))
}

fn id_of(letter: &MailId, mailbox: &str, is_first: bool) -> MailId {
    if is_first { letter.clone() } else { MailId::to_mailbox(letter, mailbox) }
}

fn check(letter: &Letter) -> Result<(), BadSpec> {
    at_most("subject", "bytes", letter.subject.len(), limits::MAIL_SUBJECT_BYTES_MAX)?;
    at_most("body", "bytes", letter.body.len(), limits::MAIL_BODY_BYTES_MAX)?;
    let payload = letter.payload.as_ref().map_or(0, String::len);
    at_most("payload", "bytes", payload, limits::MAIL_PAYLOAD_BYTES_MAX)?;
    at_most("to", "recipients", letter.to.len(), limits::RECIPIENTS_MAX)?;
    if letter.kind == mail_kind::RETURNED {
        return Err(bad("kind", "is what longhaul says of mail that nobody read"));
    }
    mail_kind::check(&letter.kind, letter.payload.as_deref())
}

/// What it is about: of an answer, what was asked.
fn subject(letter: &Letter, answered: Option<&Mail>) -> Result<String, BadSpec> {
    let given = letter.subject.trim();
    if !given.is_empty() {
        return Ok(letter.subject.clone());
    }
    let Some(answered) = answered else { return Err(bad("subject", "is blank")) };
    let asked = &answered.subject;
    let subject = if asked.starts_with("Re: ") { asked.clone() } else { format!("Re: {asked}") };
    Ok(clip(&subject, limits::MAIL_SUBJECT_BYTES_MAX))
}

/// The messages of a letter that was sent before. Refuses another letter with its id.
fn known_already(world: &mut World<'_>, letter: &Letter) -> Result<Option<Vec<MailId>>, Fault> {
    let Some(known) = world.find_mail(&letter.id)? else { return Ok(None) };
    let is_same = known.kind == letter.kind
        && known.body == letter.body
        && known.payload == letter.payload
        && known.priority == letter.priority
        && known.reply_to == letter.reply_to
        && known.from_turn.as_ref() == letter.turn.as_ref().map(|(job, _)| job)
        && (known.from_turn.is_some() || known.from == letter.from)
        && (letter.subject.trim().is_empty() || known.subject == letter.subject);
    if !is_same {
        return Err(Refused::from(bad("id", "is that of another letter")).into());
    }
    let others = known.also_to.iter().map(|mailbox| id_of(&letter.id, mailbox, false));
    Ok(Some(std::iter::once(letter.id.clone()).chain(others).collect()))
}

/// Who sends. A turn sends as its agent, whatever else is said, also when it is already over: what
/// it left running may still be about to say something.
fn sender(world: &mut World<'_>, letter: &Letter) -> Result<Sender, Fault> {
    let (mailbox, turn) = match &letter.turn {
        Some((job, attempt)) => {
            let found = world.find_job(job)?.ok_or_else(|| Refused::NotFound(job.clone()))?;
            let turn = found.spec.turn.as_ref().filter(|_| found.attempt == *attempt);
            let turn = turn.ok_or_else(|| Refused::Stale(job.clone()))?;
            (turn.agent.clone(), Some(job.clone()))
        }
        None => (letter.from.clone(), None),
    };
    if let Some(person) = mailbox.strip_prefix('@') {
        check_word("from", person).map_err(Refused::from)?;
        // As ourselves only our own drivers write; who asks for others may not.
        if is_reserved(person) && mailbox != OURSELVES {
            return Err(Refused::from(bad("from", "is the name of a group")).into());
        }
        return Ok(Sender { mailbox, agent: None, turn });
    }
    let agent = world.find_agent(&mailbox)?.cloned();
    let agent = agent.ok_or_else(|| Refused::NoAgent(mailbox.clone()))?;
    Ok(Sender { mailbox, agent: Some(agent.spec), turn })
}

/// What a message of a turn means beyond itself: that its agent's work is done, or that it waits for
/// an answer. Work is done for somebody: told to a stranger, it is only news.
fn mean(
    world: &mut World<'_>,
    sender: &Sender,
    kind: &str,
    to: &[String],
    ids: &[MailId],
) -> Result<(), Fault> {
    let (Some(turn), Some(agent)) = (&sender.turn, &sender.agent) else { return Ok(()) };
    if mail_kind::asks(kind)
        && let (Some(state), Some(first)) = (&mut world.job(turn)?.turn, ids.first())
    {
        state.awaits = Some(first.clone());
    }
    if !role::is_terminal(agent.role.as_deref(), kind) {
        return Ok(());
    }
    let above = standing::above(world, agent)?;
    let is_told = |mailbox: &String| {
        agent.parent.is_none() || mailbox.starts_with('@') || above.contains(mailbox)
    };
    let Some(place) = to.iter().position(is_told) else { return Ok(()) };
    if let Some(state) = &mut world.job(turn)?.turn {
        state.terminal = Some(ids[place].clone());
    }
    agents::said_late(world, turn)
}
