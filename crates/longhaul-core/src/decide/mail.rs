//! Mail: sent to each mailbox that a letter names, handed out, read.

use crate::command::{Refused, Reply};
use crate::id::{JobId, MailId};
use crate::mail::Letter;
use crate::world::{Fault, World};

/// Sends a letter: one message to each mailbox, all or none.
pub(super) fn send(_world: &mut World<'_>, letter: Letter) -> Result<Reply, Fault> {
    Err(Refused::NoRecipients(letter.subject).into())
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
