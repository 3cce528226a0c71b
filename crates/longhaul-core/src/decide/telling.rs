//! What attempts tell those who follow their jobs.

use crate::command::{Entry, Refused, Reply};
use crate::event::Fact;
use crate::id::JobId;
use crate::limits;
use crate::outcome::Outcome;
use crate::port::Phase;
use crate::task::TaskResult;
use crate::world::{Fault, World};
use serde_json::{Value, json};

/// An event in words that clients know, as the journal keeps it.
pub(super) fn text_of(name: &str, body: Value) -> String {
    written(name, body, false)
}

fn written(name: &str, body: Value, decided: bool) -> String {
    let fact = Fact::Told { name: name.to_owned(), body, decided };
    serde_json::to_string(&fact).expect("facts are plain trees with text keys")
}

/// Tells what was decided about a call of the job's, and has it found in the audit.
pub(super) fn tell_decided(
    world: &mut World<'_>,
    id: &JobId,
    name: &str,
    body: Value,
) -> Result<(), Fault> {
    world.record_told(id, vec![written(name, body, true)])
}

/// Tells an event of our own about a job.
pub(super) fn tell_one(
    world: &mut World<'_>,
    id: &JobId,
    name: &str,
    body: Value,
) -> Result<(), Fault> {
    world.record_told(id, vec![text_of(name, body)])
}

/// Takes what an attempt gives back. The last that it says before its end counts.
pub(super) fn give_result(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    result: TaskResult,
) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    job.fence(attempt)?;
    job.emitted += 1;
    if let Some(stream) = &job.stream {
        let why = format!("`{}` has pieces; a result comes whole or in pieces", stream.id);
        return Err(Refused::BadPiece(why).into());
    }
    let is_hosted = job.spec.hosted.is_some();
    let most = if is_hosted { limits::HOSTED_RESULT_BYTES_MAX } else { limits::RESULT_BYTES_MAX };
    let structured = result.structured.as_ref().map_or(0, String::len);
    if result.text.len().max(structured) > most {
        let limit = most as u64;
        return Err(Refused::TooMany { what: "bytes in a result", limit }.into());
    }
    job.result = Some(result);
    Ok(Reply::Done)
}

/// Takes up what an attempt tells: all of it, or nothing.
pub(super) fn tell(
    world: &mut World<'_>,
    id: &JobId,
    attempt: u32,
    entries: Vec<Entry>,
) -> Result<Reply, Fault> {
    let job = world.job(id)?;
    if job.phase() != Phase::Active || job.attempt != attempt {
        return Err(Refused::Stale(id.clone()).into());
    }
    // A result with a hole is none; each entry may bring one more, of what it costs.
    let (room, entries_max) = (limits::TURN_EVENTS_MAX - job.tellings, 2 * entries.len() as u64);
    if room <= entries_max && entries.iter().any(|entry| entry.piece.is_some()) {
        let limit = limits::TURN_EVENTS_MAX;
        return Err(Refused::TooMany { what: "events that one job tells", limit }.into());
    }
    job.emitted += 1;
    let mut texts = Vec::with_capacity(entries.len());
    for Entry { text, charge, piece } in entries {
        if let Some(piece) = piece {
            if piece.seq == 0 {
                takes_pieces(world, id)?;
            }
            world.job(id)?.follow_on(piece)?;
        }
        texts.push(text);
        if let Some((currency, amount)) = charge {
            texts.extend(super::leases::charge(world, id, &currency, amount)?);
        }
    }
    world.record_told(id, texts)?;
    Ok(Reply::Done)
}

/// Refuses pieces that whoever asked for the job could do nothing with: it would have a job that
/// succeeded, and never its result.
fn takes_pieces(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(session) = world.job(id)?.session.clone() else { return Ok(()) };
    match world.session_slot(&session)? {
        Some(session) if !session.features.contains("result_chunk") => {
            let why = "the session that asked for the job takes no results in pieces";
            Err(Refused::BadPiece(why.to_owned()).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// A job that ended well has told all of its result, although nobody said so: whoever puts the pieces
/// together waits for the last.
pub(super) fn end_pieces(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    let is_success = job.outcome().is_some_and(Outcome::is_success);
    let Some(stream) = job.stream.as_mut().filter(|stream| is_success && !stream.is_closed) else {
        return Ok(());
    };
    let body = json!({ "result_id": stream.id, "chunk_seq": stream.next, "data": "",
        "encoding": "utf8", "more": false });
    (stream.next, stream.is_closed) = (stream.next + 1, true);
    tell_one(world, id, "result_chunk", body)
}
