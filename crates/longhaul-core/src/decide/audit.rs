//! What is written down for those who look afterwards at who was let do what.

use super::clip;
use crate::command::Reply;
use crate::event::Fact;
use crate::id::JobId;
use crate::limits;
use crate::world::{Fault, World};

/// Writes down that somebody was refused. Whoever is refused can do so often and from anywhere, so
/// the one who reports has counted what came in one go, and names are cut.
pub(super) fn turned_away(
    world: &mut World<'_>,
    what: &str,
    who: &str,
    about: Option<JobId>,
    times: u32,
) -> Result<Reply, Fault> {
    let owner = match &about {
        Some(job) => world.find_job(job)?.and_then(|job| job.owner.clone()),
        None => None,
    };
    let [what, who] = [what, who].map(|word| clip(word, limits::WORD_BYTES_MAX));
    world.record_general(&Fact::TurnedAway { what, who, about, owner, times });
    Ok(Reply::Done)
}
