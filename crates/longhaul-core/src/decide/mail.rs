//! The life of mail: put into its mailbox, taken by turns, read, put back, returned, forgotten.
//!
//! Between any two steps a message is either unread or held by a turn that is open, whose end
//! decides; so no crash can lose one or have it read twice.

use super::clip;
use crate::agent::Agent;
use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::id::{JobId, MailId};
use crate::job::Job;
use crate::limits;
use crate::mail::{Mail, MailState, OURSELVES, person_box};
use crate::mail_kind;
use crate::port::{Phase, StoreError};
use crate::prompt;
use crate::spec;
use crate::turn::TurnState;
use crate::world::{Fault, World, mail_ids};

/// What becomes of the mail that a turn holds, now that the turn has ended.
pub(super) enum Settling {
    /// The turn ended well.
    Read,
    /// It failed: another may have it, unless it was tried often enough.
    PutBack {
        /// Why, for the sender, should it be returned.
        because: String,
    },
    /// It goes back to its senders.
    Return {
        /// Why, for the sender.
        because: String,
    },
}

/// Gives a turn all that is unread, oldest first, as far as there is room. Gives all mail that the
/// turn holds, which is what its next attempt is to be told.
pub(super) fn take_unread(
    world: &mut World<'_>,
    agent: &str,
    job: &JobId,
) -> Result<Vec<MailId>, Fault> {
    let turn = world.find_job(job)?.and_then(|found| found.spec.turn.clone());
    let said = turn.map_or_else(String::new, |turn| turn.prompt);
    let mut room = prompt::room_for_mail(limits::INPUT_BYTES_MAX, &said);
    let held = held_by(world, job)?;
    for id in &held {
        room = room.saturating_sub(world.find_mail(id)?.map_or(0, prompt::size_of));
    }
    let known = u32::try_from(held.len()).unwrap_or(u32::MAX);
    let most = limits::MAIL_PER_TURN_MAX.saturating_sub(known);
    for id in mail_ids(world.scan()?.unread(agent, most)?)? {
        let size = world.find_mail(&id)?.map_or(0, prompt::size_of);
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        hold(world, job, &id)?;
    }
    held_by(world, job)
}

fn held_by(world: &mut World<'_>, job: &JobId) -> Result<Vec<MailId>, Fault> {
    let turn = world.find_job(job)?.and_then(|job| job.turn.as_ref());
    Ok(turn.map_or_else(Vec::new, |turn| turn.mail.clone()))
}

fn hold(world: &mut World<'_>, job: &JobId, id: &MailId) -> Result<(), Fault> {
    if let Some(mail) = world.mail(id)? {
        mail.state = MailState::Taken { turn: job.clone() };
    }
    if let Some(turn) = &mut world.job(job)?.turn {
        turn.mail.push(id.clone());
    }
    Ok(())
}

/// Settles the mail that a turn holds. Gives whether some of it was put back, so that another turn
/// follows.
pub(super) fn settle_taken(
    world: &mut World<'_>,
    job: &JobId,
    how: Settling,
) -> Result<bool, Fault> {
    let now = world.now();
    let held = world.job(job)?.turn.as_mut().map(|turn| std::mem::take(&mut turn.mail));
    let mut is_put_back = false;
    for id in held.unwrap_or_default() {
        let Some(mail) = world.mail(&id)? else { continue };
        match &how {
            Settling::Read => mail.state = MailState::Read { at: now, turn: Some(job.clone()) },
            Settling::PutBack { because } => is_put_back |= put_back(world, &id, because)?,
            Settling::Return { because } => give_back(world, &id, because)?,
        }
    }
    Ok(is_put_back)
}

