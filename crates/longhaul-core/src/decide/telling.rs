//! What attempts tell those who follow their jobs.

use crate::command::{Entry, Piece, Refused, Reply};
use crate::event::Fact;
use crate::id::JobId;
use crate::job::{Job, ResultStream};
use crate::limits;
use crate::port::Phase;
use crate::task::TaskResult;
use crate::world::{Fault, World};
use serde_json::Value;

/// An event in words that clients know, as the journal keeps it.
pub(super) fn text_of(name: &str, body: Value) -> String {
    let fact = Fact::Told { name: name.to_owned(), body };
    serde_json::to_string(&fact).expect("facts are plain trees with text keys")
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
    job.emitted += 1;
    let mut texts = Vec::with_capacity(entries.len());
    for Entry { text, charge, piece } in entries {
        if let Some(piece) = piece {
            follow_on(world.job(id)?, piece)?;
        }
        texts.push(text);
        if let Some((currency, amount)) = charge {
            texts.extend(super::leases::charge(world, id, &currency, amount)?);
        }
    }
    world.record_told(id, texts)?;
    Ok(Reply::Done)
}

/// Takes a piece of a result for the next one, or refuses it.
fn follow_on(job: &mut Job, piece: Piece) -> Result<(), Refused> {
    let bad = |why: String| Err(Refused::BadPiece(why));
    let known = job.stream.clone();
    let (next, bytes) = known.as_ref().map_or((0, 0), |stream| (stream.next, stream.bytes));
    if let Some(stream) = &known {
        if stream.is_closed {
            return bad(format!("`{}` had its last piece", stream.id));
        }
        if stream.id != piece.result {
            return bad(format!("`{}` is not `{}`", piece.result, stream.id));
        }
    }
    if piece.seq != next {
        return bad(format!("{} comes where {next} is due", piece.seq));
    }
    let bytes = bytes.saturating_add(piece.bytes);
    for (most, size) in [(limits::PIECE_BYTES_MAX, piece.bytes), (limits::PIECES_BYTES_MAX, bytes)]
    {
        if size > most {
            return Err(Refused::TooMany { what: "bytes in a result", limit: most });
        }
    }
    let (id, is_closed) = (piece.result, piece.is_last);
    job.stream = Some(ResultStream { id, next: next + 1, bytes, is_closed });
    Ok(())
}
