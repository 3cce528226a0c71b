//! A result that is told in pieces: one name, counted from zero, nothing behind the last.

use super::Job;
use crate::command::{Piece, Refused};
use crate::limits;
use serde::{Deserialize, Serialize};

/// How far a result is told that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultStream {
    /// Its name, the same in every piece.
    pub id: String,
    /// The number of the next piece.
    pub next: u64,
    /// Bytes of all pieces so far, decoded.
    pub bytes: u64,
    /// Whether the last piece was told.
    pub is_closed: bool,
}

impl ResultStream {
    /// How far the result is with `piece`, where it was as far as `known`, or had not begun. Refuses
    /// `Repeat` for the one that came last, `BadPiece` for one that does not go on there, `TooMany` for one
    /// that is too large.
    pub fn follow_on(known: Option<&Self>, piece: Piece) -> Result<Self, Refused> {
        let bad = |why: String| Err(Refused::BadPiece(why));
        let (next, bytes) = known.map_or((0, 0), |stream| (stream.next, stream.bytes));
        if let Some(stream) = known {
            // Whoever never heard the answer says it again.
            if stream.id == piece.result && piece.seq + 1 == stream.next {
                return Err(Refused::Repeat);
            }
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
        let sizes = [(limits::PIECE_BYTES_MAX, piece.bytes), (limits::PIECES_BYTES_MAX, bytes)];
        for (most, size) in sizes {
            if size > most {
                return Err(Refused::TooMany { what: "bytes in a result", limit: most });
            }
        }
        Ok(Self { id: piece.result, next: next + 1, bytes, is_closed: piece.is_last })
    }
}

impl Job {
    /// Takes a piece of the result for the next one. An attempt begins its own result: under the name of
    /// the one before it, those who put pieces together by name would make one of both.
    pub fn follow_on(&mut self, piece: Piece) -> Result<(), Refused> {
        if self.stream.is_none() && self.stream_before.as_ref() == Some(&piece.result) {
            let why = format!("`{}` was begun by an earlier attempt", piece.result);
            return Err(Refused::BadPiece(why));
        }
        self.stream = Some(ResultStream::follow_on(self.stream.as_ref(), piece)?);
        Ok(())
    }

    /// Another attempt begins: what the one before it told of a result is not this one's.
    pub(super) fn begin_stream(&mut self) {
        if let Some(before) = self.stream.take() {
            self.stream_before = Some(before.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(result: &str, seq: u64, is_last: bool) -> Piece {
        Piece { result: result.into(), seq, bytes: 3, is_last }
    }

    #[test]
    fn pieces_come_one_after_another_until_the_last() {
        let first = ResultStream::follow_on(None, piece("r", 0, false)).unwrap();
        let last = ResultStream::follow_on(Some(&first), piece("r", 1, true)).unwrap();
        assert_eq!((last.next, last.bytes, last.is_closed), (2, 6, true));
        for (known, next, code) in [
            (None, piece("r", 1, false), "bad_piece"),
            (Some(&first), piece("r", 0, false), "repeat"),
            (Some(&first), piece("r", 2, false), "bad_piece"),
            (Some(&first), piece("s", 1, false), "bad_piece"),
            (Some(&last), piece("r", 1, true), "repeat"),
            (Some(&last), piece("r", 2, false), "bad_piece"),
        ] {
            assert_eq!(ResultStream::follow_on(known, next).unwrap_err().code(), code);
        }
    }

    #[test]
    fn a_piece_has_its_limit_and_so_have_all() {
        let large = Piece { bytes: limits::PIECE_BYTES_MAX + 1, ..piece("r", 0, false) };
        assert_eq!(ResultStream::follow_on(None, large).unwrap_err().code(), "too_many");
        let most = ResultStream { bytes: limits::PIECES_BYTES_MAX, ..ResultStream::default() };
        let refused = ResultStream::follow_on(Some(&most), piece("", 0, true)).unwrap_err();
        assert_eq!(refused.code(), "too_many");
    }
}