/// Lets another turn have it, or returns it: tried often enough, or nobody is there to have it.
fn put_back(world: &mut World<'_>, id: &MailId, because: &str) -> Result<bool, Fault> {
    let Some(mail) = world.mail(id)? else { return Ok(false) };
    mail.tries += 1;
    let (tries, to) = (mail.tries, mail.to.clone());
    match world.find_agent(&to)? {
        Some(agent) if agent.is_ended() => {
            let because = has_ended(agent);
            give_back(world, id, &because)?;
        }
        None => give_back(world, id, &format!("`{to}` was removed"))?,
        Some(_) if tries >= limits::MAIL_TRIES_MAX => {
            let because = format!("{tries} turns that had it failed, the last because {because}");
            give_back(world, id, &because)?;
        }
        Some(_) => {
            if let Some(mail) = world.mail(id)? {
                mail.state = MailState::Unread;
            }
            world.stir_agent(&to);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why nobody will read mail to this agent any more.
pub(super) fn has_ended(agent: &Agent) -> String {
    format!("`{}` is {}", agent.spec.name, agent.standing.name())
}

/// Puts a message into its mailbox. Its place in the order is given to it here.
pub(super) fn post(world: &mut World<'_>, mut mail: Mail) -> Result<(), Fault> {
    mail.seq = world.next_seq();
    let (id, to) = (mail.id.clone(), mail.to.clone());
    let fact = Fact::Mailed {
        mail: id.clone(),
        from: mail.from.clone(),
        to: to.clone(),
        what: mail.kind.clone(),
    };
    let (turn, answers) = (mail.from_turn.clone(), mail.reply_to.clone());
    *world.mail(&id)? = Some(mail);
    // Exactly one entry each, wherever there is room for it: its position is the message's seq.
    let is_room = |job: &Job| job.facts() < limits::EVENTS_PER_JOB_MAX;
    match turn {
        Some(turn) if world.find_job(&turn)?.is_some_and(is_room) => {
            world.record(&turn, &fact)?;
        }
        Some(_) | None => world.record_general(&fact),
    }
    if let Some(question) = answers {
        answered(world, &question, &id)?;
    }
    if !to.starts_with('@') {
        world.stir_agent(&to);
    }
    Ok(())
}

/// Puts a message of our own into its mailbox, once.
pub(super) fn post_ours(world: &mut World<'_>, mail: Mail) -> Result<(), Fault> {
    if world.find_mail(&mail.id)?.is_some() { Ok(()) } else { post(world, mail) }
}

/// A question that was answered by somebody else is not waited for any more.
fn answered(world: &mut World<'_>, question: &MailId, answer: &MailId) -> Result<(), Fault> {
    let from = world.find_mail(answer)?.map(|mail| mail.from.clone());
    let asked = world.find_mail(question)?.filter(|asked| Some(&asked.from) != from.as_ref());
    let Some(turn) = asked.and_then(|asked| asked.from_turn.clone()) else { return Ok(()) };
    let waits = |turn: &TurnState| turn.awaits.as_ref() == Some(question);
    if world.find_job(&turn)?.and_then(|job| job.turn.as_ref()).is_some_and(waits)
        && let Some(turn) = &mut world.job(&turn)?.turn
    {
        turn.awaits = None;
    }
    Ok(())
}

/// Returns a message, and tells its sender. What we sent ourselves is told to nobody: else two that
/// cannot be reached would write to each other for ever.
pub(super) fn give_back(world: &mut World<'_>, id: &MailId, because: &str) -> Result<(), Fault> {
    let now = world.now();
    let because = clip(because, limits::MESSAGE_BYTES_MAX);
    let Some(mail) = world.mail(id)? else { return Ok(()) };
    mail.state = MailState::Returned { at: now, because: because.clone() };
    let mail = mail.clone();
    world.record_general(&Fact::MailReturned {
        mail: id.clone(),
        to: mail.to.clone(),
        because: because.clone(),
    });
    let Some(to) = teller(world, &mail.from)? else { return Ok(()) };
    // No mailbox is called like this, so it is no other message of the same letter.
    let note = MailId::to_mailbox(id, "!returned");
    let payload = serde_json::json!({
        "mail": id, "to": mail.to, "kind": mail.kind, "because": because, "tries": mail.tries,
    });
    let subject = clip(&format!("Returned: {}", mail.subject), limits::MAIL_SUBJECT_BYTES_MAX);
    let note = Mail {
        body: format!("Your message to {} was not read: {because}.", mail.to),
        payload: Some(payload.to_string()),
        thread: mail.thread,
        reply_to: Some(mail.id),
        ..Mail::ours(note, to, mail_kind::RETURNED, subject, now)
    };
    post_ours(world, note)
}

/// Who is told what became of a message from this mailbox: whoever sent it, or whose the sender was.
fn teller(world: &mut World<'_>, from: &str) -> Result<Option<String>, Fault> {
    if from == OURSELVES {
        return Ok(None);
    }
    if from.starts_with('@') {
        return Ok(Some(from.to_owned()));
    }
    let Some(agent) = world.find_agent(from)? else { return Ok(None) };
    if agent.is_ended() {
        return Ok(agent.spec.owner.as_deref().map(person_box));
    }
    Ok(Some(from.to_owned()))
}

/// Returns the oldest unread messages of a mailbox, so many at most. Gives whether there are more.
pub(super) fn give_back_unread(
    world: &mut World<'_>,
    mailbox: &str,
    because: &str,
    most: u32,
) -> Result<bool, Fault> {
    for id in mail_ids(world.scan()?.unread(mailbox, most)?)? {
        give_back(world, &id, because)?;
    }
    Ok(world.scan()?.unread_count(mailbox)? > 0)
}

/// The agent whose turn asks, if it asks in its current attempt.
fn asker(world: &mut World<'_>, (job, attempt): &(JobId, u32)) -> Result<String, Fault> {
    let found = world.find_job(job)?.ok_or_else(|| Refused::NotFound(job.clone()))?;
    let is_current = found.phase() == Phase::Active && found.attempt == *attempt;
    let turn = found.spec.turn.as_ref().filter(|_| is_current);
    let agent = turn.map(|turn| turn.agent.clone());
    Ok(agent.ok_or_else(|| Refused::Stale(job.clone()))?)
}

/// Hands out what is unread.
pub(super) fn check(
    world: &mut World<'_>,
    mailbox: &str,
    turn: Option<&(JobId, u32)>,
    limit: u32,
) -> Result<Reply, Fault> {
    let mut most = limit.min(limits::MAIL_PER_TURN_MAX);
    if let Some(turn) = turn {
        if asker(world, turn)? != mailbox {
            return Err(
                Refused::from(spec::bad("agent", "is another's; a turn reads its own")).into()
            );
        }
        let room = limits::MAIL_HELD_MAX.saturating_sub(held_by(world, &turn.0)?.len());
        most = most.min(u32::try_from(room).unwrap_or(u32::MAX));
    } else if !mailbox.starts_with('@') && world.find_agent(mailbox)?.is_none() {
        return Err(Refused::NoAgent(mailbox.to_owned()).into());
    }
    let ids = mail_ids(world.scan()?.unread(mailbox, most)?)?;
    for id in &ids {
        hand_over(world, id, turn.map(|(job, _)| job))?;
    }
    if !mailbox.starts_with('@') {
        world.stir_agent(mailbox);
    }
    Ok(Reply::Handed(ids))
}

/// To a turn, it is held by that, whose end decides; to a person, it is read.
fn hand_over(world: &mut World<'_>, id: &MailId, turn: Option<&JobId>) -> Result<(), Fault> {
    let now = world.now();
    if let Some(job) = turn {
        return hold(world, job, id);
    }
    if let Some(mail) = world.mail(id)? {
        mail.state = MailState::Read { at: now, turn: None };
    }
    Ok(())
}

/// Takes note that a message was read. What a turn has, or what has ended, stays as it is.
pub(super) fn read(
    world: &mut World<'_>,
    id: &MailId,
    turn: Option<&(JobId, u32)>,
) -> Result<Reply, Fault> {
    let mail = world.find_mail(id)?.cloned().ok_or_else(|| Refused::NoMail(id.clone()))?;
    if let Some(turn) = turn {
        let agent = asker(world, turn)?;
        if mail.to != agent {
            // What it sent itself it may look at; others' mail does not exist for it.
            let is_own = mail.from == agent;
            return if is_own { Ok(Reply::Done) } else { Err(Refused::NoMail(id.clone()).into()) };
        }
        if held_by(world, &turn.0)?.len() >= limits::MAIL_HELD_MAX {
            let limit = limits::MAIL_HELD_MAX as u64;
            return Err(Refused::TooMany { what: "messages held by one turn", limit }.into());
        }
    }
    if mail.state == MailState::Unread {
        hand_over(world, id, turn.map(|(job, _)| job))?;
        if !mail.to.starts_with('@') {
            world.stir_agent(&mail.to);
        }
    }
    Ok(Reply::Done)
}

/// Forgets the oldest messages that were read or returned, while there are more than are kept. Gives
/// whether there are more to forget.
pub(crate) fn forget_mail(world: &mut World<'_>) -> Result<bool, StoreError> {
    let beyond = world.scan()?.ended_mail_count()?.saturating_sub(limits::MAIL_KEPT_MAX);
    let most = u32::try_from(beyond).unwrap_or(u32::MAX).min(limits::STEP_MAIL_MAX);
    if most == 0 {
        return Ok(false);
    }
    for id in mail_ids(world.scan()?.oldest_ended_mail(most)?)? {
        let done = world.command(|world| {
            *world.mail(&id)? = None;
            Ok(())
        })?;
        done.map_err(|refused| StoreError::Corrupt(format!("old mail: {refused}")))?;
    }
    Ok(beyond > u64::from(most))
}
