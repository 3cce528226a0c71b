//! Mail: sent to each mailbox that a letter names, handed out, read.

use crate::command::{Refused, Reply};
use crate::id::{JobId, MailId};
use crate::mail::Letter;
use crate::world::{Fault, World};

/// Sends a letter: one message to each mailbox, all or none.
pub(super) fn send(_world: &mut World<'_>, letter: Letter) -> Result<Reply, Fault> {
    Err(Refused::NoRecipients(letter.subject).into())
}

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
    _agent: &str,
    job: &JobId,
) -> Result<Vec<MailId>, Fault> {
    Ok(world.job(job)?.turn.as_ref().map_or_else(Vec::new, |turn| turn.mail.clone()))
}

/// Settles the mail that a turn holds. Gives whether some of it was put back, so that another turn
/// follows.
pub(super) fn settle_taken(
    _world: &mut World<'_>,
    _job: &JobId,
    _how: Settling,
) -> Result<bool, Fault> {
    Ok(false)
}

/// Hands out what is unread.
pub(super) fn check(
    _world: &mut World<'_>,
    mailbox: &str,
    _turn: Option<&(JobId, u32)>,
    _limit: u32,
) -> Result<Reply, Fault> {
    Err(Refused::NoAgent(mailbox.to_owned()).into())
}

/// Takes note that a message was read.
pub(super) fn read(
    _world: &mut World<'_>,
    mail: &MailId,
    _turn: Option<&(JobId, u32)>,
) -> Result<Reply, Fault> {
    Err(Refused::NoMail(mail.clone()).into())
}
